"""The router of the server's layer: it knows the server's own consumers and those of kernels.

``channel_layers["default"].router`` on the server. What stands behind it is the layer, which tells
the consumers of their messages; see `nbchannels.layers.scouts` for who comes before whom.
"""

from collections.abc import Callable
from typing import Any

from nbchannels.inprocess import LocalConsumer
from nbchannels.layers.hosted import HostedLayer
from nbchannels.message import Message
from nbchannels.routes import Match
from nbchannels.server.consumers import KernelConsumer, Post, describe_all
from nbchannels.server.dialogues import Conversation

__all__ = ["Router"]


class Router:
    """Which consumer gets which message.

    Args:
        layer: that the server hosts.
        post: the hub.

    Source: the Channels 1.x Reference, "Channel Layer".
    """

    def __init__(self, layer: HostedLayer, post: Post) -> None:
        self._layer = layer
        self._post = post

    @property
    def channels(self) -> set[str]:
        """The channels, and globs of channels, that have a consumer."""
        return {scout.binding.channel for scout in self._layer.enlisted()}

    def match(self, message: Message) -> Match | None:
        """The consumer of a message and its keyword arguments, or ``None``.

        For a kernel's it is a `KernelConsumer`; called, it puts the message into its channel.
        """
        if message.channel_name is None:
            return None
        for scout in self._layer.plan(message.channel_name).chosen(message.content):
            if isinstance(scout, KernelConsumer):
                return scout, {}
            if isinstance(scout, LocalConsumer):
                return scout.service.route.match(message)
        return None

    def serves(self, channel: str, content: dict[str, Any]) -> bool:
        """Whether somebody is there who takes a message with this content from a channel."""
        return self._layer.has_receivers(channel, content)

    def converse(self, lost: Callable[[str, str], None]) -> Conversation:
        """A conversation: all its messages go to whoever takes the first.

        Args:
            lost: called on the server's loop, once, with why (``died``, ``failed`` or ``expired``)
                and a sentence, if a message of it will not be worked on.
        """
        return Conversation(self._post, lost)

    def describe(self) -> list[dict[str, Any]]:
        """The consumers, for the inspector, REST and ``%channels``."""
        return describe_all(self._layer)
