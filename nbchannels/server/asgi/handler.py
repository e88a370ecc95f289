"""``app/…``: who may come in, and what Jupyter and tornado have to do with it.

A request is an HTTP request or an upgrade, so the one handler is both. Nothing reaches the
application before the login, the origin, the XSRF token and the right have been checked.

A page of the application that posts with the login cookie sends Jupyter's XSRF token along, as
JupyterLab does: the value of the cookie ``_xsrf`` in the header ``X-XSRFToken``, or in the address
as ``?_xsrf=``; a field of a form comes too late, for the body is not read before the check.
"""

import asyncio
from http.client import responses
from typing import Any, ClassVar

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.httputil import url_concat
from tornado.websocket import WebSocketHandler

from nbchannels.exceptions import PermissionDenied
from nbchannels.server.asgi.mount import Mount
from nbchannels.server.asgi.requests import HttpExchange
from nbchannels.server.asgi.responses import Response
from nbchannels.server.asgi.scopes import http_scope, is_upgrade, websocket_scope
from nbchannels.server.asgi.sockets import SocketExchange
from nbchannels.server.asgi.wires import HttpWire, SocketWire
from nbchannels.server.credentials import Secrets, secrets_of
from nbchannels.server.host import Host
from nbchannels.server.policy import RESOURCE

__all__ = ["AppHandler"]

SAFE = ("GET", "HEAD", "OPTIONS")
#: The client's close frame had no code; the connection was lost.
NO_CODE, LOST = 1005, 1006
NOT_LOGGED_IN = "not logged in; send Jupyter's token: -H 'Authorization: token …'"
FOREIGN = "not for a page from another origin"
NO_APPLICATION = "this server has no application here; name one in c.NbChannels.asgi_application"


