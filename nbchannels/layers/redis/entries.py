"""What stands in Redis: the names of the keys, and messages as bytes.

Every key and every channel of the publish/subscribe side begins with the prefix of the deployment.
What belongs together has one hash tag, ``{g:name}`` for a group: on a cluster it is on one node.
Names of groups and channels have no character that means anything in a pattern.
"""

import re
import struct
from typing import NamedTuple

from nbchannels.encoding import Encoded
from nbchannels.exceptions import EncodingError, InvalidChannelLayerError
from nbchannels.layers.mailbox import Letter
from nbchannels.protocol.events import RETRIED

__all__ = ["Entry", "Keys", "Posted", "inbox_of", "pack_entry", "pack_letter", "unpack_letter"]

_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
# In a log: time and tag, which the script writes; process, sender, codec, flags.
_STAMP = struct.Struct("<dI")
_ENTRY = struct.Struct("<8sIBBxx")
# In a queue: time and expiry, which the script writes; sender, codec, retries, flags.
_TIMES = struct.Struct("<dd")
_LETTER = struct.Struct("<IBBBx")
# In an inbox: time and the length of the channel's name, then a letter.
_ADDRESS = struct.Struct("<dB")


class Keys:
    """The names of keys under one prefix."""

    def __init__(self, prefix: str) -> None:
        if not _PREFIX.fullmatch(str(prefix)):
            raise InvalidChannelLayerError(
                f"prefix is {prefix!r}; it has 1 to 64 ASCII letters, digits, '_', '.', ':', '-'"
            )
        self.prefix = prefix
        self.alive = f"{prefix}:{{processes}}:alive"
        self.dead = [f"{prefix}:{{dead}}:{part}" for part in ("order", "letters", "meta", "known")]

    def group(self, name: str, part: str) -> str:
        """``log meta watch order owners others live who``, or ``by:<producer>``."""
        return f"{self.prefix}:{{g:{name}}}:{part}"

    def channel(self, name: str, part: str) -> str:
        """``queue meta back serve wake``, or ``by:<producer>``."""
        return f"{self.prefix}:{{c:{name}}}:{part}"

    def inbox(self, token: str, part: str) -> str:
        """``inbox full owner wake``, or ``by:<producer>``."""
        return f"{self.prefix}:{{i:{token}}}:{part}"

    def process(self, process: str, part: str) -> str:
        """``channels``: those that it has taken from."""
        return f"{self.prefix}:{{p:{process}}}:{part}"

    def trial(self, number: int) -> str:
        """A key on which commands are tried, and a channel; the number chooses the slot."""
        return f"{self.prefix}:{{t:{number}}}:trial"

    def index(self, kind: str) -> str:
        """The names in use: ``groups`` or ``channels``; ``commons``: a word that all know."""
        return f"{self.prefix}:{{index}}:{kind}"


def inbox_of(channel: str) -> str:
    """Whose a process-local channel is: the word before its ``!``."""
    return channel[: channel.index("!")].rpartition(".")[2]


class Entry(NamedTuple):
    """One message of a log, as Redis has it.

    Attributes:
        offset: in the log.
        tag: random.
        time: seconds since 1970, of Redis.
        process: that sent it.
        sender: the number that its server has for the connection.
        flags: of the record.
        encoded: the message.
    """

    offset: int
    tag: int
    time: float
    process: bytes
    sender: int
    flags: int
    encoded: Encoded

    @classmethod
    def unpack(cls, offset: int, data: bytes) -> "Entry":
        """From the bytes in the stream.

        Raises:
            EncodingError: somebody else wrote there.
        """
        try:
            time, tag = _STAMP.unpack_from(data)
            process, sender, codec, flags = _ENTRY.unpack_from(data, _STAMP.size)
        except struct.error as error:
            raise EncodingError(f"an entry of {len(data)} bytes is none of ours") from error
        body = data[_STAMP.size + _ENTRY.size :]
        return cls(offset, tag, time, process, sender, flags, Encoded(codec, body))


def pack_entry(encoded: Encoded, process: bytes, sender: int, flags: int) -> bytes:
    """A message of a group, for the script."""
    return _ENTRY.pack(process, sender, encoded.codec, flags) + encoded.body


class Posted(NamedTuple):
    """A letter that was taken from Redis, for whoever settles it.

    Attributes:
        id: of its entry in the queue.
        size: bytes that it counts there.
    """

    id: bytes
    size: int


def pack_letter(encoded: Encoded, sender: int, retries: int = 0, flags: int = 0) -> bytes:
    """A message of a channel, for the script."""
    return _LETTER.pack(sender, encoded.codec, retries, flags & RETRIED) + encoded.body


def unpack_letter(id_: bytes, data: bytes, back: bytes) -> tuple[Letter, float]:
    """A letter out of a queue, and when its waiting ends.

    Args:
        id_: of the entry.
        data: of the entry.
        back: what is known of it, if it came back: ``returns expires``.
    """
    try:
        time, expires = _TIMES.unpack_from(data)
        sender, codec, retries, flags = _LETTER.unpack_from(data, _TIMES.size)
    except struct.error as error:
        raise EncodingError(f"an entry of {len(data)} bytes is none of ours") from error
    returns = 0
    if back:
        first, _, second = back.partition(b" ")
        returns, expires = int(first), float(second)
    posted = Posted(id_, len(data) - _TIMES.size)
    encoded = Encoded(codec, data[_TIMES.size + _LETTER.size :])
    # What is in hand does not expire: waiting is counted in Redis.
    letter = Letter(
        encoded, time, float("inf"), sender, redelivered=bool(back or flags), retries=retries,
        returns=returns, posted=posted,
    )  # fmt: skip
    return letter, expires


def unpack_inbox(data: bytes, expiry: float) -> tuple[str, Letter]:
    """A channel, and a letter for it, out of an inbox."""
    try:
        time, length = _ADDRESS.unpack_from(data)
        begin = _ADDRESS.size + length
        channel = data[_ADDRESS.size : begin].decode("ascii")
        sender, codec, retries, flags = _LETTER.unpack_from(data, begin)
    except (struct.error, UnicodeDecodeError) as error:
        raise EncodingError(f"a letter of {len(data)} bytes is none of ours") from error
    encoded = Encoded(codec, data[begin + _LETTER.size :])
    return channel, Letter(
        encoded, time, time + expiry, sender, redelivered=bool(flags), retries=retries
    )
