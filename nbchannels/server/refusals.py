"""What the server answers itself when no consumer does: a status, and a sentence for a person.

Whoever reads it is a client, in the worst case a stranger: it names no file and shows no traceback.
"""

from collections.abc import Mapping
from types import MappingProxyType

from nbchannels.exceptions import ChannelsError
from nbchannels.server.api import STATUS

__all__ = ["Lost", "Refused", "lost", "no_answer", "nobody_serves", "too_large", "unsent"]

_NONE: Mapping[str, str] = MappingProxyType({})


class Lost(ChannelsError):
    """The conversation ended before the answer was complete.

    Attributes:
        why: ``died``: the kernel that had it is gone; ``failed``: its consumer raised;
            ``expired``: nobody took it in time.
    """

    def __init__(self, why: str, sentence: str) -> None:
        super().__init__(sentence)
        self.why = why


class Refused(ChannelsError):
    """What the server answers itself.

    Attributes:
        status: of the answer.
        headers: that belong to it.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] = _NONE) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


def nobody_serves(channel: str, shown: str, remedy: str, *, is_shared: bool = False) -> Refused:
    """No consumer's route matches.

    Args:
        channel: ``http.request`` or ``websocket.connect``.
        shown: the request.
        remedy: what a consumer of this channel does.
        is_shared: there are other servers on the same layer: their consumers are not asked.
    """
    where = " on this server" if is_shared else ""
    only = (
        " (a request is answered by the server that took it: consumers in kernels of other "
        "servers, and in processes that use the layer themselves, do not get it)"
    )
    return _again(
        f"no consumer{where} serves {shown}{only if is_shared else ''}; in a notebook: "
        f"@nb.consume({channel!r}) above a function that takes the message and {remedy} on "
        "message.reply_channel"
    )


def no_answer(shown: str, seconds: float) -> Refused:
    """No reply came in time."""
    return Refused(
        504,
        f"no reply to {shown} within {seconds:g} s; its consumer may be busy, "
        "or did not reply on message.reply_channel",
    )


def too_large(size: int, limit: int) -> Refused:
    """A body over the limit, in bytes."""
    return Refused(
        413,
        f"the body has {size:,} bytes, the limit is {limit:,}; send it in parts, "
        "or raise c.NbChannels.max_upload",
    )


def unsent(shown: str, error: ChannelsError) -> Refused:
    """The request could not be handed on."""
    status = {"full": 503}.get(error.code, STATUS.get(error.code, 500))
    sentence = f"{shown} cannot be handed on: {error}"
    return _again(sentence) if status == 503 else Refused(status, sentence)


def lost(shown: str, error: Lost) -> Refused:
    """The conversation ended before there was an answer."""
    if error.why == "failed":
        return Refused(500, f"the consumer of {shown} failed: {error}")
    if error.why == "died":
        return _again(f"the kernel that had {shown} is gone: {error}; try again")
    return _again(f"no consumer took {shown} in time: {error}; try again")


def _again(sentence: str) -> Refused:
    return Refused(503, sentence, {"Retry-After": "1"})
