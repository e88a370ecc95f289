"""Which consumer serves a message: patterns of channels, filters, and who comes before whom.

Each party (a kernel, the server itself) has its routes in an order; of those that match a message
its first one counts, names before globs. Of the parties that are left, those with the most specific
route serve: a name with filters before a name, before a glob with filters, before a glob. They
compete. Pure state: the layer's lock guards it.
"""

import itertools
import re
import time
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Protocol

from nbchannels.layers.bindings import Binding, compiled_glob, is_glob
from nbchannels.typing import MessageDict

__all__ = ["SLOW", "Plan", "Scout", "Scouts"]

#: Names whose plan is remembered.
MEMORY = 10_000
#: Seconds that a filter may take for one message; its scout is told of more.
SLOW = 0.2


class Scout(Protocol):
    """One route of one party.

    Attributes:
        binding: which messages it takes.
        order: its place among the routes of its party.
    """

    binding: Binding
    order: int

    @property
    def party(self) -> Hashable:
        """Whose it is."""

    @property
    def wants(self) -> int:
        """How many messages it would take now; from any thread, without a lock."""

    def permits(self, channel: str) -> bool:
        """Whether its party may take from a channel that its pattern matches; always the same."""

    def notify(self, channel: Any) -> None:
        """There may be a message for it in ``channel``; called from any thread, without a lock."""

    def too_slow(self, seconds: float) -> None:
        """Its filters took longer than `SLOW`; called from any thread, without the layer's lock."""


class Plan:
    """Who serves the messages of one channel, or of several that the same scouts match.

    Args:
        scouts: all that may take from it.
        number: no other plan has it.

    Attributes:
        number: as above.
        scouts: whoever may get something.
        is_filtered: whether that depends on the message's content.
    """

    def __init__(self, scouts: Iterable[Scout], number: int = 0) -> None:
        self.number = number
        self._parties: dict[Hashable, list[Scout]] = {}
        for scout in sorted(scouts, key=_place):
            self._parties.setdefault(scout.party, []).append(scout)
        parties = self._parties.values()
        self.is_filtered = any(scout.binding.steps for party in parties for scout in party)
        every = [scout for party in parties for scout in party]
        self.scouts = tuple(every if self.is_filtered else _best(party[0] for party in parties))
        self._bits = {scout: 1 << place for place, scout in enumerate(self.scouts)}

    def chosen(self, content: MessageDict) -> list[Scout]:
        """Who serves a message with this content: one of these."""
        if not self.is_filtered:
            return list(self.scouts)
        firsts = (_first(party, content) for party in self._parties.values())
        return _best(scout for scout in firsts if scout is not None)

    def chosen_of(self, party: Hashable, content: MessageDict) -> Scout | None:
        """The route of this party that serves a message with this content."""
        return _first(self._parties.get(party, ()), content)

    def bits(self, scouts: Iterable[Scout]) -> int:
        """A set of its scouts as a number: kept with a letter, it keeps nobody alive."""
        bits = 0
        for scout in scouts:
            bits |= self._bits.get(scout, 0)
        return bits


class Scouts:
    """The routes of all parties."""

    def __init__(self) -> None:
        self._names: dict[str, dict[Scout, None]] = {}
        self._globs: dict[Scout, re.Pattern[str]] = {}
        self._numbers = itertools.count(1)
        self._plans: dict[str, Plan] = {}
        # Most names are matched by the same scouts: they share a plan.
        self._shared: dict[tuple[Scout, ...], Plan] = {}

    def __bool__(self) -> bool:
        return bool(self._names or self._globs)

    def __iter__(self) -> Iterator[Scout]:
        for scouts in self._names.values():
            yield from scouts
        yield from self._globs

    def add(self, scout: Scout) -> None:
        """A route is there from now on."""
        channel = scout.binding.channel
        if is_glob(channel):
            self._globs[scout] = compiled_glob(channel)
        else:
            self._names.setdefault(channel, {})[scout] = None
        self._forget()

    def remove(self, scout: Scout) -> None:
        """It is gone."""
        self._globs.pop(scout, None)
        scouts = self._names.get(scout.binding.channel)
        if scouts is not None:
            scouts.pop(scout, None)
            if not scouts:
                del self._names[scout.binding.channel]
        self._forget()

    def has(self, party: Hashable) -> bool:
        """Whether a party serves anything."""
        return any(scout.party == party for scout in self)

    def plan(self, channel: str) -> Plan:
        """Who serves the messages of a channel."""
        plan = self._plans.get(channel)
        if plan is None:
            if len(self._plans) >= MEMORY:
                self._plans.clear()
            found = tuple(scout for scout in self._matching(channel) if scout.permits(channel))
            plan = self._shared.get(found)
            if plan is None:
                if len(self._shared) >= MEMORY:
                    self._shared.clear()
                plan = self._shared[found] = Plan(found, next(self._numbers))
            self._plans[channel] = plan
        return plan

    def _matching(self, channel: str) -> Iterator[Scout]:
        yield from self._names.get(channel, ())
        for scout, glob in self._globs.items():
            if glob.match(channel):
                yield scout

    def _forget(self) -> None:
        self._plans.clear()
        self._shared.clear()


def _place(scout: Scout) -> tuple[bool, int]:
    return is_glob(scout.binding.channel), scout.order


def _rank(scout: Scout) -> tuple[bool, bool]:
    return not is_glob(scout.binding.channel), bool(scout.binding.steps)


def _first(scouts: Iterable[Scout], content: MessageDict) -> Scout | None:
    return next((scout for scout in scouts if _accepts(scout, content)), None)


def _accepts(scout: Scout, content: MessageDict) -> bool:
    if not scout.binding.steps:
        return True
    begun = time.perf_counter()
    accepted = scout.binding.accepts(content)
    took = time.perf_counter() - begun
    if took > SLOW:
        scout.too_slow(took)
    return accepted


def _best(scouts: Iterable[Scout]) -> list[Scout]:
    found = list(scouts)
    top = max(map(_rank, found), default=None)
    return [scout for scout in found if _rank(scout) == top]
