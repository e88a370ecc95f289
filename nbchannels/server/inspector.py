"""What the inspector sees of this server: rows, and which of them have changed.

Each connection that looks has a `View` of its own, which remembers what it was told; an answer
holds what is new or different since the last. Whoever does not look costs nothing.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from nbchannels.layers import survey
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import PROBLEMS
from nbchannels.protocol.codec import encode_control
from nbchannels.protocol.events import Result
from nbchannels.server.clients import Clients
from nbchannels.server.consumers import describe_all

__all__ = ["PANELS", "Server", "View", "belongings"]

#: Rows in one answer, and keys of what is gone.
MOST_ROWS, MOST_GONE = 1_000, 200
#: Characters of the rows and keys of one answer, as JSON; a control record holds 64 KiB.
MOST_SIZE = 56 * 1024
#: Groups named in the row of a client; characters of a text in a row.
MOST_GROUPS, MOST_TEXT = 20, 200

Row = tuple[Any, ...]


class Connection(Protocol):
    """An open connection."""

    feeds: dict[str, Any]
    stalled_since: float | None

    @property
    def buffered(self) -> int:
        """Bytes that its socket has not taken."""


class Server(Protocol):
    """The hub."""

    layer: HostedLayer
    clients: Clients
    connections: dict[int, Any]


def _groups(server: Server) -> Iterable[Row]:
    return survey.groups(server.layer)


def _channels(server: Server) -> Iterable[Row]:
    return survey.channels(server.layer)


def _consumers(server: Server) -> Iterable[Row]:
    for found in describe_all(server.layer):
        client = str(found["client"])[:MOST_TEXT]
        key = f"{found.get('client_key', 'server')}/{found['number']}"
        yield (
            key, found["channel"], str(found.get("function", ""))[:MOST_TEXT], client,
            found["where"], found.get("on", ""), found["filters"], found["connected"],
            found.get("held", 0), found.get("credit", 1), found["taken"], found.get("done", 0),
            found["failed"], found.get("later", 0), round(found.get("slowest", 0.0), 3),
            str(found["error"])[:MOST_TEXT], found.get("client_key", ""),
        )  # fmt: skip


def _clients(server: Server) -> Iterable[Row]:
    for client in server.clients:
        connection = server.connections.get(client.connection or 0)
        feeds = dict(connection.feeds) if connection is not None else {}
        feeds.pop(PROBLEMS, None)  # each page with the inspector has it
        lag = sum(feed.log.top - feed.sent for feed in feeds.values())
        yield (
            client.key, client.kind, client.user[:MOST_TEXT], client.label,
            connection is not None, client.since, len(feeds), len(client.channels),
            len(client.consumers), len(client.leases), lag,
            connection.buffered if connection is not None else 0, client.connection,
            sorted(feeds)[:MOST_GROUPS],
        )  # fmt: skip


def belongings(server: Server, principal: str | None) -> dict[str, list[str]]:
    """What belongs to the processes of one principal, a kernel.

    Returns:
        ``groups`` that it subscribes to, that its channels are members of, and that it sends to;
        ``channels`` that it receives from (maybe a glob), owns, or sends to; ``clients``, by their
        keys. At most `MOST_ROWS` of each.
    """
    groups: set[str] = set()
    channels: set[str] = set()
    clients: list[str] = []
    for client in server.clients:
        if principal is None or client.principal != principal:
            continue
        clients.append(client.key)
        channels |= client.channels
        channels |= {consumer.binding.channel for consumer in client.consumers.values()}
        connection = server.connections.get(client.connection or 0)
        if connection is None:
            groups |= client.left_groups
        else:
            groups |= connection.feeds.keys() | set(connection.rights.used("write", "group"))
            channels |= set(connection.rights.used("write", "channel"))
        groups |= survey.memberships(server.layer, client.channels)
    return {
        "groups": sorted(groups)[:MOST_ROWS],
        "channels": sorted(channels)[:MOST_ROWS],
        "clients": clients[:MOST_ROWS],
    }


#: What can be looked at: rows, the first element of each is its key.
PANELS: dict[str, Callable[[Server], Iterable[Row]]] = {
    "groups": _groups,
    "channels": _channels,
    "consumers": _consumers,
    "clients": _clients,
}
#: Of which right on the row's key a panel's rows are told.
NAMED = {"groups": "group", "channels": "channel"}


class View:
    """What one connection has been told.

    Args:
        server: the hub.
        permits: whether its user may read a group or channel.
    """

    def __init__(self, server: Server, permits: Callable[[str, str, str], bool]) -> None:
        self._server = server
        self._permits = permits
        self._told: dict[str, dict[str, Row]] = {}

    def changes(self, panel: str, *, reset: bool = False) -> dict[str, Any]:
        """The rows of a panel that are new or different since the last call.

        Args:
            panel: one of `PANELS`.
            reset: tell all.
        """
        told = {} if reset else self._told.get(panel, {})
        self._told[panel] = told
        found = PANELS[panel](self._server)
        kind = NAMED.get(panel)
        if kind is not None:
            found = [row for row in found if self._permits("read", kind, row[0])]
        known = {row[0]: row for row in found}
        gone = [key for key in told if key not in known][:MOST_GONE]
        changed = [row for key, row in known.items() if told.get(key) != row]
        rows = _fitting(changed, gone)
        for key in gone:
            del told[key]
        told.update((row[0], row) for row in rows)
        return {
            "time": time.time(), "total": len(known), "rows": rows, "gone": gone,
            "more": len(rows) < len(changed),
        }  # fmt: skip


def _fitting(rows: list[Row], gone: list[str]) -> list[Row]:
    """The first of these rows, as many as have room in one answer; at least one."""
    rows = rows[:MOST_ROWS]
    while len(rows) > 1:
        # Encoding all at once costs less than adding up what each would take.
        size = len(encode_control(Result(0, (rows, gone))))
        if size <= MOST_SIZE:
            break
        rows = rows[: max(1, min(len(rows) - 1, len(rows) * MOST_SIZE // size))]
    return rows
