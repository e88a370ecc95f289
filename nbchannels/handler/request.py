"""``AsgiRequest``: tornado's request, made from an ``http.request`` message.

Source: the Channels 1.x Reference, and the message formats of Channels 1.x.
"""

from collections.abc import Mapping
from typing import ClassVar, Self
from urllib.parse import quote

from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from nbchannels.bridge import bridge
from nbchannels.channel import Channel
from nbchannels.exceptions import InvalidMessage, RequestAborted, RequestTimeout
from nbchannels.message import Message

__all__ = ["AsgiRequest"]

#: Characters of a path that stand for themselves.
_PATH = "/:@!$&'()*+,;=~-._"


class AsgiRequest(HTTPServerRequest):
    """tornado's request, made from an ``http.request`` message.

    ``path`` is what the message says, below the mount, so that the routes of an `Application` need
    not know where it is mounted; ``uri`` and ``full_url()`` have the mount, ``root_path``, too.

    Args:
        message: of the channel ``http.request``.
        body: if it has been read already; otherwise its chunks are waited for here.
        connection: where the response is written.

    Attributes:
        message: of the channel ``http.request``.
        reply_channel: where the response goes; ``None`` if the message has none.
        root_path: the mount, without a slash at its end.

    Raises:
        RequestTimeout: a chunk of the body did not come within `body_receive_timeout`.
        RequestAborted: the client went away before it had sent all of it.
        HTTPInputError: tornado's; the request is malformed.
        InvalidMessage: the message is none of ``http.request``.
    """

    #: Seconds to wait for the next chunk of a body.
    body_receive_timeout: ClassVar[float] = 60

    def __init__(
        self, message: Message, body: bytes | None = None, connection: HTTPConnection | None = None
    ) -> None:
        for key in ("method", "path"):
            if not isinstance(message.get(key), str):
                raise InvalidMessage(
                    f"{message!r:.200} has no {key!r}; AsgiRequest takes a message of the channel "
                    "'http.request'"
                )
        if body is None:
            body = _inline(message)
            if message.get("body_channel"):
                body = bridge.run(self._read(message))
        self.message = message
        reply = message.get("reply_channel")
        self.reply_channel = Channel(reply, channel_layer=message.channel_layer) if reply else None
        self.root_path = str(message.get("root_path") or "").rstrip("/")
        path = quote(message["path"], safe=_PATH)
        query = _text(message.get("query_string") or b"")
        start = RequestStartLine(
            message["method"].upper(),
            f"{self.root_path}{path}" + (f"?{query}" if query else ""),
            f"HTTP/{message.get('http_version') or '1.1'}",
        )
        super().__init__(
            headers=_request_headers(message),
            body=body,
            connection=connection or HTTPConnection(),
            start_line=start,
        )
        self.path = path
        client = message.get("client")
        self.remote_ip = str(client[0]) if client else ""
        self.protocol = str(message.get("scheme") or "http")
        self._is_parsed = False
        self._parse_body()

    @classmethod
    async def aread(cls, message: Message, connection: HTTPConnection | None = None) -> Self:
        """Make a request, and wait for its body without blocking the loop."""
        return cls(message, await cls._read(message), connection)

    @classmethod
    async def _read(cls, message: Message) -> bytes:
        parts = [_inline(message)]
        name = message.get("body_channel")
        more = bool(name)
        while more:
            channel = Channel(name, channel_layer=message.channel_layer)
            try:
                chunk = await channel.areceive(cls.body_receive_timeout)
            except TimeoutError:
                raise RequestTimeout(
                    f"no more of the body within {cls.body_receive_timeout:g} s, after "
                    f"{sum(map(len, parts)):,} bytes"
                ) from None
            if chunk.get("closed"):
                raise RequestAborted(
                    f"the client went away after {sum(map(len, parts)):,} bytes of the body"
                )
            parts.append(bytes(chunk.get("content", b"")))
            more = bool(chunk.get("more_content"))
        return b"".join(parts)

    def _parse_body(self) -> None:
        # tornado does this for each request once more before it runs the handler.
        if not self._is_parsed:
            self._is_parsed = True
            super()._parse_body()


def _inline(message: Message) -> bytes:
    return bytes(message.get("body") or b"")


def _text(value: str | bytes) -> str:
    """Of a header or a query: one byte is one character, as in tornado."""
    return value if isinstance(value, str) else bytes(value).decode("latin-1")


def _request_headers(message: Message) -> HTTPHeaders:
    headers = HTTPHeaders()
    pairs = message.get("headers") or []
    cookies = []
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        if _text(name).lower() == "cookie":  # HTTP/2 sends them one by one
            cookies.append(_text(value))
        else:
            headers.add(_text(name), _text(value))
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    if "Host" not in headers:
        host, port = message.get("server") or ("127.0.0.1", 0)
        headers["Host"] = f"{host}:{port}" if port else str(host)
    return headers
