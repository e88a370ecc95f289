"""Which consumer a message goes to: the routing of Channels 1.x.

A routing object is anything with ``match(message) -> (consumer, kwargs) | None`` and
``channel_names() -> set``; `Route`, `Include` and `Router` are such, and take any other.

Source: the Channels 1.x Reference, "Channel Layer", and its routing page.
"""

import copy
import importlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from nbchannels.exceptions import ImproperlyConfigured, shown
from nbchannels.layers.bindings import Binding, filter_text, is_glob, require_pattern
from nbchannels.message import Message
from nbchannels.names import near_match

__all__ = [
    "Consumer",
    "Include",
    "Match",
    "Route",
    "RouteClass",
    "Router",
    "RoutingObject",
    "bindings_of",
    "import_string",
    "include",
    "route",
    "route_class",
]

#: What a message is given to: a function of it, or a class of consumers.
Consumer: TypeAlias = Callable[..., Any]
#: The consumer to run, and the keyword arguments to run it with.
Match: TypeAlias = tuple[Consumer, dict[str, str | None]]


class RoutingObject(Protocol):
    """What a routing is made of."""

    def match(self, message: Message) -> Match | None:
        """The consumer for ``message`` and what to call it with, or ``None``."""

    def channel_names(self) -> Collection[str]:
        """The channels, and globs of channels, that it knows."""


class Route:
    """One or more channels, filters, and the consumer that gets what matches them all.

    A filter is a regular expression on a key of the message, matched at the beginning of the value
    (``re.match``); its named groups become keyword arguments of the consumer, an optional one that
    did not take part as ``None``. What filters see of a value that is no ``str``: `filter_text`.

    Args:
        channels: a name, or a list of them; a glob such as ``sensor.*`` serves all it matches.
        consumer: a callable, or its dotted path.
        filters: a regular expression by key.

    Attributes:
        channels: the names and globs.
        consumer: the callable.
        filters: the compiled expressions by key.

    Raises:
        ImproperlyConfigured: a consumer that cannot be had, a name that no channel can have, an
            expression that does not compile or has groups without names. It is a ``ValueError``.

    Source: Channels 1.x, ``channels.routing``; globs and ``int`` values are our own.
    """

    def __init__(
        self, channels: str | bytes | Iterable[str | bytes], consumer: Any, **filters: Any
    ) -> None:
        single = isinstance(channels, (str, bytes)) or not isinstance(channels, Iterable)
        names: Iterable[Any] = [channels] if single else channels
        self.channels = [_channel(name) for name in names]
        if not self.channels:
            raise ImproperlyConfigured("a route without a channel would never be taken; name one")
        self.consumer: Consumer = _consumer(consumer)
        self.filters = {
            key: _pattern(value, f"Filter for {key} on {_shown_names(self.channels)}")
            for key, value in filters.items()
        }
        for name in self.channels:
            Binding(name).require_limits()
        self._names = frozenset(name for name in self.channels if not is_glob(name))
        self._globs = tuple(Binding(name) for name in self.channels if is_glob(name))

    def match(self, message: Message) -> Match | None:
        """The consumer and the keyword arguments, or ``None``."""
        return self._match(message, globs=False) or self._match(message, globs=True)

    def channel_names(self) -> set[str]:
        """The names and globs."""
        return set(self.channels)

    def bindings(self) -> list[Binding]:
        """What this serves, one for each channel, to be told to another process."""
        steps = tuple((key, pattern.pattern) for key, pattern in self.filters.items())
        return [Binding(name, steps) for name in self.channels]

    def _match(self, message: Message, globs: bool) -> Match | None:
        name = message.channel_name
        if name is None:
            return None
        served = any(g.serves(name) for g in self._globs) if globs else name in self._names
        found = _matches(self.filters, message) if served else None
        if found is None:
            return None
        groups: dict[str, str | None] = {}
        for one in found.values():
            groups |= one.groupdict()
        return self.consumer, groups

    def __repr__(self) -> str:
        filters = "".join(f", {key}={p.pattern!r}" for key, p in self.filters.items())
        name = getattr(self.consumer, "__qualname__", None) or repr(self.consumer)
        return f"<{type(self).__name__} {_shown_names(self.channels)} → {name}{filters}>"


