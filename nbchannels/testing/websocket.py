"""Talking to an ASGI application over a WebSocket, in a test.

Source: Channels 4, ``channels.testing``.
"""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from nbchannels.exceptions import shown
from nbchannels.testing.application import ApplicationCommunicator
from nbchannels.typing import MessageDict

__all__ = ["WebsocketCommunicator"]


class WebsocketCommunicator(ApplicationCommunicator):
    """One connection to an application.

    ::

        browser = WebsocketCommunicator(IndexConsumer.as_asgi(), "/index/")
        connected, _ = await browser.connect()
        await browser.send_json_to({"hello": "world"})
        assert await browser.receive_json_from() == {"hello": "world"}
        await browser.disconnect()

    Args:
        application: an ASGI application, or a consumer class.
        path: with its query, percent-encoded.
        headers: pairs of bytes.
        subprotocols: that the client offers.
        spec_version: of ASGI's WebSocket specification.

    Attributes:
        response_headers: those of the acceptance, ``None`` before.
        scope: of the connection; change it before `connect`.
    """

    def __init__(
        self,
        application: Any,
        path: str,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
        subprotocols: Iterable[str] | None = None,
        spec_version: str | None = None,
    ) -> None:
        if not isinstance(path, str):
            raise TypeError(f"the path is {shown(path)}; it is a str, such as '/index/'")
        parts = urlsplit(path)
        scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": spec_version or "2.3"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("ascii", "ignore"),
            "query_string": parts.query.encode(),
            "headers": list(headers or []),
            "subprotocols": list(subprotocols or []),
        }
        if spec_version:
            scope["spec_version"] = spec_version
        super().__init__(application, scope)
        self.response_headers: list[tuple[bytes, bytes]] | None = None

    async def connect(self, timeout: float = 1) -> tuple[bool, str | int | None]:  # noqa: ASYNC109
        """Ask for the connection.

        Returns:
            ``(True, subprotocol)``, the one chosen or ``None``; or ``(False, close code)``.

        Raises:
            TimeoutError: the application did neither.
            Exception: what the consumer has failed with, if that is why it refuses.
        """
        await self.send_input({"type": "websocket.connect"})
        event = await self._event(timeout)
        if event["type"] == "websocket.close":
            return False, event.get("code", 1000)
        if event["type"] != "websocket.accept":
            raise _unexpected(event, "websocket.accept")
        self.response_headers = event.get("headers", [])
        return True, event.get("subprotocol")

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send a frame, text or binary.

        Raises:
            TypeError: not exactly one was given, or one of another type.
        """
        if (text_data is None) == (bytes_data is None):
            raise TypeError("pass text_data or bytes_data, one of them")
        if text_data is not None and not isinstance(text_data, str):
            raise TypeError(f"text_data is {shown(text_data)}; it is a str")
        if bytes_data is not None and not isinstance(bytes_data, bytes):
            raise TypeError(f"bytes_data is {shown(bytes_data)}; it is bytes")
        data = {"text": text_data} if text_data is not None else {"bytes": bytes_data}
        await self.send_input({"type": "websocket.receive", **data})

    async def send_json_to(self, data: Any) -> None:
        """Send a text frame of JSON."""
        await self.send_to(text_data=json.dumps(data))

    async def receive_from(self, timeout: float = 1) -> str | bytes:  # noqa: ASYNC109
        """Wait for a frame.

        Raises:
            TimeoutError: none came, and the application was cancelled.
            AssertionError: the application did something else; it closed the connection.
            Exception: what the consumer has failed with, if that is why it closed.
        """
        event = await self._event(timeout)
        if event["type"] != "websocket.send":
            raise _unexpected(event, "websocket.send")
        text, data = event.get("text"), event.get("bytes")
        if (text is None) == (data is None):
            raise AssertionError(f"a frame has text or bytes, one of them: {shown(event)}")
        if text is not None and not isinstance(text, str):
            raise AssertionError(f"the text of a frame is {shown(text)}; it is a str")
        if data is not None and not isinstance(data, bytes):
            raise AssertionError(f"the bytes of a frame are {shown(data)}; they are bytes")
        return text if text is not None else data or b""

    async def receive_json_from(self, timeout: float = 1) -> Any:  # noqa: ASYNC109
        """Wait for a text frame and decode its JSON."""
        frame = await self.receive_from(timeout)
        if not isinstance(frame, str):
            raise AssertionError(f"the frame is binary, {shown(frame)}; JSON travels in text")
        return json.loads(frame)

    async def disconnect(self, code: int = 1000, timeout: float = 1) -> None:  # noqa: ASYNC109
        """Close the connection from the client's side, and wait until the application ends."""
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(timeout)

    async def _event(self, timeout: float) -> MessageDict:  # noqa: ASYNC109
        event = await self.receive_output(timeout)
        if event["type"] == "websocket.close" and self.failures:
            raise self.failures[0]
        return event


def _unexpected(event: MessageDict, expected: str) -> AssertionError:
    code = f" with code {event.get('code', 1000)}" if event["type"] == "websocket.close" else ""
    return AssertionError(f"the application sent {event['type']!r}{code}, expected {expected!r}")
