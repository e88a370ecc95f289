"""Channel layers: where channels and groups live. ``channels.layers`` of Django Channels."""

import importlib
from typing import Any

from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.manager import (
    DEFAULT_CHANNEL_LAYER,
    ChannelLayerManager,
    channel_layers,
    get_channel_layer,
)
from nbchannels.layers.memory import InMemoryChannelLayer

__all__ = [
    "DEFAULT_CHANNEL_LAYER",
    "BaseChannelLayer",
    "ChannelLayerManager",
    "InMemoryChannelLayer",
    "RedisChannelLayer",
    "channel_layers",
    "get_channel_layer",
]


def __getattr__(name: str) -> Any:
    """The layer on Redis, which is heavy to import, when it is asked for."""
    if name == "RedisChannelLayer":
        return importlib.import_module("nbchannels.layers.redis.layer").RedisChannelLayer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