class RouteClass(Route):
    """A route to a class of consumers, which says itself which channels it takes.

    Args:
        consumer: the class, or its dotted path; it has ``channel_names()``.
        filters: as of `Route`.

    Raises:
        ImproperlyConfigured: as `Route`, and a class without ``channel_names()``.

    Source: Channels 1.x, ``channels.routing``.
    """

    def __init__(self, consumer: Any, **filters: Any) -> None:
        found = _consumer(consumer)
        names = getattr(found, "channel_names", None)
        if not callable(names):
            raise ImproperlyConfigured(
                f"the consumer passed to RouteClass has no valid channel_names method: "
                f"{shown(found)}; give it one that returns the set of its channels, "
                "or write route(channels, consumer)"
            )
        super().__init__(sorted(names()), found, **filters)


class Include:
    """Another routing, behind prefixes that are stripped for it.

    Its routes see a copy of the message in which each prefix is gone from the beginning of its
    value; the caller's message stays as it is, and only the outer dict is copied. Where a named
    group of a prefix and one behind it have the same name, the inner one counts.

    Args:
        routing: a list of routing objects, a dict of consumers by channel, a routing object, or
            the dotted path of one of these.
        prefixes: a regular expression by key.

    Raises:
        ImproperlyConfigured: as `Route`, and a routing that is none.

    Source: Channels 1.x, ``channels.routing``.
    """

    def __init__(self, routing: Any, **prefixes: Any) -> None:
        self.routing: list[RoutingObject] = _routing(routing)
        self.prefixes = {
            key: _pattern(value, f"Prefix for {key} on include()")
            for key, value in prefixes.items()
        }

    def match(self, message: Message) -> Match | None:
        """The consumer and the keyword arguments of the first route that matches, or ``None``."""
        return self._match(message, globs=False) or self._match(message, globs=True)

    def channel_names(self) -> set[str]:
        """The names and globs of all routes in it."""
        return {name for one in self.routing for name in one.channel_names()}

    def bindings(self) -> list[Binding]:
        """What this serves, to be told to another process; see `Route.bindings`.

        Of a routing object without ``bindings()`` only its channels are told: that process may
        then take for a match what is none.
        """
        steps = tuple((key, pattern.pattern) for key, pattern in self.prefixes.items())
        return [
            Binding(inner.channel, steps + inner.steps)
            for one in self.routing
            for inner in bindings_of(one)
        ]

    def _match(self, message: Message, globs: bool) -> Match | None:
        found = _matches(self.prefixes, message)
        if found is None:
            return None
        groups: dict[str, str | None] = {}
        if found:
            message = copy.copy(message)
            message.content = dict(message.content)
            for key, one in found.items():
                groups |= one.groupdict()
                message.content[key] = one.string[one.end() :]
        for inner in self.routing:
            match = _match_of(inner, message, globs)
            if match is not None:
                return match[0], groups | match[1]
        return None

    def __repr__(self) -> str:
        prefixes = "".join(f", {key}={p.pattern!r}" for key, p in self.prefixes.items())
        return f"<{type(self).__name__} {self.routing!r}{prefixes}>"


class Router(Include):
    """A layer's mapping of channels to consumers.

    Routes are tried in their order, and the first that matches counts. All that name the channel
    come before all that match it with a glob.

    Args:
        routing: as of `Include`; ``None`` for none.

    Attributes:
        channels: the names and globs of all routes.

    Raises:
        ImproperlyConfigured: a routing that cannot be used.

    Source: the Channels 1.x Reference, "Channel Layer".
    """

    def __init__(self, routing: Any = None) -> None:
        super().__init__([] if routing is None else routing)
        self.channels = self.channel_names()

    def add_route(self, route: RoutingObject) -> None:
        """One more, behind those that are there.

        Raises:
            ImproperlyConfigured: it is no routing object.
        """
        self.routing.append(_routing_object(route))
        self.channels = self.channel_names()


