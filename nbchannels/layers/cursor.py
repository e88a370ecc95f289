"""Where a subscriber stands on a group's log: the shapes, and what every cursor can do.

A cursor yields, in order and without holes, three kinds of things: a `Record` (one message), a
`Missing` (these messages will not come) and an `Anchor` (the log goes on from here: another epoch).
"""

import abc
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from nbchannels.protocol.events import Position, Record, Start

__all__ = ["Anchor", "Cursor", "Item", "Missing", "Page", "Start"]


class Anchor(NamedTuple):
    """Where a cursor was put: the next record has ``offset + 1``, unless a `Missing` comes first.

    Attributes:
        epoch: of the log.
        offset: after this entry.
        tag: of this entry; 0 before the first.
        top: the newest offset at this moment.
        recovered: everything after the position that was asked for will come.
        reason: why not: ``"epoch"``, ``"trimmed"`` or ``"tag"``.
        cleared: ``clear()`` ended the epoch that was asked for.
        lost: how many messages are gone, if known.
        log: the server-wide id of the log; 0 where there is none.
    """

    epoch: str
    offset: int
    tag: int
    top: int
    recovered: bool = True
    reason: Literal["epoch", "trimmed", "tag"] | None = None
    cleared: bool = False
    lost: int | None = None
    log: int = 0


class Missing(NamedTuple):
    """The offsets ``first`` to ``last`` will not come: trimmed from the log, or jumped over."""

    first: int
    last: int
    reason: Literal["trimmed", "conflated"] = "trimmed"


class Page(NamedTuple):
    """The answer of `BaseChannelLayer.read`: entries after ``anchor``, oldest first."""

    anchor: Anchor
    records: list[Record]


Item: TypeAlias = Record | Missing | Anchor


class Cursor(abc.ABC):
    """One subscriber's place on a group's log.

    Attributes:
        group: the name of the group.
        anchor: where it was put at first.
        on_change: called, from any thread and without a lock held, when there may be something to
            take; it must be quick and must not raise. Set it, then call `take` once.
    """

    group: str
    anchor: Anchor
    on_change: Callable[[], None] | None = None

    @abc.abstractmethod
    def take(self, limit: int = 256) -> list[Item]:
        """At most ``limit`` items, oldest first; an empty list when there is nothing now.

        Raises:
            ChannelsError: the subscription has ended, and everything before was taken.
        """

    @property
    @abc.abstractmethod
    def position(self) -> Position:
        """After what was taken last; `subscribe` from here goes on without a hole."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give the subscription up. Idempotent, from any thread."""
