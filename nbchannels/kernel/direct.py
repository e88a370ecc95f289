"""A kernel whose default layer is not its server's: whether both mean the same groups.

The pages of its notebook read through the Jupyter server. Only if that is on the same Redis do they
see what such a kernel sends.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError, ServerNotFound
from nbchannels.kernel.connection import Connection
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.discovery import find_server
from nbchannels.layers.hosted import HostedLayer

__all__ = ["apart", "is_direct", "look_soon"]

#: Seconds that the server has to answer.
PATIENCE = 5.0


def is_direct(layer: Any) -> bool:
    """Whether it lives elsewhere, and this process uses it without a server."""
    return isinstance(layer, HostedLayer) and layer.backend != "memory"


def look_soon(layer: HostedLayer) -> None:
    """Look at it beside, and report what is wrong."""
    bridge.start(_look(layer))


async def _look(layer: HostedLayer) -> None:
    try:
        sentence = await apart(layer)
    except (ChannelsError, TimeoutError):  # %channels doctor says why
        return
    if sentence is not None:
        report("other-layer", sentence, subject=f"layer {layer.alias}")


async def apart(
    layer: HostedLayer, find: Callable[[], Found] = find_server, version: str = ""
) -> str | None:
    """Why the pages of this kernel see nothing of a layer; ``None`` if they do, or have no server.

    Args:
        layer: that this process uses itself.
        find: finds the server of this kernel.
        version: of nbchannels here.

    Raises:
        ChannelsError, TimeoutError: the server, or the layer, does not answer.
    """
    connection = Connection(find, version, lambda event: None)
    try:
        async with asyncio.timeout(PATIENCE):
            await connection.call("statistics", {})
            ours = await layer.commons()
    except ServerNotFound:
        return None
    finally:
        connection.close()
    welcome = connection.session.welcome
    theirs = welcome.layer if welcome is not None else {}
    same = theirs.get("backend") == layer.backend and theirs.get("commons") in (ours, None)
    if same:
        return None
    other = (
        f"is on another {layer.backend.capitalize()}, or has another prefix"
        if theirs.get("backend") == layer.backend
        else f"has a layer of its own ({theirs.get('backend')})"
    )
    return (
        f"this kernel uses {layer.where} itself, and its Jupyter server {other}: plots and pages "
        "of this notebook see nothing of what is sent here; start the server with the same "
        "NBCHANNELS_REDIS_URL, or unset it in this kernel"
    )
