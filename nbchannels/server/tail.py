"""The newest messages of all groups and channels, for who watches them go by.

A ring of references, filled only while somebody looks; it ends by itself when nobody asks any more.
"""

import binascii
import fnmatch
import functools
import threading
import time
from collections import deque
from typing import Any, NamedTuple

from nbchannels.encoding import RAW, Encoded
from nbchannels.exceptions import ChannelsError
from nbchannels.protocol.events import MESSAGE, Record
from nbchannels.redaction import Redaction
from nbchannels.server.preview import CODECS, describe
from nbchannels.typing import Kind

__all__ = ["Passed", "Tail", "Wanted", "shortened"]

#: Messages in the ring, and their bytes.
MOST, MOST_BYTES = 1_000, 32 * 2**20
#: Seconds without a question after which nothing more is recorded.
PATIENCE = 10.0
#: Messages in one answer; characters, items and levels of a preview.
MOST_ROWS, MOST_TEXT, MOST_ITEMS, DEPTH = 50, 200, 20, 4


class Passed(NamedTuple):
    """A message that went by."""

    number: int
    kind: Kind
    name: str
    time: float
    sender: int
    encoded: Encoded
    offset: int | None


#: As `Passed` itself, without its keywords: it is called for each message that goes by.
_passed = functools.partial(tuple.__new__, Passed)


class Wanted(NamedTuple):
    """Which messages somebody wants to see.

    Attributes:
        name: a glob of group and channel names.
        text: that the encoded message has in it.
        sender: the number of the connection that sent it.
        least: bytes.
        kind: ``"group"`` or ``"channel"``.
    """

    name: str | None = None
    text: str | None = None
    sender: int | None = None
    least: int | None = None
    kind: Kind | None = None

    def has(self, passed: Passed) -> bool:
        """Whether this is one of them."""
        return (
            (self.kind is None or passed.kind == self.kind)
            and (self.sender is None or passed.sender == self.sender)
            and (self.least is None or len(passed.encoded.body) >= self.least)
            and (self.name is None or fnmatch.fnmatchcase(passed.name, self.name))
            and (self.text is None or self.text.encode() in bytes(passed.encoded.body))
        )


EVERYTHING = Wanted()


class Tail:
    """The ring.

    Args:
        redact: globs of keys whose values are not shown.

    Raises:
        ValueError: a glob that can hide nothing, see `nbchannels.redaction.key_pattern`.
    """

    def __init__(self, redact: list[str] | None = None) -> None:
        self.top = 0
        self.redaction = Redaction(redact or ())
        self._ring: deque[Passed] = deque(maxlen=MOST)
        self._bytes = 0
        self._lock = threading.Lock()
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether somebody looks."""
        return time.monotonic() < self._until

    def look(self) -> None:
        """Somebody looks, for some more seconds."""
        self._until = time.monotonic() + PATIENCE

    def stop(self) -> None:
        """Nobody looks: the messages are forgotten."""
        self._until = 0.0
        with self._lock:
            self._ring.clear()
            self._bytes = 0

    def note(
        self, kind: Kind, name: str, encoded: Encoded, when: float, sender: int, offset: int | None
    ) -> None:
        """A message went by; called by the layer, on any thread, while `is_on`."""
        size = len(encoded.body)
        with self._lock:
            ring = self._ring
            self.top = number = self.top + 1
            if len(ring) == MOST:
                self._bytes -= len(ring[0].encoded.body)
            ring.append(_passed((number, kind, name, when, sender, encoded, offset)))
            self._bytes = total = self._bytes + size
            if total > MOST_BYTES:
                self._shrink()

    def _shrink(self) -> None:
        while self._bytes > MOST_BYTES and len(self._ring) > 1:
            self._bytes -= len(self._ring.popleft().encoded.body)

    def read(
        self, after: int, limit: int, wanted: Wanted, may: Any, *, oldest_first: bool = False
    ) -> dict[str, Any]:
        """The newest messages after a number, or the oldest, to go on from there.

        Args:
            after: their numbers are higher.
            limit: as many at most.
            wanted: which.
            may: ``may(kind, name)``: whether the reader may read it.
            oldest_first: give the oldest and leave the newest for the next call, so that only
                what fell out of the ring is missed.

        Returns:
            ``top``, the number to go on after; ``missed``, how many there were that are not here
            and will not come; ``rows``.
        """
        with self._lock:
            passed, top = list(self._ring), self.top
        oldest = top - len(passed) + 1
        passed = passed[max(0, after + 1 - oldest) :]  # their numbers have no holes
        if wanted != EVERYTHING:
            passed = [p for p in passed if wanted.has(p)]
        readable = {place: may(*place) for place in {(p.kind, p.name) for p in passed}}
        found = [p for p in passed if readable[p.kind, p.name]]
        limit, missed = min(limit, MOST_ROWS), max(0, oldest - after - 1)
        if oldest_first:
            rows = found[:limit]
            top = rows[-1].number if len(found) > limit else top
        else:
            rows = found[-limit:]
            missed += len(found) - len(rows)
        return {"top": top, "missed": missed, "rows": [self._row(p) for p in rows]}

    def message(self, number: int) -> Passed | None:
        """The message of this number, if it is still there."""
        with self._lock:
            return next((p for p in self._ring if p.number == number), None)

    def _row(self, passed: Passed) -> list[Any]:
        told = self.describe(passed)
        return [
            passed.number, passed.kind, passed.name, passed.time, passed.sender,
            len(passed.encoded.body), CODECS.get(passed.encoded.codec, "raw"), passed.offset,
            shortened(told["message"]), told["omitted"],
        ]  # fmt: skip

    def describe(self, passed: Passed) -> dict[str, Any]:
        """Its content as JSON for people, without what is not shown; ``hidden``: the bytes, too."""
        codec, body = passed.encoded
        record = Record(
            MESSAGE, codec, 0, passed.name, 0, 0, passed.number, passed.time, passed.sender, body
        )
        try:
            told = describe(record)
        except ChannelsError as error:  # what cannot be decoded is told, not raised
            told = {"message": None, "omitted": str(error)[:500]}
        shown = self.redaction.apply(told["message"])
        # The bytes would show what the keys hide; what has no keys hides nothing.
        differs = shown is None or shown != told["message"]
        hidden = bool(self.redaction) and codec != RAW and differs
        return told | {"message": shown, "hidden": hidden}

    @staticmethod
    def hexadecimal(passed: Passed) -> str:
        """The first bytes of it."""
        return binascii.hexlify(bytes(passed.encoded.body[:512])).decode()


def shortened(value: Any, depth: int = DEPTH) -> Any:
    """A preview: long texts, lists and objects are cut, deep ones left out."""
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 1] + "…"
    if isinstance(value, dict):
        if depth == 0:
            return "{…}"
        cut = {str(k)[:MOST_TEXT]: shortened(v, depth - 1) for k, v in _first(value.items())}
        return cut | ({"…": f"{len(value) - MOST_ITEMS} more"} if len(value) > MOST_ITEMS else {})
    if isinstance(value, list):
        if depth == 0:
            return "[…]"
        cut_list = [shortened(item, depth - 1) for item in _first(value)]
        return cut_list + ([f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else [])
    return value


def _first(items: Any) -> Any:
    return [item for item, _ in zip(items, range(MOST_ITEMS), strict=False)]
