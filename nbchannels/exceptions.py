"""Every error of nbchannels, in one tree.

::

    ChannelsError
    ├── InvalidName            (TypeError, ValueError)   a name of bad form
    ├── InvalidMessage         (TypeError, ValueError)   content that is not a dict
    │   └── EncodingError                                a value inside it that has no encoding
    ├── MessageTooLarge        (ValueError)
    ├── ChannelFull
    ├── ChannelClosed
    ├── InvalidChannelLayerError (ValueError)            an unknown alias, a wrong configuration
    ├── LayerUnavailable       (ConnectionError)         the server or Redis cannot be reached
    │   └── ServerNotFound                               no server with the extension: what to run
    ├── OutOfOrder                                   an earlier message was refused for a time
    ├── PermissionDenied       (PermissionError)
    ├── DeliveryUnknown        (TimeoutError)            written, but not acknowledged in time
    ├── SendTimeout            (TimeoutError)            not written in time, withdrawn
    ├── WouldDeadlock          (RuntimeError)            a sync call that could only wait for itself
    ├── NoConsumer             (LookupError)             nobody serves the channel that was asked
    ├── ConsumerFailed                               the consumer that was asked raised
    ├── NotFound               (LookupError)             no dead letter, no client of that number
    ├── RecordingError         (OSError)                 a recording cannot be written or read
    ├── NoRoute      (LookupError, ValueError)           no route leads to an application
    ├── ImproperlyConfigured   (ValueError)              a routing or an application of no use
    ├── RequestAborted                                   the HTTP client has gone
    │   └── RequestTimeout                               its body did not come in time
    └── ProtocolError
        ├── LocalProtocolError                           our own code broke the protocol
        └── RemoteProtocolError                          the peer did: ``close_code``

What a consumer raises to say something is no error, and stands beside the tree: `ConsumeLater`,
`StopConsumer`, `AcceptConnection`, `DenyConnection`, `ResponseLater`.

Attributes come first and the sentence is built from them: the value, the limit, the remedy.
"""

import reprlib
from typing import Any

__all__ = [
    "AcceptConnection",
    "ChannelClosed",
    "ChannelFull",
    "ChannelsError",
    "ConsumeLater",
    "ConsumerFailed",
    "DeliveryUnknown",
    "DenyConnection",
    "EncodingError",
    "ImproperlyConfigured",
    "InvalidChannelLayerError",
    "InvalidMessage",
    "InvalidName",
    "LayerUnavailable",
    "LocalProtocolError",
    "MessageTooLarge",
    "NoConsumer",
    "NoRoute",
    "NotFound",
    "OutOfOrder",
    "PermissionDenied",
    "ProtocolError",
    "RecordingError",
    "RemoteProtocolError",
    "RequestAborted",
    "RequestTimeout",
    "ResponseLater",
    "SendTimeout",
    "ServerNotFound",
    "StopConsumer",
    "WouldDeadlock",
    "from_wire",
    "shown",
]


class ChannelsError(Exception):
    """The root of all errors of nbchannels.

    Attributes:
        code: the word for this error on the wire and in REST answers.
        temporary: whether the same call may succeed later without a change.
    """

    code = "internal"
    temporary = False

    def to_wire(self) -> dict[str, Any]:
        """The error as it travels in ``rejected``, ``error`` and REST answers."""
        details = {k: v for k, v in vars(self).items() if isinstance(v, (str, int, float))}
        return {"code": self.code, "message": str(self), "temporary": self.temporary} | details


class InvalidName(ChannelsError, TypeError, ValueError):
    """A channel or group name of bad form.

    Both a ``TypeError`` (Channels' ``Channel``) and a ``ValueError`` (its ``Group``).
    """

    code = "bad_name"


class InvalidMessage(ChannelsError, TypeError, ValueError):
    """Content that is not a message: not a ``dict`` or not a table."""

    code = "bad_message"


class EncodingError(InvalidMessage):
    """A value inside a message has no encoding, or a body cannot be decoded.

    Attributes:
        path: where the value stands, as one would write it: ``msg['a'][3]``.
    """

    def __init__(self, message: str, path: str = "msg") -> None:
        super().__init__(message)
        self.path = path


class MessageTooLarge(ChannelsError, ValueError):
    """An encoded message is larger than the layer takes.

    Attributes:
        size: of the encoded message, in bytes.
        limit: in bytes.
    """

    code = "too_large"

    def __init__(self, message: str = "", *, size: int = 0, limit: int = 0) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            message
            or f"the encoded message has {size:,} bytes, the limit is {limit:,}; "
            "send it in parts, or store it and send where it is"
        )


class ChannelFull(ChannelsError):
    """A channel holds as many messages as it takes; this one was not stored.

    Attributes:
        channel: its name.
        capacity: in messages.
    """

    code = "full"

    def __init__(self, message: str = "", *, channel: str = "", capacity: int = 0) -> None:
        self.channel = channel
        self.capacity = capacity
        super().__init__(
            message
            or f"channel {channel!r} is full: {capacity} messages wait, capacity {capacity}; "
            "receive faster, or raise its capacity with "
            f"channel_capacity={{{channel!r}: {max(2 * capacity, 100)}}}"
        )


class ChannelClosed(ChannelsError):
    """``close_channel`` was called while someone waited to receive from it."""

    code = "closed"


class InvalidChannelLayerError(ChannelsError, ValueError):
    """An unknown alias, or a configuration that cannot be used."""

    code = "bad_request"


class LayerUnavailable(ChannelsError, ConnectionError):
    """What hosts the layer cannot be reached now."""

    code = "unavailable"
    temporary = True


class ServerNotFound(LayerUnavailable):
    """No Jupyter server with the extension was found; the sentence says what to run, and where."""

    temporary = False


