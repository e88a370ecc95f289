"""One open connection: what its client asks is done here, on the layer.

The protocol's rules are in `nbchannels.protocol.server`; the socket is behind `Transport`.
"""

import asyncio
import functools
import logging
import time
from typing import Any, Protocol

from nbchannels.exceptions import (
    ChannelsError,
    InvalidName,
    PermissionDenied,
    RemoteProtocolError,
)
from nbchannels.layers.feed import Batch, Feed
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import (
    PROBLEMS,
    is_process_local,
    require_channel_name,
    require_group_name,
)
from nbchannels.protocol.codec import encode_control
from nbchannels.protocol.events import (
    Ack,
    Call,
    ClientControl,
    Control,
    Credit,
    Failure,
    Hello,
    Result,
    Settle,
    Subscribe,
    Subscription,
    Unknown,
    Unsubscribe,
    Unsubscribed,
    Welcome,
)
from nbchannels.protocol.server import ServerSession, State, start_of
from nbchannels.server.calls import METHODS, add_member
from nbchannels.server.clients import Client
from nbchannels.server.deliveries import Deliveries
from nbchannels.server.hub import Hub
from nbchannels.server.inspector import View
from nbchannels.server.intake import Intake
from nbchannels.server.rights import Guard, Rights

__all__ = ["Connection", "Transport"]

log = logging.getLogger("nbchannels")


class Transport(Protocol):
    """The socket.

    Attributes:
        stalled_since: since when it takes no more, in monotonic seconds.
    """

    stalled_since: float | None

    @property
    def writable(self) -> bool:
        """Whether it takes more now; if not, `Connection.drained` is called when it does."""

    def send_text(self, text: str) -> None:
        """Send a text message."""

    def send_batch(self, batch: Batch) -> bool:
        """Send a binary message, its frame shared with others; False if it takes no more now."""

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""

    def close(self, code: int, reason: str) -> None:
        """Close with this code."""