def import_string(path: str, what: str) -> Any:
    """What stands at a dotted path.

    Args:
        path: ``package.module.name``; ``package.module:name`` is the same.
        what: it is, for the sentence of the error.

    Raises:
        ImproperlyConfigured: there is nothing.
    """
    head, colon, tail = path.partition(":")
    module, _, name = (head, "", tail) if colon else path.rpartition(".")
    if not module or not name:
        raise ImproperlyConfigured(
            f"Cannot import {what} {path!r}: it is no dotted path; write package.module.name"
        )
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"Cannot import {what} {path!r}: {error}; is its folder on sys.path?"
        ) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = near_match(part, [known for known in dir(found) if known[0] != "_"])
            raise ImproperlyConfigured(
                f"Cannot import {what} {path!r}: module {module!r} has no {name!r}"
                + (f"; did you mean {near!r}?" if near else "")
            ) from None
    return found


def _shown_names(channels: list[str]) -> str:
    """Channel names for a sentence."""
    return ", ".join(map(repr, channels[:3])) + (", …" if len(channels) > 3 else "")


def _matches(
    patterns: Mapping[str, re.Pattern[str]], message: Message
) -> dict[str, re.Match[str]] | None:
    """What each pattern matched, ``None`` if one did not."""
    found = {}
    for key, pattern in patterns.items():
        text = filter_text(message.content.get(key))
        one = None if text is None else pattern.match(text)
        if one is None:
            return None
        found[key] = one
    return found


def _match_of(one: RoutingObject, message: Message, globs: bool) -> Match | None:
    if isinstance(one, (Route, Include)):
        return one._match(message, globs)
    # Another's object does not tell names from globs: it has its turn among the names.
    return None if globs else one.match(message)


def bindings_of(one: Any) -> list[Binding]:
    """What a routing object serves; of one without ``bindings()``, its channels."""
    if hasattr(one, "bindings"):
        return list(one.bindings())
    return [Binding(name) for name in sorted(one.channel_names())]


def _channel(name: Any) -> str:
    if isinstance(name, bytes):
        name = name.decode("ascii", "replace")
    if not isinstance(name, str):
        raise ImproperlyConfigured(
            f"a route takes a channel's name or a list of them, not {shown(name)}"
        )
    return name


def _consumer(consumer: Any) -> Consumer:
    found = import_string(consumer, "consumer") if isinstance(consumer, str) else consumer
    if not callable(found):
        raise ImproperlyConfigured(
            f"a consumer is a callable that takes a message, or its dotted path; not {shown(found)}"
        )
    return found  # type: ignore[no-any-return]


def _pattern(value: Any, what: str) -> re.Pattern[str]:
    if not isinstance(value, re.Pattern):
        return require_pattern(value, what)
    if not isinstance(value.pattern, str) or value.flags != re.compile(value.pattern).flags:
        # Only its text travels to another process.
        raise ImproperlyConfigured(
            f"{what} is {value!r}; write the flags into a str: (?i)… for re.IGNORECASE"
        )
    return require_pattern(value.pattern, what)


def _routing(routing: Any) -> list[RoutingObject]:
    """The routing objects in whatever a routing may be written as."""
    if isinstance(routing, str):
        routing = import_string(routing, "routing")
    if isinstance(routing, Mapping):
        return [Route(channel, consumer) for channel, consumer in routing.items()]
    if isinstance(routing, (list, tuple)):
        return [_routing_object(one) for one in routing]
    return [_routing_object(routing)]


def _routing_object(one: Any) -> RoutingObject:
    if isinstance(one, type) or not (
        callable(getattr(one, "match", None)) and callable(getattr(one, "channel_names", None))
    ):
        raise ImproperlyConfigured(
            "a routing is a list of route(…), route_class(…) and include(…), a dict of consumers "
            f"by channel, or the dotted path of one; not {shown(one)}"
        )
    return one  # type: ignore[no-any-return]


# The names that one writes.
route = Route
route_class = RouteClass
include = Include