class OutOfOrder(ChannelsError):
    """An earlier message of the same sender to the same target was refused for a time.

    It has to come again before this one, or be withdrawn.
    """

    code = "out_of_order"
    temporary = True


class PermissionDenied(ChannelsError, PermissionError):
    """The policy of the server does not allow this."""

    code = "forbidden"


class DeliveryUnknown(ChannelsError, TimeoutError):
    """The message was written to the connection, but no acknowledgement came in time.

    It may still arrive, and it is sent again after a reconnect. ``receipt`` is the pending
    receipt: ``error.receipt.wait(30)`` waits on.
    """

    code = "unavailable"
    temporary = True

    def __init__(self, message: str, receipt: Any = None) -> None:
        super().__init__(message)
        self.receipt = receipt


class SendTimeout(ChannelsError, TimeoutError):
    """The message could not be written in time and was withdrawn: it will not arrive."""

    code = "unavailable"
    temporary = True


class WouldDeadlock(ChannelsError, RuntimeError):
    """A synchronous call on a thread that would have to answer it."""


class NoConsumer(ChannelsError, LookupError):
    """Nobody serves the channel of a question."""

    code = "no_consumer"


class ConsumerFailed(ChannelsError):
    """The consumer of a question raised; the sentence has its error."""

    code = "consumer_failed"


class NotFound(ChannelsError, LookupError):
    """There is nothing of that number."""

    code = "not_found"


class RecordingError(ChannelsError, OSError):
    """A recording cannot be written or read; the sentence says which, why, and what to do."""


class NoRoute(ChannelsError, LookupError, ValueError):
    """No route leads to an application. A ``ValueError``, as in Channels 4's routers.

    Attributes:
        path: what was looked for: a path, a channel, a type of scope.
    """

    code = "no_route"

    def __init__(self, message: str = "", *, path: str = "") -> None:
        self.path = path
        super().__init__(message or f"No route found for path {path!r}.")


class ImproperlyConfigured(ChannelsError, ValueError):
    """A routing, a middleware or an application that cannot be used as it is written.

    Source: ``django.core.exceptions``, which Channels 1.x and 4 raise.
    """

    code = "bad_request"


class RequestAborted(ChannelsError):
    """The HTTP client went away before its request was read."""

    code = "aborted"


class RequestTimeout(RequestAborted):
    """The body of an HTTP request did not come in time."""

    code = "timeout"


class ConsumeLater(Exception):
    """Raised by a consumer: put this message at the back of its channel; 10 times at most.

    Source: the Channels 1.x Reference, "Consumers".
    """


class StopConsumer(Exception):
    """Raised by a consumer class: it has finished; its application ends without an error.

    Source: Channels 4, ``channels.exceptions``.
    """


class AcceptConnection(Exception):
    """Raised in ``connect`` of a WebSocket consumer: accept. Source: Channels 4."""


class DenyConnection(Exception):
    """Raised in ``connect`` of a WebSocket consumer: refuse. Source: Channels 1.x and 4."""


class ResponseLater(Exception):
    """Raised behind `AsgiHandler`: somebody else answers this request. Source: Channels 1.x."""


class ProtocolError(ChannelsError):
    """A rule of the wire protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our own code called the protocol core wrongly."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    Attributes:
        reason: one word, as in the vectors.
        close_code: the WebSocket close code that answers it.
    """

    code = "bad_request"

    def __init__(self, reason: str, message: str, close_code: int = 4501) -> None:
        super().__init__(message)
        self.reason = reason
        self.close_code = close_code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, str(self), self.close_code), vars(self)


_BY_CODE: dict[str, type[ChannelsError]] = {
    "bad_name": InvalidName,
    "bad_message": InvalidMessage,
    "closed": ChannelClosed,
    "unavailable": LayerUnavailable,
    "forbidden": PermissionDenied,
    "no_consumer": NoConsumer,
    "not_found": NotFound,
}


def from_wire(error: dict[str, Any]) -> ChannelsError:
    """The exception that an ``error`` record of the server stands for; it never raises itself.

    ``code``, ``message`` and ``temporary`` are as the server said them. An error that has no class
    of its own here is a plain `ChannelsError`.
    """
    code, message = str(error.get("code", "internal")), str(error.get("message", ""))
    found: ChannelsError
    if code == "full":
        channel = str(error.get("channel", ""))
        found = ChannelFull(message, channel=channel, capacity=_count(error.get("capacity")))
    elif code == "too_large":
        size, limit = _count(error.get("size")), _count(error.get("limit"))
        found = MessageTooLarge(message, size=size, limit=limit)
    elif code == "bad_message" and isinstance(error.get("path"), str):
        found = EncodingError(message, error["path"])
    else:
        found = _BY_CODE.get(code, ChannelsError)(message)
    if found.code != code:
        found.code = code
    temporary = error.get("temporary", found.temporary)
    if isinstance(temporary, bool) and temporary != found.temporary:
        found.temporary = temporary
    return found


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def shown(value: Any) -> str:
    """A value for a sentence: its type and the beginning of its repr, on one line."""
    if value is None:
        return "None"
    name = type(value).__name__
    named = f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
    try:
        text = " ".join(_BRIEF.repr(value).split())
    except Exception:  # a repr that raises must not hide the error that is being told
        return named
    return f"{named}: {text if len(text) <= 60 else f'{text[:57]}...'}"


# The repr of a list of ten million values is never made.
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxdict, _BRIEF.maxother = 3, 8, 60
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxset = _BRIEF.maxfrozenset = 10
_BRIEF.maxdeque = _BRIEF.maxarray = 10
_BRIEF.maxstring, _BRIEF.maxlong = 60, 60
