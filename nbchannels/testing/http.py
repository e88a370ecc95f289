"""Asking an ASGI application for an HTTP response, in a test.

Source: Channels 4, ``channels.testing``.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from nbchannels.exceptions import shown
from nbchannels.testing.application import ApplicationCommunicator
from nbchannels.typing import MessageDict

__all__ = ["HttpCommunicator"]


class HttpCommunicator(ApplicationCommunicator):
    """One request to an application.

    Args:
        application: an ASGI application, or a consumer class.
        method: of HTTP.
        path: with its query, percent-encoded.
        body: of the request.
        headers: pairs of bytes.
    """

    def __init__(
        self,
        application: Any,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> None:
        if not isinstance(body, bytes):
            raise TypeError(f"the body is {shown(body)}; it is bytes, such as text.encode()")
        parts = urlsplit(path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method.upper(),
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("ascii", "ignore"),
            "query_string": parts.query.encode(),
            "headers": list(headers or []),
        }
        super().__init__(application, scope)
        self.body = body
        self._asked = False

    async def get_response(self, timeout: float = 1) -> dict[str, Any]:  # noqa: ASYNC109
        """Send the request, unless it was sent, and wait for the response.

        Args:
            timeout: seconds to wait for each part of it.

        Returns:
            ``status``, ``headers`` (pairs of bytes) and ``body`` (all of it).

        Raises:
            TimeoutError: a part of it did not come.
            AssertionError: what came is no response.
        """
        if not self._asked:
            self._asked = True
            await self.send_input({"type": "http.request", "body": self.body, "more_body": False})
        start = await self._part("http.response.start", timeout)
        response = {"status": start["status"], "headers": start.get("headers", []), "body": b""}
        more = True
        while more:
            part = await self._part("http.response.body", timeout)
            response["body"] += part.get("body", b"")
            more = part.get("more_body", False)
        return response

    async def _part(self, expected: str, timeout: float) -> MessageDict:  # noqa: ASYNC109
        event = await self.receive_output(timeout)
        if event["type"] != expected:
            raise AssertionError(f"the application sent {event['type']!r}, expected {expected!r}")
        return event
