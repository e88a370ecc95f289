"""Who takes from the channels in memory: waiters on one channel, scouts of consumers on many.

One lock guards all state and is never held across an await, nor while somebody is told.
"""

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol

from nbchannels.decoding import decode
from nbchannels.encoding import Encoded
from nbchannels.layers.base import BaseChannelLayer, Limits
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.registry import Registry
from nbchannels.layers.scouts import Plan, Scout

__all__ = ["ServingLayer", "Waiter"]


class Waiter(Protocol):
    """Who wants to take from a channel."""

    def wake(self) -> bool:
        """There may be a message; called once, without the lock. False if nobody is there."""


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

    def _woken(self, boxes: Iterable[Mailbox]) -> list[tuple[str, Waiter | None, Iterable[Scout]]]:
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

    def _tell(self, woken: Iterable[tuple[str, Waiter | None, Iterable[Scout]]]) -> None:
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
            scouts = self._registry.scouts
            scouts.add(scout)
            waiting = []
            for name, box in self._registry.mailboxes.items():
                if scout in scouts.plan(name).scouts:
                    box.capacity, box.expiry = self.get_capacity(name), self._expiries.of(name)
                    if box.letters:
                        waiting.append(name)
        for name in waiting:
            scout.notify(name)

    def dismiss(self, scout: Scout) -> None:
        """``scout`` is gone; others that served behind it are told of what waits."""
        with self._lock:
            scouts = self._registry.scouts
            served = [
                name
                for name, box in self._registry.mailboxes.items()
                if box.letters and scout in scouts.plan(name).scouts
            ]
            scouts.remove(scout)
        for name in served:
            self.pass_on(name)

    def enlisted(self) -> list[Scout]:
        """All scouts."""
        with self._lock:
            return list(self._registry.scouts)

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
