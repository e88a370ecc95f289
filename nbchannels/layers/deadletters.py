"""Where messages go that nobody worked on: bounded, to be looked at, sent again or discarded.

Pure state: the layer's lock guards it, ``now`` is handed in.
"""

from collections import Counter, OrderedDict
from typing import Any, Literal, NamedTuple, TypeAlias

from nbchannels.decoding import decode
from nbchannels.exceptions import EncodingError
from nbchannels.layers.mailbox import Letter

__all__ = ["DeadLetter", "DeadLetters", "Reason"]

#: ``expired``: nobody took it in time. ``failed``: its consumer raised. ``retries``: its consumer
#: asked for later too often. ``returns``: its holders died.
Reason: TypeAlias = Literal["expired", "failed", "retries", "returns"]

#: Characters of an error's sentence and of its traceback that are kept.
MOST_ERROR, MOST_TRACEBACK = 500, 8_000


class DeadLetter(NamedTuple):
    """One message that was given up.

    Attributes:
        number: to send it again or discard it.
        channel: it came from.
        letter: as it was.
        reason: why it is here.
        error: a sentence.
        traceback: of its consumer's error; empty without one.
        consumer: who had it last; empty if nobody.
        time: when it was given up, in seconds since 1970.
    """

    number: int
    channel: str
    letter: Letter
    reason: Reason
    error: str
    traceback: str
    consumer: str
    time: float

    def describe(self, traceback: int = MOST_TRACEBACK) -> dict[str, Any]:
        """For people: what it is and why it is here, with so many characters of the traceback."""
        letter = self.letter
        return {
            "number": self.number,
            "channel": self.channel,
            "reason": self.reason,
            "error": self.error,
            "traceback": self.traceback[-traceback:],
            "consumer": self.consumer,
            "time": self.time,
            "sent": letter.time,
            "retries": letter.retries,
            "returns": letter.returns,
            "bytes": len(letter.encoded.body),
        }

    def content(self) -> Any:
        """The message, or a sentence on why it cannot be read."""
        try:
            return decode(*self.letter.encoded)
        except EncodingError as error:
            return {"unreadable": str(error)}


class DeadLetters:
    """The newest dead letters of a layer.

    Args:
        most: how many are kept; the oldest goes.
        most_bytes: of their bodies together.
    """

    def __init__(self, most: int = 1_000, most_bytes: int = 16 * 2**20) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.bytes = 0
        #: How many were dropped because newer ones came.
        self.forgotten = 0
        #: How many there were since the beginning.
        self.count = 0
        #: How many of them for each reason.
        self.reasons: Counter[Reason] = Counter()
        self._letters: OrderedDict[int, DeadLetter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._letters)

    def bury(
        self,
        channel: str,
        letter: Letter,
        reason: Reason,
        now: float,
        error: str = "",
        traceback: str = "",
        consumer: str = "",
    ) -> DeadLetter:
        """Keep a letter that was given up."""
        self.count += 1
        self.reasons[reason] += 1
        dead = DeadLetter(
            self.count, channel, letter, reason, error[:MOST_ERROR],
            traceback[-MOST_TRACEBACK:], consumer[:MOST_ERROR], now,
        )  # fmt: skip
        self._letters[dead.number] = dead
        self.bytes += len(letter.encoded.body)
        while len(self._letters) > self.most or (
            self.bytes > self.most_bytes and len(self._letters) > 1
        ):
            _, oldest = self._letters.popitem(last=False)
            self.bytes -= len(oldest.letter.encoded.body)
            self.forgotten += 1
        return dead

    def get(self, number: Any) -> DeadLetter | None:
        """The one of this number."""
        return self._letters.get(number) if type(number) is int else None

    def take(self, number: Any) -> DeadLetter | None:
        """Remove one and return it."""
        dead = self._letters.pop(number, None) if type(number) is int else None
        if dead is not None:
            self.bytes -= len(dead.letter.encoded.body)
        return dead

    def put_back(self, dead: DeadLetter) -> None:
        """What was taken could not be sent again: it stands where it stood."""
        self._letters[dead.number] = dead
        self._letters = OrderedDict(sorted(self._letters.items()))
        self.bytes += len(dead.letter.encoded.body)

    def newest(self, limit: int, channel: str | None = None) -> list[DeadLetter]:
        """The newest, newest first; of one channel if it is named."""
        found: list[DeadLetter] = []
        for dead in reversed(self._letters.values()):
            if channel is None or dead.channel == channel:
                if len(found) >= limit:
                    break
                found.append(dead)
        return found

    def clear(self) -> None:
        """Forget all."""
        self._letters.clear()
        self.bytes = 0