class Connection:
    """One client's open connection, as the hub and the feeds see it.

    Args:
        hub: of this server.
        transport: the socket.
        guard: decides about rights.
        session: the protocol state.
        welcome: the answer to hello, but for the connection's number.
        user: as Jupyter knows it.
        limits: ``subscriptions``, ``window``, ``window_bytes``.
    """

    def __init__(
        self,
        hub: Hub,
        transport: Transport,
        guard: Guard,
        session: ServerSession,
        limits: dict[str, int],
        user: Any,
    ) -> None:
        self.hub = hub
        self.layer: HostedLayer = hub.layer
        self.transport = transport
        self.session = session
        #: By group.
        self.feeds: dict[str, Feed] = {}
        self.limits = limits
        self.user = user
        self.number = 0
        #: Why the layer does not answer, as the client was told.
        self.trouble: str | None = None
        self.client: Client
        self.heard = self.beaten = time.monotonic()
        # The hot path: a feed writes to the socket without a detour.
        self.write = transport.send_batch  # type: ignore[method-assign]
        self.rights = Rights(guard)
        self.deliveries = Deliveries(self)
        self._intake = Intake(self)
        # Of subscriptions one is made after the other: the newest counts.
        self._subscribing = asyncio.Lock()
        self.view = View(hub, self.rights.permits)

    # What the hub and the feeds need.

    @property
    def writable(self) -> bool:
        """Whether the socket takes more now."""
        return self.transport.writable

    def write(self, batch: Batch) -> bool:
        """Send records of a log; see `Sink.write`."""
        return self.transport.send_batch(batch)

    def send_entries(self, data: bytes) -> None:
        """Send records that were asked for."""
        self.transport.send_bytes(data)

    def tell(self, control: Control) -> None:
        """Send a control record."""
        self.transport.send_text(encode_control(control))

    def close(self, code: int, reason: str) -> None:
        """Close the socket. From here on the connection has nothing: what it had goes on without.

        The socket itself may stay for seconds, until the client has answered.
        """
        self.left()
        self.transport.close(code, reason)

    def drained(self) -> None:
        """The socket takes more again: the feeds and taps go on."""
        for feed in list(self.feeds.values()):
            feed.pump({})
        self.deliveries.drained()

    @property
    def buffered(self) -> int:
        """Bytes that the socket has not taken yet."""
        return getattr(self.transport, "buffered", 0)

    @property
    def stalled_since(self) -> float | None:
        """Since when the socket takes no more (monotonic seconds)."""
        return self.transport.stalled_since

    @property
    def _is_over(self) -> bool:
        return self.session.state is State.CLOSED

    def describe(self) -> dict[str, Any]:
        """For the inspector and REST."""
        lag = sum(feed.log.top - feed.sent for feed in self.feeds.values())
        return self.client.describe() | {
            "groups": sorted(self.feeds.keys() - {PROBLEMS}),
            "lag": lag,
            "buffered": self.buffered,
        }

    # What comes from the socket.

    async def receive_text(self, text: str) -> None:
        """A control record came."""
        self.heard = time.monotonic()
        control = self.session.receive_text(text)
        if isinstance(control, Ack):
            self._acknowledge(control)
            return
        try:
            await self._act(control)
        except ChannelsError as error:
            if isinstance(error, RemoteProtocolError):
                raise
            number = control.id if isinstance(control, Call) else None
            self._refuse(number, error)

    def _refuse(self, call: int | None, error: ChannelsError) -> None:
        self.tell(Failure(call, error.to_wire()))

    def _acknowledge(self, control: Ack) -> None:
        """The client has processed its messages up to these offsets: the feeds may go on."""
        offsets = dict(control.logs)
        for feed in list(self.feeds.values()):
            offset = offsets.get(feed.log.number)
            if offset is not None:
                feed.acknowledge(offset)
                feed.pump({})

    async def receive_bytes(self, data: bytes) -> None:
        """Data records came: each goes to the layer, and is answered."""
        self.heard = time.monotonic()
        await self._intake.receive(self.session.receive_bytes(data))
        if self._is_over:  # meanwhile: the client will ask again
            return
        for text in self.session.answers():
            self.transport.send_text(text)

    async def require(self, action: str, kind: str, name: str) -> None:
        """Check a right; what was allowed is remembered for this connection for a minute.

        Raises:
            PermissionDenied: the policy says no.
        """
        await self.rights.require(self.user, self.client.user, action, kind, name)

    # What clients ask.

    async def _act(self, control: ClientControl) -> None:
        match control:
            case Subscribe():
                await self.subscribe(control)
            case Unsubscribe():
                group = require_group_name(control.group)
                self.hub.outage.forget(self, group)
                async with self._subscribing:
                    self._unsubscribe(group, None)
            case Credit():
                require_channel_name(control.channel)
                await self.require("read", "channel", control.channel)
                self.deliveries.credit(control.channel, control.credit)
            case Settle():
                self.deliveries.settle(control)
            case Call():
                await self._call(control)
            case Unknown():
                error = ChannelsError(f"op {control.name!r} is not known to this server")
                error.code = "unknown_op"
                self.tell(Failure(None, error.to_wire()))

    async def greet(self, hello: Hello, welcome: Welcome) -> None:
        """The client said hello and may come in: resume everything it had."""
        self.number = welcome.connection
        self.client = self.hub.clients.arrive(self.client)
        if self.client.connection is not None:  # its old socket is not known to be dead yet
            old = self.hub.connections.get(self.client.connection)
            if old is not None:
                old.close(4000, "the client has connected again")
        self.client.connection = self.number
        self.session.state = State.OPEN
        self.hub.enter(self)
        self.tell(welcome)
        self.trouble = welcome.layer.get("trouble")
        self.deliveries.resume(hello)
        for wanted in hello.consumers:
            try:
                await self.deliveries.consume(wanted)
            except ChannelsError as error:
                self._refuse(None, error)
        for channel in hello.channels:
            try:
                self._open_channel(channel)
            except ChannelsError as error:
                self._refuse(None, error)
        for group, channel in hello.memberships:
            failed = functools.partial(self._refuse, None)
            join = functools.partial(add_member, self, group, channel)
            try:
                await self.hub.outage.attempt(self, (group, channel), join, failed)
            except ChannelsError as error:
                failed(error)
        for subscription in hello.subscriptions:
            try:
                await self.subscribe(subscription)
            except InvalidName as error:
                self._refuse(None, error)
            except ChannelsError as error:
                self.tell(Unsubscribed(subscription.group, error.to_wire()))

    def _open_channel(self, channel: str) -> None:
        if is_process_local(require_channel_name(channel)):
            self.layer.open_channel(channel)
            self.client.channels.add(channel)

    async def subscribe(self, wanted: Subscribe | Subscription) -> None:
        """Begin to feed a group, or begin anew; if the layer does not answer, when it does."""
        group = require_group_name(wanted.group)
        await self.hub.outage.attempt(
            self, group, functools.partial(self._subscribe_in_turn, group, wanted),
            functools.partial(self._unsubscribe, group),
        )  # fmt: skip

    async def _subscribe_in_turn(self, group: str, wanted: Subscribe | Subscription) -> None:
        async with self._subscribing:
            await self._subscribe(group, wanted)

    async def _subscribe(self, group: str, wanted: Subscribe | Subscription) -> None:
        try:
            await self.require("read", "group", group)
        except PermissionDenied as error:
            self._unsubscribe(group, error)
            return
        if self._is_over:  # while the policy was asked
            return
        limit = self.limits["subscriptions"]
        if group not in self.feeds and len(self.feeds) >= limit:
            error_ = ChannelsError(
                f"this connection has {len(self.feeds)} subscriptions, the limit is {limit}; "
                "unsubscribe from some, or use fields instead of groups"
            )
            error_.code = "too_many"
            self._unsubscribe(group, error_)
            return
        cursor = await self.layer.subscribe(group, start_of(wanted))
        if self._is_over:  # while the layer was asked: nobody wants it
            cursor.close()
            return
        old = self.feeds.pop(group, None)
        if old is not None:
            self.hub.end(old)
        feed = Feed(self, cursor, wanted.mode, self.limits["window"], self.limits["window_bytes"])
        self.feeds[group] = feed
        self.tell(feed.subscribed(cursor.anchor))
        self.hub.begin(feed)

    def _unsubscribe(self, group: str, error: ChannelsError | None) -> None:
        feed = self.feeds.pop(group, None)
        if feed is not None:
            self.hub.end(feed)
        self.tell(Unsubscribed(group, error.to_wire() if error else None))

    async def _call(self, call: Call) -> None:
        if not 0 < call.id < 2**32:
            raise RemoteProtocolError("fields", f"the id of a call is {call.id}")
        method = METHODS.get(call.method)
        if method is None:
            error = ChannelsError(f"method {call.method[:50]!r} is not known to this server")
            error.code = "unknown_method"
            raise error
        value = await method(self, call)
        text = encode_control(Result(call.id, value))
        if len(text) > 64 * 1024:
            error = ChannelsError(
                f"the answer to {call.method!r} has {len(text):,} characters, the limit is 65,536; "
                "ask for less"
            )
            error.code = "too_large"
            raise error
        self.transport.send_text(text)

    def left(self) -> None:
        """The socket is closed, or about to be. Idempotent."""
        self.session.state = State.CLOSED
        self.deliveries.close()
        if self.number:
            self.hub.leave(self)
