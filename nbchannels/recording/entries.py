"""What a recording holds: entries, gaps, and how they are named in an MCAP file.

Each group is a topic, with one MCAP channel for each codec that its messages have. A message's
``log_time`` and ``publish_time`` are the layer's time in nanoseconds, its ``sequence`` is the
offset (its lower 32 bits), its data the body as it was sent. What an MCAP message has no field for
(epoch, exact offset, tag, sender) stands in the topic `ENTRIES`, once for each chunk and group;
what was lost before it could be recorded stands in the topic `GAPS`, at its place.
"""

from typing import Any, NamedTuple

from nbchannels.encoding import ARROW, JSON, MSGPACK, RAW

__all__ = [
    "CODECS",
    "ENCODINGS",
    "END",
    "ENTRIES",
    "GAPS",
    "HEAD",
    "PROFILE",
    "Entry",
    "Gap",
    "counted",
    "nanoseconds",
    "seconds",
]

PROFILE = "nbchannels"
#: MCAP's ``message_encoding`` by codec: its own word for JSON, else media types.
ENCODINGS = {
    RAW: "application/octet-stream",
    JSON: "json",
    MSGPACK: "application/vnd.nbchannels.msgpack",
    ARROW: "application/vnd.apache.arrow.stream",
}
CODECS = {encoding: codec for codec, encoding in ENCODINGS.items()}
#: Topics of ours; no group of a user's has such a name.
ENTRIES, GAPS = "nbchannels.entries", "nbchannels.gaps"
#: MCAP metadata at the beginning and at the end of a file.
HEAD, END = "nbchannels.recording", "nbchannels.end"

_WHY = {
    "trimmed": "they had left the group's history before they could be recorded",
    "conflated": "the recorder had fallen behind",
    "tag": "the server's history went another way",
    "epoch": "the server was restarted, or the group was forgotten",
    "unreached": "they did not arrive before the recording was stopped",
    "unasked": "the server did not say where the log ends when the recording was stopped",
    "ended": "the subscription was ended",
    "unreadable": "they could not be read, so nothing in them could be hidden",
    "damaged": "the file is damaged there",
}


class Entry(NamedTuple):
    """One recorded message.

    Attributes:
        group: the name of the group.
        codec: of the body.
        body: as it was sent.
        time: nanoseconds since 1970, as the layer stamped it.
        offset: its number in the group's log.
        epoch: of the log; empty where it is not known.
        tag: of the log entry.
        sender: the server's number of the connection that sent it.
        moment: its place on the time line of the recording, nanoseconds since 1970: ``time``, but
            never before the group's entry in front of it.
    """

    group: str
    codec: int
    body: bytes
    time: int
    offset: int
    epoch: str = ""
    tag: int = 0
    sender: int = 0
    moment: int = 0


class Gap(NamedTuple):
    """Messages that are not in the recording.

    Attributes:
        group: the name of the group; empty for all of them.
        reason: one word.
        lost: how many; ``None`` if that is not known.
        first: the offset of the first, if known.
        last: the offset of the last, if known.
        moment: its place on the time line, nanoseconds since 1970.
        detail: an error, in a sentence.
    """

    group: str
    reason: str
    lost: int | None = None
    first: int | None = None
    last: int | None = None
    moment: int = 0
    detail: str = ""

    def __str__(self) -> str:
        of = f"group {self.group!r}: " if self.group else ""
        if self.lost is None:
            what = "messages may be missing here"
        else:
            what = f"{counted(self.lost, 'message')} {'is' if self.lost == 1 else 'are'} missing"
        if self.first is not None and self.last is not None:
            what += f" (offset {self.first} to {self.last})"
        why = _WHY.get(self.reason, self.reason)
        return f"{of}{what}: {why}{f' ({self.detail})' if self.detail else ''}"

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        return self._asdict()

    @classmethod
    def from_json(cls, told: dict[str, Any], moment: int) -> "Gap":
        """What a file says; unknown keys are ignored."""
        known = {name: told[name] for name in cls._fields if name in told}
        return cls(**({"group": "", "reason": "damaged"} | known | {"moment": moment}))


def nanoseconds(time: float) -> int:
    """Seconds as whole nanoseconds, exactly: `seconds` gives the same float again."""
    above, below = time.as_integer_ratio()
    return max((above * 10**9 * 2 + below) // (2 * below), 0)


def seconds(time: int) -> float:
    """Nanoseconds as seconds."""
    return time / 10**9


def counted(number: int, one: str) -> str:
    """``1 message``, ``1,204 messages``."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"
