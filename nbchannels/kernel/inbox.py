"""Receiving from channels over the connection: credit for who waits, leases settled on hand-over.

A delivery is offered to the coroutine that waits longest. It is settled when that coroutine has
really taken it; one that was cancelled meanwhile gives it back, to the front of its channel.
"""

import asyncio
import threading
from collections import deque
from typing import Literal, Protocol

from nbchannels.exceptions import ChannelsError
from nbchannels.protocol.events import Record

__all__ = ["Inbox", "Wire"]


class Wire(Protocol):
    """The connection, as the inbox uses it; from any thread."""

    def credit(self, channel: str, credit: int) -> None:
        """Be ready for so many deliveries of a channel."""

    def settle(self, lease: int, outcome: Literal["done", "return"]) -> None:
        """Say what became of a delivery."""


class _Waiting:
    __slots__ = ("connection", "future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.connection = 0
        self.future: asyncio.Future[Record] = loop.create_future()


class Inbox:
    """Who waits on which channel."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._connection = 1

    async def receive(self, channel: str) -> Record:
        """Wait for the next delivery of a channel, on any loop."""
        first = True
        while True:
            waiting = _Waiting(asyncio.get_running_loop())
            self._join(channel, waiting, first)
            record: Record | None = None
            try:
                record = await waiting.future
            finally:
                if record is None:
                    self._leave(channel, waiting)
            if waiting.connection == self._connection:
                self._wire.settle(record.sequence, "done")
                return record
            first = False  # the server took it back with the connection: it delivers it again

    def _join(self, channel: str, waiting: _Waiting, first: bool) -> None:
        with self._lock:
            queue = self._waiting.setdefault(channel, deque())
            if first:
                queue.append(waiting)
            else:
                queue.appendleft(waiting)
            self._wire.credit(channel, len(queue))

    def _leave(self, channel: str, waiting: _Waiting) -> None:
        """A receiver is gone; what was handed to it but not taken goes back."""
        with self._lock:
            queue = self._waiting.get(channel)
            if queue is not None and waiting in queue:
                queue.remove(waiting)
                self._wire.credit(channel, len(queue))
                if not queue:
                    del self._waiting[channel]
        future = waiting.future
        if future.done() and not future.cancelled() and future.exception() is None:
            self._wire.settle(future.result().sequence, "return")

    def deliver(self, record: Record) -> None:
        """A delivery came, on the connection's thread."""
        while True:
            with self._lock:
                queue = self._waiting.get(record.name)
                waiting = queue.popleft() if queue else None
                if queue is not None and not queue:
                    del self._waiting[record.name]
                if waiting is not None:
                    waiting.connection = self._connection
            if waiting is None:
                self._wire.settle(record.sequence, "return")
                return
            try:
                waiting.loop.call_soon_threadsafe(self._hand, waiting, record)
            except RuntimeError:  # its loop is closed: the next one
                continue
            return

    def _hand(self, waiting: _Waiting, record: Record) -> None:
        """On the receiver's loop."""
        if waiting.future.done():
            self._wire.settle(record.sequence, "return")
        else:
            waiting.future.set_result(record)

    def lost(self) -> None:
        """The connection has ended: what was delivered and not settled is not ours any more."""
        with self._lock:
            self._connection += 1

    def fail(self, channel: str | None, error: ChannelsError) -> None:
        """Nothing will come on this channel, or on any (``None``)."""
        with self._lock:
            names = list(self._waiting) if channel is None else [channel]
            gone = [w for name in names for w in self._waiting.pop(name, ())]
        for waiting in gone:
            try:
                waiting.loop.call_soon_threadsafe(_fail, waiting.future, error)
            except RuntimeError:
                continue


def _fail(future: "asyncio.Future[Record]", error: ChannelsError) -> None:
    if not future.done():
        future.set_exception(error)
