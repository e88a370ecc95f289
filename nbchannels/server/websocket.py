"""WebSockets below ``http/…``: ``websocket.connect``, ``.receive`` and ``.disconnect`` messages.

The handshake waits for the consumer's answer. All messages of one socket go to whoever took its
connect, in the order that ``order`` counts.

Source: the message formats and handshake rules of Channels 1.x and its server, Daphne 1.
"""

import asyncio
import logging
import time
from typing import Any

from jupyter_server.auth.decorator import ws_authenticated
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol

from nbchannels.diagnoses import report
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    EncodingError,
    LayerUnavailable,
    MessageTooLarge,
)
from nbchannels.server.exchange import Exchange, Gone, describe_request
from nbchannels.server.http import ANSWERED, ConsumerHandler
from nbchannels.server.refusals import Lost, Refused, no_answer, nobody_serves, unsent
from nbchannels.server.replies import BadReply, Frame, read_frame
from nbchannels.typing import MessageDict

__all__ = ["ConsumerSocket"]

#: Seconds that a frame waits for room before the socket is closed.
PATIENCE = 30.0
#: Seconds between two tries.
RETRY = 0.05
#: Seconds between pings to a client; one that answers none until the next is gone.
PING = 60.0

log = logging.getLogger("nbchannels")


