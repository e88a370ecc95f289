"""One WebSocket.

Source: the ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format" 2.4, WebSocket, and its
extension "WebSocket Denial Response".
"""

import asyncio
import enum
import logging
from collections import deque
from typing import Any, Protocol

from nbchannels.exceptions import shown
from nbchannels.server.asgi.exchanges import Exchange
from nbchannels.server.asgi.responses import ClientDisconnected, Headers, Response, read_headers
from nbchannels.typing import MessageDict

__all__ = ["SocketExchange", "SocketWire"]

#: What may wait for the application before reading stops: messages, and bytes of them.
MOST, MOST_BYTES = 32, 64 * 1024
RESTART, NORMAL, FAILED, LOST = 1012, 1000, 1011, 1006
#: Codes that tell of a WebSocket and never travel (RFC 6455, 7.4.1).
UNSENT = (1004, 1005, 1006, 1015)
#: The server's own business, whatever the application says.
OURS = ("upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions")

log = logging.getLogger("nbchannels")


class SocketWire(Protocol):
    """The WebSocket below an exchange."""

    async def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Answer the upgrade, and wait until the WebSocket is open.

        Raises:
            ClientDisconnected: it will not be any more.
        """

    async def send(self, data: str | bytes) -> None:
        """Send a message, and wait until it has reached the system.

        Raises:
            ClientDisconnected: it cannot any more.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""


class State(enum.Enum):
    """Where a WebSocket stands."""

    CONNECTING = "connecting"  # the application has not decided
    DENYING = "denying"  # with a response of its own
    OPEN = "open"
    CLOSED = "closed"


class SocketExchange(Exchange):
    """A WebSocket from its ``websocket.connect``, sent before the upgrade is answered.

    Args:
        wire: the WebSocket.
        response: answers the upgrade if the application refuses it.
        subprotocols: that the client offers.
        summary: for the log.
    """

    def __init__(
        self, wire: SocketWire, response: Response, subprotocols: list[str], summary: str
    ) -> None:
        super().__init__(summary)
        self.state = State.CONNECTING
        self._wire = wire
        self._response = response
        self._subprotocols = subprotocols
        self._messages: deque[MessageDict] = deque([{"type": "websocket.connect"}])
        self._end: MessageDict | None = None
        self._held = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    # The client's side.

    async def put(self, data: str | bytes) -> None:
        """A message has come; returns when the next may be read."""
        if self._end is not None:
            return
        kind = "text" if isinstance(data, str) else "bytes"
        self._messages.append({"type": "websocket.receive", kind: data})
        self._held += len(data)
        self._news.set()
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    @property
    def is_full(self) -> bool:
        """Whether the application is behind, and reading has stopped."""
        if self._end is not None:
            return False
        return len(self._messages) >= MOST or self._held >= MOST_BYTES

    def lose(self, code: int = LOST, reason: str = "") -> None:
        """The WebSocket is closed, or was lost."""
        self.state = State.CLOSED
        self._response.lose()
        self._finish(code, reason)

    def _finish(self, code: int, reason: str) -> None:
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._news.set()
        self._room.set()

    # The application's side.

    @property
    def is_over(self) -> bool:
        """Whether it is closed."""
        return self.state is State.CLOSED

    async def receive(self) -> MessageDict:
        """``websocket.connect``, then what comes, then ``websocket.disconnect``."""
        while not self._messages:
            if self._end is not None:
                return dict(self._end)
            self._news.clear()
            await self._news.wait()
        message = self._messages.popleft()
        self._held -= len(message.get("text") or message.get("bytes") or b"")
        self._room.set()
        return message

    async def send(self, message: MessageDict) -> None:
        """``websocket.accept``, ``.send``, ``.close``, ``.http.response.start`` and ``.body``.

        Returns when the bytes have reached the system: a slow client slows the application.

        Raises:
            ClientDisconnected: the WebSocket is closed.
            RuntimeError: the message cannot come now.
            ValueError: it has no content that can be sent.
        """
        kind = str(message.get("type"))
        word = kind.removeprefix("websocket.")
        if self.state is State.CLOSED:
            if word == "close":  # to close twice is no fault
                return
            raise ClientDisconnected("the WebSocket is closed")
        if self.state is State.CONNECTING and word == "accept":
            await self._accept(message)
        elif self.state is State.CONNECTING and word == "close":
            self._refuse(403, "the application refused this WebSocket", LOST)
        elif word.startswith("http.response.") and self.state is not State.OPEN:
            await self._deny({**message, "type": word})
        elif self.state is State.OPEN and word == "send":
            await self._wire.send(_content(message))
        elif self.state is State.OPEN and word == "close":
            code, reason = message.get("code"), str(message.get("reason") or "")
            self._close(NORMAL if code is None else code, reason)
        else:
            raise RuntimeError(
                f"the application sent {kind!r}; the WebSocket is {self.state.value}"
            )

    async def _accept(self, message: MessageDict) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self._subprotocols:
            raise ValueError(
                f"subprotocol is {shown(subprotocol)}; the client offers {self._subprotocols}"
            )
        headers = read_headers(message.get("headers") or ())
        if subprotocol and any(name == "sec-websocket-protocol" for name, _ in headers):
            raise ValueError("subprotocol and a Sec-WebSocket-Protocol header: name it once")
        self.state = State.OPEN
        await self._wire.accept(subprotocol, [pair for pair in headers if pair[0] not in OURS])

    async def _deny(self, message: MessageDict) -> None:
        await self._response.send(message)
        self.state = State.DENYING
        if self._response.complete:
            self.state = State.CLOSED
            self._finish(LOST, "")

    def _refuse(self, status: int, sentence: str, code: int) -> None:
        self.state = State.CLOSED
        self._response.fail(status, sentence)
        self._finish(code, "")

    def _close(self, code: Any, reason: str) -> None:
        if not isinstance(code, int) or not 1000 <= code <= 4999 or code in UNSENT:
            raise ValueError(f"code is {shown(code)}; it takes 1000, or a number from 3000 to 4999")
        self.state = State.CLOSED
        self._wire.close(code, reason)
        self._finish(code, reason)

    def fail(self, status: int, sentence: str) -> None:
        """Refuse the upgrade, or close with 1011 (1012 if the server stops)."""
        if self.state in (State.CONNECTING, State.DENYING):
            self._refuse(status, sentence, LOST)
        elif self.state is State.OPEN:
            self._close(RESTART if status == 503 else FAILED, sentence)

    def leave(self) -> None:
        """An application that decided nothing has a fault; one that leaves has finished."""
        if self.state is State.OPEN:
            self._close(NORMAL, "")
        elif self.state is not State.CLOSED:
            log.error("%s: the ASGI application returned without an answer", self.summary)
            self.fail(500, "the application did not answer; the server's log has a line on it")

    def shut_down(self) -> None:
        """Close; the application hears why."""
        if self.state is State.OPEN:
            self._close(RESTART, "the server stops")
        elif self.state is not State.CLOSED:
            self._refuse(503, "the server stops", RESTART)


def _content(message: MessageDict) -> str | bytes:
    text, data = message.get("text"), message.get("bytes")
    if isinstance(data, (bytes, bytearray, memoryview)) and text is None:
        return bytes(data)
    if isinstance(text, str) and data is None:
        return text
    raise ValueError(
        f"websocket.send has text {shown(text)} and bytes {shown(data)}; "
        "it takes a str as text or bytes as bytes"
    )
