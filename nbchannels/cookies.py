"""Cookies, read and set: the lower half of ``channels.sessions`` of Channels 4."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from http.cookies import CookieError, SimpleCookie
from typing import Any

from nbchannels.middleware import BaseMiddleware
from nbchannels.typing import MessageDict, Receive, Scope, Send

__all__ = ["CookieMiddleware"]

#: Bytes of cookies that are read of one request, and how many cookies.
MOST_COOKIE_BYTES, MOST_COOKIES = 64 * 2**10, 300


class CookieMiddleware(BaseMiddleware):
    """Puts the request's cookies into ``scope["cookies"]``, a dict of ``str``.

    Of two cookies of one name the last one counts. What is no ``name=value`` is left out.

    Source: Channels 4, ``channels.sessions``.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the inner application with the cookies.

        Raises:
            ValueError: the connection has no headers: it is neither HTTP nor a WebSocket.
        """
        if "headers" not in scope:
            raise ValueError(
                f"CookieMiddleware was passed a scope without headers, of type "
                f"{scope.get('type')!r}; wrap only HTTP and WebSocket applications in it"
            )
        if "cookies" not in scope:  # another one is around this one
            scope = {**scope, "cookies": _cookies(scope["headers"])}
        return await super().__call__(scope, receive, send)

    @classmethod
    def set_cookie(
        cls,
        message: MessageDict,
        key: str,
        value: str = "",
        max_age: int | timedelta | None = None,
        expires: str | datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = "lax",
    ) -> None:
        """Add a ``Set-Cookie`` header to ``http.response.start`` or ``websocket.accept``.

        Args:
            message: the event; it is changed.
            key: the cookie's name.
            value: its value.
            max_age: seconds that it lives; ``None``: as long as the browser runs.
            expires: until when it lives; a naive ``datetime`` is UTC.
            path: where it is sent.
            domain: where it is sent, other than this host.
            secure: only over TLS.
            httponly: no script of a page can read it.
            samesite: ``strict``, ``lax`` or ``none``.

        Raises:
            ValueError: a part that no cookie can have.
        """
        if samesite is not None and samesite.lower() not in ("strict", "lax", "none"):
            raise ValueError(f"samesite is {samesite!r}; it is 'strict', 'lax' or 'none'")
        for name, part in (("path", path), ("domain", domain), ("expires", expires)):
            if isinstance(part, str) and not (part.isprintable() and ";" not in part):
                raise ValueError(f"{name} of the cookie {key!r} is {part!r}, which no cookie has")
        if isinstance(expires, datetime):
            until = (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).astimezone(UTC)
            max_age = max(timedelta(), until - datetime.now(UTC)) if max_age is None else max_age
            expires = format_datetime(until, usegmt=True)
        if isinstance(max_age, timedelta):
            max_age = round(max_age.total_seconds())
        if max_age is not None and expires is None:
            expires = formatdate(time.time() + max_age, usegmt=True)
        parts: dict[str, Any] = {"expires": expires, "max-age": max_age, "path": path}
        parts |= {"domain": domain, "samesite": samesite}
        parts |= {"secure": secure or None, "httponly": httponly or None}
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie[key] = str(value)
            cookie[key].update({name: part for name, part in parts.items() if part is not None})
            header = cookie[key].OutputString().encode("latin-1")
        except (CookieError, UnicodeEncodeError) as error:
            raise ValueError(f"the cookie {key!r} cannot be set: {error}") from None
        message["headers"] = [*message.get("headers", ()), (b"set-cookie", header)]

    @classmethod
    def delete_cookie(
        cls, message: MessageDict, key: str, path: str | None = "/", domain: str | None = None
    ) -> None:
        """Have the browser forget a cookie; ``path`` and ``domain`` as when it was set."""
        cls.set_cookie(
            message, key, max_age=0, expires=formatdate(0, usegmt=True), path=path, domain=domain
        )


def _cookies(headers: Any) -> dict[str, str]:
    text = b";".join(value for name, value in headers if name.lower() == b"cookie")
    if len(text) > MOST_COOKIE_BYTES:
        raise ValueError(
            f"the cookies of the request have {len(text):,} bytes, the limit is "
            f"{MOST_COOKIE_BYTES:,}"
        )
    reader: SimpleCookie = SimpleCookie()
    found: dict[str, str] = {}
    for part in text.decode("latin-1").split(";")[:MOST_COOKIES]:
        name, mark, value = part.partition("=")
        if mark and name.strip():
            found[name.strip()] = reader.value_decode(value.strip())[0]
    return found
