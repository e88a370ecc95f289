"""The methods of ``call``: everything that is asked seldom. The table is at the end."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.names import is_process_local, require_channel_name, require_group_name
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import ENTRY, Call
from nbchannels.protocol.server import read_arguments
from nbchannels.server.clients import Client

__all__ = ["METHODS", "Caller", "add_member"]


class Caller(Protocol):
    """The connection that calls."""

    layer: InMemoryChannelLayer
    client: Client

    async def require(self, action: str, kind: str, name: str) -> None:
        """Check a right."""

    def send_entries(self, data: bytes) -> None:
        """Send a binary message."""

    def credit(self, channel: str, credit: int) -> None:
        """Be ready for so many deliveries; 0 ends it."""


Method: TypeAlias = Callable[[Caller, Call], Awaitable[Any]]


def _argument(call: Call, name: str) -> Any:
    try:
        return call.arguments[name]
    except KeyError:
        raise _bad(f"method {call.method!r} needs the argument {name!r}") from None


def _bad(message: str) -> ChannelsError:
    error = ChannelsError(message)
    error.code = "bad_request"
    return error


async def _read(connection: Caller, call: Call) -> Any:
    group, start, limit = read_arguments(call)
    await connection.require("read", "group", require_group_name(group))
    page = await connection.layer.read(group, start, limit)
    if page.records:
        entries = [encode_record(r._replace(kind=ENTRY, id=call.id)) for r in page.records]
        connection.send_entries(b"".join(entries))
    anchor = page.anchor._asdict()
    del anchor["log"]
    return anchor | {"count": len(page.records)}


async def add_member(connection: Caller, group: str, channel: str) -> None:
    """Make a channel a member of a group, if the client may.

    Raises:
        InvalidName, PermissionDenied: it cannot, or may not read the group or write the channel.
    """
    await _check_member(connection, group, channel)
    await connection.layer.group_add(group, channel)


async def _check_member(connection: Caller, group: str, channel: str) -> None:
    await connection.require("read", "group", require_group_name(group))
    await _check_channel(connection, channel)


async def _check_channel(connection: Caller, channel: str) -> None:
    """The client's own channels are its own affair; what gets into others is a write."""
    if require_channel_name(channel) not in connection.client.channels:
        await connection.require("write", "channel", channel)


async def _group_add(connection: Caller, call: Call) -> None:
    await add_member(connection, _argument(call, "group"), _argument(call, "channel"))


async def _group_discard(connection: Caller, call: Call) -> None:
    group, channel = _argument(call, "group"), _argument(call, "channel")
    await _check_member(connection, group, channel)
    await connection.layer.group_discard(group, channel)


async def _group_channels(connection: Caller, call: Call) -> list[str]:
    group = require_group_name(_argument(call, "group"))
    await connection.require("read", "group", group)
    return await connection.layer.group_channels(group)


async def _group_statistics(connection: Caller, call: Call) -> dict[str, Any]:
    group = require_group_name(_argument(call, "group"))
    await connection.require("read", "group", group)
    return await connection.layer.group_statistics(group)


async def _clear(connection: Caller, call: Call) -> dict[str, Any]:
    group = require_group_name(_argument(call, "group"))
    await connection.require("write", "group", group)
    await connection.layer.clear(group)
    statistics = await connection.layer.group_statistics(group)
    return {"epoch": statistics["epoch"]}


async def _new_channel(connection: Caller, call: Call) -> str:
    name = await connection.layer.new_channel(str(call.arguments.get("prefix", "specific")))
    connection.client.channels.add(name)
    return name


async def _close_channel(connection: Caller, call: Call) -> None:
    channel = require_channel_name(_argument(call, "channel"))
    if not is_process_local(channel):
        raise _bad(
            f"channel {channel!r} is not process-local; only a channel from new_channel is closed"
        )
    await _check_channel(connection, channel)
    connection.credit(channel, 0)  # a waiter would make it anew
    connection.client.channels.discard(channel)
    await connection.layer.close_channel(channel)


async def _flush(connection: Caller, call: Call) -> None:
    await connection.require("write", "layer", "")
    await connection.layer.flush()


async def _names(connection: Caller, call: Call) -> dict[str, list[str]]:
    return await connection.layer.names()


async def _statistics(connection: Caller, call: Call) -> dict[str, Any]:
    return await connection.layer.statistics()


#: What a client may call.
METHODS: dict[str, Method] = {
    "read": _read,
    "group_add": _group_add,
    "group_discard": _group_discard,
    "group_channels": _group_channels,
    "group_statistics": _group_statistics,
    "clear": _clear,
    "new_channel": _new_channel,
    "close_channel": _close_channel,
    "flush": _flush,
    "names": _names,
    "statistics": _statistics,
}
