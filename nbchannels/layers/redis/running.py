"""Where a layer on Redis runs: all its input and output is on the thread ``nbchannels``."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nbchannels.bridge import bridge
from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.inboxes import Inboxes
from nbchannels.layers.redis.upkeep import Upkeep
from nbchannels.names import is_process_local

__all__ = ["RunningLayer"]

T = TypeVar("T")


class RunningLayer(HostedLayer):
    """The way to the layer's loop, and the parts that all its sides share.

    The parts are made by `RedisChannelLayer`.
    """

    backbone: Backbone
    _inboxes: Inboxes
    _upkeep: Upkeep
    _is_closed: bool

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function on the layer's loop, from any thread."""
        if not self._is_closed:
            bridge.call(function)

    async def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the layer's loop."""
        if self._is_closed:
            coroutine.close()
            raise LayerUnavailable(f"the layer at {self.backbone.where} is closed")
        if bridge.here:
            return await coroutine
        return await asyncio.wrap_future(bridge.start(coroutine))

    def _is_here(self, channel: str) -> bool:
        """Whether a channel is one of this process, whose inbox is read here."""
        return is_process_local(channel) and self._inboxes.is_here(channel)
