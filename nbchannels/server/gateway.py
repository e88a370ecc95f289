"""The two WebSockets: ``ws`` for pages and scripts, ``kernel`` for kernels.

Frames are written to tornado's stream directly: a message for a thousand sockets is framed once.
"""

import asyncio
import hashlib
import logging
import secrets
import struct
import time
from typing import Any, Literal

from jupyter_server.auth.decorator import allow_unauthenticated, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler

from nbchannels.exceptions import RemoteProtocolError
from nbchannels.layers.feed import Batch
from nbchannels.protocol.events import Challenge, Hello, KernelProof, ServerProof, Welcome
from nbchannels.protocol.proof import kernel_mac, new_nonce, same, server_mac
from nbchannels.protocol.server import ServerSession, State
from nbchannels.server.clients import Client
from nbchannels.server.connection import Connection
from nbchannels.server.host import Host

__all__ = ["SUBPROTOCOL", "KernelSocket", "PageSocket"]

SUBPROTOCOL = "nbchannels.v1"
#: Seconds to prove oneself and to say hello.
PATIENCE = 5.0
#: Bytes that may wait in one socket's buffer before its feeds stop.
BUFFER = 256 * 1024
#: Close codes of a client that does not come back.
GOODBYE = (1000, 1001)
#: Characters of a producer's id and of a label.
MOST_TEXT = 200

log = logging.getLogger("nbchannels")


def frame(opcode: int, data: bytes) -> bytes:
    """An unfragmented WebSocket frame from server to client (RFC 6455, 5.2)."""
    size = len(data)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + data
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + data
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + data


