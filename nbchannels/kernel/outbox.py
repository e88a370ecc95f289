"""What this process sends: a bounded queue of messages that wait to be acknowledged.

A full queue makes senders wait for room: a thread blocks, a coroutine awaits. Both wait on plain
futures, which the connection sets when something was acknowledged.
"""

import asyncio
import contextlib
import threading
import time
from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol

from nbchannels.bridge import bridge
from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError, SendTimeout, WouldDeadlock, from_wire
from nbchannels.protocol.client import ClientSession, Outgoing
from nbchannels.protocol.events import Event
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["MOST_WAITING", "MOST_WAITING_BYTES", "Line", "Outbox"]

#: Messages and bytes that wait for acknowledgement at most; a message alone may be larger.
MOST_WAITING, MOST_WAITING_BYTES = 1000, 8 * 2**20
_CANCELLED = ChannelsError("cancelled before it was sent")
_THERE: Future[None] = Future()
_THERE.set_result(None)


class Line(Protocol):
    """The connection, as the outbox uses it."""

    lock: threading.Lock
    session: ClientSession
    detail: str
    error: ChannelsError | None

    def start(self) -> None:
        """Begin to connect, unless that was done."""

    def wake(self) -> None:
        """Have the writer look."""


class Outbox:
    """Messages on their way, and who waits for what becomes of them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rooms: list[Future[None]] = []

    def publish(
        self, kind: Kind, name: str, encoded: Encoded, receipt: bool, patience: float
    ) -> Future[Receipt]:
        """Queue a message; while the queue is full, wait for room.

        Args:
            kind: ``"group"`` or ``"channel"``.
            name: of it.
            encoded: the message.
            receipt: whether the receipt's numbers are wanted.
            patience: seconds to wait for room.

        Raises:
            ServerNotFound, PermissionDenied: there is nobody to send to.
            SendTimeout: no room; the message was not queued.
        """
        deadline = time.monotonic() + patience
        while True:
            self._line.start()
            future, room = self._offer(kind, name, encoded, receipt)
            if future is not None:
                return future
            if bridge.here:
                raise WouldDeadlock(
                    "the queue is full, and this is the thread that empties it; "
                    "in a coroutine: await group.asend(...)"
                )
            try:
                bridge.wait(room, max(deadline - time.monotonic(), 0.0))
            except TimeoutError:
                raise self._no_room(patience) from None

    async def has_room(self, encoded: Encoded, patience: float) -> None:
        """Wait for room without holding up the loop, so that `publish` need not.

        Raises:
            SendTimeout: there was none within ``patience`` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                while (room := self._room_for(len(encoded.body))) is not None:
                    await asyncio.wrap_future(room)
        except TimeoutError:
            raise self._no_room(patience) from None

    def withdraw(self, future: Future[Receipt], error: ChannelsError) -> bool:
        """Give a message up; whether it is certain that the server does not have it.

        Args:
            future: what `publish` returned; if it is certain, it raises ``error`` from now on.
            error: why.
        """
        outgoing: Outgoing | None = getattr(future, "outgoing", None)
        if outgoing is None:
            return False
        line = self._line
        with line.lock:
            certain = outgoing.withdrawable
            if certain:
                line.session.withdraw(outgoing)
        if certain:
            _settle(future, error)
            self.make_room()
            line.wake()
        return certain

    def flush(self, patience: float) -> bool:
        """Wait until everything is acknowledged, for so many seconds; whether it is."""
        deadline = time.monotonic() + patience
        while True:
            with self._line.lock:
                if not self._line.session.publisher.unacknowledged:
                    return True
                room = self._wait()
            try:
                bridge.wait(room, max(deadline - time.monotonic(), 0.0))
            except TimeoutError:
                return False

    # What the connection tells, without its lock.

    def answered(self, event: Event) -> None:
        """A message was ``accepted`` or ``rejected``."""
        outgoing: Outgoing = event.subject
        if event.name == "rejected":
            _settle(outgoing.waiter, from_wire(event.detail))
        elif event.detail:
            _settle(outgoing.waiter, Receipt.from_wire(event.detail))
        else:
            _settle(outgoing.waiter, Receipt(outgoing.kind, outgoing.name))

    def make_room(self) -> None:
        """Something was answered: whoever waits for room tries again."""
        if not self._rooms:
            return
        with self._line.lock:
            rooms, self._rooms = self._rooms, []
        for room in rooms:
            _settle(room, None)

    def fail(self, error: ChannelsError) -> None:
        """Nothing of what waits will be sent."""
        line = self._line
        with line.lock:
            waiting = line.session.publisher.outstanding()
            for outgoing in waiting:
                line.session.withdraw(outgoing)
        for outgoing in waiting:
            _settle(outgoing.waiter, error)
        self.make_room()

    # Inside.

    def _offer(
        self, kind: Kind, name: str, encoded: Encoded, receipt: bool
    ) -> tuple[Future[Receipt] | None, Future[None]]:
        """Queue a message and return its future; or a future that is set when there is room."""
        line = self._line
        future: Future[Receipt] = Future()
        future.add_done_callback(self._finished)
        with line.lock:
            if line.error is not None:
                raise line.error
            if self._is_full(len(encoded.body)):
                return None, self._wait()
            outgoing = line.session.publish(kind, name, encoded.codec, encoded.body, receipt)
            outgoing.waiter = future
            future.outgoing = outgoing  # type: ignore[attr-defined]
        line.wake()
        return future, _THERE

    def _finished(self, future: Future[Receipt]) -> None:
        """A coroutine that waited was cancelled: so is its message, if it was not written yet."""
        if future.cancelled():
            self.withdraw(future, _CANCELLED)

    def _room_for(self, size: int) -> Future[None] | None:
        with self._line.lock:
            if self._line.error is not None or not self._is_full(size):
                return None
            return self._wait()

    def _is_full(self, size: int) -> bool:
        publisher = self._line.session.publisher
        waiting = publisher.unacknowledged
        return waiting >= MOST_WAITING or (
            waiting > 0 and publisher.unacknowledged_bytes + size > MOST_WAITING_BYTES
        )

    def _wait(self) -> Future[None]:
        """With the lock: a future that is set when there is room."""
        room: Future[None] = Future()
        self._rooms = [waiting for waiting in self._rooms if not waiting.done()]
        self._rooms.append(room)
        return room

    def _no_room(self, patience: float) -> SendTimeout:
        publisher = self._line.session.publisher
        return SendTimeout(
            f"{publisher.unacknowledged:,} messages of {publisher.unacknowledged_bytes:,} bytes "
            f"wait to be acknowledged, and there was no room within {patience:g} s "
            f"({self._line.detail}); this one was not queued"
        )


def _settle(future: Future[Any] | None, outcome: Any) -> None:
    """Give a future its result, or the error; one that was cancelled or is set stays as it is."""
    if future is None:
        return
    with contextlib.suppress(InvalidStateError):
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
