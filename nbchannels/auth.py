"""Who is at the other end: ``channels.auth`` of Channels 4, with Jupyter's users.

Jupyter signs people in, so there is no ``login`` and no ``logout`` here: what hosts the application
has put the user into the scope. Without such a host, as in a test, it is an `AnonymousUser`.
"""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from nbchannels.cookies import CookieMiddleware
from nbchannels.middleware import BaseMiddleware
from nbchannels.sessions import SessionMiddleware
from nbchannels.typing import Receive, Scope, Send

__all__ = ["AnonymousUser", "AuthMiddleware", "AuthMiddlewareStack", "User", "get_user"]


class AnonymousUser:
    """Nobody that is known. Source: ``django.contrib.auth.models``.

    Attributes:
        username: empty.
        is_authenticated: false.
        is_anonymous: true.
    """

    username = name = display_name = ""
    initials: str | None = None
    avatar_url: str | None = None
    color: str | None = None
    id = pk = None
    is_authenticated = is_active = is_staff = is_superuser = False
    is_anonymous = True

    def get_username(self) -> str:
        """The empty name."""
        return self.username

    def __str__(self) -> str:
        return "AnonymousUser"

    def __repr__(self) -> str:
        return "<AnonymousUser>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnonymousUser)

    def __hash__(self) -> int:
        return hash(AnonymousUser)


class User:
    """A user of Jupyter, with what Django's users are asked for.

    All attributes of Jupyter's user are there: ``username``, ``name``, ``display_name``,
    ``initials``, ``avatar_url``, ``color``, and what an identity provider of your own adds.

    Args:
        identity: Jupyter's user; a dict of its attributes, or a name, do too.

    Attributes:
        is_authenticated: true.
        is_anonymous: false.
    """

    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, identity: Any) -> None:
        if isinstance(identity, Mapping):
            identity = SimpleNamespace(**identity)
        #: The name that is unique.
        self.username = str(getattr(identity, "username", identity))
        self._identity = identity

    def __getattr__(self, name: str) -> Any:
        # Asked for what the class and __init__ have not set.
        if not name.startswith("_"):
            if hasattr(self._identity, name):
                return getattr(self._identity, name)
            if name in ("name", "display_name", "id", "pk"):
                return self.username
            if name in ("initials", "avatar_url", "color"):
                return None
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def get_username(self) -> str:
        """The name that is unique."""
        return self.username

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"<User {self.username}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, User) and other.username == self.username

    def __hash__(self) -> int:
        return hash(self.username)


class AuthMiddleware(BaseMiddleware):
    """Sees to it that ``scope["user"]`` is a user that can be asked ``is_authenticated``.

    It takes whom the host has put there, and an `AnonymousUser` if there is nobody.

    Source: Channels 4, ``channels.auth``; it needs no session here.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the inner application with the user."""
        return await super().__call__({**scope, "user": _user(scope)}, receive, send)


def AuthMiddlewareStack(inner: Any) -> CookieMiddleware:
    """`AuthMiddleware` with sessions and cookies around it. Source: Channels 4."""
    return CookieMiddleware(SessionMiddleware(AuthMiddleware(inner)))


async def get_user(scope: Scope) -> Any:
    """The user of a connection, an `AnonymousUser` if it has none. Source: Channels 4."""
    return _user(scope)


def _user(scope: Scope) -> Any:
    user = scope.get("user")
    if user is None or user == "":
        return AnonymousUser()
    return user if hasattr(user, "is_authenticated") else User(user)
