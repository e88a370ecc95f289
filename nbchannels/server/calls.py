"""The methods of ``call``: everything that is asked seldom. The table is at the end."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from nbchannels.exceptions import ChannelsError, NotFound
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import is_process_local, require_channel_name, require_group_name
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import ENTRY, Call, Record
from nbchannels.protocol.server import read_arguments
from nbchannels.server.clients import Client
from nbchannels.server.consumers import describe_all
from nbchannels.server.deliveries import Deliveries
from nbchannels.server.diagnoses import read_diagnosis
from nbchannels.server.hub import Hub
from nbchannels.server.inspecting import INSPECTING
from nbchannels.server.rights import Rights

__all__ = ["METHODS", "Caller", "add_member"]

#: Dead letters in one answer; bytes of one whose content is in it.
DEAD, DEAD_BYTES = 20, 64 * 1024
#: Characters of a list in one answer, of the 65,536 that an answer has.
ROOM = 48_000


class Caller(Protocol):
    """The connection that calls."""

    hub: Hub
    layer: HostedLayer
    client: Client
    rights: Rights

    async def require(self, action: str, kind: str, name: str) -> None:
        """Check a right."""

    def send_entries(self, data: bytes) -> None:
        """Send a binary message."""

    @property
    def deliveries(self) -> Deliveries:
        """What it receives from channels."""


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
    connection.deliveries.credit(channel, 0)  # a waiter would make it anew
    connection.client.channels.discard(channel)
    await connection.layer.close_channel(channel)


async def _consume(connection: Caller, call: Call) -> None:
    await connection.deliveries.consume(call.arguments)


async def _unconsume(connection: Caller, call: Call) -> None:
    connection.deliveries.unconsume(_argument(call, "number"))


async def _channel_statistics(connection: Caller, call: Call) -> dict[str, Any]:
    channel = require_channel_name(_argument(call, "channel"))
    if channel not in connection.client.channels:
        await connection.require("read", "channel", channel)
    return await connection.layer.channel_statistics(channel)


async def _consumers(connection: Caller, call: Call) -> Any:
    """Who serves a channel: of the caller itself, and of others; or all that there are."""
    if "channel" not in call.arguments:
        return _all_consumers(connection)
    channel = require_channel_name(_argument(call, "channel"))
    await connection.require("write", "channel", channel)
    return [
        {"mine": scout.party is connection.client, "number": scout.order}
        for scout in connection.layer.plan(channel).scouts
    ]


def _all_consumers(connection: Caller) -> dict[str, Any]:
    may = connection.rights.permits
    found = [
        consumer
        for consumer in describe_all(connection.layer)
        if may("read", "channel", consumer["channel"])
    ]
    return {"consumers": _fitting(found), "count": len(found)}


def _fitting(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of them as have room in an answer."""
    room, kept = ROOM, []
    for one in found:
        room -= len(json.dumps(one))
        if room < 0:
            break
        kept.append(one)
    return kept


async def _report(connection: Caller, call: Call) -> None:
    connection.hub.diagnoses.note(connection.client, read_diagnosis(call.arguments))


async def _diagnoses(connection: Caller, call: Call) -> dict[str, Any]:
    await connection.require("read", "layer", "")
    found = connection.hub.diagnoses.newest()
    return {"diagnoses": _fitting(found), "count": len(found)}


async def _dismiss(connection: Caller, call: Call) -> None:
    await connection.require("write", "server", "")
    if call.arguments.get("all") is True:
        connection.hub.diagnoses.clear()
        return
    number = _argument(call, "number")
    if type(number) is not int or not connection.hub.diagnoses.dismiss(number):
        raise NotFound(f"there is no diagnosis {number!r:.50} any more")


async def _dead_letters(connection: Caller, call: Call) -> list[dict[str, Any]]:
    """What was given up, newest first; the contents come as entries, their numbers as offsets."""
    channel, limit = call.arguments.get("channel"), call.arguments.get("limit", DEAD)
    if channel is not None:
        require_channel_name(channel)
    if type(limit) is not int or limit < 1:
        raise _bad(f"a limit of {limit!r}; it is a number from 1 to {DEAD}")
    may = connection.rights.permits
    found = [
        dead
        for dead in await connection.layer.dead(min(limit, DEAD), channel)
        if may("read", "channel", dead.channel)
    ]
    records = [
        encode_record(
            Record(ENTRY, d.letter.encoded.codec, 0, "", call.id, 0, d.number, d.letter.time, 0,
                   d.letter.encoded.body)
        )
        for d in found
        if len(d.letter.encoded.body) <= DEAD_BYTES and call.arguments.get("contents", True)
    ]  # fmt: skip
    if records:
        connection.send_entries(b"".join(records))
    return [dead.describe(traceback=1_000) for dead in found]


async def _resend(connection: Caller, call: Call) -> dict[str, Any]:
    number = await _dead_number(connection, call)
    return (await connection.layer.resend(number)).to_wire()


async def _discard(connection: Caller, call: Call) -> None:
    await connection.layer.discard(await _dead_number(connection, call))


async def _dead_number(connection: Caller, call: Call) -> int:
    """The number of a dead letter that the caller may write to where it came from."""
    number = _argument(call, "number")
    channel = await connection.layer.channel_of_dead(number)
    await connection.require("write", "channel", channel)
    return int(number)


async def _flush(connection: Caller, call: Call) -> None:
    await connection.require("write", "everything", "")
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
    "consume": _consume,
    "unconsume": _unconsume,
    "consumers": _consumers,
    "channel_statistics": _channel_statistics,
    "report": _report,
    "diagnoses": _diagnoses,
    "dismiss": _dismiss,
    "dead_letters": _dead_letters,
    "resend": _resend,
    "discard": _discard,
    "flush": _flush,
    "names": _names,
    "statistics": _statistics,
    **INSPECTING,
}
