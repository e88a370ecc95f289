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
    ├── PermissionDenied       (PermissionError)
    ├── DeliveryUnknown        (TimeoutError)            written, but not acknowledged in time
    ├── SendTimeout            (TimeoutError)            not written in time, withdrawn
    ├── WouldDeadlock          (RuntimeError)            a sync call that could only wait for itself
    └── ProtocolError
        ├── LocalProtocolError                           our own code broke the protocol
        └── RemoteProtocolError                          the peer did: ``close_code``

Attributes come first and the sentence is built from them: the value, the limit, the remedy.
"""

from typing import Any

__all__ = [
    "ChannelClosed",
    "ChannelFull",
    "ChannelsError",
    "DeliveryUnknown",
    "EncodingError",
    "InvalidChannelLayerError",
    "InvalidMessage",
    "InvalidName",
    "LayerUnavailable",
    "LocalProtocolError",
    "MessageTooLarge",
    "PermissionDenied",
    "ProtocolError",
    "RemoteProtocolError",
    "SendTimeout",
    "ServerNotFound",
    "WouldDeadlock",
    "from_wire",
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
        details = {
            k: v for k, v in vars(self).items() if isinstance(v, (str, int, float, type(None)))
        }
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
            "receive faster, or raise its capacity with channel_capacity={...}"
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


class _Refused(ChannelsError):
    """An error of the server that has no class of its own here."""

    def __init__(self, message: str, code: str, temporary: bool) -> None:
        super().__init__(message)
        self.code = code
        self.temporary = temporary


_BY_CODE: dict[str, type[ChannelsError]] = {
    "bad_name": InvalidName,
    "bad_message": InvalidMessage,
    "too_large": MessageTooLarge,
    "full": ChannelFull,
    "closed": ChannelClosed,
    "unavailable": LayerUnavailable,
    "forbidden": PermissionDenied,
}


def from_wire(error: dict[str, Any]) -> ChannelsError:
    """The exception that an ``error`` record of the server stands for."""
    code, message = str(error.get("code", "internal")), str(error.get("message", ""))
    if code == "full":
        return ChannelFull(
            message, channel=str(error.get("channel", "")), capacity=int(error.get("capacity", 0))
        )
    if code == "too_large":
        return MessageTooLarge(
            message, size=int(error.get("size", 0)), limit=int(error.get("limit", 0))
        )
    if code in _BY_CODE:
        return _BY_CODE[code](message)
    return _Refused(message, code, bool(error.get("temporary", False)))
