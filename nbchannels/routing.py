"""Which application a connection goes to: ``channels.routing`` of Channels 4, and of 1.x.

A router is an ASGI application made of others. Where no route leads on it raises `NoRoute`, a
``ValueError``; whoever hosts the application answers the client then.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from nbchannels.exceptions import ImproperlyConfigured, NoRoute, shown
from nbchannels.middleware import as_application
from nbchannels.names import near_match
from nbchannels.paths import URLPattern, path, re_path, register_converter
from nbchannels.routes import (
    Include,
    Route,
    RouteClass,
    Router,
    import_string,
    include,
    route,
    route_class,
)
from nbchannels.typing import ASGIApplication, Receive, Scope, Send

__all__ = [
    "ChannelNameRouter",
    "Include",
    "ProtocolTypeRouter",
    "Route",
    "RouteClass",
    "Router",
    "URLRouter",
    "get_default_application",
    "include",
    "path",
    "re_path",
    "register_converter",
    "route",
    "route_class",
]

#: Names the application of a process that is told of none.
APPLICATION_VARIABLE = "NBCHANNELS_ASGI_APPLICATION"
#: So many middlewares are looked behind for a nested router.
MOST_MIDDLEWARES = 50


class _Mapping:
    """Applications by one key of the scope."""

    def __init__(self, application_mapping: Mapping[str, Any]) -> None:
        name = type(self).__name__
        if not isinstance(application_mapping, Mapping):
            raise ImproperlyConfigured(
                f"{name} takes a dict of applications, not {shown(application_mapping)}"
            )
        self.application_mapping: dict[str, ASGIApplication] = {
            key: as_application(view, f"{name}({{{key!r}: …}})")
            for key, view in application_mapping.items()
        }

    def _chosen(self, key: str, what: str) -> ASGIApplication:
        found = self.application_mapping.get(key)
        if found is None:
            known = ", ".join(map(repr, self.application_mapping)) or "none"
            near = near_match(str(key), map(str, self.application_mapping))
            raise NoRoute(
                f"No application configured for {what} {key!r}; there are: {known}"
                + (f"; did you mean {near!r}?" if near else ""),
                path=str(key),
            )
        return found


class ProtocolTypeRouter(_Mapping):
    """Applications by the type of a connection: ``http``, ``websocket``, ``channel``, ….

    Args:
        application_mapping: ASGI applications or classes of consumers, by type.

    Raises:
        ImproperlyConfigured: one of them is neither.

    Source: Channels 4, ``channels.routing``.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application of ``scope["type"]``.

        Raises:
            NoRoute: there is none.
        """
        application = self._chosen(scope["type"], "scope type")
        return await application(scope, receive, send)


class ChannelNameRouter(_Mapping):
    """Applications by the channel that a worker takes messages from.

    Args:
        application_mapping: ASGI applications or classes of consumers, by channel.

    Raises:
        ImproperlyConfigured: one of them is neither.

    Source: Channels 4, ``channels.routing``.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application of ``scope["channel"]``.

        Raises:
            NoRoute: there is none.
            ValueError: the connection is none of a worker's.
        """
        if "channel" not in scope:
            raise ValueError(
                "ChannelNameRouter got a scope without a 'channel' key, of type "
                f"{scope.get('type')!r}; put it under 'channel' in the ProtocolTypeRouter"
            )
        application = self._chosen(scope["channel"], "channel name")
        return await application(scope, receive, send)


class _Pattern(Protocol):
    def match(self, path: str, /) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None: ...


class _Unmatched(NoRoute):
    """A nested router has no route: the one around it goes on looking."""

    def __init__(self, path: str, tried: list[str]) -> None:
        super().__init__(path=path)
        self.tried = tried


class URLRouter:
    """Applications by the path of a connection.

    The application's scope gets ``url_route``, ``{"args": (…), "kwargs": {…}}`` with those of the
    routers around, and ``path_remaining``. Routers nest: where the inner one has no route for the
    rest, the outer one goes on with its next. A ``root_path`` is taken off first.

    Args:
        routes: what `path` and `re_path` make; Django's ``URLPattern`` does too.

    Attributes:
        routes: as given.

    Raises:
        ImproperlyConfigured: one of them is no route, or leads to no application.

    Source: Channels 4, ``channels.routing``.
    """

    #: A pattern that leads to a router need not match the whole path. As in Channels, whatever
    #: routes by path says so.
    _path_routing = True

    def __init__(self, routes: Iterable[Any]) -> None:
        if isinstance(routes, (str, bytes, Mapping)) or not isinstance(routes, Iterable):
            raise ImproperlyConfigured(
                f"URLRouter takes a list of path(…) and re_path(…), not {shown(routes)}"
            )
        self.routes = list(routes)
        self._table = [_entry(route) for route in self.routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application of the first route that matches.

        Raises:
            NoRoute: none does; the sentence says what was tried.
            ValueError: the connection has no path.
        """
        path = _path_of(scope)
        outer = scope.get("url_route", {})
        tried: list[str] = []
        for pattern, application, defaults in self._table:
            found = pattern.match(path)
            if found is None:
                tried.append(str(pattern))
                continue
            rest, args, kwargs = found
            inner = {
                **scope,
                "path_remaining": rest,
                "url_route": {
                    "args": (*outer.get("args", ()), *args),
                    "kwargs": {**outer.get("kwargs", {}), **kwargs, **defaults},
                },
            }
            try:
                return await application(inner, receive, send)
            except _Unmatched as error:
                tried += [f"{pattern}{deeper}" for deeper in error.tried] or [str(pattern)]
        if "path_remaining" in scope:
            raise _Unmatched(path, tried)
        shown_tried = ", ".join(map(repr, tried[:20])) + (", …" if len(tried) > 20 else "")
        raise NoRoute(
            f"No route found for path {path!r}. Tried: {shown_tried or 'nothing, there are none'}",
            path=path,
        )


