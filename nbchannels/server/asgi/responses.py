"""One HTTP response in the making: what the application sends becomes what the client gets."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Protocol

from nbchannels.exceptions import shown
from nbchannels.typing import MessageDict

__all__ = ["ClientDisconnected", "Headers", "Response", "Wire", "read_headers"]

Headers = list[tuple[str, str]]

NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
#: The server's own business, whatever the application says.
HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "upgrade")


class ClientDisconnected(OSError):
    """The client has gone: nothing can be sent to it any more.

    Source: the ASGI specification, "HTTP & WebSocket ASGI Message Format" 2.4.
    """


class Wire(Protocol):
    """The connection below a response."""

    def begin(self, status: int, headers: Headers, chunk: bytes) -> None:
        """Write the status line, the headers, and the beginning of the body."""

    def write(self, chunk: bytes) -> None:
        """Write a part of the body."""

    async def drain(self) -> None:
        """Wait until what was written has reached the system.

        Raises:
            ClientDisconnected: it cannot any more.
        """

    def end(self, *, keep_alive: bool) -> None:
        """The response is complete."""

    def abort(self) -> None:
        """Cut the connection, so that the client sees that the response is not complete."""

    def refuse(self, status: int, sentence: str) -> None:
        """Answer in the application's place; only before `begin`."""


def read_headers(headers: Iterable[Any]) -> Headers:
    """The headers of an ASGI message, checked.

    Raises:
        TypeError: a name or value that is no bytes.
        ValueError: one that would break out of its line.
    """
    found: Headers = []
    for name, value in headers:
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise TypeError(f"a header is a pair of bytes, not {shown(name)} with {shown(value)}")
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise ValueError(f"{name!r}: {value!r} cannot be a header")
        found.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))
    return found


class Response:
    """The state of one response.

    Args:
        wire: where it goes.
        method: of the request; the answer to ``HEAD`` has no body.
        http_version: of the request; before 1.1 a body without a length ends with the connection.

    Attributes:
        started: the application has said how it begins.
        begun: something of it was written.
        complete: all of it was written.
        lost: the client has gone.
    """

    def __init__(self, wire: Wire, method: str, http_version: str = "1.1") -> None:
        self._wire = wire
        self._method = method
        self._http_version = http_version
        self.started = self.begun = self.complete = self.lost = False
        self._status = 0
        self._headers: Headers = []
        self._length: int | None = None
        self._sent = 0
        self._soon: asyncio.Handle | None = None
        self._turn = asyncio.Lock()

    async def send(self, message: MessageDict) -> None:
        """Take ``http.response.start`` or ``http.response.body``.

        Returns when the bytes have reached the system: a slow client slows the application.

        Raises:
            ClientDisconnected: the client has gone.
            RuntimeError: the message cannot come now, or breaks the announced Content-Length.
        """
        kind = message.get("type")
        if self.lost:
            raise ClientDisconnected("the client has gone")
        if kind == "http.response.start" and not self.started:
            self._start(message)
        elif kind == "http.response.body" and self.started and not self.complete:
            async with self._turn:  # tasks of one application may send side by side
                await self._body(message)
        else:
            expected = "http.response.body" if self.started else "http.response.start"
            if self.complete:
                expected = "nothing: the response is complete"
            raise RuntimeError(f"the application sent {kind!r}; expected {expected}")

    def _start(self, message: MessageDict) -> None:
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise ValueError(f"status is {shown(status)}; it takes a number from 200 to 999")
        headers = [
            pair for pair in read_headers(message.get("headers") or ()) if pair[0] not in HOP_BY_HOP
        ]
        if status == 204:
            headers = [pair for pair in headers if pair[0] != "content-length"]
        lengths = {value for name, value in headers if name == "content-length"}
        if len(lengths) > 1 or not all(text.isascii() and text.isdecimal() for text in lengths):
            raise ValueError(f"Content-Length is {', '.join(sorted(lengths))}; it takes one number")
        self._length = int(lengths.pop()) if lengths else None
        self._status, self._headers, self.started = int(status), headers, True
        # With the body, if that follows at once: one packet. Alone, if it lets wait for itself.
        self._soon = asyncio.get_running_loop().call_soon(self._begin, b"")

    def _begin(self, chunk: bytes) -> None:
        if self.begun or self.lost:
            return
        self.begun = True
        self._wire.begin(self._status, self._headers, chunk)

    async def _body(self, message: MessageDict) -> None:
        chunk, more = message.get("body", b""), bool(message.get("more_body", False))
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise TypeError(f"body is {shown(chunk)}; it takes bytes")
        if self.lost:  # while it waited for its turn
            raise ClientDisconnected("the client has gone")
        chunk = self._counted(bytes(chunk), more)
        if not self.begun:
            if not more and self._length is None and self._has_body:
                self._headers.append(("content-length", str(len(chunk))))
                self._length = len(chunk)
            self._begin(chunk)
        elif chunk:
            await self._wire.drain()
            self._wire.write(chunk)
        await self._wire.drain()
        if not more:
            self.complete = True
            endless = self._has_body and self._length is None and self._http_version < "1.1"
            self._wire.end(keep_alive=not endless)

    @property
    def _has_body(self) -> bool:
        return self._method != "HEAD" and self._status not in (204, 304)

    def _counted(self, chunk: bytes, more: bool) -> bytes:
        if not self._has_body:
            return b""
        self._sent += len(chunk)
        if self._length is not None and (
            self._sent > self._length or (not more and self._sent < self._length)
        ):
            raise RuntimeError(
                f"the response has {self._sent:,}{' or more' if more else ''} bytes, "
                f"its Content-Length says {self._length:,}"
            )
        return chunk

    def fail(self, status: int, sentence: str) -> None:
        """The application cannot go on: answer in its place, or cut what has begun."""
        if self.complete or self.lost:
            return
        if self._soon is not None:
            self._soon.cancel()
        self.started = self.complete = True
        if self.begun:
            self._wire.abort()
        else:
            self._wire.refuse(status, sentence)

    def lose(self) -> None:
        """The client has gone."""
        self.lost = True
        if self._soon is not None:
            self._soon.cancel()
