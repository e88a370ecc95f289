"""Who is in a group: taken from the live connections themselves.

A client that lost its connection a moment ago is still there: a short reconnect is no leaving.
"""

import time
from typing import Any, Protocol

from nbchannels.server.clients import Client, Clients

__all__ = ["SHORT", "present"]

#: Seconds for which a client that is away counts as present.
SHORT = 10.0


class Server(Protocol):
    """The hub."""

    clients: Clients
    connections: dict[int, Any]


def present(server: Server, group: str, members: list[str]) -> list[dict[str, Any]]:
    """The clients that subscribe to a group, and those whose channels are members of it.

    May be called on any thread.

    Args:
        server: the hub.
        group: its name.
        members: the channels in it.
    """
    found = []
    now = time.monotonic()
    for client in server.clients:
        connection = server.connections.get(client.connection or 0)
        if connection is not None:
            subscribes = group in connection.feeds
        else:
            subscribes = group in client.left_groups and now - client.away_since < SHORT
        if subscribes:
            found.append(_told(client, "subscriber"))
    # A copy: consumers of the server ask from their own thread.
    owners = {channel: client for client in server.clients for channel in list(client.channels)}
    for channel in members:
        owner = owners.get(channel)
        if owner is not None:
            found.append(_told(owner, "member") | {"channel": channel})
    return found


def _told(client: Client, how: str) -> dict[str, Any]:
    return {
        "kind": client.kind,
        "user": client.user,
        "label": client.label,
        "connection": client.connection,
        "since": client.since,
        "here": True,
        "as": how,
    }
