"""Coroutines that wait for a message of a channel, and how they are woken and given it.

Each is woken on its own loop, those of one loop together; one that was cancelled, or whose loop is
gone, passes the message on.
"""

import asyncio
import contextlib
from collections.abc import Iterable

from nbchannels.layers.mailbox import Letter, Mailbox
from nbchannels.layers.serving import ServingLayer, Told, Waiter
from nbchannels.names import require_channel_name

__all__ = ["Receiver", "WaitingLayer"]


class Receiver:
    """A coroutine in `receive`."""

    __slots__ = ("future", "letter", "loop", "woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.woken = False
        #: That it was given when it was woken.
        self.letter: Letter | None = None

    def wake(self) -> bool:
        """See `Waiter.wake`."""
        self.woken = True
        try:
            if asyncio._get_running_loop() is self.loop:
                self.set()
            else:
                self.loop.call_soon_threadsafe(self.set)
                # One whose loop stands still takes when it goes on; meanwhile others may.
                return self.loop.is_running()
        except RuntimeError:  # its loop is closed
            return False
        return True

    def set(self) -> None:
        """On its loop: it looks again."""
        if not self.future.done():
            self.future.set_result(None)

    def fail(self, error: Exception) -> None:
        """It gets an error instead of a message."""
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self.loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _wake_all(loop: asyncio.AbstractEventLoop, receivers: list[Receiver]) -> bool:
    """Wake those that wait on one loop; False if it does not run."""

    def wake() -> None:
        for receiver in receivers:
            receiver.set()

    for receiver in receivers:
        receiver.woken = True
    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:  # the loop is closed
        return False
    return loop.is_running()


class WaitingLayer(ServingLayer):
    """How messages come to coroutines that wait for them."""

    async def _receive(self, channel: str) -> Letter:
        # Most often it is known, and there is something or nothing: that costs no lock.
        box = self._registry.mailboxes.get(channel)
        if box is None:
            require_channel_name(channel)
        letter = self.take(channel, None) if box is not None and box.letters else None
        if letter is None:
            letter = await self._wait(channel)
        if letter.dialogue is not None:
            letter.dialogue.taken(None)
        return letter

    async def _wait(self, channel: str) -> Letter:
        receiver: Receiver | None = None
        try:
            while True:
                loop = asyncio.get_running_loop()
                first = receiver is None
                receiver = Receiver(loop)
                letter = self.take(channel, receiver, front=not first)
                if letter is not None:
                    receiver = None
                    return letter
                await receiver.future
                letter, receiver.letter = receiver.letter, None
                if letter is not None:
                    receiver = None
                    return letter
        finally:
            if receiver is not None:
                self._take_back(channel, receiver)
                self.leave(channel, receiver)

    def _take_back(self, channel: str, receiver: Receiver) -> None:
        """What a receiver was given and cannot take stands in front again."""
        with self._lock:
            letter, receiver.letter = receiver.letter, None
            if letter is not None:
                self._registry.untake(channel, letter)

    def take(self, channel: str, waiter: Waiter | None, *, front: bool = False) -> Letter | None:
        """Take the next message of ``channel``, or have ``waiter`` woken when there may be one.

        Args:
            channel: a valid name.
            waiter: ``None`` does not wait.
            front: whether it is woken before the others.

        Raises:
            LayerUnavailable: there are too many channels.
        """
        with self._lock:
            if waiter is None and channel not in self._registry.mailboxes:
                return None
            now = self._clock()
            box = self._registry.mailbox(channel, now)
            letter = self._registry.take(box, now)
            if letter is not None or waiter is None:
                self._registry.release(box)
            elif front:
                box.waiters.appendleft(waiter)
            else:
                box.waiters.append(waiter)
        self.tell_lost()
        return letter

    def leave(self, channel: str, waiter: Waiter) -> None:
        """``waiter`` gives up. If it was woken already, its turn passes to the next."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            if box is None:
                return
            try:
                box.waiters.remove(waiter)
            except ValueError:
                woken = True
            else:
                woken = False
                self._registry.release(box)
        if woken:
            self.pass_on(channel)

    def _woken(self, boxes: Iterable[Mailbox]) -> list[Told]:
        """See `ServingLayer._woken`; a coroutine that waits is given its message at once."""
        boxes = list(boxes)
        told = super()._woken(boxes)
        now = self._clock()
        for box, (_, waiter, _) in zip(boxes, told, strict=True):
            if isinstance(waiter, Receiver):
                waiter.letter = self._registry.take(box, now)
                self._registry.release(box)
        return told

    def _tell(self, woken: Iterable[Told]) -> None:
        """See `ServingLayer._tell`; coroutines that wait on one loop are woken together."""
        here = asyncio._get_running_loop()
        together: dict[asyncio.AbstractEventLoop, list[tuple[str, Receiver]]] = {}
        for name, waiter, scouts in woken:
            if isinstance(waiter, Receiver):
                if waiter.loop is here:
                    waiter.woken = True
                    waiter.set()
                else:
                    together.setdefault(waiter.loop, []).append((name, waiter))
            elif waiter is not None and not waiter.wake():
                self.pass_on(name)
            for scout in scouts:
                scout.notify(name)
        for loop, receivers in together.items():
            if not _wake_all(loop, [receiver for _, receiver in receivers]):
                for name, receiver in receivers:
                    self._take_back(name, receiver)
                    self.pass_on(name)
