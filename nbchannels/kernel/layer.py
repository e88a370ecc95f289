"""The server's layer, as a kernel or a script has it: over one connection."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from importlib import metadata
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.encoding import Encoded
from nbchannels.exceptions import (
    ChannelClosed,
    ChannelsError,
    DeliveryUnknown,
    LayerUnavailable,
    SendTimeout,
    from_wire,
)
from nbchannels.kernel.connection import Connection
from nbchannels.kernel.cursors import RemoteCursor, Stream
from nbchannels.kernel.diagnoses import install, pass_on_to
from nbchannels.kernel.discovery import find_server
from nbchannels.kernel.reporter import reporter
from nbchannels.kernel.work import Work
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Anchor, Missing, Page, Start
from nbchannels.layers.leases import Lease
from nbchannels.names import is_process_local, require_channel_name, require_group_name
from nbchannels.pending import note_unseen
from nbchannels.protocol.events import Event, Last, Outcome, Position
from nbchannels.receipt import Receipt
from nbchannels.services import Services
from nbchannels.typing import Kind, MessageDict

__all__ = ["KernelChannelLayer"]

#: Seconds that a send waits for room in the queue.
PATIENCE = 5.0


class KernelChannelLayer(BaseChannelLayer):
    """Channels and groups of the Jupyter server, from a kernel or a script.

    The server's configuration holds for capacities and expiries. Connects with the first use; a
    connection that is lost comes back by itself, and what was sent meanwhile is sent then.

    Args:
        find: finds the server; for tests.
    """

    def __init__(self, *, find: Callable[[], Any] = find_server) -> None:
        super().__init__()
        self._find = find
        self._begin()
        bridge.listen(self)

    def _begin(self) -> None:
        self.connection = Connection(self._find, _version(), self._handle)
        self._streams: dict[str, Stream] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._work = Work(self, self.connection)
        reporter.add(self.connection)
        pass_on_to(reporter.report)
        install()

    def forked(self) -> None:
        """After a fork, in the child: the connection stayed with the parent."""
        self._begin()

    def exiting(self) -> None:
        """The interpreter ends: what is queued is flushed, for up to 1 s."""
        self.connection.close()

    # Sending.

    def submit(
        self, kind: Kind, name: str, encoded: Encoded, *, receipt: bool = True
    ) -> Future[Receipt]:
        """See `BaseChannelLayer.submit`.

        Raises:
            ServerNotFound: there is no server with the extension.
            SendTimeout: too much waits for acknowledgement, and did for 5 s.
        """
        return self.connection.outbox.publish(kind, name, encoded, receipt, PATIENCE)

    async def _has_room(self, encoded: Encoded) -> None:
        """Find the server and wait for room without holding the caller's loop up."""
        await self.connection.astart()
        await self.connection.outbox.has_room(encoded, PATIENCE)

    def give_up(self, pending: Future[Receipt], seconds: float) -> ChannelsError:
        """See `BaseChannelLayer.give_up`."""
        detail = self.connection.detail
        withdrawn = SendTimeout(
            f"not written within {seconds:g} s ({detail}); the message was withdrawn and "
            "will not arrive"
        )
        if self.connection.outbox.withdraw(pending, withdrawn):
            return withdrawn
        return DeliveryUnknown(
            f"written, but not acknowledged within {seconds:g} s ({detail}); it may have arrived, "
            "and is sent again after a reconnect; wait on with error.receipt",
            pending,
        )

    # Receiving.

    # Receiving, and consumers.

    @property
    def services(self) -> Services:
        """What this process has in service."""
        return self._work.services

    async def receive(self, channel: str) -> MessageDict:
        """See `BaseChannelLayer.receive`."""
        return await self._work.receive(require_channel_name(channel))

    async def lease(self, channel: str) -> Lease:
        """See `BaseChannelLayer.lease`."""
        return await self._work.lease(require_channel_name(channel))

    async def settle(
        self, lease: Lease, outcome: Outcome = "done", error: str = "", traceback: str = ""
    ) -> None:
        """See `BaseChannelLayer.settle`; without a connection, it is told at the next one."""
        self._work.settle(lease.number, outcome, error, traceback)

    async def dead_letters(
        self, limit: int = 20, channel: str | None = None
    ) -> list[dict[str, Any]]:
        """See `BaseChannelLayer.dead_letters`: at most 20, with contents of at most 64 KiB."""
        return await self._work.dead_letters(limit, channel)

    async def resend(self, number: int) -> Receipt:
        """See `BaseChannelLayer.resend`."""
        return Receipt.from_wire(await self.connection.call("resend", {"number": number}))

    async def discard(self, number: int) -> None:
        """See `BaseChannelLayer.discard`."""
        await self.connection.call("discard", {"number": number})

    async def new_channel(self, prefix: str = "specific") -> str:
        """See `BaseChannelLayer.new_channel`."""
        name = str(await self.connection.call("new_channel", {"prefix": prefix}))
        with self.connection.lock:
            self.connection.session.introduction.channels[name] = None
        return name

    async def close_channel(self, channel: str) -> None:
        """See `BaseChannelLayer.close_channel`."""
        require_channel_name(channel)
        await self.connection.call("close_channel", {"channel": channel})
        with self.connection.lock:
            introduction = self.connection.session.introduction
            introduction.channels.pop(channel, None)
            for pair in [p for p in introduction.memberships if p[1] == channel]:
                del introduction.memberships[pair]
        self._work.inbox.fail(channel, ChannelClosed(f"channel {channel!r} was closed"))

    # Groups.

    async def group_add(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_add`."""
        require_group_name(group)
        require_channel_name(channel)
        await self.connection.call("group_add", {"group": group, "channel": channel})
        if is_process_local(channel):
            with self.connection.lock:
                self.connection.session.introduction.memberships[group, channel] = None

    async def group_discard(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_discard`."""
        require_group_name(group)
        require_channel_name(channel)
        await self.connection.call("group_discard", {"group": group, "channel": channel})
        with self.connection.lock:
            self.connection.session.introduction.memberships.pop((group, channel), None)

    async def group_channels(self, group: str) -> list[str]:
        """See `BaseChannelLayer.group_channels`."""
        names = await self.connection.call("group_channels", {"group": require_group_name(group)})
        return list(names)

    async def presence(self, group: str) -> list[dict[str, Any]]:
        """See `BaseChannelLayer.presence`: taken from the live connections of the server."""
        asked = {"group": require_group_name(group)}
        found: list[dict[str, Any]] = await self.connection.call("presence", asked)
        return found

    async def subscribe(self, group: str, start: Start = "now") -> RemoteCursor:
        """See `BaseChannelLayer.subscribe`."""
        require_group_name(group)
        await self.connection.astart()
        return await asyncio.wrap_future(bridge.start(self._subscribe(group, start)))

    async def _subscribe(self, group: str, start: Start) -> RemoteCursor:
        """On the bridge's thread: wait for the stream, then for the first page if it is older."""
        while True:
            stream = self._streams.get(group)
            fresh = stream is None
            if stream is None:
                stream = self._streams[group] = Stream(group, self)
                with self.connection.lock:
                    self.connection.session.subscribe(group, since="now")
                self.connection.wake()
            while stream.position is None and stream.error is None:
                answered = asyncio.get_running_loop().create_future()
                self._waiting.setdefault(group, []).append(answered)
                try:
                    async with asyncio.timeout(PATIENCE * 2):
                        await answered
                except TimeoutError:
                    raise LayerUnavailable(
                        f"group {group!r}: no answer within {PATIENCE * 2:g} s: "
                        f"{self.connection.detail}"
                    ) from None
            if stream.error is not None:
                raise stream.error
            page: Page | None = None
            if start != "now" or not fresh:  # a stream may lag behind what "now" is
                page = await self._read(group, start, 256)
            with stream.lock:
                position, top = stream.position, stream.top
            assert position is not None
            anchor = page.anchor if page else Anchor(*position, max(top, position.offset))
            cursor = RemoteCursor(stream, anchor, page)
            if self._streams.get(group) is stream:
                return cursor
            cursor.close()  # its last other cursor was closed meanwhile: once more

    def fetch(self, group: str, start: Start, done: Callable[[Page | ChannelsError], None]) -> None:
        """See `Reader.fetch`."""

        async def read() -> None:
            try:
                page = await self._read(group, start, 256)
            except ChannelsError as error:
                done(error)
            else:
                done(page)

        bridge.start(read())

    def release(self, stream: Stream) -> None:
        """See `Reader.release`."""
        bridge.call(self._release, stream)

    def _release(self, stream: Stream) -> None:
        if not stream.cursors and self._streams.get(stream.group) is stream:
            del self._streams[stream.group]
            with self.connection.lock:
                self.connection.session.unsubscribe(stream.group)
            self.connection.wake()

    async def read(self, group: str, start: Start = "earliest", limit: int = 256) -> Page:
        """See `BaseChannelLayer.read`; at most 256 entries and 1 MiB."""
        return await self._read(require_group_name(group), start, limit)

    async def _read(self, group: str, start: Start, limit: int) -> Page:
        arguments: dict[str, Any] = {"group": group, "limit": limit}
        if isinstance(start, Position):
            arguments["position"] = start._asdict()
        else:
            arguments["since"] = {"last": start.last} if isinstance(start, Last) else start
        value, entries = await self.connection.call_with_entries("read", arguments)
        fields = {name: value[name] for name in Anchor._fields if name in value}
        return Page(Anchor(**fields), entries)

    async def clear(self, group: str) -> None:
        """See `BaseChannelLayer.clear`."""
        await self.connection.call("clear", {"group": require_group_name(group)})

    # The layer as a whole.

    async def names(self) -> dict[str, list[str]]:
        """See `BaseChannelLayer.names`."""
        names: dict[str, list[str]] = await self.connection.call("names", {})
        return names

    async def group_statistics(self, group: str) -> dict[str, Any]:
        """See `BaseChannelLayer.group_statistics`."""
        asked = {"group": require_group_name(group)}
        statistics: dict[str, Any] = await self.connection.call("group_statistics", asked)
        return statistics

    async def channel_statistics(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.channel_statistics`."""
        asked = {"channel": require_channel_name(channel)}
        statistics: dict[str, Any] = await self.connection.call("channel_statistics", asked)
        return statistics

    async def statistics(self) -> dict[str, Any]:
        """See `BaseChannelLayer.statistics`."""
        statistics: dict[str, Any] = await self.connection.call("statistics", {})
        return statistics

    async def flush(self) -> None:
        """See `BaseChannelLayer.flush`: of the server's layer."""
        await self.connection.call("flush", {})

    async def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    # What the connection tells, on the bridge's thread.

    def _handle(self, event: Event) -> None:
        match event.name:
            case "message":
                stream = self._streams.get(event.subject.group)
                if stream is not None and event.record is not None:
                    stream.message(event.record)
                    stream.announce()
            case "subscribed":
                self._subscribed(event)
            case "gap":
                stream = self._streams.get(event.subject.group)
                if stream is not None:
                    gap = event.control
                    stream.gap(Missing(gap.first, gap.last, gap.reason))
                    stream.announce()
            case "unsubscribed":
                self._ended(event.control.group, event.control.error)
            case "delivery":
                if event.record is not None:
                    self._work.deliver(event.record)
            case "begun":
                self._work.resume()
            case "opened":
                reporter.flush()
            case "complaint":
                note_unseen(f"the server refused something: {event.detail}")
            case "refused":
                self._work.fail(event.detail)
                streams, self._streams = self._streams, {}
                for group, stream in streams.items():
                    stream.ended(event.detail)
                    self._tell(group)

    def _subscribed(self, event: Event) -> None:
        told = event.control
        stream = self._streams.get(told.group)
        if stream is not None:
            stream.subscribed(
                Anchor(
                    told.epoch, told.offset, told.tag, told.top,
                    told.recovered, told.reason, told.cleared, told.lost,
                )
            )  # fmt: skip
            self._tell(told.group)

    def _ended(self, group: str, error: dict[str, Any] | None) -> None:
        if error is None:
            return
        stream = self._streams.pop(group, None)
        if stream is not None:
            stream.ended(from_wire(error))
            self._tell(group)

    def _tell(self, group: str) -> None:
        for answered in self._waiting.pop(group, ()):
            if not answered.done():
                answered.set_result(None)


def _version() -> str:
    try:
        return metadata.version("nbchannels")
    except metadata.PackageNotFoundError:
        return "0+unknown"
