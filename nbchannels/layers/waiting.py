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
    """A coroutine in `receive`.

    Attributes:
        loop: that it runs on.
        future: that it waits for.
        letter: that it was given when it was woken.
    """

    __slots__ = ("future", "letter", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # Not of a class of our own: a task waits for a plain one by a shorter way.
        self.future: asyncio.Future[None] = loop.create_future()
        self.letter: Letter | None = None

    def wake(self) -> bool:
        """See `Waiter.wake`."""
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

    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:  # the loop is closed
        return False
    return loop.is_running()


class WaitingLayer(ServingLayer):
    """How messages come to coroutines that wait for them."""

    async def _receive(self, channel: str) -> Letter:
        letter = self._at_hand(channel) or await self._wait(channel)
        if letter.dialogue is not None:
            letter.dialogue.taken(None)
        return letter

    def _at_hand(self, channel: str) -> Letter | None:
        """What is there already; most often it is known whether anything is, and costs no lock."""
        box = self._registry.mailboxes.get(channel)
        if box is None:
            require_channel_name(channel)
            return None
        return self.take(channel, None) if box.letters else None

    async def _wait(self, channel: str) -> Letter:
        receiver = Receiver(asyncio.get_running_loop())
        letter = None
        try:
            letter = self.take(channel, receiver)
            while letter is None:
                await receiver.future
                letter = receiver.letter
                if letter is None:  # somebody else was faster
                    receiver = Receiver(receiver.loop)
                    letter = self.take(channel, receiver, front=True)
        except BaseException:
            self._take_back(channel, receiver)
            self.leave(channel, receiver)
            raise
        return letter

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
            box = self._registry.mailboxes.get(channel)
            if box is None or box.letters:
                letter, box = self._take(channel, box, wants=waiter is not None)
            else:
                letter, box.used = None, self._clock()
            if waiter is not None and letter is None and box is not None:
                if front:
                    box.waiters.appendleft(waiter)
                else:
                    box.waiters.append(waiter)
        if self._registry.lost_dialogues:
            self.tell_lost()
        return letter

    def _take(
        self, channel: str, box: Mailbox | None, *, wants: bool
    ) -> tuple[Letter | None, Mailbox | None]:
        """Take from a mailbox, which is made if somebody ``wants`` to wait; with the lock."""
        now = self._clock()
        if box is None:
            if wants:
                box = self._registry.mailbox(channel, now)
                box.used = now
            return None, box
        letter = self._registry.take(box, now)
        if letter is not None or not wants:
            self._registry.release(box)
        return letter, box

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
        registry, now = self._registry, self._clock()
        scouts = registry.scouts
        told: list[Told] = []
        for box in boxes:
            waiter = box.waiters.popleft() if box.waiters else None
            served = scouts.plan(box.name).scouts if scouts else ()
            if type(waiter) is Receiver:
                waiter.letter = registry.take(box, now)
                if not box.kept:
                    registry.release(box)
            told.append((box.name, waiter, served))
        return told

    def _tell(self, woken: Iterable[Told]) -> None:
        """See `ServingLayer._tell`; coroutines that wait on one loop are woken together."""
        here = asyncio._get_running_loop()
        together: dict[asyncio.AbstractEventLoop, list[tuple[str, Receiver]]] = {}
        for name, waiter, scouts in woken:
            if type(waiter) is Receiver:
                if waiter.loop is here:
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
