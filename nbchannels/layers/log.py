"""The log of one group in one epoch: what was sent, in order, ready to be written to any socket.

Each entry is kept as the finished MESSAGE record of the wire protocol, encoded once and shared by
all subscribers. Offsets are contiguous: lookup is index arithmetic. The newest entry always stays.
A position is ``(epoch, offset, tag)``; the tag is random per entry, so that a log that went another
way under the same epoch cannot be taken for the one a subscriber knew.
"""

import builtins
from typing import NamedTuple

from nbchannels.encoding import Encoded
from nbchannels.layers.cursor import Anchor, Start
from nbchannels.layers.producers import Producers
from nbchannels.protocol.codec import HEADER_SIZE, encode_record
from nbchannels.protocol.events import MESSAGE, Last, Position, Record

__all__ = ["Entry", "Log"]


class Entry(NamedTuple):
    """One message of a log.

    Attributes:
        offset: 1 for the first.
        tag: random.
        time: seconds since 1970, never less than the entry's before it.
        data: the MESSAGE record.
        end: bytes appended to this log up to and with this entry.
    """

    offset: int
    tag: int
    time: float
    data: bytes
    end: int

    @property
    def begin(self) -> int:
        """Bytes appended to this log before this entry."""
        return self.end - len(self.data)

    def record(self) -> Record:
        """The data record that ``data`` is."""
        codec, flags = self.data[1], self.data[2]
        size = int.from_bytes(self.data[4:8], "little")
        log = int.from_bytes(self.data[8:12], "little")
        sender = int.from_bytes(self.data[32:36], "little")
        body = memoryview(self.data)[HEADER_SIZE : HEADER_SIZE + size]
        return Record(
            MESSAGE, codec, flags, "", log, self.tag, self.offset, self.time, sender, body,
            len(self.data),
        )  # fmt: skip