def get_default_application() -> ASGIApplication:
    """The application that the environment variable ``NBCHANNELS_ASGI_APPLICATION`` names.

    Raises:
        ImproperlyConfigured: it is not set, or nothing usable stands at its dotted path.

    Source: Channels 4, ``channels.routing``, where the settings name it.
    """
    dotted = os.environ.get(APPLICATION_VARIABLE)
    if not dotted:
        raise ImproperlyConfigured(
            f"no application is configured; set {APPLICATION_VARIABLE} to its dotted path, such as "
            "'mysite.asgi.application'"
        )
    found = import_string(dotted, f"ASGI application ({APPLICATION_VARIABLE})")
    return as_application(found, APPLICATION_VARIABLE)


def _path_of(scope: Scope) -> str:
    """What of the path is still to be routed, without leading slashes."""
    path = scope.get("path_remaining", scope.get("path"))
    if path is None:
        raise ValueError("No 'path' key in connection scope, cannot route URLs")
    if "path_remaining" not in scope:
        root = scope.get("root_path") or ""
        if not path.startswith(root):
            raise NoRoute(
                f"No route found for path {path!r}. It does not begin with the root_path {root!r}",
                path=path,
            )
        path = path[len(root) :]
    return str(path).lstrip("/")


def _entry(route: Any) -> tuple[_Pattern, ASGIApplication, dict[str, Any]]:
    """A route as a router uses it: the pattern, the application, its keyword arguments."""
    if isinstance(route, (Route, Include)):
        raise ImproperlyConfigured(
            f"URLRouter takes path(…) and re_path(…); {route!r} routes messages by channel: "
            "it belongs into a Router. For more paths nest a URLRouter"
        )
    pattern: Any = getattr(route, "pattern", None)
    view = getattr(route, "callback", None)
    if view is None and hasattr(route, "url_patterns"):
        raise ImproperlyConfigured(
            f"{route!r}: include() is not supported in URLRouter; nest another URLRouter instead"
        )
    if view is None or not callable(getattr(pattern, "match", None)):
        raise ImproperlyConfigured(
            f"URLRouter takes a list of path(…) and re_path(…), not {shown(route)} in it"
        )
    application = as_application(view, f"the route {str(pattern)!r}")
    if _routes_paths(application):
        pattern = _leading_on(route)
    return pattern, application, dict(getattr(route, "default_args", None) or {})


def _routes_paths(application: Any) -> bool:
    """Whether a router by paths stands there, or behind middleware."""
    for _ in range(MOST_MIDDLEWARES):
        if getattr(application, "_path_routing", False) is True:
            return True
        application = getattr(application, "inner", getattr(application, "application", None))
    return False


def _leading_on(route: Any) -> Any:
    """The pattern of a route, matching also where the path goes on."""
    if isinstance(route, URLPattern):
        return route.leading_on().pattern
    pattern = route.pattern  # Django's: its class is called with what was written
    try:
        written = pattern._route if hasattr(pattern, "_route") else pattern._regex
        return type(pattern)(written, pattern.name, is_endpoint=False)
    except (AttributeError, TypeError) as error:
        raise ImproperlyConfigured(
            f"{route!r} leads to a URLRouter, which its pattern cannot; write it with "
            "nbchannels.routing.path or re_path"
        ) from error
