"""``api/…``: thin handlers. What they answer is described in `nbchannels.server.openapi`."""

import asyncio
import functools
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from tornado import web

from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError, MessageTooLarge
from nbchannels.layers.cursor import Start
from nbchannels.names import is_process_local, near_match
from nbchannels.protocol.events import Last, Position
from nbchannels.receipt import Receipt
from nbchannels.server.api import ApiHandler, BadRequest, NotFound, verb
from nbchannels.server.host import Host
from nbchannels.server.ingest import read_body
from nbchannels.server.openapi import document
from nbchannels.server.preview import describe
from nbchannels.server.tickets import LIFETIME
from nbchannels.typing import Kind

__all__ = [
    "ChannelHandler",
    "ChannelsHandler",
    "ClientsHandler",
    "DocumentHandler",
    "GroupHandler",
    "GroupsHandler",
    "MessagesHandler",
    "MissingHandler",
    "StatisticsHandler",
    "StatusHandler",
    "TicketHandler",
]

#: A body of more bytes is read in a thread of its own.
AT_ONCE = 64 * 1024
#: Messages of one body that are handed to the layer before the server does something else.
AT_A_TIME = 500
#: Entries in one answer.
PAGE, MOST = 100, 256


class StatusHandler(ApiHandler):
    """``api/status``."""

    @verb("read", "status")
    async def get(self) -> Any:
        """Who this server is."""
        return await self.host.status()


class TicketHandler(ApiHandler):
    """``api/ticket``: Jupyter has checked the XSRF token of this POST before it comes here."""

    @verb("read", "socket")
    async def post(self) -> Any:
        """A ticket for one WebSocket."""
        ticket = self.host.tickets.issue(str(self.current_user.username))
        return {"ticket": ticket, "expires": int(LIFETIME)}


class DocumentHandler(ApiHandler):
    """``api/openapi.json``."""

    @verb("read", "status")
    async def get(self) -> Any:
        """This API, for machines."""
        return document(self.base_url, self.host.version, self.host.limits)


class StatisticsHandler(ApiHandler):
    """``api/statistics``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """Counters, and what is held."""
        host = self.host
        return {
            "layer": await host.layer.statistics(),
            "connections": host.hub.counters | {"open": len(host.hub.connections)},
            "tickets": dict(host.tickets.counters),
        }


class ClientsHandler(ApiHandler):
    """``api/clients``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """Who is connected."""
        return {"clients": self.host.hub.describe()}


class MissingHandler(ApiHandler):
    """Everything else below ``api/``."""

    async def _missing(self, path: str = "") -> Any:
        raise NotFound("nothing is at this address; nbchannels/api/openapi.json says what there is")

    get = verb("read", "status")(_missing)
    post = verb("read", "status")(_missing)
    put = verb("read", "status")(_missing)
    patch = verb("read", "status")(_missing)
    delete = verb("read", "status")(_missing)


class GroupsHandler(ApiHandler):
    """``api/groups``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """The groups, the newest first, at most 500."""
        host = self.host
        names = (await host.layer.names())["groups"]
        return {
            "groups": [
                {"name": name} | await host.layer.group_statistics(name)
                for name in names
                if host.policy.permits("read", "group", name)
            ]
        }


class ChannelsHandler(ApiHandler):
    """``api/channels``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """The channels, the newest first, at most 500."""
        names = (await self.host.layer.names())["channels"]
        return {
            "channels": [
                await facts(self.host, name)
                for name in names
                if self.host.policy.permits("read", "channel", name)
            ]
        }


