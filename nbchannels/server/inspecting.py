"""The calls of the inspector. The table is at the end."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from nbchannels.exceptions import ChannelsError, NotFound
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import require_group_name
from nbchannels.protocol.events import Call
from nbchannels.server.clients import Client
from nbchannels.server.hub import Hub
from nbchannels.server.inspector import PANELS, View, belongings
from nbchannels.server.rights import Rights
from nbchannels.server.tail import MOST_ROWS, Passed, Wanted

__all__ = [
    "INSPECTING",
    "disconnect",
    "layer_facts",
    "passed_message",
    "read_tail",
    "whole_message",
]

#: Bytes of JSON of one whole message that is shown.
MOST_MESSAGE = 48 * 1024


class Looker(Protocol):
    """The connection that looks."""

    layer: HostedLayer
    hub: Hub
    rights: Rights
    view: View
    client: Client

    async def require(self, action: str, kind: str, name: str) -> None:
        """Check a right."""


def _bad(message: str) -> ChannelsError:
    error = ChannelsError(message)
    error.code = "bad_request"
    return error


def _optional(call: Call, name: str, kind: type) -> Any:
    """An argument that may be absent or null."""
    value = call.arguments.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _bad(f"{call.method}: {name} is {value!r:.60}; it is {kind.__name__} or null")
    return value


async def _inspect(connection: Looker, call: Call) -> dict[str, Any]:
    await connection.require("read", "server", "")
    panel = call.arguments.get("panel")
    if panel not in PANELS:
        raise _bad(f"panel {panel!r:.60}; there are {', '.join(PANELS)}")
    return connection.view.changes(panel, reset=bool(call.arguments.get("reset")))


async def _inspect_layer(connection: Looker, call: Call) -> dict[str, Any]:
    await connection.require("read", "server", "")
    return await layer_facts(connection.hub)


async def layer_facts(hub: Hub) -> dict[str, Any]:
    """What is known of a server's layer as a whole."""
    layer = hub.layer
    return {
        "alias": layer.alias,
        "backend": type(layer).__name__,
        "where": layer.where,
        # Groups, channels and dead letters are counted of all that share it.
        "shared": layer.backend != "memory",
        "trouble": layer.trouble or None,
        "version": hub.version,
        "uptime": time.time() - hub.started,
        "statistics": await layer.statistics(),
        "connections": len(hub.connections),
        "clients": len(hub.clients),
        "hub": dict(hub.counters),
        "capacity": layer.bounds._asdict(),
        "loop_delay": hub.delay,
    }


async def _tail(connection: Looker, call: Call) -> dict[str, Any]:
    await connection.require("read", "server", "")
    if call.arguments.get("on", True):
        connection.hub.look()
    return {"top": connection.hub.tail.top}


def read_tail(
    hub: Hub,
    after: int,
    limit: int,
    wanted: Wanted,
    may: Callable[[str, str], bool],
    *,
    oldest_first: bool = False,
) -> dict[str, Any]:
    """`Tail.read`, within what one answer holds; for some more seconds messages are recorded."""
    hub.look()
    tail = hub.tail
    limit = max(1, min(limit, MOST_ROWS))
    found = tail.read(after, limit, wanted, may, oldest_first=oldest_first)
    while len(json.dumps(found)) > MOST_MESSAGE and limit > 1:
        limit //= 2
        found = tail.read(after, limit, wanted, may, oldest_first=oldest_first)
    return found


async def _tail_read(connection: Looker, call: Call) -> dict[str, Any]:
    await connection.require("read", "server", "")
    wanted = Wanted(
        _optional(call, "name", str), _optional(call, "text", str), _optional(call, "sender", int),
        _optional(call, "least", int), _optional(call, "kind", str),
    )  # fmt: skip
    after, limit = _optional(call, "after", int), _optional(call, "limit", int)
    return read_tail(
        connection.hub, after or 0, limit or MOST_ROWS, wanted,
        lambda kind, name: connection.rights.permits("read", kind, name),
        oldest_first=call.arguments.get("oldest_first") is True,
    )  # fmt: skip


async def _inspect_message(connection: Looker, call: Call) -> dict[str, Any]:
    passed = passed_message(connection.hub, _optional(call, "number", int) or 0)
    await connection.require("read", passed.kind, passed.name)
    return whole_message(connection.hub, passed)


async def _inspect_dead(connection: Looker, call: Call) -> dict[str, Any]:
    dead = await connection.layer.dead_letter(call.arguments.get("number"))
    await connection.require("read", "channel", dead.channel)
    letter = dead.letter
    return whole_message(
        connection.hub,
        Passed(
            dead.number, "channel", dead.channel, letter.time, letter.sender, letter.encoded, None
        ),
    )


async def _belongings(connection: Looker, call: Call) -> dict[str, list[str]]:
    await connection.require("read", "server", "")
    kernel, views = _optional(call, "kernel", str), call.arguments.get("views") is True
    found = belongings(connection.hub, f"kernel:{kernel}" if kernel is not None else None)
    if views:  # they are on the page that asks
        found["clients"].append(connection.client.key)
    may = connection.rights.permits
    return {
        "groups": [name for name in found["groups"] if may("read", "group", name)],
        "channels": [name for name in found["channels"] if may("read", "channel", name)],
        "clients": found["clients"],
    }


def passed_message(hub: Hub, number: int) -> Passed:
    """A message that went by while somebody watched.

    Raises:
        NotFound: it is not kept.
    """
    passed = hub.tail.message(number)
    if passed is None:
        raise NotFound(f"message {number!r} is not kept any more; the newest 1,000 are")
    return passed


def whole_message(hub: Hub, passed: Passed) -> dict[str, Any]:
    """All of a message, as far as it can be shown."""
    tail = hub.tail
    told = tail.describe(passed)
    if len(json.dumps(told["message"])) > MOST_MESSAGE:
        told |= {"message": None, "omitted": f"more than {MOST_MESSAGE:,} bytes as JSON"}
    return {
        "message": told["message"],
        "omitted": told["omitted"],
        "hex": "" if told["hidden"] else tail.hexadecimal(passed),
    }


async def _presence(connection: Looker, call: Call) -> list[dict[str, Any]]:
    group = require_group_name(call.arguments.get("group"))
    await connection.require("read", "group", group)
    return await connection.layer.presence(group)


async def _disconnect(connection: Looker, call: Call) -> None:
    await connection.require("execute", "server", "")
    disconnect(connection.hub, call.arguments.get("client"))


def disconnect(hub: Hub, key: Any) -> None:
    """Close the connection of a client; it does not come back by itself.

    Raises:
        NotFound: there is no client of this key.
    """
    for client in hub.clients:
        if client.key == key:
            other = hub.connections.get(client.connection or 0)
            if other is not None:
                other.close(4507, "disconnected by someone who looks after this server")
            return
    raise NotFound(f"there is no client {key!r:.60}")


Method = Callable[[Any, Call], Awaitable[Any]]

#: What the inspector may call.
INSPECTING: dict[str, Method] = {
    "inspect": _inspect,
    "inspect_layer": _inspect_layer,
    "inspect_message": _inspect_message,
    "inspect_dead": _inspect_dead,
    "belongings": _belongings,
    "tail": _tail,
    "tail_read": _tail_read,
    "presence": _presence,
    "disconnect": _disconnect,
}
