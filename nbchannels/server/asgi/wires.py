"""Tornado's connections, as responses and WebSockets of an application need them."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from tornado import web
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from nbchannels.server.asgi.responses import ClientDisconnected, Headers

__all__ = ["HttpWire", "SocketWire"]

#: Seconds that a client has to send the rest of a body that nobody wants. Its connection would be
#: reset under the response otherwise.
LINGER = 5.0


class HttpWire:
    """See `Wire`.

    Args:
        handler: of the request.

    Attributes:
        gone: done when the client has gone.
        over: done when nothing more will be written.
    """

    def __init__(self, handler: web.RequestHandler) -> None:
        loop = asyncio.get_running_loop()
        self._handler = handler
        self._last: Awaitable[None] | None = None
        self._is_read = self._is_ended = False
        self._late: asyncio.TimerHandle | None = None
        self._keep_alive = True
        self.gone: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    def begin(self, status: int, headers: Headers, chunk: bytes) -> None:
        """See `Wire.begin`. The application's headers win over those that Jupyter adds."""
        handler = self._handler
        handler.set_status(status)
        for name in {name for name, _ in headers} | {"content-type"}:
            handler.clear_header(name)
        for name, value in headers:
            handler.add_header(name, value)
            if name == "content-type" and value.startswith("text/html"):
                # A page that will send forms needs the cookie; Jupyter's own pages set it so.
                _ = handler.xsrf_token
        stream = getattr(handler.request.connection, "stream", None)
        if stream is not None and not stream.closed():
            stream.set_nodelay(True)  # a small event must not wait for the next
        self.write(chunk)

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        if chunk:
            self._handler.write(chunk)
        self._last = self._handler.flush()

    async def drain(self) -> None:
        """See `Wire.drain`."""
        if self._last is not None:
            last = asyncio.ensure_future(self._last)
            # A future of tornado's is left alone when its connection is closed while reading.
            await asyncio.wait({last, self.gone}, return_when=asyncio.FIRST_COMPLETED)
            if not last.done() or isinstance(last.exception(), StreamClosedError):
                raise ClientDisconnected("the client has gone")
            last.result()
        if self.gone.done():
            raise ClientDisconnected("the client has gone")

    def read(self) -> None:
        """The request's body has been read."""
        self._is_read = True
        if self._is_ended:
            self._finish()

    def end(self, *, keep_alive: bool) -> None:
        """See `Wire.end`."""
        self._keep_alive = keep_alive
        self._is_ended = True
        if self._is_read:
            self._finish()
        elif self._late is None:
            self._late = asyncio.get_running_loop().call_later(LINGER, self._finish)

    def _finish(self) -> None:
        if self.over.done() or self.gone.done():
            return
        self.over.set_result(None)
        if self._late is not None:
            self._late.cancel()
        self._handler.finish()
        if not self._keep_alive:
            self._cut()

    def abort(self) -> None:
        """See `Wire.abort`."""
        if not self.over.done():
            self.over.set_result(None)
            self._cut()

    def _cut(self) -> None:
        connection: Any = self._handler.request.connection
        connection.close()

    def refuse(self, status: int, sentence: str) -> None:
        """See `Wire.refuse`."""
        if self._is_ended or self.over.done() or self.gone.done():
            return
        text = f"{sentence}\n".encode()
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(text))),
            ("cache-control", "no-store"),
        ]
        self.begin(status, headers, text if self._handler.request.method != "HEAD" else b"")
        self.end(keep_alive=True)

    def lose(self) -> None:
        """The client has gone."""
        if self._late is not None:
            self._late.cancel()
        if not self.gone.done():
            self.gone.set_result(None)


class SocketWire:
    """See `nbchannels.server.asgi.sockets.SocketWire`.

    Args:
        handler: of the upgrade.
        gone: done when the client has gone.

    Attributes:
        accepted: done with the subprotocol and the headers when the application accepts.
        opened: done when the WebSocket is open.
    """

    def __init__(self, handler: WebSocketHandler, gone: "asyncio.Future[None]") -> None:
        loop = asyncio.get_running_loop()
        self._handler = handler
        self.accepted: asyncio.Future[tuple[str | None, Headers]] = loop.create_future()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.gone = gone

    async def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """See `SocketWire.accept`."""
        self.accepted.set_result((subprotocol, headers))
        await asyncio.wait({self.opened, self.gone}, return_when=asyncio.FIRST_COMPLETED)
        if not self.opened.done():  # it may have been open for a moment: then it is heard so
            raise ClientDisconnected("the client has gone")

    async def send(self, data: str | bytes) -> None:
        """See `SocketWire.send`."""
        try:
            await self._handler.write_message(data, binary=isinstance(data, bytes))
        except (WebSocketClosedError, StreamClosedError):
            raise ClientDisconnected("the WebSocket is closed") from None

    def close(self, code: int, reason: str) -> None:
        """See `SocketWire.close`."""
        # A close frame holds 123 bytes of it; half a character would break it.
        said = reason.encode(errors="replace")[:123].decode(errors="ignore")
        self._handler.close(code, said or None)