class Socket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """What both sockets share: framing, flow control, the patience for hello."""

    auth_resource = "nbchannels"
    #: The last write that has not reached the system yet, and what waits with it.
    _write: "asyncio.Future[None] | None" = None
    _waiting = 0
    _watched = False
    _is_closed = False
    stalled_since: float | None = None
    _patience: asyncio.TimerHandle | None = None
    connection: Connection

    @property
    def host(self) -> Host:
        """The extension's state."""
        host: Host = self.settings["nbchannels"]
        return host

    # What tornado and Jupyter ask.

    def set_default_headers(self) -> None:
        """An upgrade has no content headers."""

    def get_compression_options(self) -> None:
        """No compression: it costs 145 KB a connection, and inflates without a limit."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The one we speak."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    @property
    def ping_interval(self) -> float:
        """No pings of tornado's, a task for each connection: the hub's heartbeats do their work."""
        return 0

    @property
    def max_message_size(self) -> int:
        """One record of the largest body, or a joined message."""
        return int(self.host.limits.message) + 64 * 1024

    def check_origin(self, origin: str | None = None) -> bool:
        """Whether a page of this origin may connect.

        Jupyter skips this check for requests with a token, and tornado for what a browser calls
        same-origin; we never do. A page elsewhere must not get a user's socket by any means.
        """
        return bool(super().check_origin(origin))

    def skip_check_origin(self) -> bool:
        """Never: see `check_origin`."""
        return False

    # Writing.

    @property
    def wire(self) -> IOStream | None:
        """Tornado's stream below the WebSocket."""
        return getattr(self.ws_connection, "stream", None)

    @property
    def writable(self) -> bool:
        """See `Transport.writable`."""
        if self._waiting < BUFFER:
            return True
        stream = self.wire
        if stream is None or stream.closed():
            return False
        if not stream.writing():
            self._waiting = 0
            self.stalled_since = None
            return True
        if self.stalled_since is None:
            self.stalled_since = time.monotonic()
        if not self._watched and self._write is not None:
            self._watched = True
            self._write.add_done_callback(self._drained)
        return False

    @property
    def buffered(self) -> int:
        """Bytes that wait in this process."""
        stream = self.wire
        return self._waiting if stream is not None and stream.writing() else 0

    def _drained(self, write: "asyncio.Future[None]") -> None:
        self._watched = False
        if not write.cancelled() and write.exception() is None:
            self._waiting = 0
            self.stalled_since = None
            self.connection.drained()

    def _send(self, data: bytes) -> None:
        stream = self.wire
        if stream is None or self._is_closed:
            return
        try:
            self._write = stream.write(data)
        except StreamClosedError:
            return
        # Counted until the stream is found empty: never too little, so that the bound holds.
        self._waiting += len(data)

    def send_text(self, text: str) -> None:
        """See `Transport.send_text`."""
        self._send(frame(1, text.encode()))

    def send_bytes(self, data: bytes) -> None:
        """See `Transport.send_bytes`."""
        self._send(frame(2, data))

    def send_batch(self, batch: Batch) -> bool:
        """See `Transport.send_batch`."""
        if self._waiting >= BUFFER and not self.writable:
            return False
        data = batch.frame
        if data is None:
            data = batch.frame = frame(2, batch.data)
        self._send(data)
        return True

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """See `Transport.close`."""
        self._is_closed = True
        # A close frame holds 123 bytes of it; half a character or surrogate pair would break it.
        said = (reason or "").encode(errors="replace")[:123].decode(errors="ignore")
        super().close(code, said or None)

    # Reading.

    def begin(self, *, kernel: bool, user: Any) -> None:
        """The upgrade is done: wait for hello."""
        limits = self.host.limits
        stream = self.wire
        if stream is not None:
            stream.set_nodelay(True)
        self.connection = Connection(
            self.host.hub,
            self,
            self.host.policy,
            ServerSession(kernel=kernel, max_message=limits.message),
            {
                "subscriptions": limits.subscriptions,
                "window": limits.window,
                "window_bytes": limits.window_bytes,
            },
            user,
        )
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(PATIENCE, self._impatient)

    def _impatient(self) -> None:
        state = self.connection.session.state
        if state is State.PROVING:
            self.refuse(4500, "no proof in time")
        elif state is State.GREETING:
            self.refuse(4502, "no hello in time")

    def refuse(self, code: int, reason: str) -> None:
        """Close a connection that may not come in."""
        self.host.hub.counters["refused"] += 1
        self.connection.close(code, reason)

    async def on_message(self, message: str | bytes) -> None:
        """A WebSocket message; nothing it holds may raise past this connection."""
        connection = self.connection
        while not self.writable:  # who does not read the answers may ask no more
            stream = self.wire
            if stream is None or stream.closed() or self._write is None:
                return
            await asyncio.wait([self._write])
        if connection.session.state is State.CLOSED:
            return
        try:
            if isinstance(message, bytes):
                await connection.receive_bytes(message)
            elif connection.session.state is State.OPEN:
                await connection.receive_text(message)
            else:
                await self.shake(connection.session.receive_text(message))
        except RemoteProtocolError as error:
            self.host.hub.counters["protocol_errors"] += 1
            connection.close(error.close_code, f"{error.reason}: {error}")
        except UnicodeEncodeError as error:  # half of a surrogate pair, as JSON can write it
            self.host.hub.counters["protocol_errors"] += 1
            connection.close(4501, f"text: {error}")
        except Exception:
            log.exception("connection %d: an error in nbchannels itself", connection.number)
            connection.close(4004, "internal error; the server's log has the traceback")

    async def shake(self, control: Any) -> None:
        """A control record before the connection is open."""
        raise NotImplementedError  # pragma: no cover - both sockets have their own

    async def welcome(self, hello: Hello, client: Client) -> None:
        """Let the client in."""
        if self._patience is not None:
            self._patience.cancel()
        if len(client.producer) > MOST_TEXT:
            raise RemoteProtocolError("fields", f"a producer of more than {MOST_TEXT} characters")
        client.label = client.label and client.label[:MOST_TEXT]
        host = self.host
        everyone, mine = host.hub.count_beside(client)
        if everyone >= host.limits.connections:
            self.refuse(4504, f"{everyone} connections, the limit of this server; try again later")
            return
        if mine >= host.limits.connections_per_user:
            self.refuse(4504, f"{mine} connections of one user, the limit; close some pages")
            return
        self.connection.client = client
        limits = host.limits
        welcome = Welcome(
            server=host.server_id,
            version=host.version,
            connection=host.hub.number(),
            user=client.user,
            heartbeat=host.hub.heartbeat,
            limits={
                "message": limits.message,
                "window": limits.window,
                "window_bytes": limits.window_bytes,
                "subscriptions": limits.subscriptions,
            },
            layer=host.layer_state | {"commons": host.layer.word},
        )
        await self.connection.greet(hello, welcome)

    def on_close(self) -> None:
        """The socket is gone; this can come when `open` never did."""
        self._is_closed = True
        if self._patience is not None:
            self._patience.cancel()
        connection = getattr(self, "connection", None)
        if connection is not None:
            connection.left()
            if connection.number and self.close_code in GOODBYE:
                self.host.hub.part(connection.client)


