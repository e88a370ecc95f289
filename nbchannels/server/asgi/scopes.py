"""The scope of a connection, as an ASGI application sees it.

``path`` and ``raw_path`` are whole; ``root_path`` is the prefix where the application is mounted:
Starlette's routes and Channels' ``URLRouter`` both leave it out of their matching.

Source: the ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format" 2.4.
"""

import socket
from typing import Any
from urllib.parse import unquote_to_bytes

from tornado.httputil import HTTPServerRequest

from nbchannels.server.credentials import Secrets, without_credentials

__all__ = ["http_scope", "is_upgrade", "root_path", "websocket_scope"]

#: Below the base of the server.
PLACE = "nbchannels/app"


def is_upgrade(request: HTTPServerRequest) -> bool:
    """Whether this request wants to become a WebSocket."""
    headers = request.headers
    words = (word.strip().lower() for word in headers.get("Connection", "").split(","))
    return (
        request.method == "GET"
        and headers.get("Upgrade", "").lower() == "websocket"
        and "upgrade" in words
    )


def root_path(base_url: str) -> str:
    """Where the application is mounted: decoded, without a slash at its end."""
    return _decoded(base_url) + PLACE


def http_scope(
    request: HTTPServerRequest,
    *,
    base_url: str,
    user: Any,
    state: dict[str, Any],
    secrets: Secrets | None,
) -> dict[str, Any]:
    """The scope of an HTTP request.

    Args:
        request: as tornado read it.
        base_url: of the Jupyter server, as it stands in addresses.
        user: as Jupyter knows it; ``scope["user"]``.
        state: of the application's lifespan; each scope has a shallow copy of its own.
        secrets: Jupyter's, to be left out; ``None`` leaves everything in.
    """
    return {
        "type": "http",
        # 2.3: an application waits for http.disconnect, as it does behind uvicorn.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": (request.method or "GET").upper(),
        "scheme": request.protocol,
    } | _shared(request, base_url, user, state, secrets)


def websocket_scope(
    request: HTTPServerRequest,
    *,
    base_url: str,
    user: Any,
    state: dict[str, Any],
    secrets: Secrets | None,
) -> dict[str, Any]:
    """The scope of a WebSocket; the arguments are those of `http_scope`."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    shared = _shared(request, base_url, user, state, secrets)
    return (
        {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "scheme": "wss" if request.protocol == "https" else "ws",
        }
        | shared
        | {
            "subprotocols": [word.strip() for word in offered if word.strip()],
            "extensions": {"websocket.http.response": {}},
        }
    )


def _shared(
    request: HTTPServerRequest,
    base_url: str,
    user: Any,
    state: dict[str, Any],
    secrets: Secrets | None,
) -> dict[str, Any]:
    headers = [(name.lower(), value) for name, value in request.headers.get_all()]
    query = request.query
    if secrets is not None:
        headers, query = without_credentials(headers, query, secrets)
    client, server = _addresses(request)
    return {
        "http_version": request.version.removeprefix("HTTP/"),
        "path": _decoded(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": root_path(base_url),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": client,
        "server": server,
        "state": state.copy(),
        "extensions": {},
        "user": user,
    }


def _decoded(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def _addresses(
    request: HTTPServerRequest,
) -> tuple[tuple[str, int] | None, tuple[str, int | None] | None]:
    """The client and the server; ``None`` is not known, as over a Unix socket."""
    connection: Any = request.connection
    stream = getattr(connection, "stream", None)
    here: socket.socket | None = getattr(stream, "socket", None)
    if here is None:  # the client has gone
        return None, None
    server, client = here.getsockname(), None
    try:
        peer = here.getpeername()
    except OSError:
        peer = None
    if isinstance(peer, tuple):
        # Behind a proxy that Jupyter trusts, the port is not known.
        same = peer[0] == request.remote_ip
        client = (str(request.remote_ip), int(peer[1]) if same else 0)
    if isinstance(server, tuple):
        return client, (str(server[0]), int(server[1]))
    return client, ((server, None) if isinstance(server, str) else None)
