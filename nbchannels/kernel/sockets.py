"""Opening the WebSocket to the server that was found."""

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from nbchannels.kernel.discovery import Found

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
    socket = await websocket_connect(
        request,
        subprotocols=["nbchannels.v1"],
        max_message_size=MAX_MESSAGE,
        compression_options=None,
    )
    if socket.protocol is not None:
        # Tornado's HTTP client leaves it off, and small answers would wait 40 ms for others.
        socket.protocol.set_nodelay(True)
    return socket