@web.stream_request_body
class AppHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One request, or one WebSocket, of the configured application."""

    auth_resource: ClassVar[str] = RESOURCE
    _wire: HttpWire | None = None
    _exchange: HttpExchange | SocketExchange | None = None
    _socket: SocketWire
    _scope: dict[str, Any] | None
    _sentence: str | None = None
    _closed_with: tuple[int, str] | None = None

    @property
    def host(self) -> Host:
        """The extension's state."""
        host: Host = self.settings["nbchannels"]
        return host

    # Who may come in.

    async def prepare(self) -> None:  # type: ignore[override]
        """Check the request, before any of its body is read."""
        upgrade = is_upgrade(self.request)
        if (upgrade or self.request.method not in SAFE) and not self.check_origin():
            raise self._refusal(403, FOREIGN)
        try:
            await super().prepare()  # the Host header, the login, the XSRF token
        except web.HTTPError:
            if not self._may_log_in():
                raise
        if self.current_user is None:
            if not self._may_log_in():
                raise web.HTTPError(403)
            self.redirect(url_concat(self.get_login_url(), {"next": self.request.uri or ""}))
            return
        action = "read" if self.request.method in SAFE and not upgrade else "execute"
        try:
            await self.host.policy.require(self.current_user, action, "app", "")
        except PermissionDenied as error:
            raise self._refusal(403, str(error)) from None
        mount = self.host.mount
        if mount is None:
            raise self._refusal(404, NO_APPLICATION)
        problem = await mount.ready()
        if problem is not None:
            raise self._refusal(503, problem)
        if upgrade:
            self._prepare_socket(mount)
        else:
            self._prepare_request(mount)

    def on_finish(self) -> None:
        """The request is counted."""
        self.host.count_answer("app", self.get_status())
        super().on_finish()

    def _may_log_in(self) -> bool:
        """Whether this is a page that someone opens without a login: the login comes first."""
        headers = self.request.headers
        if getattr(self, "_jupyter_current_user", None) is not None or is_upgrade(self.request):
            return False
        mode = headers.get("Sec-Fetch-Mode")
        page = mode == "navigate" if mode else "text/html" in headers.get("Accept", "")
        return page and self.request.method == "GET"

    def check_origin(self, origin: str | None = None) -> bool:
        """Whether a page of this origin may send; a token does not skip the check."""
        return bool(super().check_origin(origin))

    def skip_check_origin(self) -> bool:
        """Never: see `check_origin`."""
        return False

    def _refusal(self, status: int, sentence: str) -> web.HTTPError:
        self._sentence = sentence
        return web.HTTPError(status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A plain sentence, no page, and nothing of a traceback."""
        raised = kwargs.get("exc_info", (None, None))[1]
        sentence = self._sentence or responses.get(status_code, "error").lower()
        if self._sentence is None and status_code == 403:
            if getattr(self, "_jupyter_current_user", None) is None:
                sentence = NOT_LOGGED_IN
            elif isinstance(raised, web.HTTPError) and raised.log_message:
                sentence = raised.log_message
        elif self._sentence is None and status_code >= 500:
            sentence = "an error in nbchannels itself; the server's log has the traceback"
        if status_code == 426:
            self.set_header("Sec-WebSocket-Version", "13")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(f"{sentence}\n")

    def set_default_headers(self) -> None:
        """Jupyter's, but for an upgrade, which has no content."""
        if not is_upgrade(self.request):
            super().set_default_headers()

    def set_cors_headers(self) -> None:
        """Only what Jupyter is configured for: a token alone opens nothing to other origins."""
        if self.allow_origin or self.allow_origin_pat:
            super().set_cors_headers()

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """The path may be any bytes; the scope has them all."""
        if name is None:
            return value.decode("utf-8", "replace")
        return super().decode_argument(value, name)

    def compute_etag(self) -> None:
        """None: that is the application's."""

    # What the application is called with.

    def _secrets(self, mount: Mount) -> Secrets | None:
        return None if mount.pass_credentials else secrets_of(self)

    @property
    def _summary(self) -> str:
        return f"{self.request.method} {self.request.path}"

    def _prepare_request(self, mount: Mount) -> None:
        request = self.request
        self._scope = http_scope(
            request,
            base_url=self.base_url,
            user=self.current_user,
            state=mount.state,
            secrets=self._secrets(mount),
        )
        self._wire = HttpWire(self)
        response = Response(self._wire, self._scope["method"], self._scope["http_version"])
        self._exchange = HttpExchange(response, self._summary)

    def _prepare_socket(self, mount: Mount) -> None:
        headers = self.request.headers
        if headers.get("Sec-WebSocket-Version") != "13":
            raise self._refusal(426, "the version of the WebSocket protocol here is 13")
        if not headers.get("Sec-WebSocket-Key") or not headers.get("Host"):
            raise self._refusal(400, "an upgrade has a Host and a Sec-WebSocket-Key header")
        self._scope = websocket_scope(
            self.request,
            base_url=self.base_url,
            user=self.current_user,
            state=mount.state,
            secrets=self._secrets(mount),
        )
        self._wire = HttpWire(self)
        self._socket = SocketWire(self, self._wire.gone)
        response = Response(self._wire, "GET")
        offered = self._scope["subprotocols"]
        self._exchange = SocketExchange(self._socket, response, offered, self._summary)

    def _begin(self) -> None:
        """Call the application, once.

        Not earlier than with the first of the body: tornado writes its 100 (Continue) after
        `prepare`, and it must not stand in the middle of a response.
        """
        mount, scope, self._scope = self.host.mount, self._scope, None
        if mount is not None and scope is not None and self._exchange is not None:
            mount.call(self._exchange, scope)

    # HTTP.

    async def data_received(self, chunk: bytes) -> None:
        """A part of the body; the next is read when the application has taken this one."""
        if isinstance(self._exchange, HttpExchange):
            self._begin()
            await self._exchange.put(chunk)

    async def _serve(self, path: str = "") -> None:
        """The request is whole: wait for the end of the response."""
        exchange, wire = self._exchange, self._wire
        assert exchange is not None
        assert wire is not None
        self._begin()
        wire.read()
        if isinstance(exchange, SocketExchange):
            await self._upgrade(wire)
            return
        exchange.put_end()
        await asyncio.wait({wire.over, wire.gone}, return_when=asyncio.FIRST_COMPLETED)
        if not wire.over.done() and not self._headers_written:
            self.set_status(499, "Client Closed Request")  # for the log alone

    get = web.authenticated(_serve)  # type: ignore[assignment]
    head = web.authenticated(_serve)
    post = web.authenticated(_serve)
    put = web.authenticated(_serve)
    patch = web.authenticated(_serve)
    delete = web.authenticated(_serve)
    options = web.authenticated(_serve)

    def on_connection_close(self) -> None:
        """The client has gone, while a request or a WebSocket was under way."""
        web.RequestHandler.on_connection_close(self)  # the rest of the body will not come
        super().on_connection_close()

    # WebSocket.

    async def _upgrade(self, wire: HttpWire) -> None:
        """Wait for what the application decides; if it accepts, until the WebSocket is closed."""
        accepted = self._socket.accepted
        decided: set[asyncio.Future[Any]] = {accepted, wire.over, wire.gone}
        await asyncio.wait(decided, return_when=asyncio.FIRST_COMPLETED)
        if not accepted.done() or wire.gone.done():
            return
        _, headers = accepted.result()
        for name, value in headers:
            self.add_header(name, value)
        try:
            await WebSocketHandler.get(self)
        finally:  # also if it came to nothing
            self.on_close()

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The one that the application has chosen."""
        return self._socket.accepted.result()[0]

    def get_compression_options(self) -> None:
        """No compression: it costs 145 KB a connection, and inflates without a limit."""

    @property
    def max_message_size(self) -> int:
        """As for every message."""
        return int(self.host.limits.message)

    def get_websocket_protocol(self) -> Any:
        """Tornado's, remembering how it was closed: it does not tell `on_close` all of it."""
        protocol = super().get_websocket_protocol()
        if protocol is not None:
            close = protocol.close

            def closing(code: int | None = None, reason: str | None = None) -> None:
                stream = protocol.stream
                if self._closed_with is None and stream is not None and not stream.closed():
                    self._closed_with = (code or NO_CODE, reason or "")
                close(code, reason)

            setattr(protocol, "close", closing)  # noqa: B010
        return protocol

    def open(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade is done."""
        super().open(*args, **kwargs)  # starts Jupyter's pings
        self.set_nodelay(True)
        if not self._socket.opened.done():
            self._socket.opened.set_result(None)
        if self._exchange is not None and self._exchange.is_over:  # the server stops
            self.close(1012)

    def send_ping(self) -> None:
        """Ask whether the client is alive, but not while it is us who read nothing."""
        if isinstance(self._exchange, SocketExchange) and self._exchange.is_full:
            self.last_pong = self.last_ping
        super().send_ping()

    async def on_message(self, message: str | bytes) -> None:
        """A message; the next is read when the application is not behind."""
        if isinstance(self._exchange, SocketExchange):
            await self._exchange.put(message)

    def on_close(self) -> None:
        """It is closed, or the client has gone, also before it was open or during a request."""
        if self.ping_callback is not None:
            self.ping_callback.stop()
            self.ping_callback = None
        if isinstance(self._exchange, SocketExchange):
            code, reason = self._closed_with or (LOST, "")
            self._exchange.lose(self.close_code or code, self.close_reason or reason)
        elif self._exchange is not None:
            self._exchange.lose()
        if self._wire is not None:
            self._wire.lose()
