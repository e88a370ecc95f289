"""Which consumer serves a message: patterns of channels, filters, and who comes before whom.

Each party (a kernel, the server itself) has its routes in an order; of those that match a message
its first one counts, names before globs. Of the parties that are left, those with the most specific
route serve: a name with filters before a name, before a glob with filters, before a glob. They
compete. Pure state: the layer's lock guards it.
"""

import fnmatch
import re
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Protocol

from nbchannels.layers.bindings import Binding, is_glob
from nbchannels.typing import MessageDict

__all__ = ["Plan", "Scout", "Scouts"]

#: Names whose plan is remembered.
MEMORY = 10_000


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

    def notify(self, channel: Any) -> None:
        """There may be a message for it in ``channel``; called from any thread, without a lock."""


class Plan:
    """Who serves the messages of one channel.

    Args:
        scouts: all whose pattern matches its name.

    Attributes:
        scouts: whoever may get something.
        is_filtered: whether that depends on the message's content.
    """

    def __init__(self, scouts: Iterable[Scout]) -> None:
        self._parties: dict[Hashable, list[Scout]] = {}
        for scout in sorted(scouts, key=_place):
            self._parties.setdefault(scout.party, []).append(scout)
        self.is_filtered = any(s.binding.steps for p in self._parties.values() for s in p)
        parties = self._parties.values()
        every = [scout for party in parties for scout in party]
        self.scouts = tuple(every if self.is_filtered else _best(party[0] for party in parties))

    def chosen(self, content: MessageDict) -> list[Scout]:
        """Who serves a message with this content: one of these."""
        if not self.is_filtered:
            return list(self.scouts)
        firsts = (_first(party, content) for party in self._parties.values())
        return _best(scout for scout in firsts if scout is not None)

    def chosen_of(self, party: Hashable, content: MessageDict) -> Scout | None:
        """The route of this party that serves a message with this content."""
        return _first(self._parties.get(party, ()), content)


class Scouts:
    """The routes of all parties."""

    def __init__(self) -> None:
        self._names: dict[str, dict[Scout, None]] = {}
        self._globs: dict[Scout, re.Pattern[str]] = {}
        self._plans: dict[str, Plan] = {}

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
            self._globs[scout] = re.compile(fnmatch.translate(channel))
        else:
            self._names.setdefault(channel, {})[scout] = None
        self._plans.clear()

    def remove(self, scout: Scout) -> None:
        """It is gone."""
        self._globs.pop(scout, None)
        scouts = self._names.get(scout.binding.channel)
        if scouts is not None:
            scouts.pop(scout, None)
            if not scouts:
                del self._names[scout.binding.channel]
        self._plans.clear()

    def plan(self, channel: str) -> Plan:
        """Who serves the messages of a channel."""
        plan = self._plans.get(channel)
        if plan is None:
            if len(self._plans) >= MEMORY:
                self._plans.clear()
            found = list(self._names.get(channel, ()))
            found += [s for s, pattern in self._globs.items() if pattern.match(channel)]
            plan = self._plans[channel] = Plan(found)
        return plan


def _place(scout: Scout) -> tuple[bool, int]:
    return is_glob(scout.binding.channel), scout.order


def _rank(scout: Scout) -> tuple[bool, bool]:
    return not is_glob(scout.binding.channel), bool(scout.binding.steps)


def _first(scouts: Iterable[Scout], content: MessageDict) -> Scout | None:
    return next((s for s in scouts if not s.binding.steps or s.binding.accepts(content)), None)


def _best(scouts: Iterable[Scout]) -> list[Scout]:
    found = list(scouts)
    top = max(map(_rank, found), default=None)
    return [scout for scout in found if _rank(scout) == top]