class Log:
    """A bounded list of entries.

    Not thread-safe: its layer's lock guards it. ``now``, tags and epochs are handed in.

    Args:
        number: its server-wide id on the wire.
        epoch: random, of this log.
        max_messages: entries kept.
        max_bytes: of all entries kept.
        before: the epochs of this group that `clear` ended, the newest last.
        top: the offset before the first entry that will come, where the log is kept elsewhere.
        edge: the tag of the entry at ``top``.
    """

    __slots__ = (
        "_edge",
        "_entries",
        "_skip",
        "before",
        "end",
        "epoch",
        "max_bytes",
        "max_messages",
        "number",
        "producers",
        "shared",
        "start",
        "time",
        "top",
    )

    def __init__(
        self,
        number: int,
        epoch: str,
        max_messages: int = 10_000,
        max_bytes: int = 16 * 2**20,
        before: tuple[str, ...] = (),
        top: int = 0,
        edge: int = 0,
    ) -> None:
        self.number = number
        self.epoch = epoch
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.before = before
        #: The newest offset.
        self.top = top
        #: Up to here it is known to be what the log before it in this epoch was.
        self.shared: int | None = None
        #: Bytes ever appended, and bytes ever trimmed.
        self.end = 0
        self.start = 0
        self.time = 0.0
        self.producers = Producers()
        # The entries kept are self._entries[self._skip:]; the list is compacted now and then.
        self._entries: list[Entry] = []
        self._skip = 0
        # The tag of the entry before the oldest kept.
        self._edge = edge

    def __len__(self) -> int:
        return len(self._entries) - self._skip

    @property
    def first(self) -> int:
        """The oldest offset kept; ``top + 1`` if none was ever appended."""
        return self.top - len(self) + 1

    @property
    def bytes(self) -> int:
        """Of all entries kept."""
        return self.end - self.start

    def append(
        self, encoded: Encoded, *, now: float, tag: int, sender: int = 0, flags: int = 0
    ) -> Entry:
        """Append a message and trim what is over the limits."""
        self.time = time = max(now, self.time)
        self.top = offset = self.top + 1
        data = self._message(encoded, offset, tag, time, sender, flags)
        self.end += len(data)
        entry = Entry(offset, tag, time, data, self.end)
        self._entries.append(entry)
        if len(self) > self.max_messages or self.end - self.start > self.max_bytes:
            self.trim(self.max_messages, self.max_bytes)
        return entry

    def _message(
        self, encoded: Encoded, offset: int, tag: int, time: float, sender: int, flags: int
    ) -> "builtins.bytes":
        return encode_record(
            Record(MESSAGE, encoded.codec, flags, "", self.number, tag, offset, time, sender,
                   encoded.body)
        )  # fmt: skip

    def prepend(
        self, encoded: Encoded, *, time: float, tag: int, sender: int = 0, flags: int = 0
    ) -> None:
        """Put a message in front of the oldest: where the log is kept elsewhere, and goes back."""
        data = self._message(encoded, self.first - 1, tag, time, sender, flags)
        del self._entries[: self._skip]
        self._skip = 0
        self._entries.insert(0, Entry(self.first - 1, tag, time, data, self.start))
        self.start -= len(data)

    def tag_at(self, offset: int) -> int:
        """The tag of the entry at ``offset``; 0 where it is not known."""
        found = self.entry(offset)
        if found is not None:
            return found.tag
        return self._edge if offset == self.first - 1 else 0

    def begin_after(self, edge: int) -> None:
        """The entry before the oldest kept has this tag."""
        self._edge = edge

    def trim(self, max_messages: int, max_bytes: int) -> int:
        """Drop the oldest entries over these limits, never the newest; return the bytes freed."""
        entries, before, last = self._entries, self.start, len(self._entries) - 1
        skip = max(self._skip, min(len(entries) - max_messages, last))
        while skip < last and self.end - entries[skip].begin > max_bytes:
            skip += 1
        if skip > self._skip:
            self.start = entries[skip].begin
            self._edge = entries[skip - 1].tag
            # Until the list is compacted the places hold the newest entry: their own is freed now.
            entries[self._skip : skip] = [entries[last]] * (skip - self._skip)
            self._skip = skip
            if skip > len(entries) // 2:
                del entries[:skip]
                self._skip = 0
        return self.start - before

    def entry(self, offset: int) -> Entry | None:
        """The entry at ``offset``, if it is kept."""
        index = offset - self.first
        return self._entries[self._skip + index] if 0 <= index < len(self) else None

    def after(self, offset: int, limit: int, max_bytes: int) -> list[Entry]:
        """At most ``limit`` entries after ``offset``, of ``max_bytes`` together; at least one."""
        index = max(offset + 1 - self.first, 0) + self._skip
        found = self._entries[index : index + limit]
        if found and found[-1].end - found[0].begin > max_bytes:
            room = found[0].begin + max_bytes
            count = 1
            while count < len(found) and found[count].end <= room:
                count += 1
            del found[count:]
        return found

    def locate(self, start: Start) -> Anchor:
        """Where a cursor stands that wants to begin at ``start``; see *Subscribing* on the wire."""
        if isinstance(start, Position):
            return self._resume(start)
        if start == "now":
            return self._anchor(self.top)
        if isinstance(start, Last):
            return self._anchor(max(self.top - max(start.last, 0), self.first - 1))
        return self._anchor(self.first - 1)

    def _anchor(self, offset: int) -> Anchor:
        entry = self.entry(offset)
        tag = entry.tag if entry else self._edge
        return Anchor(self.epoch, offset, tag, self.top, log=self.number)

    def _resume(self, asked: Position) -> Anchor:
        oldest = self._anchor(self.first - 1)
        parted = oldest
        if self.shared is not None and oldest.offset < self.shared < asked.offset:
            parted = self._anchor(self.shared)._replace(lost=asked.offset - self.shared)
        if asked.epoch != self.epoch:
            cleared = asked.epoch in self.before
            return oldest._replace(recovered=False, reason="epoch", cleared=cleared)
        if asked.offset < oldest.offset:
            lost = oldest.offset - asked.offset
            return oldest._replace(recovered=False, reason="trimmed", lost=lost)
        if asked.offset > self.top:
            return parted._replace(recovered=False, reason="tag")
        found = self._anchor(asked.offset)
        if asked.offset and found.tag != asked.tag:
            return parted._replace(recovered=False, reason="tag")
        return found
