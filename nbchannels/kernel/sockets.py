"""Opening the WebSocket to the server that was found."""

import asyncio
import socket as sockets
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.netutil import DefaultLoopResolver
from tornado.websocket import WebSocketClientConnection, websocket_connect

from nbchannels.kernel.credentials import Found, is_loopback

__all__ = ["open_socket"]

#: Seconds to open the WebSocket.
CONNECT_TIMEOUT = 5.0
#: A binary message of the server: 256 records, or one of the largest size.
MAX_MESSAGE = 64 * 2**20


async def open_socket(found: Found) -> WebSocketClientConnection:
    """Open the WebSocket with our credentials.

    Raises:
        OSError, HTTPClientError, HTTPTimeoutError: it cannot be opened.
    """
    request = HTTPRequest(
        found.socket_url,
        headers={"Authorization": f"token {found.token}"} if found.token else {},
        connect_timeout=CONNECT_TIMEOUT,
        request_timeout=CONNECT_TIMEOUT,
        **found.tls,
    )
    opening = websocket_connect(
        request,
        subprotocols=["nbchannels.v1"],
        max_message_size=MAX_MESSAGE,
        compression_options=None,
        resolver=_NearResolver(),
    )
    task = asyncio.ensure_future(opening)
    try:
        socket = await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_close)  # tornado opens it all the same
        raise
    if socket.protocol is not None:
        # Tornado's HTTP client leaves it off, and small answers would wait 40 ms for others.
        socket.protocol.set_nodelay(True)
    return socket


def _close(opened: "asyncio.Future[WebSocketClientConnection]") -> None:
    """Nobody waits for this WebSocket any more."""
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


class _NearResolver(DefaultLoopResolver):
    """Looks this machine up at once: at exit, when a script flushes, no thread can be had."""

    async def resolve(
        self, host: str, port: int, family: sockets.AddressFamily = sockets.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """The addresses of a host."""
        if not is_loopback(host):
            return await super().resolve(host, port, family)
        found = sockets.getaddrinfo(host, port, family, sockets.SOCK_STREAM)
        return [(info[0], info[4]) for info in found]
