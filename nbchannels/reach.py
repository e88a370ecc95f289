"""Which handler a message reaches.

The type ``index.tick`` means the method ``index_tick``. Two kinds of senders are told apart:

* **The protocol**: the server that runs the application. Its events reach the handlers of our base
  classes (``websocket_connect``) and those that the user's class adds.
* **The layer**: anybody who may send to the channel. Its messages reach only what the user's class
  adds. A name that any base class of ours has (``close``, ``send``, ``websocket_disconnect``) is
  never reachable, overridden or not; nor is the name of a protocol event.

Nothing with a leading underscore is a handler.

Source: the dispatch of Channels 4, ``channels.consumer``, which makes no such difference.
"""

import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from nbchannels.exceptions import shown
from nbchannels.names import near_match

__all__ = ["EVENTS", "Unreached", "get_handler_name", "handler_of", "handlers_of", "type_of"]

#: The handlers of what an ASGI server sends to an application.
EVENTS = frozenset(
    {
        "http_disconnect",
        "http_request",
        "lifespan_shutdown",
        "lifespan_startup",
        "websocket_connect",
        "websocket_disconnect",
        "websocket_receive",
    }
)


class Unreached(NamedTuple):
    """Why a message reaches no handler: the kind of the diagnosis, and its sentence."""

    kind: str
    sentence: str


def get_handler_name(message: Mapping[str, Any]) -> str:
    """The name of the method that handles a message: its type, with ``_`` for ``.``.

    Raises:
        ValueError: the message has no ``type``, or one that can name no handler.

    Source: Channels 4, ``channels.consumer``.
    """
    if "type" not in message:
        raise ValueError(
            f"a message has no 'type' ({shown(dict(message))}); "
            "{'type': 'index.tick'} calls the handler index_tick(message)"
        )
    kind = message["type"]
    if not isinstance(kind, str) or not kind:
        raise ValueError(
            f"the 'type' of a message is {shown(kind)}; it is a str, such as 'index.tick'"
        )
    name = kind.replace(".", "_")
    if name.startswith("_"):
        raise ValueError(
            f"type {kind!r} would name {name!r}, and nothing with a leading underscore is a "
            f"handler; use {kind.lstrip('._') or 'index.tick'!r}"
        )
    return name


def type_of(message: Any) -> str:
    """The type of a message for a sentence, whatever it is."""
    return str(message.get("type")) if isinstance(message, Mapping) else shown(message)


def handler_of(consumer: type, message: Any, protocol: str | None) -> str | Unreached:
    """The name of the handler in ``consumer`` for ``message``, or why there is none.

    Args:
        consumer: the class.
        message: what came.
        protocol: the type of the scope (``"websocket"``, or empty if it has none) if it came from
            the server; ``None`` if it came from a layer.
    """
    if not isinstance(message, Mapping):
        return Unreached(
            "missing-type", f"{consumer.__name__} got {shown(message)}; a message is a dict"
        )
    try:
        name = get_handler_name(message)
    except ValueError as error:
        kind = "no-handler" if "underscore" in str(error) else "missing-type"
        return Unreached(kind, f"{consumer.__name__}: {error}")
    sent = str(message["type"])
    if protocol is None:
        return _from_layer(consumer, sent, name)
    return _from_protocol(consumer, sent, name, protocol)


def handlers_of(consumer: type) -> Iterator[str]:
    """The names of the handlers that layer messages reach: the public methods the user added."""
    names = {name for c in consumer.__mro__ if not _ours(c) for name in vars(c)}
    return (name for name in sorted(names) if _added(consumer, name) and name not in EVENTS)


def _from_layer(consumer: type, sent: str, name: str) -> str | Unreached:
    if name in EVENTS:
        why = "only the server sends protocol events"
    elif _inherited(consumer, name):
        why = f"{name!r} belongs to {_owner(consumer, name)}"
    elif _added(consumer, name):
        return name
    else:
        return _missing(consumer, sent, name)
    other = f"{sent.replace('_', '.')}.message".lstrip(".")
    return Unreached(
        "not-reachable",
        f"{consumer.__name__} got the type {sent!r} from its channel: {why}, and layer messages "
        f"reach only what your class adds; rename it, such as type {other!r} with the handler "
        f"{other.replace('.', '_')}",
    )


def _from_protocol(consumer: type, sent: str, name: str, protocol: str) -> str | Unreached:
    if protocol and not sent.startswith(f"{protocol}."):
        return Unreached(
            "not-reachable",
            f"{consumer.__name__} got the type {sent!r} from the server of a {protocol!r} scope, "
            f"whose events start with '{protocol}.'; to call {name}, send to its channel",
        )
    if (name in EVENTS and _is_method(consumer, name)) or _added(consumer, name):
        return name
    return _missing(consumer, sent, name)


def _missing(consumer: type, sent: str, name: str) -> Unreached:
    known = list(handlers_of(consumer))
    near = near_match(name, known)
    if near:
        remedy = f"did you mean type {near.replace('_', '.')!r}? It calls {near}"
    else:
        remedy = f"add `async def {name}(self, event)` to the class" + (
            f"; it has {', '.join(known[:8])}" if known else ""
        )
        if getattr(consumer, "_sync", False):
            remedy = remedy.replace("async def", "def")
    return Unreached(
        "no-handler", f"{consumer.__name__} has no handler {name!r} for the type {sent!r}; {remedy}"
    )


def _added(consumer: type, name: str) -> bool:
    """Whether the user's class adds this method: no base class of ours has the name."""
    if name.startswith("_") or _inherited(consumer, name):
        return False
    return _is_method(consumer, name)


def _inherited(consumer: type, name: str) -> bool:
    return any(_ours(c) and name in _names(c) for c in consumer.__mro__)


def _owner(consumer: type, name: str) -> str:
    return next(c.__name__ for c in consumer.__mro__ if _ours(c) and name in _names(c))


@functools.cache  # our own classes are few
def _names(ours: type) -> frozenset[str]:
    return frozenset({*vars(ours), *inspect.get_annotations(ours)})


def _is_method(consumer: type, name: str) -> bool:
    # Not getattr: that would find what classes have of their metaclass, and run properties.
    found = next((vars(c)[name] for c in consumer.__mro__ if name in vars(c)), None)
    if isinstance(found, (staticmethod, classmethod)):
        return True
    return callable(found) and not isinstance(found, type)


def _ours(c: type) -> bool:
    return c is object or c.__module__.partition(".")[0] == "nbchannels"
