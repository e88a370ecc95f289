"""Who takes from the channels in memory: waiters on one channel, scouts of consumers on many.

One lock guards all state and is never held across an await, nor while somebody is told.
"""

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol, TypeAlias

from nbchannels.decoding import decode
from nbchannels.diagnoses import report
from nbchannels.encoding import Encoded
from nbchannels.exceptions import EncodingError
from nbchannels.layers.base import BaseChannelLayer, Limits
from nbchannels.layers.bindings import compiled_glob, is_glob
from nbchannels.layers.mailbox import Letter, Mailbox
from nbchannels.layers.registry import Registry
from nbchannels.layers.scouts import Plan, Scout

__all__ = ["GLANCE", "ServingLayer", "Told", "Waiter"]

#: Messages of one channel that filters look at, at one time.
GLANCE = 100


class Waiter(Protocol):
    """Who wants to take from a channel."""

    def wake(self) -> bool:
        """There may be a message; called once, without the lock. False if nobody is there."""


#: A channel with news, and who is told: one that waits, and those that serve it.
Told: TypeAlias = tuple[str, Waiter | None, Iterable[Scout]]


class ServingLayer(BaseChannelLayer):
    """How those are told of a message who may take it."""

    _lock: threading.Lock
    _clock: Callable[[], float]
    _registry: Registry
    _expiries: Limits

    def pass_on(self, channel: str) -> None:
        """Wake the next waiter of ``channel`` and tell its scouts, if a message is there."""
        while True:
            with self._lock:
                box = self._registry.mailboxes.get(channel)
                if box is None or not box.letters:
                    return
                waiter = box.waiters.popleft() if box.waiters else None
                scouts = self._registry.scouts.plan(channel).scouts
            if waiter is None or waiter.wake():
                break
        for scout in scouts:
            scout.notify(channel)

    def _woken(self, boxes: Iterable[Mailbox]) -> list[Told]:
        """Whom to tell of letters in these mailboxes; with the lock."""
        scouts = self._registry.scouts
        return [
            (
                box.name,
                box.waiters.popleft() if box.waiters else None,
                scouts.plan(box.name).scouts if scouts else (),
            )
            for box in boxes
        ]

    def _tell(self, woken: Iterable[Told]) -> None:
        """Tell them, without the lock."""
        for name, waiter, scouts in woken:
            if waiter is not None and not waiter.wake():
                self.pass_on(name)
            for scout in scouts:
                scout.notify(name)

    # Who serves.

    def enlist(
        self, scout: Scout, capacity: int | None = None, expiry: float | None = None
    ) -> None:
        """From now on ``scout`` is told of messages in the channels of its binding.

        Args:
            scout: one route of a consumer.
            capacity: from now on of these channels, in messages.
            expiry: from now on of these channels, in seconds.
        """
        for option, value in (("capacity", capacity), ("expiry", expiry)):
            if value is not None:
                self.require_positive(option, value)
        glob = scout.binding.channel
        with self._lock:
            if capacity is not None:
                self._capacities.override(glob, capacity)
            if expiry is not None:
                self._expiries.override(glob, expiry)
            self._registry.scouts.add(scout)
            boxes = self._matching(scout)
            if capacity is not None or expiry is not None:
                for box in boxes:
                    box.limit(self.get_capacity(box.name), self._expiries.of(box.name))
            waiting = [box.name for box in boxes if box.letters]
        for name in waiting:
            scout.notify(name)

    def wants_more(self, scout: Scout) -> None:
        """``scout`` would take more than a moment ago (`Scout.wants`); called from any thread.

        Nothing to do where all messages are in this process; a layer that fetches them may.
        """

    def dismiss(self, scout: Scout) -> None:
        """``scout`` is gone; others that served behind it are told of what waits."""
        with self._lock:
            self._registry.scouts.remove(scout)
            served = [box.name for box in self._matching(scout) if box.letters]
        for name in served:
            self.pass_on(name)

    def _matching(self, scout: Scout) -> list[Mailbox]:
        """The mailboxes that its binding means; with the lock."""
        boxes, channel = self._registry.mailboxes, scout.binding.channel
        if not is_glob(channel):
            return [boxes[channel]] if channel in boxes else []
        match = compiled_glob(channel).match
        return [box for name, box in boxes.items() if match(name)]

    def enlisted(self) -> list[Scout]:
        """All scouts."""
        with self._lock:
            return list(self._registry.scouts)

    def serves(self, party: Hashable) -> bool:
        """Whether a party has any scout."""
        with self._lock:
            return self._registry.scouts.has(party)

    def plan(self, channel: str) -> Plan:
        """Who serves the messages of a channel, as of now."""
        with self._lock:
            return self._registry.scouts.plan(channel)

    def chosen_of(self, party: Hashable, channel: str, encoded: Encoded) -> Scout | None:
        """The scout of this party that a message belongs to."""
        plan = self.plan(channel)
        content = decode(*encoded) if plan.is_filtered else {}
        return plan.chosen_of(party, content)

    def has_receivers(self, channel: str, content: dict[str, Any]) -> bool:
        """Whether somebody is there who takes a message with this content from a channel."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            waits = box is not None and bool(box.waiters)
        return waits or bool(self.plan(channel).chosen(content))

    # What scouts take.

    def take_for(self, scout: Scout, channel: str) -> tuple[Letter | None, bool]:
        """Take the next message of a channel that is for this scout.

        Filters look at `GLANCE` messages at one time, without the lock: each has to be decoded.
        What a filter decided is kept with the message as long as the same scouts are there.

        Returns:
            The message, or ``None``; and whether the scout shall look here again, soon.
        """
        with self._lock:
            plan = self._registry.scouts.plan(channel)
            box = self._registry.mailboxes.get(channel)
            if box is None or scout not in plan.scouts:
                return None, False
            fresh = box.undecided(plan.number, GLANCE) if plan.is_filtered else []
        decided = {id(letter): self._decide(plan, channel, letter) for letter in fresh}
        with self._lock:
            registry = self._registry
            box = registry.mailboxes.get(channel)
            if box is None or registry.scouts.plan(channel) is not plan:
                return None, box is not None  # who serves what has changed meanwhile
            letter = registry.take_for(box, self._clock(), plan, scout, decided)
            registry.release(box)
        self.tell_lost()
        return letter, letter is not None or len(fresh) == GLANCE

    def _decide(self, plan: Plan, channel: str, letter: Letter) -> int:
        """Who of a plan serves a message, as bits; without the lock."""
        try:
            chosen: Iterable[Scout] = plan.chosen(decode(*letter.encoded))
        except EncodingError:  # nobody can read it: whoever is first says so
            chosen = plan.scouts
        bits = plan.bits(chosen)
        if not bits:
            report(
                "no-route",
                f"a message of channel {channel!r} matches no filter of those that serve it; it "
                "waits for another consumer, and then goes to the dead letters",
                subject=channel,
            )
        return bits

    def tell_lost(self) -> None:
        """Tell dialogues whose messages are gone; without the lock."""
        if not self._registry.lost_dialogues:
            return
        with self._lock:
            lost, self._registry.lost_dialogues = self._registry.lost_dialogues, []
        for dialogue, sentence in lost:
            dialogue.lost("expired", sentence)
