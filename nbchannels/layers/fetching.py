"""A hosted layer whose channels live elsewhere: messages are fetched as far as they are wanted.

What was fetched waits in the mailbox of its channel here, for the waiter or the scout that wanted
it.
"""

import abc
from collections.abc import Callable
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError
from nbchannels.layers.bindings import compiled_glob, is_glob
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.pulls import Pull, end
from nbchannels.layers.scouts import Scout
from nbchannels.layers.serving import Waiter
from nbchannels.typing import Kind

__all__ = ["FetchingLayer"]


class FetchingLayer(HostedLayer):
    """See above; all that is asked elsewhere is asked on the loop of `bridge`.

    Attributes:
        who: the name of what is asked, for people.
    """

    who: str

    def __init__(self, *options: Any, **more: Any) -> None:
        super().__init__(*options, **more)
        self._pulls: dict[str, Pull] = {}
        self._is_closed = False

    @abc.abstractmethod
    async def fetch(self, channel: str) -> Any:
        """Wait for the next message of a channel."""

    @abc.abstractmethod
    def is_fetched(self, channel: str) -> bool:
        """Whether messages of a channel may be elsewhere; from any thread."""

    @abc.abstractmethod
    def failed(self, error: Exception) -> None:
        """See `Taker.failed`."""

    @abc.abstractmethod
    def answered(self) -> None:
        """What is asked does answer."""

    def _lost(self, kind: Kind, name: str, error: Exception) -> None:
        report(
            "unreadable",
            f"a message of {kind} {name!r}, which came by {self.who}, is lost: {error}",
            subject=f"{kind} {name}",
        )

    # What `Pull` asks.

    def wanted(self, channel: str) -> bool:
        """See `Taker.wanted`."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            plan = self._registry.scouts.plan(channel)
            waiting = len(box.waiters) if box is not None else 0
            # What is here and meant for none of them is nobody's turn.
            nobodys = (plan.number, 0)
            letters = box.letters if box is not None else ()
            here = sum(letter.choice != nobodys for letter in letters)
            if box is not None and len(letters) >= box.capacity:
                return False
        return waiting + sum(scout.wants for scout in plan.scouts) > here

    def arrived(self, channel: str, message: Any) -> None:
        """See `Taker.arrived`."""
        self.answered()
        try:
            encoded = self.encode(message)
        except ChannelsError as error:
            self._lost("channel", channel, error)
            return
        with self._lock:
            now = self._clock()
            box = self._registry.mailbox(channel)
            box.letters.append(Letter(encoded, now, now + box.expiry))
            box.sent += 1
            self._registry.waiting_bytes += len(encoded.body)
            woken = self._woken([box])
        self._tell(woken)

    # When it looks again.

    def _poke(self, channel: str) -> None:
        """Somebody may want messages of a channel, or no more; from any thread."""
        if self.is_fetched(channel):
            bridge.call(self._look, channel)

    def _look(self, channel: str) -> None:
        pull = self._pulls.get(channel)
        if pull is not None:
            pull.poke()
        elif not self._is_closed and self.wanted(channel):
            self._pulls[channel] = Pull(channel, self, self.fetch, self._over)

    def _over(self, channel: str) -> None:
        self._pulls.pop(channel, None)
        if self.wanted(channel):  # since the last look
            bridge.call(self._look, channel)

    def _poke_all(self, scout: Scout) -> None:
        channel = scout.binding.channel
        if is_glob(channel):
            bridge.call(self._look_at, compiled_glob(channel).match)
        else:
            self._poke(channel)

    def _look_at(self, match: Callable[[str], object]) -> None:
        for channel in [channel for channel in self._pulls if match(channel)]:
            self._look(channel)

    def take(self, channel: str, waiter: Waiter | None, *, front: bool = False) -> Letter | None:
        """See `ReceivingLayer.take`."""
        letter = super().take(channel, waiter, front=front)
        if waiter is not None or letter is not None:
            self._poke(channel)
        return letter

    def leave(self, channel: str, waiter: Waiter) -> None:
        """See `ReceivingLayer.leave`."""
        super().leave(channel, waiter)
        self._poke(channel)

    def take_for(self, scout: Scout, channel: str) -> tuple[Letter | None, bool]:
        """See `ServingLayer.take_for`."""
        found = super().take_for(scout, channel)
        self._poke(channel)
        return found

    def enlist(
        self, scout: Scout, capacity: int | None = None, expiry: float | None = None
    ) -> None:
        """See `ServingLayer.enlist`; of a glob only the channels that are sent to from here."""
        super().enlist(scout, capacity, expiry)
        self._poke_all(scout)
        if is_glob(scout.binding.channel):
            report(
                "glob",
                f"{self.who} does not tell which channels there are: a consumer of "
                f"{scout.binding.channel!r} gets messages of those that this process sends to; "
                "name the channels that others send to",
                subject=scout.binding.channel,
            )

    def dismiss(self, scout: Scout) -> None:
        """See `ServingLayer.dismiss`."""
        super().dismiss(scout)
        self._poke_all(scout)

    def wants_more(self, scout: Scout) -> None:
        """See `ServingLayer.wants_more`."""
        self._poke_all(scout)

    async def _stop_pulls(self) -> None:
        await end([pull.task for pull in self._pulls.values()])
