"""What middleware is made of. ``channels.middleware`` of Channels 4."""

from typing import Any

from nbchannels.exceptions import ImproperlyConfigured, shown
from nbchannels.typing import ASGIApplication, Receive, Scope, Send

__all__ = ["BaseMiddleware", "as_application"]


class BaseMiddleware:
    """An ASGI application around another one.

    A subclass overrides ``__call__``, and calls ``super().__call__`` with what is new in the scope;
    the caller's scope stays as it is::

        class Numbered(BaseMiddleware):
            async def __call__(self, scope, receive, send):
                return await super().__call__(scope | {"number": 1}, receive, send)

    Args:
        inner: an ASGI application, or a class of consumers.

    Attributes:
        inner: the application.

    Raises:
        ImproperlyConfigured: it is neither.

    Source: Channels 4, ``channels.middleware``.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = as_application(inner, f"{type(self).__name__}(…)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the inner application with a copy of the scope."""
        return await self.inner(dict(scope), receive, send)


def as_application(view: Any, where: str) -> ASGIApplication:
    """The ASGI application that ``view`` stands for: itself, or ``as_asgi()`` of a class.

    Args:
        view: what somebody wrote.
        where: for the sentence of the error.

    Raises:
        ImproperlyConfigured: it stands for none.
    """
    if isinstance(view, type):
        make = getattr(view, "as_asgi", None)
        if callable(make):
            return make()  # type: ignore[no-any-return]
    elif callable(view):
        return view  # type: ignore[no-any-return]
    raise ImproperlyConfigured(
        f"{where} is given {shown(view)}; it takes an ASGI application, a callable of "
        "(scope, receive, send), or a class of consumers"
    )
