"""Which server a command asks, and the connection to it."""

import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from nbchannels.bridge import bridge
from nbchannels.kernel.discovery import connect_to
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.kernel.servers import clean_url
from nbchannels.layers.manager import channel_layers

__all__ = ["PATIENCE", "UsageError", "ask", "choose", "reach"]

T = TypeVar("T")

#: Seconds for an answer; the connection itself gives up before.
PATIENCE = 20.0


class UsageError(Exception):
    """The command line cannot be understood; the sentence says what would do."""


def choose(url: str | None, token: str | None) -> tuple[str, str | None] | None:
    """The server that options and environment name; ``None``: the only one of this user.

    A token in the environment is for the address there: another server is not shown it.

    Raises:
        UsageError: a token for no address.
    """
    said_url = os.environ.get("NBCHANNELS_URL") or None
    if url is None:
        if token is None:
            return None
        if said_url is None:
            raise UsageError("--token is for one server: name it with --url or NBCHANNELS_URL")
        return said_url, token
    if token is None and clean_url(url)[1] is None:
        is_same = said_url is None or clean_url(said_url)[0] == clean_url(url)[0]
        token = os.environ.get("NBCHANNELS_TOKEN") if is_same else None
    return url, token or None


def reach(url: str | None = None, token: str | None = None) -> KernelChannelLayer:
    """The layer of the server, not connected yet; from now on this process' default.

    Raises:
        UsageError: see `choose`.
    """
    chosen = choose(url, token)
    if chosen is not None:
        connect_to(*chosen, source="--url" if url else "NBCHANNELS_URL")
    layer = KernelChannelLayer()
    channel_layers.set("default", layer)
    return layer


def ask(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for an answer. Ctrl-C ends the waiting."""
    return bridge.run(coroutine, PATIENCE)
