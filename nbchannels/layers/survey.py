"""What is in a layer now, as rows: for whoever looks at it."""

from collections.abc import Iterable
from typing import Any

from nbchannels.layers.deadletters import DeadLetter
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import PROBLEMS

__all__ = [
    "buried",
    "channels",
    "dead_letters",
    "given_up",
    "groups",
    "has_history",
    "is_heard",
    "memberships",
    "totals",
]

Row = tuple[Any, ...]


def groups(layer: HostedLayer) -> list[Row]:
    """Of each group: name, offset, messages, bytes, subscribers, members, last time, epoch.

    The server's own words are not among them.
    """
    rows: list[Row] = []
    with layer._lock:
        for name, state in layer._registry.groups.items():
            if name == PROBLEMS:
                continue
            log = state.log
            top = log.top
            rows.append(
                (
                    name, top, len(log), log.bytes, len(state.cursors),
                    len(state.members), log.time if top else None, log.epoch,
                )
            )  # fmt: skip
    return rows


def totals(layer: HostedLayer) -> dict[str, int]:
    """The counters of a layer and what it holds; `BaseChannelLayer.statistics` without waiting."""
    with layer._lock:
        return layer._registry.statistics() | {"leased": len(layer._held)}


def buried(layer: HostedLayer) -> tuple[int, dict[str, int]]:
    """How many dead letters there were since the beginning, and how many for each reason."""
    with layer._lock:
        dead = layer._registry.dead
        return dead.count, {str(reason): number for reason, number in dead.reasons.items()}


def given_up(layer: HostedLayer) -> tuple[int, int, int]:
    """Dead letters since the beginning, those that are kept, and failures of consumers."""
    with layer._lock:
        registry = layer._registry
        return registry.dead.count, len(registry.dead), registry.counters["failed"]


def dead_letters(layer: HostedLayer) -> list[DeadLetter]:
    """All dead letters that are kept, newest first."""
    return layer.newest_dead(layer._registry.dead.most)


def has_history(layer: HostedLayer, group: str) -> bool:
    """Whether the log of a group holds anything; it begins nothing."""
    with layer._lock:
        state = layer._registry.groups.get(group)
        return state is not None and len(state.log) > 0


def is_heard(layer: HostedLayer, kind: str, name: str) -> bool:
    """Whether somebody is in a group, or receives from a channel; it begins neither."""
    with layer._lock:
        registry = layer._registry
        if kind == "group":
            state = registry.groups.get(name)
            return state is not None and bool(state.cursors or state.members)
        box = registry.mailboxes.get(name)
        return bool((box is not None and box.waiters) or registry.scouts.plan(name).scouts)


def memberships(layer: HostedLayer, channels: Iterable[str]) -> set[str]:
    """The groups that any of these channels is a member of."""
    with layer._lock:
        boxes = [layer._registry.mailboxes.get(name) for name in channels]
        return {group for box in boxes if box is not None for group in box.groups}


def channels(layer: HostedLayer) -> list[Row]:
    """Of each channel what is in it, and what went through it.

    Name, waiting, bytes, oldest (seconds), capacity, receivers, sent, received, dropped, expired.
    """
    rows: list[Row] = []
    with layer._lock:
        now = layer._clock()
        registry = layer._registry
        for name, box in registry.mailboxes.items():
            letters = box.letters
            receivers = len(box.waiters) + len(registry.scouts.plan(name).scouts)
            size = sum(len(letter.encoded.body) for letter in letters) if letters else 0
            oldest = max(0.0, now - letters[0].time) if letters else 0.0
            rows.append(
                (
                    name, len(letters), size, round(oldest, 1), box.capacity, receivers, box.sent,
                    box.received, box.dropped, box.expired,
                )
            )  # fmt: skip
    return rows
