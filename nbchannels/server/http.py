"""``http/…``: requests become ``http.request`` messages, answered by whatever consumer serves them.

A consumer on the server, or in a notebook, replies on ``message.reply_channel``. Whatever it does,
the client gets an answer: what went wrong is said in a sentence.

Source: the message formats and time-outs of Channels 1.x and its server, Daphne 1.
"""

import asyncio
import datetime
import logging
import time
from typing import Any, ClassVar
from urllib.parse import quote

from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httputil import HTTPOutputError
from tornado.iostream import StreamClosedError

from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError, EncodingError
from nbchannels.server.credentials import Secrets, is_login_cookie, secrets_of
from nbchannels.server.exchange import Exchange, Gone, Router, describe_request
from nbchannels.server.host import Host
from nbchannels.server.policy import RESOURCE
from nbchannels.server.refusals import (
    Lost,
    Refused,
    lost,
    no_answer,
    nobody_serves,
    too_large,
    unsent,
)
from nbchannels.server.replies import BadReply, Response, read_chunk, read_response
from nbchannels.server.upload import CHUNK, Upload
from nbchannels.typing import MessageDict

__all__ = ["ANSWERED", "MOUNT", "ConsumerHandler"]

#: Below the server's base.
MOUNT = "nbchannels/http"

#: What is answered with a sentence.
ANSWERED = (Refused, Lost, BadReply, EncodingError, HTTPOutputError)

log = logging.getLogger("nbchannels")


