"""What ``%channels`` tells: the connection, and what goes on in the server's layer."""

import time
from collections.abc import Iterator
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.exceptions import LayerUnavailable
from nbchannels.kernel import diagnoses
from nbchannels.kernel.direct import is_direct
from nbchannels.kernel.discovery import connect_to
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.kernel.reports import count, here
from nbchannels.layers.manager import channel_layers, get_channel_layer
from nbchannels.names import RESERVED_PREFIX

__all__ = ["connect", "known_names", "log", "report", "top"]

#: Seconds to wait for an answer of the server.
PATIENCE = 5.0


def connect(url: str | None = None, token: str | None = None) -> str:
    """Begin to connect, to the server found or to the one given; the sentence says to which.

    Raises:
        ServerNotFound: the sentence says what to run, and where.
    """
    left: list[str] = []
    if url is not None:
        connect_to(url, token)
        before = channel_layers.set("default", KernelChannelLayer())
        if isinstance(before, KernelChannelLayer):
            left = [name for service in before.services for name in service.channels]
            before.connection.close()
    layer = get_channel_layer()
    if isinstance(layer, KernelChannelLayer):
        layer.connection.start()
        ended = f"; run the cells of these consumers again: {', '.join(left)}" if left else ""
        return f"{layer.connection.detail}{ended}"
    return f"the default layer is {type(layer).__name__}"


def known_names(timeout: float) -> dict[str, list[str]]:
    """Names of groups and channels, for completion.

    Raises:
        TimeoutError: the server did not answer in time.
    """
    layer = get_channel_layer()
    if isinstance(layer, KernelChannelLayer) and layer.connection.status != "open":
        return {}
    return bridge.run(layer.names(), timeout)


def report() -> str:
    """The state of things in a few lines."""
    layer = get_channel_layer()
    if isinstance(layer, KernelChannelLayer):
        layer.connection.start()
    try:
        statistics = bridge.run(layer.statistics(), PATIENCE)  # waits for the connection
    except TimeoutError:
        return "\n".join(_connection(layer, "○"))
    trouble = _trouble(layer)
    lines = list(_connection(layer, "○" if trouble and is_direct(layer) else "●"))
    if trouble:
        lines.append(
            f"! {trouble}; what is sent now fails, what was read stays; it goes on by itself"
        )
    lines.append(
        f"{count(statistics['groups'], 'group')}, {count(statistics['channels'], 'channel')}; "
        f"{count(statistics['group_sent'] + statistics['sent'], 'message')} sent, "
        f"{statistics['dropped']} dropped, {statistics['expired']} expired; "
        f"history {statistics['history_bytes'] / 2**20:.1f} MiB"
    )
    if not trouble:
        try:
            lines += _groups(layer, 10)
        except LayerUnavailable as error:  # it was not known a moment ago
            lines.append(f"! {error}")
    consumers = here(layer)
    if consumers:
        lines += ["consumers of this kernel:", *consumers]
    if statistics.get("dead"):
        lines.append(f"! {count(statistics['dead'], 'dead letter')}: %channels dead")
    return "\n".join(lines)


def top(most: int = 30) -> str:
    """The groups, newest first."""
    layer = get_channel_layer()
    return "\n".join(_groups(layer, most)) or "no groups yet"


def log(most: int = 50) -> str:
    """The newest entries of the log, oldest first."""
    return (
        "\n".join(
            f"{time.strftime('%H:%M:%S', time.localtime(moment))} {sentence}"
            for moment, sentence in diagnoses.entries(most)
        )
        or "nothing happened yet"
    )


def _connection(layer: Any, mark: str) -> Iterator[str]:
    if is_direct(layer):
        yield f"{mark} {layer.where}, directly: not through a Jupyter server"
        return
    if not isinstance(layer, KernelChannelLayer):
        yield f"layer {layer.alias!r}: {type(layer).__name__} in this process"
        return
    connection = layer.connection
    session = connection.session
    waiting = count(session.publisher.unacknowledged, "message")
    yield (
        f"{mark} {connection.detail}; reconnected {count(connection.reconnects, 'time')}, "
        f"{waiting} not acknowledged yet"
    )
    welcome = session.welcome
    if welcome is not None and welcome.version != connection.version:
        yield (
            f"! the server has nbchannels {welcome.version}, this kernel "
            f"{connection.version}: install the same version in both, and restart"
        )


def _trouble(layer: Any) -> str | None:
    """Why the layer does not answer, here or at the server."""
    if isinstance(layer, KernelChannelLayer):
        return layer.connection.trouble
    return getattr(layer, "trouble", None) or None


def _groups(layer: Any, most: int) -> list[str]:
    names = bridge.run(layer.names(), PATIENCE)["groups"]
    lines = []
    for name in [name for name in names if not name.startswith(RESERVED_PREFIX)][:most]:
        facts = bridge.run(layer.group_statistics(name), PATIENCE)
        lines.append(
            f"  {name:<24} {count(facts['subscribers'], 'subscriber'):>14} "
            f"{count(facts['members'], 'member'):>10} {count(facts['messages'], 'message'):>16}"
        )
    return lines
