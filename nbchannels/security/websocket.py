"""Which pages may open a WebSocket: the check of its ``Origin``.

A browser lets every page of the web open a WebSocket to this server, with the user's cookies; it
says only, in the header ``Origin``, which page it was. So somebody has to look.

Source: Channels 4, ``channels.security.websocket``.
"""

import logging
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from nbchannels.exceptions import ImproperlyConfigured, shown
from nbchannels.middleware import as_application
from nbchannels.typing import ASGIApplication, Receive, Scope, Send

__all__ = ["AllowedHostsOriginValidator", "OriginValidator", "WebsocketDenier"]

#: The names that a machine has for itself.
LOCAL = ("localhost", "127.0.0.1", "[::1]")
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_SAME = {"ws": "http", "wss": "https"}
_ORIGIN = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.\-]*)://)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._\-]+)(?::(?P<port>[0-9]{1,5}))?"
)

logger = logging.getLogger("nbchannels")


class WebsocketDenier:
    """An application that refuses every WebSocket: the browser's handshake gets a 403."""

    @classmethod
    def as_asgi(cls) -> ASGIApplication:
        """The application."""
        return cls()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, once the client asks."""
        event = await receive()
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.close"})


class _Origin(NamedTuple):
    """A scheme, a host and a port, of an origin or of a pattern; what is not said is empty."""

    scheme: str
    host: str
    port: int | None

    @property
    def real_port(self) -> int | None:
        return self.port if self.port is not None else _PORTS.get(self.scheme)


class OriginValidator:
    """An application that refuses the WebSockets of pages from elsewhere.

    Args:
        application: an ASGI application, or a class of consumers.
        allowed_origins: patterns: ``*`` for all; ``host``; ``.domain`` for a domain and all below;
            ``host:port``; ``scheme://host[:port]``, where a port that is not written is the
            scheme's own. Without ``*`` a connection that tells no origin, or ``null``, is refused.

    Raises:
        ImproperlyConfigured: no application, or patterns that could match nothing.

    Source: Channels 4, ``channels.security.websocket``.
    """

    def __init__(self, application: Any, allowed_origins: Iterable[str]) -> None:
        name = type(self).__name__
        self.application = as_application(application, f"{name}(…)")
        if isinstance(allowed_origins, (str, bytes)) or not isinstance(allowed_origins, Iterable):
            raise ImproperlyConfigured(
                f"{name} takes a list of origins, not {shown(allowed_origins)}"
            )
        self.allowed_origins = list(allowed_origins)
        self._patterns = [_pattern(name, one) for one in self.allowed_origins if one != "*"]
        self._all = "*" in self.allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application, or refuse.

        Raises:
            ValueError: the connection is no WebSocket.
        """
        if scope["type"] != "websocket":
            raise ValueError(
                f"You cannot use {type(self).__name__} on a non-WebSocket connection; this one is "
                f"of type {scope['type']!r}. Put it under 'websocket' in the ProtocolTypeRouter"
            )
        headers = [v for k, v in scope.get("headers", []) if k.lower() == b"origin"]
        origin = _origin(headers[0].decode("latin-1")) if len(headers) == 1 else None
        if self._all or (origin is not None and origin.scheme and self.is_allowed(origin, scope)):
            return await self.application(scope, receive, send)
        logger.warning(
            "A WebSocket to %r was refused: its Origin is %s, allowed are %s",
            scope.get("path", ""),
            b", ".join(headers).decode("latin-1")[:200] if headers else "missing",
            ", ".join(self._shown(scope)) or "none",
        )
        return await WebsocketDenier()(scope, receive, send)

    def is_allowed(self, origin: _Origin, scope: Scope) -> bool:
        """Whether pages of this origin may connect."""
        return any(_matches(origin, pattern) for pattern in self._patterns)

    def _shown(self, scope: Scope) -> list[str]:
        return self.allowed_origins


class _OwnHostValidator(OriginValidator):
    """Allows the host that the request itself was sent to, and this machine."""

    def is_allowed(self, origin: _Origin, scope: Scope) -> bool:
        own = _host(scope)
        same = (
            own is not None
            and own.host == origin.host
            and (own.port or _PORTS.get(origin.scheme)) == origin.real_port
        )
        return same or super().is_allowed(origin, scope)

    def _shown(self, scope: Scope) -> list[str]:
        own = _host(scope)
        port = "" if own is None or own.port is None else f":{own.port}"
        return [*([] if own is None else [f"{own.host}{port}"]), *self.allowed_origins]


def AllowedHostsOriginValidator(
    application: Any, *, allowed_hosts: Iterable[str] | None = None
) -> OriginValidator:
    """An `OriginValidator` for the hosts that this server goes by.

    Args:
        application: an ASGI application, or a class of consumers.
        allowed_hosts: patterns as of `OriginValidator`. Without, allowed are the host that the
            request itself was sent to (its ``Host`` header, port included), and on any port
            ``localhost``, ``127.0.0.1`` and ``[::1]``. Jupyter refuses hosts it does not know
            before a request comes here.

    Source: Channels 4, ``channels.security.websocket``, where Django's settings have the list.
    """
    if allowed_hosts is not None:
        return OriginValidator(application, allowed_hosts)
    return _OwnHostValidator(application, LOCAL)


def _pattern(name: str, written: Any) -> _Origin:
    found = _origin(written.strip().rstrip("/")) if isinstance(written, str) else None
    if found is not None:
        return found
    raise ImproperlyConfigured(
        f"{name} is given the origin {written!r}, which no page can have; write '*', 'host', "
        "'.domain' or 'scheme://host:port'"
    )


def _origin(text: str) -> _Origin | None:
    """What ``scheme://host:port`` says; ``None`` for all else, as ``null`` or a longer URL."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    scheme, port = found["scheme"] or "", found["port"]
    return _Origin(_SAME.get(scheme, scheme), found["host"], None if port is None else int(port))


def _host(scope: Scope) -> _Origin | None:
    """The host that the request was sent to."""
    found = [value for key, value in scope.get("headers", []) if key.lower() == b"host"]
    return _origin(found[0].decode("latin-1")) if len(found) == 1 else None


def _matches(origin: _Origin, pattern: _Origin) -> bool:
    if pattern.scheme:
        fits = (origin.scheme, origin.real_port) == (pattern.scheme, pattern.real_port)
    else:
        fits = pattern.port is None or pattern.port == origin.real_port
    if pattern.host.startswith("."):
        return fits and f".{origin.host}".endswith(pattern.host)
    return fits and origin.host == pattern.host
