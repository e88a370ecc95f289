"""What consumers reply to a request or on a WebSocket: read strictly, refused with a sentence.

Sources: the message formats of ASGI as Channels 1.x had them, "WWW".
"""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from nbchannels.exceptions import ChannelsError, shown
from nbchannels.names import near_match
from nbchannels.typing import MessageDict

__all__ = ["BadReply", "Chunk", "Frame", "Response", "read_chunk", "read_frame", "read_response"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: About one connection, not about the answer: the server's own affair.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"})
_BODILESS = frozenset({204, 304})
#: Close codes that a server may send (RFC 6455, 7.4).
_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


class BadReply(ChannelsError):
    """A consumer's reply that cannot be used; the sentence says what is wrong with it."""

    code = "bad_message"


class Response(NamedTuple):
    """The beginning of an HTTP answer.

    Attributes:
        status: 200 to 599.
        headers: names and values.
        content: the body, or its beginning.
        more: whether chunks follow.
    """

    status: int
    headers: list[tuple[str, str]]
    content: bytes
    more: bool


class Chunk(NamedTuple):
    """More of an HTTP answer's body."""

    content: bytes
    more: bool


class Frame(NamedTuple):
    """A reply on a WebSocket.

    Attributes:
        data: text or bytes to send; ``None`` for none.
        accept: ``True`` lets the client in, ``False`` refuses; ``None`` does not say.
        close: the close code; ``None`` leaves it open.
        subprotocol: that is chosen of those the client offered.
    """

    data: str | bytes | None
    accept: bool | None
    close: int | None
    subprotocol: str | None = None

    @property
    def has_data(self) -> bool:
        """Whether there is something to send: while connecting, that accepts."""
        return bool(self.data)


def read_response(reply: MessageDict, method: str = "GET") -> Response:
    """The first reply to a request.

    Args:
        reply: ``status``, ``headers``, ``content``, ``more_content``.
        method: of the request; the answer to ``HEAD`` may tell the length of what it leaves out.

    Raises:
        BadReply: a key that is not known, a value of the wrong type, a header that is none, a body
            where none can be, a ``Content-Length`` that is not the content's.
    """
    _only(reply, ("status", "headers", "content", "more_content"))
    if "status" not in reply:
        raise BadReply("it has no 'status'; the first reply to a request is like {'status': 200}")
    status = reply["status"]
    if type(status) is not int or not 200 <= status <= 599:
        raise BadReply(f"'status' is {shown(status)}; it is a number from 200 to 599")
    headers = _headers(reply.get("headers"))
    content, more = _content(reply), _flag(reply, "more_content")
    if method == "HEAD":  # nothing of the content is sent, and Content-Length is what it would be
        return Response(status, headers, content, more)
    if status in _BODILESS:
        if content or more:
            raise BadReply(f"status {status} has no body, and 'content' is {shown(content)}")
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
    declared = [value for name, value in headers if name.lower() == "content-length"]
    if declared and (len(declared) > 1 or not re.fullmatch("[0-9]{1,18}", declared[0])):
        raise BadReply(f"Content-Length is {', '.join(declared)!r}; leave it out, it is added")
    if declared and not more and int(declared[0]) != len(content):
        raise BadReply(
            f"Content-Length is {declared[0]} and 'content' has {len(content):,} bytes; "
            "leave the header out, it is added"
        )
    return Response(status, headers, content, more)


def read_chunk(reply: MessageDict) -> Chunk:
    """A later reply to a request: ``content``, ``more_content``.

    Raises:
        BadReply: a key that is not known, a value of the wrong type.
    """
    if "status" in reply or "headers" in reply:
        raise BadReply("a second 'status' or 'headers': after the first reply only content follows")
    _only(reply, ("content", "more_content"))
    return Chunk(_content(reply), _flag(reply, "more_content"))


def read_frame(reply: MessageDict) -> Frame:
    """A reply on a WebSocket: ``text`` or ``bytes``, ``close``, ``accept``.

    While connecting, ``subprotocol`` may say which of those that the client offered is spoken;
    Channels 1.x had no word for it.

    Raises:
        BadReply: a key that is not known, a value of the wrong type, both text and bytes.
    """
    _only(reply, ("accept", "text", "bytes", "close", "subprotocol"))
    text, data = reply.get("text"), reply.get("bytes")
    if text is not None and not isinstance(text, str):
        raise BadReply(f"'text' is {shown(text)}; it is a str")
    if data is not None and not isinstance(data, bytes):
        raise BadReply(f"'bytes' is {shown(data)}; it is bytes")
    if text is not None and data is not None:
        raise BadReply("it has both 'text' and 'bytes'; send two replies")
    if text is not None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadReply(f"'text' has half of a surrogate pair at {error.start}") from None
    accept = reply.get("accept")
    if accept is not None and not isinstance(accept, bool):
        raise BadReply(f"'accept' is {shown(accept)}; it is True or False")
    subprotocol = reply.get("subprotocol")
    if subprotocol is not None and not isinstance(subprotocol, str):
        raise BadReply(f"'subprotocol' is {shown(subprotocol)}; it is a str")
    return Frame(data if text is None else text, accept, _close(reply.get("close")), subprotocol)


def _close(value: Any) -> int | None:
    if value is None or value is False or (type(value) is int and value == 0):
        return None
    if value is True:
        return 1000
    if type(value) is not int or value not in _CLOSE_CODES:
        raise BadReply(
            f"'close' is {shown(value)}; it is True, or a code like 1000 or one from 3000 to 4999"
        )
    return value


def _only(reply: MessageDict, known: Collection[str]) -> None:
    for key in reply:
        if key not in known:
            near = near_match(key, known)
            meant = f"; did you mean {near!r}?" if near else ""
            raise BadReply(f"the key {key[:80]!r} is none of {', '.join(known)}{meant}")


def _content(reply: MessageDict) -> bytes:
    content = reply.get("content", b"")
    if isinstance(content, str):
        raise BadReply(f"'content' is {shown(content)}; it is bytes: use content.encode()")
    if not isinstance(content, bytes):
        raise BadReply(f"'content' is {shown(content)}; it is bytes")
    return content


def _flag(reply: MessageDict, key: str) -> bool:
    value = reply.get(key, False)
    if not isinstance(value, bool):
        raise BadReply(f"{key!r} is {shown(value)}; it is True or False")
    return value


def _headers(headers: Any) -> list[tuple[str, str]]:
    if headers is None:
        return []
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    if not isinstance(pairs, list):
        raise BadReply(f"'headers' is {shown(headers)}; it is a list of [name, value]")
    found = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise BadReply(f"'headers' has {shown(pair)}; each is [name, value]")
        name, value = _text(pair[0]), _text(pair[1])
        if name is None or not _TOKEN.fullmatch(name):
            raise BadReply(f"'headers' has the name {shown(pair[0])}, which no header can have")
        if value is None or _CONTROL.search(value):
            raise BadReply(f"the header {name!r} is {shown(pair[1])}; it is bytes of one line")
        if name.lower() not in _HOP_BY_HOP:
            found.append((name, value.strip()))
    return found


def _text(value: Any) -> str | None:
    """Bytes or text of a header as tornado writes it: one byte is one character."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            return None
        return value
    return None
