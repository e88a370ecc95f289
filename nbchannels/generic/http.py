"""A consumer of HTTP requests.

Source: Channels 4, ``channels.generic.http``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from nbchannels.consumer import AsyncConsumer
from nbchannels.diagnoses import report
from nbchannels.exceptions import StopConsumer, shown
from nbchannels.typing import MessageDict

__all__ = ["AsyncHttpConsumer"]

_Part = str | bytes
_Headers = Mapping[_Part, _Part] | Iterable[tuple[_Part, _Part]] | None


class AsyncHttpConsumer(AsyncConsumer):
    """One HTTP request: override ``handle``, and send a response in it.

    ::

        class Ingest(AsyncHttpConsumer):
            async def handle(self, body):
                await self.channel_layer.group_send("index", {"type": "index.tick", "raw": body})
                await self.send_response(204, b"")

    Source: Channels 4, ``channels.generic.http.AsyncHttpConsumer``.
    """

    #: ``None``: no headers yet; then whether more of the body may follow.
    _open: bool | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.body: list[bytes] = []

    async def http_request(self, message: MessageDict) -> None:
        """Collect the body, and handle the request when all of it is here."""
        if "body" in message:
            self.body.append(message["body"])
        if message.get("more_body"):
            return
        try:
            await self._run("handle", b"".join(self.body))
            if self._open is not False:
                name = type(self).__name__
                report(
                    "no-response",
                    f"{name}.handle ended "
                    + (
                        "without a response; end it with await self.send_response(200, b'...')"
                        if self._open is None
                        else "before the end of its body; end it with await self.send_body(b'')"
                    ),
                    subject=name,
                )
        finally:
            await self._run("disconnect")
        raise StopConsumer

    async def http_disconnect(self, message: MessageDict) -> None:
        """The client went away before its request was read."""
        await self._run("disconnect")
        raise StopConsumer

    async def handle(self, body: bytes) -> None:
        """Answer the request. Override it.

        Args:
            body: of the request, all of it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no handle; add `async def handle(self, body)` to it"
        )

    async def disconnect(self) -> None:
        """The request is over, answered or not. Override it to clean up."""

    async def send_headers(self, *, status: int = 200, headers: _Headers = None) -> None:
        """Begin the response; nothing is on its way before the first `send_body`.

        Args:
            status: of HTTP.
            headers: a dict or pairs, of bytes or of str in Latin-1.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        self._open = True
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(_bytes(name), _bytes(value)) for name, value in pairs],
            }
        )

    async def send_body(self, body: bytes, *, more_body: bool = False) -> None:
        """Send a part of the body.

        Args:
            body: the part.
            more_body: whether another one follows.

        Raises:
            TypeError: it is no bytes.
        """
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError(f"the body is {shown(body)}; it is bytes, such as text.encode()")
        self._open = more_body
        await self.send({"type": "http.response.body", "body": bytes(body), "more_body": more_body})

    async def send_response(self, status: int, body: bytes, **kwargs: Any) -> None:
        """Send a response, headers and body.

        Args:
            status: of HTTP.
            body: all of it.
            kwargs: for `send_headers`.
        """
        await self.send_headers(status=status, **kwargs)
        await self.send_body(body)


def _bytes(part: _Part) -> bytes:
    return part.encode("latin-1") if isinstance(part, str) else part
