"""What became of messages that were taken: told to Redis together, and until it knows."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.errands import Errand
from nbchannels.layers.redis.queue_scripts import SETTLE
from nbchannels.layers.registry import Registry

__all__ = ["Settlements"]

#: Messages of one call; seconds between two attempts, and that a message waits for others.
MOST, PAUSE, LINGER = 256, 0.5, 0.002


class Layer(Protocol):
    """What the settlements need of their layer."""

    backbone: Backbone
    registry: Registry

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function on the layer's loop, from any thread."""


class Settlements:
    """What is to be told. Works on the loop of the layer.

    Args:
        layer: its surroundings.
        told: called with a channel and the ids of messages of which Redis knows now.
    """

    def __init__(self, layer: Layer, told: Callable[[str, list[bytes]], None]) -> None:
        self._layer = layer
        self._told = told
        # Added by any thread, and not looked at by the loop.
        self._fresh: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._is_woken = False
        self._is_closed = False
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}
        self._is_busy = False
        self._errand: Errand | None = None

    def add(
        self, channel: str, id_: bytes, what: str, size: int, returns: int = 0, data: bytes = b""
    ) -> None:
        """Say what became of a message; if it is done, soon, with others. From any thread.

        Args:
            channel: it came from.
            id_: of its entry.
            what: ``done``, ``front`` or ``back``.
            size: bytes that it counts.
            returns: how often its holders died.
            data: that goes to the back.
        """
        self._fresh.append((channel, (id_, what, size, returns, data)))
        if what != "done":  # somebody else may wait for it
            self._layer.soon(self.flush)
        elif not self._is_woken:  # the loop resets it before it looks: nothing is left behind
            self._is_woken = True
            self._layer.soon(self._wake)

    def _wake(self) -> None:
        if self._is_woken:
            asyncio.get_running_loop().call_later(LINGER, self.flush)

    def flush(self) -> None:
        """Tell now, together with whatever else is written in this turn of the loop."""
        self._is_woken = False
        while self._fresh:
            channel, settlement = self._fresh.popleft()
            self._waiting.setdefault(channel, []).append(settlement)
        if self._waiting and not self._is_busy and not self._is_closed:
            self._is_busy = True
            self._errand = Errand(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                channel, settlements = next(iter(self._waiting.items()))
                some, rest = settlements[:MOST], settlements[MOST:]
                if rest:
                    self._waiting[channel] = rest
                else:
                    del self._waiting[channel]
                await self._write(channel, some)
        finally:
            self._is_busy = False

    async def _write(self, channel: str, settlements: list[tuple[Any, ...]]) -> None:
        layer = self._layer
        keys = [layer.backbone.keys.channel(channel, part) for part in ("queue", "meta", "back")]
        arguments: list[Any] = [
            layer.backbone.name, layer.backbone.keys.channel(channel, "wake"),
            layer.backbone.publish, channel, layer.registry.expiry_of(channel),
        ]  # fmt: skip
        for settlement in settlements:
            arguments += settlement
        try:
            await layer.backbone.run(SETTLE, keys, arguments)
        except LayerUnavailable:
            # It is known here what became of them: told when Redis answers again.
            self._waiting[channel] = settlements + self._waiting.get(channel, [])
            await asyncio.sleep(PAUSE)
            return
        self._told(channel, [settlement[0] for settlement in settlements])

    async def close(self) -> None:
        """Wait a moment until all is told."""
        self.flush()
        self._is_closed = True
        if self._errand is not None:
            await asyncio.wait([self._errand.over], timeout=1.0)
            self._errand.cancel()
