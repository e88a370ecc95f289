"""Consumers of WebSockets: text and binary frames, or JSON; as coroutines or as plain methods.

What a connection goes through is written once, in `_Connection`. The synchronous classes run it on
a handler's thread, where nothing it awaits is ever left waiting: what has to wait, blocks.

Source: Channels 4, ``channels.generic.websocket``.
"""

import json
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from nbchannels.consumer import AsyncConsumer, SyncConsumer
from nbchannels.exceptions import (
    AcceptConnection,
    DenyConnection,
    InvalidChannelLayerError,
    StopConsumer,
)
from nbchannels.typing import MessageDict

__all__ = [
    "AsyncJsonWebsocketConsumer",
    "AsyncWebsocketConsumer",
    "JsonWebsocketConsumer",
    "WebsocketConsumer",
]

_Headers = Iterable[tuple[bytes, bytes]] | None


# The events that go to the server.


def _accept(subprotocol: str | None, headers: _Headers) -> MessageDict:
    event: MessageDict = {"type": "websocket.accept", "subprotocol": subprotocol}
    return event | ({"headers": list(headers)} if headers else {})


def _frame(text: str | None, data: bytes | None) -> MessageDict:
    if text is not None:
        return {"type": "websocket.send", "text": text}
    if data is not None:
        return {"type": "websocket.send", "bytes": data}
    raise ValueError("send() got neither text_data nor bytes_data; pass one of them")


def _close(code: int | bool | None, reason: str | None) -> MessageDict:
    event: MessageDict = {"type": "websocket.close"}
    if code is not None and code is not True:
        event["code"] = code
    return event | ({"reason": reason} if reason else {})


def _encoded(content: Any) -> str:
    try:
        return json.dumps(content, allow_nan=False)
    except ValueError as error:
        if "JSON compliant" not in str(error):
            raise
        raise ValueError(
            "the content has NaN or infinity, which is not JSON and which no browser reads; "
            "send None instead, or override encode_json"
        ) from error


