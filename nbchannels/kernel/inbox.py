"""Receiving from channels over the connection: credit for who waits.

A delivery is offered to the coroutine that waits longest. One that was cancelled meanwhile gives it
back, to the front of its channel. What was taken stays leased over a reconnect.
"""

import asyncio
import threading
from collections import deque
from typing import Protocol

from nbchannels.exceptions import ChannelsError
from nbchannels.protocol.events import Outcome, Record

__all__ = ["Inbox", "Wire"]


class Wire(Protocol):
    """The connection, as the inbox uses it; from any thread."""

    def credit(self, channel: str, credit: int) -> None:
        """Be ready for so many deliveries of a channel."""

    def settle(self, lease: int, outcome: Outcome) -> None:
        """Say what became of a delivery."""


class _Waiting:
    __slots__ = ("future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[Record] = loop.create_future()


class Inbox:
    """Who waits on which channel."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Waiting]] = {}

    async def receive(self, channel: str) -> Record:
        """Wait for the next delivery of a channel, on any loop; it is not settled."""
        waiting = _Waiting(asyncio.get_running_loop())
        self._join(channel, waiting)
        record: Record | None = None
        try:
            record = await waiting.future
        finally:
            if record is None:
                self._leave(channel, waiting)
        return record

    def _join(self, channel: str, waiting: _Waiting) -> None:
        with self._lock:
            queue = self._waiting.setdefault(channel, deque())
            queue.append(waiting)
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