@web.stream_request_body
class ConsumerHandler(JupyterHandler):
    """``http/{path}``, for all methods.

    Unsafe methods need Jupyter's token, or a cookie with the XSRF token in the header
    ``X-XSRFToken`` or in the query, ``_xsrf=``.

    Up to 512 KiB of a body are in ``http.request`` itself. Of a larger one these are the beginning,
    and the rest follows on ``body_channel``, as fast as the consumer takes it: at most four chunks
    wait. The answer is written when the body has been read.
    """

    auth_resource: ClassVar[str] = RESOURCE
    _exchange: Exchange | None = None
    _upload: Upload | None = None
    _buffer: bytearray
    _size = 0
    #: When a consumer last got something of this request.
    _told = 0.0
    #: What is answered when the body has been read.
    _refusal: Refused | None = None
    _is_answering = _is_gone = False

    @property
    def host(self) -> Host:
        """The extension's state."""
        host: Host = self.settings["nbchannels"]
        return host

    @property
    def router(self) -> Router:
        """The consumers."""
        router: Router = self.settings["nbchannels"].router
        return router

    @property
    def mount(self) -> str:
        """The address of the root of all consumers, without a slash at its end."""
        return f"{self.base_url.rstrip('/')}/{MOUNT}"

    # Who may come in.

    @property
    def right(self) -> str:
        """The right that this request takes."""
        return "read" if self.request.method in ("GET", "HEAD") else "execute"

    async def prepare(self) -> None:  # type: ignore[override]
        """Login, origin, XSRF and rights, before any of the body is taken."""
        self._buffer = bytearray()
        is_page = "text/html" in self.request.headers.get("Accept", "")
        await super().prepare(_redirect_to_login=is_page)
        if self._finished:
            return
        if self.current_user is None:
            if is_page and self.request.method in ("GET", "HEAD"):
                web.authenticated(lambda _: None)(self)  # to the login page, and back
                return
            raise web.HTTPError(403)
        if not self.check_origin():
            raise web.HTTPError(403, "this is not for a page from another origin")
        if not await self.host.policy.allows(self.current_user, self.right, "http", ""):
            raise web.HTTPError(403, f"you may not {self.right} here; ask whoever runs this server")
        self.note_activity()
        declared = self.request.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared[:20]) > self.host.limits.upload:
            raise too_large(int(declared[:20]), self.host.limits.upload)

    def note_activity(self) -> None:
        """Keep an idle server from being culled, if requests count."""
        if self.host.counts_as_activity:
            self.settings["api_last_activity"] = datetime.datetime.now(datetime.UTC)

    def compute_etag(self) -> None:
        """None but the consumer's own."""

    def on_finish(self) -> None:
        """The request is counted."""
        self.host.count_answer("http", self.get_status())
        super().on_finish()

    # The body.

    async def data_received(self, chunk: bytes) -> None:
        """A part of the body; the client waits while the consumer has no room for it."""
        self._size += len(chunk)
        if self._refusal is not None:
            return
        try:
            if self._size > self.host.limits.upload:
                if self._upload is not None:
                    await self._upload.abort()
                raise too_large(self._size, self.host.limits.upload)
            self._buffer += chunk
            while len(self._buffer) > self._chunk:
                await self._send_body(more=True)
        except Refused as refused:
            self._refusal = refused
            self._buffer.clear()

    @property
    def _chunk(self) -> int:
        """Bytes of a body in one message; a small limit of messages leaves room for headers."""
        return min(CHUNK, max(self.host.limits.message // 2, 1))

    async def _send_body(self, more: bool) -> None:
        part = bytes(self._buffer[: self._chunk])
        del self._buffer[: self._chunk]
        if self._exchange is None:
            if more:
                self._upload = Upload(self.host.layer, self.host.limits.http_timeout)
            self._begin(part)
        elif self._upload is not None:
            try:
                await self._upload.send(part, more, self._exchange)
            except TimeoutError:
                raise self._no_answer() from None
            self._told = self._upload.told

    # The request.

    def describe(self) -> MessageDict:
        """What ``http.request`` says beside its body and where to reply."""
        request = self.request
        return {
            "http_version": request.version.partition("/")[2],
            "method": (request.method or "").upper(),
            "scheme": request.protocol,
            **describe_request(request, self._path, self.mount, self._secrets),
        }

    @property
    def _path(self) -> str:
        return f"/{self.path_args[0]}" if self.path_args else "/"

    @property
    def _secrets(self) -> Secrets:
        return secrets_of(self)

    @property
    def _shown(self) -> str:
        """The request, for sentences; its query may hold secrets."""
        return f"{self.request.method} {quote(self._path, safe='/')[:200]}"

    def _begin(self, body: bytes) -> None:
        """Send ``http.request``.

        Raises:
            Refused: nobody serves it, or it cannot be sent.
        """
        channel = self._upload.channel if self._upload is not None else None
        content = self.describe() | {"body": body, "body_channel": channel}
        if not self.router.serves("http.request", content):
            raise nobody_serves(
                "http.request",
                self._shown,
                "replies {'status': 200, 'content': b'…'}",
                is_shared=self.host.layer.backend != "memory",
            )
        exchange = self._exchange = Exchange(self.host.layer, self.router, "http.response")
        try:
            exchange.send("http.request", content)
        except ChannelsError as error:
            raise unsent(self._shown, error) from error
        self._told = time.monotonic()
        exchange.listen()

    # The answer.

    async def respond(self, *args: str, **kwargs: str) -> None:
        """The body has been read: send what is left of it, and write what the consumer replies."""
        self._is_answering = True
        try:
            if self._refusal is not None:
                raise self._refusal
            await self._send_body(more=False)
            await self._relay()
        except (Gone, StreamClosedError):
            self._is_gone = True
        except ANSWERED as error:
            self._refuse(self.refusal_of(error))
        finally:
            await self._end()

    async def _relay(self) -> None:
        response = read_response(await self._reply(), self.request.method or "")
        self._start(response)
        more = response.more
        if more and self.request.method == "HEAD":  # how long it would be is not known
            await self.flush()
            more = False
        while more:
            # Returns when the client has taken it: the next reply waits as long in its channel.
            await self.flush()
            self._told = time.monotonic()
            chunk = read_chunk(await self._reply())
            self.write(chunk.content)
            more = chunk.more
        await self.finish()

    def _start(self, response: Response) -> None:
        self.set_status(response.status)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        own = {name.lower() for name, _ in response.headers}
        for name in own:
            self.clear_header(name)
        for name, value in response.headers:
            cookie = value.partition("=")[0].strip()
            if name.lower() == "set-cookie" and is_login_cookie(cookie, self._secrets):
                report(
                    "login-cookie",
                    f"{self._shown}: the cookie {cookie!r} of the reply is not passed on, Jupyter "
                    "has one of this name; call yours otherwise (tornado: xsrf_cookie_name)",
                )
                continue
            self.add_header(name, value)
        if response.status in (204, 304):
            self.clear_header("Content-Type")
        if response.content:
            self.write(response.content)

    async def _reply(self) -> MessageDict:
        exchange, seconds = self._exchange, self.host.limits.http_timeout
        assert exchange is not None
        try:
            return await exchange.reply(self._told + seconds - time.monotonic())
        except TimeoutError:
            raise self._no_answer() from None

    def _no_answer(self) -> Refused:
        return no_answer(self._shown, self.host.limits.http_timeout)

    def _refuse(self, refused: Refused) -> None:
        """Answer with a sentence; in the midst of an answer, cut it off: it must not look whole."""
        if self._headers_written:
            log.error("%s: the answer is cut off: %s", self._shown, refused)
            self._cut()
            return
        self.clear()
        for name, value in refused.headers.items():
            self.set_header(name, value)
        self._say(refused.status, str(refused))

    def refusal_of(self, error: Exception) -> Refused:
        """What is answered when this happened; the log has what the owner has to mend."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, Lost):
            if error.why == "failed":
                log.error("%s: its consumer failed: %s", self._shown, error)
            return lost(self._shown, error)
        report("bad-reply", f"{self._shown}: the consumer's reply cannot be used: {error}")
        return Refused(500, f"the consumer's reply cannot be used: {error}")

    def _say(self, status: int, sentence: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(sentence[:2000].encode(errors="replace") + b"\n")

    def _cut(self) -> None:
        self._finished = True  # nothing more is written, no end either
        stream: Any = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors of tornado and Jupyter, and our own mistakes: a sentence, too."""
        raised = kwargs.get("exc_info", (None, None))[1]
        if status_code == 403 and getattr(self, "_jupyter_current_user", None) is None:
            sentence = "not logged in; send Jupyter's token: -H 'Authorization: token …'"
        elif isinstance(raised, web.HTTPError) and raised.log_message and status_code < 500:
            sentence = raised.log_message % raised.args if raised.args else raised.log_message
        elif status_code == 404:  # Jupyter's answer to an unsafe method
            sentence = "this is not for a page from another origin"
        elif status_code == 405:
            sentence = f"the method {self.request.method} is not known"
        elif status_code >= 500:
            sentence = "an error in nbchannels itself; the server's log has the traceback"
        else:
            sentence = self._reason.lower()
        self._say(status_code, sentence)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """What we refuse on purpose is in the answer; all else is logged."""
        if not isinstance(value, Refused):
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """See tornado; a `Refused` knows its status and sentence."""
        raised = kwargs.get("exc_info", (None, None))[1]
        if isinstance(raised, Refused) and not self._headers_written:
            self._refuse(raised)
        else:
            super().send_error(status_code, **kwargs)

    # The end.

    def on_connection_close(self) -> None:
        """The client has gone before it had its answer."""
        self._is_gone = True
        if self._exchange is not None:
            self._exchange.leave()
            if not self._is_answering:  # in the midst of its body: nobody else will end it
                self._ending = asyncio.get_running_loop().create_task(self._abort())
        web.RequestHandler.on_connection_close(self)

    async def _abort(self) -> None:
        if self._upload is not None:
            await self._upload.abort()
        await self._end()

    async def _end(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        is_told = False
        if self._is_gone:
            content = {"path": self._path}
            is_told = self.router.serves("http.disconnect", content)
            if is_told:
                try:
                    exchange.send("http.disconnect", content)
                except ChannelsError as error:
                    log.warning("%s: its consumer is not told that it is over: %s",
                                self._shown, error)  # fmt: skip
                    is_told = False
        await exchange.close(linger=is_told)
        if self._upload is not None:
            await self._upload.close()

    get = web.authenticated(respond)
    head = web.authenticated(respond)
    post = web.authenticated(respond)
    put = web.authenticated(respond)
    patch = web.authenticated(respond)
    delete = web.authenticated(respond)
    options = web.authenticated(respond)
