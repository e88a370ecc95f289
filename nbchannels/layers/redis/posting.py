"""Sending to the named channels of a layer on Redis."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.exceptions import ChannelFull
from nbchannels.layers.hints import no_receiver
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.mailboxes import RECENT
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.entries import pack_letter
from nbchannels.layers.redis.outbox import Parcel, overtaken
from nbchannels.layers.redis.queue_scripts import PUT
from nbchannels.layers.registry import Registry
from nbchannels.receipt import Receipt

__all__ = ["Posting"]

#: Channels of which the newest number is remembered.
MOST_KNOWN = 10_000
#: Seconds without a message after which a channel that is empty may have been forgotten in order.
IDLE = 3_600.0


class Layer(Protocol):
    """What sending needs of its layer."""

    backbone: Backbone
    registry: Registry

    def sealed(self, parcel: Parcel) -> Any:
        """Its message, encrypted where that is wanted."""


class Posting:
    """The way into the channels. Works on the loop of the layer.

    Args:
        layer: its surroundings.
        sent: called with the name of a channel that has news.
    """

    def __init__(self, layer: Layer, sent: Callable[[str], None]) -> None:
        self._layer = layer
        # The number that the newest message of a channel had, and when it was sent.
        self._newest: dict[str, tuple[int, float]] = {}
        self._sent = sent

    async def put(self, name: str, parcels: list[Parcel]) -> None:
        """Put messages into a channel, in one call; each gets its receipt, or `ChannelFull`."""
        layer = self._layer
        registry, backbone = layer.registry, layer.backbone
        keys = backbone.keys
        producers: dict[str, int] = {}
        head = (
            keys.channel(name, "wake"), backbone.publish, name,
            registry.capacity_of(name), registry.expiry_of(name),
            registry.bounds.mailbox_bytes, backbone.name,
        )  # fmt: skip
        for parcel in parcels:
            producers.setdefault(parcel.producer.id, len(producers) + 1)

        def arguments() -> list[Any]:
            found: list[Any] = list(head)
            for parcel in parcels:
                data = pack_letter(layer.sealed(parcel), parcel.sender, 0, parcel.flags)
                found += (producers[parcel.producer.id], parcel.producer.sequence, data)
            return found

        def again() -> list[Any]:
            for parcel in parcels:
                parcel.repeat()
            return arguments()

        parts = ("queue", "meta", "serve", *(f"by:{producer}" for producer in producers))
        receivers, used, waiting, capacity, *results = await backbone.run(
            PUT, [keys.channel(name, part) for part in parts], arguments(), again
        )
        self._sent(name)
        self._notice(name, max(results))
        hint = None
        if not receivers and not 0 <= used < RECENT:
            box = Mailbox(name, capacity, 0)
            box.letters.extend([None] * min(waiting, capacity))  # type: ignore[list-item]
            hint = no_receiver(registry, box)
        for parcel, result in zip(parcels, results, strict=True):
            if result == -3 and not parcel.is_own:
                parcel.failed(overtaken(("channel", name)))
            elif result == -2:
                parcel.failed(
                    ChannelFull(
                        f"channel {name!r} cannot take {len(parcel.encoded.body):,} bytes: the "
                        f"messages that wait in it may have {registry.bounds.mailbox_bytes:,} "
                        "bytes together; receive them, or send less",
                        channel=name, capacity=capacity,
                    )
                )  # fmt: skip
            elif result < 0:
                parcel.failed(ChannelFull(channel=name, capacity=capacity))
            else:
                offset = result or None
                parcel.done(
                    Receipt(
                        "channel", name, receivers, offset=offset, meaning="primary",
                        duplicate=not result, hint=hint if result else None,
                    )
                )  # fmt: skip

    def _notice(self, name: str, newest: int) -> None:
        """Numbers rise: if they do not, Redis has begun the channel anew."""
        if newest <= 0:
            return
        now = time.monotonic()
        before, when = self._newest.get(name, (0, now))
        if newest <= before and now - when < IDLE:
            self._layer.backbone.lose(
                f"Redis has begun channel {name!r} anew: what waited in it before is gone (it was "
                "flushed, or Redis started again without what it had: see persistence)",
                name,
            )
        elif name not in self._newest and len(self._newest) >= MOST_KNOWN:
            self._newest.clear()
        self._newest[name] = newest, now