class _Connection(AsyncConsumer):
    """What a WebSocket goes through, whatever the colour of its handlers.

    Each ``await`` here is of `_run` (a method of the user's class) or `_call` (ours).
    """

    #: Joined before ``connect()``, left before ``disconnect()``.
    groups: list[str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if isinstance(self.groups, str):
            raise TypeError(
                f"{type(self).__name__}.groups is the str {self.groups!r}; "
                f"write groups = [{self.groups!r}]"
            )
        self.groups = [] if self.groups is None else self.groups

    async def _opened(self) -> None:
        for group in self.groups or ():
            if self.channel_layer is None or not hasattr(self.channel_layer, "group_add"):
                raise InvalidChannelLayerError(
                    f"{type(self).__name__} has the groups {self.groups}, and no layer with "
                    f"groups: its channel_layer_alias is {self.channel_layer_alias!r}"
                )
            await self._call(self.channel_layer.group_add, group, self.channel_name)
        try:
            await self._run("connect")
        except AcceptConnection:
            await self._run("accept")
        except DenyConnection:
            await self._run("close")

    async def _received(self, message: MessageDict) -> None:
        if message.get("text") is not None:
            await self._run("receive", text_data=message["text"])
        else:
            await self._run("receive", bytes_data=message.get("bytes"))

    async def _closed(self, message: MessageDict) -> None:
        try:
            if self._channel_name is not None:
                for group in self.groups or ():
                    await self._call(self.channel_layer.group_discard, group, self.channel_name)
        finally:
            await self._run("disconnect", message.get("code", 1005))
        raise StopConsumer

    async def _received_json(self, text: str | None, options: Mapping[str, Any]) -> None:
        if not text:
            raise ValueError(
                f"{type(self).__name__} got a frame without text; JSON travels in text frames"
            )
        await self._run("receive_json", await self._run("decode_json", text), **options)


class AsyncWebsocketConsumer(_Connection):
    """A WebSocket, its handlers as coroutines.

    Override ``connect``, ``receive`` and ``disconnect``; call ``accept``, ``send`` and ``close``.
    Messages of the layer call the methods that you add: type ``index.tick``, ``index_tick(event)``.

    Attributes:
        groups: names of the groups that the connection is a member of.

    Source: Channels 4, ``channels.generic.websocket.AsyncWebsocketConsumer``.
    """

    async def websocket_connect(self, message: MessageDict) -> None:
        """Join the groups and ask `connect`."""
        await self._opened()

    async def connect(self) -> None:
        """A client asks for a connection; accepts. Override it to do more, or to `close`.

        Raises:
            AcceptConnection, DenyConnection: the other way to say what happens.
        """
        await self.accept()

    async def accept(self, subprotocol: str | None = None, headers: _Headers = None) -> None:
        """Accept the connection.

        Args:
            subprotocol: one of ``scope["subprotocols"]``.
            headers: for the response, as pairs of bytes.
        """
        await super().send(_accept(subprotocol, headers))

    async def websocket_receive(self, message: MessageDict) -> None:
        """Hand a frame to `receive`."""
        await self._received(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """A frame came, text or binary. Override it."""

    async def send(  # type: ignore[override]
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,
        close: bool | int = False,
    ) -> None:
        """Send a frame; given both, the text.

        Args:
            text_data: for a text frame.
            bytes_data: for a binary frame.
            close: close afterwards; a number is the close code.

        Raises:
            ValueError: neither was given.
        """
        await super().send(_frame(text_data, bytes_data))
        if close:
            await self.close(close)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """Close the connection, or refuse it while it is asked for.

        Args:
            code: the close code; without, 1000.
            reason: for the client.
        """
        await super().send(_close(code, reason))

    async def websocket_disconnect(self, message: MessageDict) -> None:
        """Leave the groups, call `disconnect`, stop."""
        await self._closed(message)

    async def disconnect(self, code: int) -> None:
        """The connection has ended. Override it to clean up."""


class AsyncJsonWebsocketConsumer(AsyncWebsocketConsumer):
    """A WebSocket of JSON text frames, its handlers as coroutines.

    Override ``receive_json``; call ``send_json``.

    Source: Channels 4, ``channels.generic.websocket.AsyncJsonWebsocketConsumer``.
    """

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Decode a frame and hand it to `receive_json`.

        Raises:
            ValueError: it has no text, or no JSON.
        """
        await self._received_json(text_data, kwargs)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """A decoded frame came. Override it."""

    async def send_json(self, content: Any, close: bool | int = False) -> None:
        """Encode content as JSON and send it.

        Args:
            content: what JSON can hold.
            close: as in `send`.
        """
        await self.send(text_data=await self._run("encode_json", content), close=close)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """The content of a text frame."""
        return json.loads(text_data)

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        """The text frame of content; NaN and infinity are errors."""
        return _encoded(content)


def _driven(connection: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, to its end."""
    try:
        connection.send(None)
    except StopIteration:
        return
    connection.close()
    raise RuntimeError(f"{connection!r} waits, on a thread without a loop")


class WebsocketConsumer(_Connection, SyncConsumer):
    """A WebSocket, its handlers as plain methods on a thread beside the loop.

    Override ``connect``, ``receive`` and ``disconnect``; call ``accept``, ``send`` and ``close``.

    Attributes:
        groups: names of the groups that the connection is a member of.

    Source: Channels 4, ``channels.generic.websocket.WebsocketConsumer``.
    """

    def websocket_connect(self, message: MessageDict) -> None:
        """Join the groups and ask `connect`."""
        _driven(self._opened())

    def connect(self) -> None:
        """See `AsyncWebsocketConsumer.connect`."""
        self.accept()

    def accept(self, subprotocol: str | None = None, headers: _Headers = None) -> Any:
        """See `AsyncWebsocketConsumer.accept`."""
        return super().send(_accept(subprotocol, headers))

    def websocket_receive(self, message: MessageDict) -> None:
        """Hand a frame to `receive`."""
        _driven(self._received(message))

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """A frame came, text or binary. Override it."""

    def send(  # type: ignore[override]
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,
        close: bool | int = False,
    ) -> Any:
        """See `AsyncWebsocketConsumer.send`; what it returns, see `SyncConsumer.send`."""
        sent = super().send(_frame(text_data, bytes_data))
        return self.close(close) if close else sent

    def close(self, code: int | bool | None = None, reason: str | None = None) -> Any:
        """See `AsyncWebsocketConsumer.close`."""
        return super().send(_close(code, reason))

    def websocket_disconnect(self, message: MessageDict) -> None:
        """Leave the groups, call `disconnect`, stop."""
        _driven(self._closed(message))

    def disconnect(self, code: int) -> None:
        """The connection has ended. Override it to clean up."""


class JsonWebsocketConsumer(WebsocketConsumer):
    """A WebSocket of JSON text frames, its handlers as plain methods.

    Override ``receive_json``; call ``send_json``.

    Source: Channels 4, ``channels.generic.websocket.JsonWebsocketConsumer``.
    """

    def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """See `AsyncJsonWebsocketConsumer.receive`."""
        _driven(self._received_json(text_data, kwargs))

    def receive_json(self, content: Any, **kwargs: Any) -> None:
        """A decoded frame came. Override it."""

    def send_json(self, content: Any, close: bool | int = False) -> Any:
        """See `AsyncJsonWebsocketConsumer.send_json`."""
        return self.send(text_data=self.encode_json(content), close=close)

    @classmethod
    def decode_json(cls, text_data: str) -> Any:
        """The content of a text frame."""
        return json.loads(text_data)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """The text frame of content; NaN and infinity are errors."""
        return _encoded(content)
