"""A channel layer as consumers see it: a coroutine that nobody awaits is told.

``self.channel_layer.group_add(...)`` without ``await`` does nothing, and Python says so in a
warning that a notebook never shows. Here the call returns a coroutine that reports when it is
thrown away unused; awaited, or given to ``async_to_sync``, it is as ever.
"""

import contextlib
import functools
import re
import sys
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from nbchannels.diagnoses import report

__all__ = ["WatchedCoroutine", "WatchedLayer", "hear_python", "watch"]

#: Whose coroutines Python's own warning is a diagnosis of.
_OURS = ("Async(Websocket|JsonWebsocket|Http)?Consumer", "Channel", "Group", "Batch")
_NEVER = re.compile(rf"coroutine '(({'|'.join(_OURS)})\.\w+)' was never awaited")


class WatchedCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine that reports if it is never started.

    Args:
        coroutine: the one that does the work.
        subject: what was called, ``IndexConsumer.channel_layer.group_add``.
        remedy: how to write the call.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], subject: str, remedy: str) -> None:
        self._coroutine = coroutine
        self._subject = subject
        self._remedy = remedy
        self._place = _caller()
        self._started = self._told = False
        self.__qualname__ = getattr(coroutine, "__qualname__", subject)

    def send(self, value: Any) -> Any:
        """See ``collections.abc.Coroutine``."""
        self._started = True
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """See ``collections.abc.Coroutine``."""
        self._started = True
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """See ``collections.abc.Coroutine``: not to run it is then meant."""
        self._started = True
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        self._started = True
        return self._coroutine.__await__()

    def __repr__(self) -> str:
        return f"<coroutine {self._subject}(...), from {self._place}>"

    def __del__(self) -> None:
        if self._started:
            return
        self._coroutine.close()  # it would warn on its own
        self.tell()

    def tell(self) -> None:
        """Report that it was not awaited, unless it was or that is told."""
        if self._started or self._told:
            return
        self._told = True
        report(
            "not-awaited",
            f"un-awaited {self._subject}(...): nothing was done; write {self._remedy}",
            subject=self._subject,
            detail=self._place,
        )


class WatchedLayer:
    """A layer whose coroutine methods are watched; all else is the layer's own.

    Args:
        layer: the layer.
        owner: the name of the consumer's class.
        sync: whether its handlers are synchronous: the remedy is another then.
    """

    def __init__(self, layer: Any, owner: str, *, sync: bool) -> None:
        vars(self).update(_layer=layer, _owner=owner, _sync=sync)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._layer, name)
        if not iscoroutinefunction(found):
            return found
        return _watched(found, f"{self._owner}: channel_layer.{name}", self._remedy(name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._layer, name, value)

    # isinstance(), == and hash() see the layer.

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._layer)

    def __eq__(self, other: object) -> bool:
        if type(other) is WatchedLayer:
            return bool(self._layer == other._layer)
        return bool(self._layer == other)

    def __hash__(self) -> int:
        return hash(self._layer)

    def __repr__(self) -> str:
        return repr(self._layer)

    def __dir__(self) -> list[str]:
        return dir(self._layer)

    def _remedy(self, name: str) -> str:
        if self._sync:
            return f"async_to_sync(self.channel_layer.{name})(...)"
        return f"await self.channel_layer.{name}(...)"


def hear_python() -> None:
    """From now on Python's warning of a coroutine of ours that nobody awaited is a diagnosis, too.

    ``super().websocket_receive(message)`` without ``await``: Python prints it, and nobody else
    would know. Idempotent.
    """
    show = warnings.showwarning
    if getattr(show, "_hears_for_nbchannels", False):
        return

    @functools.wraps(show)
    def hear(
        message: Any, category: Any, filename: str, lineno: int, *more: Any, **rest: Any
    ) -> None:
        show(message, category, filename, lineno, *more, **rest)
        found = _NEVER.match(str(message)) if issubclass(category, RuntimeWarning) else None
        if found is not None:
            report(
                "not-awaited",
                f"un-awaited {found[1]}(...): nothing was done; write await in front of the call",
                subject=f"{found[1]} at {filename}, line {lineno}",
                detail=f"{filename}, line {lineno}",
                seen=True,
            )

    hear._hears_for_nbchannels = True  # type: ignore[attr-defined]
    warnings.showwarning = hear


def watch(layer: Any) -> None:
    """Watch the coroutine methods of a layer in a notebook: each says how a cell writes it.

    Idempotent. A layer that takes no attributes is left as it is.
    """
    if "group_send" in getattr(layer, "__dict__", {}) or not hasattr(layer, "group_send"):
        return
    for name in dir(type(layer)):
        found = getattr(type(layer), name, None)
        if name.startswith("_") or not iscoroutinefunction(found):
            continue
        remedy = f"await channel_layer.{name}(...), or async_to_sync(channel_layer.{name})(...)"
        if name in _SHORT:
            remedy += f", or {_SHORT[name]}"
        watched = _watched(getattr(layer, name), f"channel_layer.{name}", remedy)
        with contextlib.suppress(AttributeError):
            setattr(layer, name, watched)


#: What needs no layer.
_SHORT = {
    "send": 'Channel("name").send({...})',
    "group_send": 'Group("name").send({...})',
    "group_add": 'Group("name").add(channel)',
    "group_discard": 'Group("name").discard(channel)',
}


def _watched(
    function: Callable[..., Coroutine[Any, Any, Any]], subject: str, remedy: str
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> WatchedCoroutine:
        return WatchedCoroutine(function(*args, **kwargs), subject, remedy)

    return markcoroutinefunction(call)


def _caller() -> str:
    """The first place in the code that is not ours."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__") == __name__ and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"