@web.stream_request_body
class IngestHandler(ApiHandler):
    """A body is counted while it comes, and read only if it may come at all."""

    _chunks: list[bytes]
    _size = 0

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse a body that says it is too large before any of it is taken."""
        self._chunks = []
        await super().prepare()
        declared = self.request.headers.get("Content-Length", "")
        if declared.isdecimal() and len(declared) < 20 and int(declared) > self.host.limits.message:
            self.refuse(self._too_large(int(declared)))

    def data_received(self, chunk: bytes) -> None:
        """A part of the body; what is over the limit is only counted."""
        self._size += len(chunk)
        if self._size <= self.host.limits.message:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def _too_large(self, size: int) -> MessageTooLarge:
        limit = self.host.limits.message
        return MessageTooLarge(
            f"the body has {size:,} bytes, the limit is {limit:,}; send it in parts",
            size=size,
            limit=limit,
        )

    async def ingest(self, kind: Kind, name: str) -> Any:
        """Send what the body says; the answer is the receipt, or the receipts."""
        if self._size > self.host.limits.message:
            raise self._too_large(self._size)
        body, self._chunks = b"".join(self._chunks), []
        limits = self.host.limits
        read = functools.partial(
            read_body,
            body,
            self.request.headers.get("Content-Type", ""),
            # Without its query, in which a token may stand.
            url=f"{self.request.protocol}://{self.request.host}{self.request.path}",
            limit=limits.message,
            batch=limits.batch,
        )
        if len(body) <= AT_ONCE:
            messages, many = read()
        else:
            loop = asyncio.get_running_loop()
            messages, many = await loop.run_in_executor(self.host.reader, read)
        receipts: list[Receipt] = []
        for start in range(0, len(messages), AT_A_TIME):
            error = await self._submit(kind, name, messages[start : start + AT_A_TIME], receipts)
            if error is not None:
                if many:
                    said = f"{error}; {len(receipts):,} of the {len(messages):,} messages were sent"
                    self.refuse(error, message=said, sent=len(receipts))
                    return None
                raise error
            await asyncio.sleep(0)
        last = receipts[-1]
        if not many:
            return last.to_wire() | {"text": repr(last)}
        return {
            "receipts": [receipt.to_wire() for receipt in receipts],
            "count": len(receipts),
            "text": f"{len(receipts):,} sent; the last: {last!r}",
        }

    async def _submit(
        self, kind: Kind, name: str, messages: Sequence[Encoded], receipts: list[Receipt]
    ) -> ChannelsError | None:
        """Send some messages, in their order; what was sent is in ``receipts``.

        Returns:
            The first error. Behind one that is known at once nothing was submitted; what was under
            way already when another one came to be known may have been sent.
        """
        known: ChannelsError | None = None
        raised: ChannelsError | None = None
        submitted: list[Receipt | Future[Receipt]] = []
        for encoded in messages:
            try:
                submitted.append(self.host.layer.submit(kind, name, encoded))
            except ChannelsError as error:
                raised = error
                break
        for result in submitted:
            try:
                receipts.append(
                    result if isinstance(result, Receipt) else await asyncio.wrap_future(result)
                )
            except ChannelsError as error:
                known = error if known is None else known
        return known or raised


class GroupHandler(IngestHandler):
    """``api/groups/<name>``."""

    @verb("read", "group")
    async def get(self, name: str) -> Any:
        """Its statistics."""
        return {"name": name} | await known_group(self.host, name)

    @verb("write", "group")
    async def post(self, name: str) -> Any:
        """Send to it."""
        return await self.ingest("group", name)

    @verb("write", "group")
    async def delete(self, name: str) -> Any:
        """Clear it: a new epoch."""
        await known_group(self.host, name)
        await self.host.layer.clear(name)
        return {"epoch": (await self.host.layer.group_statistics(name))["epoch"]}


class MessagesHandler(ApiHandler):
    """``api/groups/<name>/messages``."""

    @verb("read", "group")
    async def get(self, name: str) -> Any:
        """A page of its log."""
        limit = self._limit(self.get_query_argument("limit", str(PAGE)))
        start = parse_start(self.get_query_argument("since", "earliest"))
        await known_group(self.host, name)
        page = await self.host.layer.read(name, start, limit)
        anchor = page.anchor._asdict()
        del anchor["log"]
        offset, tag = anchor["offset"], anchor["tag"]
        for record in page.records[-1:]:
            offset, tag = record.sequence, record.tag
        return (
            {"group": name}
            | anchor
            | {
                "messages": [describe(record) for record in page.records],
                "next": f"{anchor['epoch']},{offset},{tag}",
            }
        )

    @staticmethod
    def _limit(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MOST):
            raise BadRequest(f"limit is {text[:50]!r}; it takes 1 to {MOST}")
        return int(text)


class ChannelHandler(IngestHandler):
    """``api/channels/<name>``."""

    @verb("read", "channel")
    async def get(self, name: str) -> Any:
        """What is known of it."""
        names = (await self.host.layer.names())["channels"]
        if name not in names and not self.host.layer.plan(name).scouts:
            raise NotFound(_no("channel", name, names))
        return await facts(self.host, name)

    @verb("write", "channel")
    async def post(self, name: str) -> Any:
        """Send to it."""
        return await self.ingest("channel", name)

    @verb("write", "channel")
    async def delete(self, name: str) -> Any:
        """Empty it; a process-local one ends."""
        removed = await self.host.layer.drain(name)
        if is_process_local(name):
            await self.host.layer.close_channel(name)
        return {"removed": removed}


async def known_group(host: Host, name: str) -> dict[str, Any]:
    """The statistics of a group that exists: to ask for one must not make it.

    Raises:
        NotFound: it does not; the sentence names a near one.
    """
    statistics = await host.layer.group_statistics(name)
    if statistics["epoch"] is None:
        raise NotFound(_no("group", name, (await host.layer.names())["groups"]))
    return statistics


async def facts(host: Host, name: str) -> dict[str, Any]:
    """What is known of a channel."""
    return {
        "name": name,
        "process_local": is_process_local(name),
    } | await host.layer.channel_statistics(name)


def parse_start(text: str) -> Start:
    """``since=``: ``earliest``, ``now``, ``last:N``, or a position ``epoch,offset,tag``."""
    if text == "earliest" or text == "now":
        return text  # type: ignore[return-value]
    word, _, count = text.partition(":")
    if word == "last" and _is_number(count):
        return Last(int(count))
    parts = text.split(",")
    if len(parts) == 3 and _is_number(parts[1]) and _is_number(parts[2]) and parts[0].isalnum():
        return Position(parts[0], int(parts[1]), int(parts[2]))
    raise BadRequest(
        f"since is {text[:80]!r}; it takes earliest, now, last:N, or a position epoch,offset,tag"
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 17


def _no(kind: str, name: str, known: list[str]) -> str:
    near = near_match(name, known)
    return f"there is no {kind} {name!r}" + (f"; did you mean {near!r}?" if near else " yet")
