"""Cookies, and sessions behind them: ``channels.sessions`` of Channels 4.

Sessions live in the memory of the server's process: a restart forgets them. A page holds only the
session's random name, in the cookie ``nbchannels-session``.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote

from nbchannels.cookies import CookieMiddleware
from nbchannels.exceptions import (
    ImproperlyConfigured,
    InvalidMessage,
    MessageTooLarge,
    NotFound,
)
from nbchannels.middleware import BaseMiddleware
from nbchannels.typing import MessageDict, Receive, Scope, Send

__all__ = [
    "COOKIE_NAME",
    "CookieMiddleware",
    "Session",
    "SessionMiddleware",
    "SessionMiddlewareStack",
    "SessionStore",
]

#: The cookie that holds the name of a session.
COOKIE_NAME = "nbchannels-session"

logger = logging.getLogger("nbchannels")


class _Kept(NamedTuple):
    """A session in the store: JSON, whose it is, until when."""

    data: str
    owner: str
    deadline: float


class SessionStore:
    """Sessions in memory, bounded. Thread-safe.

    Args:
        expiry: seconds after its last save that a session is forgotten.
        max_sessions: how many are kept; the one saved longest ago is forgotten first.
        max_bytes: of all of them together, as JSON; the same one is forgotten first.
        max_session_bytes: of one.
        clock: seconds; for tests.
    """

    def __init__(
        self,
        expiry: float = 14 * 86_400,
        max_sessions: int = 10_000,
        max_bytes: int = 64 * 2**20,
        max_session_bytes: int = 64 * 2**10,
        clock: Callable[[], float] = time.time,
    ) -> None:
        options: dict[str, Any] = {
            "expiry": expiry,
            "max_sessions": max_sessions,
            "max_bytes": max_bytes,
        }
        for option, value in (options | {"max_session_bytes": max_session_bytes}).items():
            if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
                raise ImproperlyConfigured(f"{option} is {value!r}; it must be a number above 0")
        self.expiry = expiry
        self.max_sessions = max_sessions
        self.max_bytes = max_bytes
        self.max_session_bytes = min(max_session_bytes, max_bytes)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}  # the one saved longest ago comes first
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def load(self, key: str, owner: str = "") -> dict[str, Any] | None:
        """The content of a session; ``None`` if there is none, or it is somebody else's."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.owner != owner or kept.deadline <= self._clock():
                return None
        found: dict[str, Any] = json.loads(kept.data)
        return found

    def save(
        self, key: str, content: Mapping[str, Any], owner: str = "", *, is_new: bool = True
    ) -> None:
        """Keep the content of a session.

        Raises:
            NotFound: the session is not new, and has been forgotten: it is not begun again.
            InvalidMessage: something in it has no JSON.
            MessageTooLarge: it is larger than a session may be; what was kept before stays.
        """
        try:
            data = json.dumps(dict(content), separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidMessage(
                f"the session cannot be kept: {error}; put only what JSON has into it"
            ) from error
        if len(data) > self.max_session_bytes:
            raise MessageTooLarge(
                f"the session has {len(data):,} bytes as JSON, the limit is "
                f"{self.max_session_bytes:,}; keep a name in it, and the data elsewhere",
                size=len(data),
                limit=self.max_session_bytes,
            )
        with self._lock:
            if not is_new and key not in self._kept:
                raise NotFound(
                    "the session was forgotten while it was in use (flushed elsewhere, expired, or "
                    "too many were kept); what was changed in it is not kept"
                )
            self._forget(key)
            self._kept[key] = _Kept(data, owner, self._clock() + self.expiry)
            self._bytes += len(data)
            self._make_room()

    def delete(self, key: str) -> None:
        """Forget a session, if there is one."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.data)

    def _make_room(self) -> None:
        now = self._clock()
        live = 0
        while True:
            oldest = next(iter(self._kept))
            expired = self._kept[oldest].deadline <= now
            full = len(self._kept) > self.max_sessions or self._bytes > self.max_bytes
            if not (expired or full):
                break
            live += not expired
            self._forget(oldest)
        if live:
            logger.warning(
                "%d sessions were forgotten before their time: at most %d with %d bytes are kept; "
                "SessionStore(max_sessions=…, max_bytes=…) takes more",
                live,
                self.max_sessions,
                self.max_bytes,
            )


class Session(MutableMapping[str, Any]):
    """A dict that outlives the connection: ``scope["session"]``.

    It is saved when it was changed: as the response starts (not with status 500), as a WebSocket is
    accepted, and when the application ends after that. A change deep inside of a value is not
    noticed: set ``modified``, or call `save`. What it holds must have a JSON form.

    Args:
        store: where it is kept.
        key: what the page sent as its name; one that the store does not know is not used.
        owner: whose it is: nobody else gets it.

    Attributes:
        session_key: its name, ``None`` as long as it was never saved.
        modified: whether it was changed since it was loaded or saved.
    """

    def __init__(self, store: SessionStore, key: str | None = None, owner: str = "") -> None:
        found = store.load(key, owner) if key else None
        self.session_key = key if found is not None else None
        self.modified = False
        self._store = store
        self._owner = owner
        self._content = found or {}

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._content[key] = value
        self.modified = True

    def __delitem__(self, key: str) -> None:
        del self._content[key]
        self.modified = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __bool__(self) -> bool:
        """A session is always true, also an empty one."""
        return True

    def is_empty(self) -> bool:
        """Whether there is nothing in it, and nothing kept of it."""
        return not self._content and self.session_key is None

    def save(self) -> None:
        """Keep it now.

        Raises:
            NotFound: it was forgotten meanwhile.
            InvalidMessage: something in it has no JSON.
            MessageTooLarge: it is larger than a session may be.
        """
        key = self.session_key or secrets.token_urlsafe(24)
        self._store.save(key, self._content, self._owner, is_new=self.session_key is None)
        self.session_key = key
        self.modified = False

    async def asave(self) -> None:
        """The async twin of `save`."""
        self.save()

    def flush(self) -> None:
        """Forget it: the content, what is kept of it, and its name."""
        if self.session_key is not None:
            self._store.delete(self.session_key)
        self.session_key = None
        self._content = {}
        self.modified = True

    async def aflush(self) -> None:
        """The async twin of `flush`."""
        self.flush()

    def cycle_key(self) -> None:
        """A new name for the same content."""
        content = self._content
        self.flush()
        self._content = content

    def __repr__(self) -> str:
        return f"<Session {self._content!r}>"


#: Where sessions are kept unless something else is said.
_store = SessionStore()


class SessionMiddleware(BaseMiddleware):
    """Puts a `Session` into ``scope["session"]``, and its name into a cookie.

    The cookie is ``HttpOnly`` and ``SameSite=Lax``, ``Secure`` over TLS, and is sent only below the
    application's ``root_path``. A session belongs to the user in ``scope["user"]``.

    Args:
        inner: an ASGI application, or a class of consumers.
        store: where sessions are kept; without, in one that all share.

    Source: Channels 4, ``channels.sessions``; saving at the accept and the end is our own.
    """

    def __init__(self, inner: Any, store: SessionStore | None = None) -> None:
        super().__init__(inner)
        self.store = store if store is not None else _store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the inner application with the session.

        Raises:
            ValueError: the scope has no cookies.
        """
        if "session" in scope:  # another one is around this one
            return await super().__call__(scope, receive, send)
        if "cookies" not in scope:
            raise ValueError(
                "No cookies in scope - SessionMiddleware needs to run inside of CookieMiddleware; "
                "SessionMiddlewareStack(…) is both"
            )
        session = Session(self.store, scope["cookies"].get(COOKIE_NAME), _owner(scope))
        told = session.session_key  # what the page knows
        saves = False

        async def sending(event: MessageDict) -> None:
            nonlocal told, saves
            if event["type"] in ("http.response.start", "websocket.accept"):
                saves = event.get("status") != 500
                if saves and session.modified:
                    _keep(session)
                if session.session_key != told:
                    event = dict(event)
                    _tell(event, scope, session.session_key, self.store.expiry)
                    told = session.session_key
            await send(event)

        try:
            return await super().__call__({**scope, "session": session}, receive, sending)
        finally:
            if saves and session.modified:
                try:
                    _keep(session)
                except (InvalidMessage, MessageTooLarge) as error:  # nobody can answer with it now
                    logger.error("%s: %s", scope.get("path", ""), error)
            if session.session_key not in (told, None):
                logger.warning(
                    "%s: a session was begun after the connection, so the page has no cookie for "
                    "it; change it before the response starts or the WebSocket is accepted",
                    scope.get("path", ""),
                )


def SessionMiddlewareStack(inner: Any) -> CookieMiddleware:
    """`SessionMiddleware` inside of the `CookieMiddleware` that it needs. Source: Channels 4."""
    return CookieMiddleware(SessionMiddleware(inner))


def _owner(scope: Scope) -> str:
    """The name of the user that the host has put into the scope."""
    user = scope.get("user")
    name = user.get("username") if isinstance(user, Mapping) else getattr(user, "username", user)
    return str(name or "")


def _keep(session: Session) -> None:
    """Save what there is to save; one that was forgotten meanwhile is told in the log."""
    if session.session_key is not None or len(session):
        try:
            session.save()
        except NotFound as error:
            logger.warning("%s", error)
            session.flush()
    session.modified = False


def _tell(event: MessageDict, scope: Scope, key: str | None, expiry: float) -> None:
    """Give the page the name of its session, or take it away."""
    path = quote(scope.get("root_path") or "/")
    if key is None:
        CookieMiddleware.delete_cookie(event, COOKIE_NAME, path=path)
        return
    CookieMiddleware.set_cookie(
        event,
        COOKIE_NAME,
        key,
        max_age=round(expiry),
        path=path,
        secure=scope.get("scheme") in ("https", "wss"),
        httponly=True,
    )
