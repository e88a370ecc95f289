"""The vocabulary of types: what a message and an application are."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal, TypeAlias

__all__ = ["ASGIApplication", "Kind", "MessageDict", "Receive", "Scope", "Send"]

#: One message: a dict with str keys, of values that `nbchannels.encoding` can encode.
MessageDict: TypeAlias = dict[str, Any]
#: What a name on the wire is a name of.
Kind: TypeAlias = Literal["group", "channel"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MessageDict]]
Send: TypeAlias = Callable[[MessageDict], Awaitable[None]]
ASGIApplication: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
