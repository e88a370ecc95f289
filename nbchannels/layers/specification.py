"""Channels' layer specification, as classes of others keep it: what they have and raise."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    EncodingError,
    LayerUnavailable,
    MessageTooLarge,
)
from nbchannels.typing import Kind

__all__ = ["METHODS", "closer_of", "has_specification", "method_of", "option_of", "translated"]

#: What every class has; a group's members and a channel's receivers are known to it alone.
METHODS = ("send", "receive", "new_channel", "group_add", "group_discard", "group_send")

#: By the class's name. Everywhere else ``flush`` forgets what is in Redis; here it is the end of
#: subscriptions and connections, without which its task runs for ever.
CLOSERS = {"": ("close", "close_pools"), "RedisPubSubChannelLayer": ("flush",)}


def has_specification(layer: Any) -> bool:
    """Whether an object has what the specification asks for, the groups extension included."""
    return all(method_of(layer, name) is not None for name in METHODS)


def method_of(layer: Any, name: str) -> Callable[..., Awaitable[Any]] | None:
    """A method of a foreign layer, if it has it."""
    try:
        found = getattr(layer, name, None)
    except RuntimeError:  # it looks at the running loop
        return None
    return found if callable(found) else None


def option_of(layer: Any, name: str) -> Any:
    """What a foreign layer tells of itself; ``None`` if it does not.

    Only what stands on it: what it would make when asked may belong to the loop that asks.
    """
    try:
        inspect.getattr_static(layer, name)
    except AttributeError:
        return None
    return getattr(layer, name)


def closer_of(layer: Any) -> Callable[[], Awaitable[Any]] | None:
    """What gives back the connections of a foreign layer, and forgets nothing that others have.

    The specification has no such method; each class has another one, or none.
    """
    for name in CLOSERS.get(type(layer).__name__, CLOSERS[""]):
        close = method_of(layer, name)
        if close is not None:
            return close
    return None


def translated(error: Exception, who: str, kind: Kind, name: str, capacity: int) -> ChannelsError:
    """What an error of a foreign layer is here.

    Args:
        error: that it raised.
        who: the name of its class.
        kind: what it was asked about.
        name: of that.
        capacity: of the channel, if it is known, else 0.

    Returns:
        `ChannelFull` and `MessageTooLarge` for those of that name; `EncodingError` for what its
        encoding does not take; `LayerUnavailable`, which may pass, for all others.
    """
    if isinstance(error, ChannelsError):
        return error
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    names = {base.__name__ for base in type(error).__mro__}
    if "ChannelFull" in names:
        if capacity:
            return ChannelFull(channel=name, capacity=capacity)
        return ChannelFull(f"{kind} {name!r} is full, says {who}; receive faster", channel=name)
    if "MessageTooLarge" in names:
        return MessageTooLarge(f"a message to {kind} {name!r} is too large for {who}: {said}")
    if isinstance(error, (TypeError, ValueError, OverflowError, AssertionError)):
        return EncodingError(
            f"{who} does not take this message to {kind} {name!r}: {said}; send text, numbers, "
            "lists and dicts"
        )
    return LayerUnavailable(f"{who} does not answer ({said})")