class PageSocket(Socket):
    """``ws``: pages with Jupyter's login cookie and a ticket, scripts with Jupyter's token."""

    @ws_authenticated  # type: ignore[misc, unused-ignore]
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade: login, origin, and the right to read."""
        if not self.check_origin():
            raise HTTPError(403)
        if not await self.host.policy.allows(self.current_user, "read", "socket", "ws"):
            raise HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade is done."""
        self.begin(kernel=False, user=self.current_user)

    async def shake(self, control: Any) -> None:
        """Hello: a socket opened by a cookie needs a ticket, so that no foreign page has one."""
        user = self.current_user
        username = str(user.username)
        if not self.token_authenticated and not self.host.tickets.redeem(
            control.ticket or "", username
        ):
            self.refuse(4500, "no valid ticket: POST nbchannels/api/ticket first, use it once")
            return
        name = str(getattr(user, "display_name", None) or getattr(user, "name", "") or username)
        kind: Literal["page", "script"] = "script" if control.client == "script" else "page"
        client = Client(control.producer, self.principal(username), kind, name, control.label)
        await self.welcome(control, client)

    def principal(self, username: str) -> str:
        """Who this is over reconnects: Jupyter invents another user for each use of its token."""
        token = self.identity_provider.get_token(self) if self.token_authenticated else None
        if token:
            return f"token:{hashlib.sha256(token.encode()).hexdigest()[:16]}"
        return f"user:{username}"


class KernelSocket(Socket):
    """``kernel``: the one upgrade without login. It proves itself with the connection key."""

    kernel_id = ""

    @allow_unauthenticated  # type: ignore[misc, unused-ignore]
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade: never for a browser, which always sends an Origin."""
        if self.request.headers.get("Origin") or self.request.headers.get("Sec-Websocket-Origin"):
            raise HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade is done: challenge."""
        self.begin(kernel=True, user=None)
        self.nonce = new_nonce()
        self.connection.tell(Challenge(self.host.server_id, self.nonce))

    async def shake(self, control: Any) -> None:
        """The proof, once; then hello."""
        host = self.host
        if isinstance(control, KernelProof):
            key = host.kernel_key(control.kernel)
            parts = (host.server_id, control.kernel, self.nonce, control.nonce)
            # The same work and the same answer for an unknown kernel and for a wrong proof.
            expected = kernel_mac(key or secrets.token_bytes(32), *parts)
            if not same(control.mac, expected) or key is None:
                self.refuse(4500, "wrong proof")
                return
            self.kernel_id = control.kernel
            self.connection.session.state = State.GREETING
            self.connection.user = host.kernel_user(control.kernel)
            self.connection.tell(ServerProof(server_mac(key, *parts)))
            return
        label = host.kernel_path(self.kernel_id) or control.label
        principal = f"kernel:{self.kernel_id}"
        await self.welcome(control, Client(control.producer, principal, "kernel", principal, label))