class ConsumerSocket(ConsumerHandler, WebSocketHandler):
    """``http/{path}``: an upgrade becomes a WebSocket, all else is a `ConsumerHandler`'s."""

    _order = 0
    _first: Frame | None = None
    _sending: "asyncio.Task[None] | None" = None
    _is_open = _has_said_bye = False
    _said_code: int | None = None

    @property
    def is_upgrade(self) -> bool:
        """Whether this is a WebSocket."""
        return bool(self.request.headers.get("Upgrade", "").lower() == "websocket")

    @property
    def right(self) -> str:
        """The right that this request takes."""
        return "execute" if self.is_upgrade else super().right

    @property
    def _shown(self) -> str:
        """The request, for sentences; its query may hold secrets."""
        return super()._shown.replace("GET", "WebSocket", 1) if self.is_upgrade else super()._shown

    # What tornado and Jupyter ask.

    def skip_check_origin(self) -> bool:
        """A page elsewhere must not get a socket by any means, not with a token either."""
        return not self.is_upgrade and super().skip_check_origin()

    def check_origin(self, origin: str = "") -> bool:
        """Whether a page of this origin may ask."""
        return bool(super().check_origin(origin))

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The one that the consumer has chosen."""
        chosen = self._first.subprotocol if self._first else None
        return chosen if chosen in subprotocols else None

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Tornado's, watched: of a close frame without a code it leaves no trace."""
        protocol = super().get_websocket_protocol()
        if protocol is None:
            return None
        close = protocol.close

        def watched(code: int | None = None, reason: str | None = None) -> None:
            # A broken connection is terminated by both at once; a close frame by the client first.
            if protocol.client_terminated and not protocol.server_terminated:
                self._has_said_bye = True
            close(code, reason)

        protocol.close = watched  # type: ignore[method-assign]
        return protocol

    def get_compression_options(self) -> None:
        """No compression: it inflates without a limit."""

    @property
    def ping_interval(self) -> float:
        """Seconds between two pings."""
        return PING

    @property
    def ping_timeout(self) -> float:
        """Seconds that the client has to answer one."""
        return PING

    @property
    def max_message_size(self) -> int:
        """Bytes of one frame; the client is sent away with 1009 beyond."""
        return self.host.limits.message

    # The handshake.

    @ws_authenticated  # type: ignore[misc, unused-ignore]
    async def get(self, *args: str, **kwargs: str) -> None:
        """An upgrade, or a plain ``GET``."""
        if not self.is_upgrade:
            await self.respond(*args, **kwargs)
            return
        self._is_answering = True
        try:
            self._first = await self._handshake()
        except Gone:
            self._bid_farewell(1006)
        except ANSWERED as error:
            refused = self.refusal_of(error)
            if refused.status != 403:  # a consumer that refuses knows that it is over
                self._bid_farewell(1006)
            self._refuse(refused)
        if self._first is None:
            await self._end_exchange()
            return
        await WebSocketHandler.get(self, *args, **kwargs)

    async def _handshake(self) -> Frame:
        """Ask the consumer; its first reply that accepts.

        Raises:
            Refused, Lost, Gone, BadReply: it does not come to a socket.
        """
        headers = self.request.headers
        tokens = [token.strip().lower() for token in headers.get("Connection", "").split(",")]
        if "upgrade" not in tokens or not headers.get("Sec-WebSocket-Key"):
            raise Refused(400, "a WebSocket needs Connection: Upgrade and a Sec-WebSocket-Key")
        if headers.get("Sec-WebSocket-Version") != "13":
            remedy = {"Sec-WebSocket-Version": "13"}
            raise Refused(426, "the version of WebSockets is 13", remedy)
        if not self.check_origin():
            raise HTTPError(403)
        content = self._connect()
        if not self.router.serves("websocket.connect", content):
            raise nobody_serves(
                "websocket.connect", self._shown, "replies {'accept': True}",
                is_shared=self.host.layer.backend != "memory",
            )  # fmt: skip
        if len(self._sockets) >= self.host.limits.connections:
            raise Refused(503, f"{len(self._sockets):,} WebSockets, the limit; try again later")
        exchange = self._exchange = Exchange(self.host.layer, self.router, "websocket.send")
        self._sockets.add(self)
        try:
            exchange.send("websocket.connect", content)
        except ChannelsError as error:
            raise unsent(self._shown, error) from error
        seconds = self.host.limits.handshake_timeout
        deadline = time.monotonic() + seconds
        while True:
            try:
                frame = read_frame(await exchange.reply(deadline - time.monotonic()))
            except TimeoutError:
                raise no_answer(self._shown, seconds) from None
            if frame.accept is False or (
                frame.close is not None and frame.accept is None and not frame.has_data
            ):
                raise Refused(403, f"the consumer refused the {self._shown}")
            if frame.accept or frame.has_data:
                return frame

    def _connect(self) -> MessageDict:
        scheme = "wss" if self.request.protocol == "https" else "ws"
        told = describe_request(self.request, self._path, self.mount, self._secrets)
        return {"scheme": scheme, "order": 0, **told}

    @property
    def _sockets(self) -> set[Any]:
        return self.host.sockets

    # The open socket.

    def open(self, *args: str, **kwargs: str) -> None:
        """The upgrade is done."""
        self._is_open = True
        self.set_nodelay(True)
        self._sending = asyncio.get_running_loop().create_task(self._send_replies())

    async def _send_replies(self) -> None:
        """Write what the consumer replies, as fast as the client takes it."""
        exchange, frame = self._exchange, self._first
        assert exchange is not None
        try:
            while frame is None or not await self._write(frame):
                frame = read_frame(await exchange.reply(None))
        except (Gone, WebSocketClosedError):
            pass
        except Lost as lost:
            if lost.why == "failed":
                log.error("%s: its consumer failed: %s", self._shown, lost)
            self._close(1011 if lost.why != "expired" else 1013, f"{lost.why}: {lost}")
        except (BadReply, EncodingError) as error:
            report("bad-reply", f"{self._shown}: the consumer's reply cannot be used: {error}")
            self._close(1011, f"bad reply: {error}")
        except Exception:
            log.exception("%s: an error in nbchannels itself", self._shown)
            self._close(1011, "internal error; the server's log has the traceback")

    async def _write(self, frame: Frame) -> bool:
        """Send a frame's data, then close if it says so; whether it did."""
        if frame.data is not None:
            await self.write_message(frame.data, binary=isinstance(frame.data, bytes))
        if frame.close is not None:
            self._close(frame.close)
        return frame.close is not None

    def _close(self, code: int, reason: str = "") -> None:
        self._said_code = code
        # A close frame holds 123 bytes of it; half a character would break it.
        said = reason.encode(errors="replace")[:123].decode(errors="ignore")
        self.close(code, said or None)

    async def on_message(self, message: str | bytes) -> None:
        """A frame of the client; the next one is read when this one has found room."""
        exchange = self._exchange
        if exchange is None or self._said_code is not None:
            return
        self.note_activity()
        self._order += 1
        is_text = isinstance(message, str)
        content = {
            "path": self._path,
            "order": self._order,
            "text": message if is_text else None,
            "bytes": None if is_text else message,
        }
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                exchange.send("websocket.receive", content)
            except (ChannelFull, LayerUnavailable) as error:
                if time.monotonic() > deadline:
                    log.warning("%s: closed, its consumer is stuck: %s",
                                self._shown, error)  # fmt: skip
                    self._close(1013, "the consumer takes no more; try again later")
                    return
            except MessageTooLarge as error:
                self._close(1009, str(error))
                return
            except ChannelsError as error:
                log.error("%s: a frame cannot be handed on: %s", self._shown, error)
                self._close(1011, str(error))
                return
            else:
                return
            await asyncio.sleep(RETRY)
            if self._exchange is None or self._said_code is not None:
                return

    # The end.

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None:
        """The socket is closed, by whomever."""
        if close_code is None and self._has_said_bye:
            close_code = 1005  # a close frame without a code
        super().on_ws_connection_close(close_code, close_reason)

    def on_connection_close(self) -> None:
        """The client has gone, before the upgrade or after it."""
        if self._is_open:
            WebSocketHandler.on_connection_close(self)
        else:
            super().on_connection_close()

    def on_close(self) -> None:
        """Tell the consumer."""
        if self._exchange is not None:
            self._exchange.leave()
            self._bid_farewell(self.close_code or self._said_code or 1006)
            self._ending = asyncio.get_running_loop().create_task(self._end_exchange())

    def _bid_farewell(self, code: int) -> None:
        """Send ``websocket.disconnect``, for each ``websocket.connect`` that was sent."""
        exchange = self._exchange
        if exchange is None:
            return
        content = {"path": self._path, "order": self._order + 1, "code": code}
        try:
            exchange.send("websocket.disconnect", content)
        except ChannelsError as error:
            log.warning("%s: its consumer is not told that it is over: %s",
                        self._shown, error)  # fmt: skip

    async def _end_exchange(self) -> None:
        self._sockets.discard(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.close(linger=True)
        if self._sending is not None:
            await self._sending
