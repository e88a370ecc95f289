"""What is in a layer now, as rows: for whoever looks at it."""

from typing import Any

from nbchannels.layers.hosted import HostedLayer

__all__ = ["buried", "channels", "groups", "totals"]

Row = tuple[Any, ...]


def groups(layer: HostedLayer) -> list[Row]:
    """Of each group: name, offset, messages, bytes, subscribers, members, last time, epoch."""
    rows: list[Row] = []
    with layer._lock:
        for name, state in layer._registry.groups.items():
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
