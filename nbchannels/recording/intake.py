"""From cursors into a file: what a recorder does, without its thread.

The time is handed in. Each group is followed to where its recording shall end; what is missing is
written at its place, kept, and told among the diagnoses.
"""

import time
from collections.abc import Sequence

from nbchannels.diagnoses import report
from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError, EncodingError
from nbchannels.layers.cursor import Anchor, Cursor, Item, Missing
from nbchannels.protocol.events import Record
from nbchannels.recording.entries import Entry, Gap, nanoseconds
from nbchannels.recording.redacting import redacted
from nbchannels.recording.writer import RecordingFile
from nbchannels.redaction import Redaction

__all__ = ["FLUSH_BYTES", "FLUSH_SECONDS", "MOST_GAPS", "Intake", "Source"]

#: A chunk is written when it is so old, or so large: what a kill can take at most.
FLUSH_SECONDS, FLUSH_BYTES = 1.0, 2**20
#: Gaps that are kept to be told; there may be more in the file.
MOST_GAPS = 1_000


class Source:
    """One group: its cursor, how far it was read, and how far it shall be.

    Attributes:
        group: its name.
        cursor: on its log.
        until: where its log ended when the recording was stopped; ``None``: nothing to wait for.
        unasked: why nobody knows where it ended.
        ended: the subscription has ended.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.group = cursor.group
        self.cursor = cursor
        self.epoch = cursor.anchor.epoch
        self.offset = cursor.anchor.offset
        self.past: set[str] = set()
        self.until: Anchor | None = None
        self.unasked: str | None = None
        self.ended = False

    @property
    def is_through(self) -> bool:
        """Whether everything up to the end that was asked for was read."""
        end = self.until
        if self.ended or end is None or end.epoch in self.past:
            return True
        return self.epoch == end.epoch and self.offset >= end.top

    def gap_at_end(self) -> Gap | None:
        """What is missing at the end, if the recording ends here."""
        end = self.until
        if self.unasked is not None:
            return Gap(self.group, "unasked", detail=self.unasked)
        if end is None or self.is_through:
            return None
        if self.epoch != end.epoch:
            return Gap(self.group, "unreached")
        return Gap(self.group, "unreached", end.top - self.offset, self.offset + 1, end.top)


class Intake:
    """What comes of some groups, into a file.

    Args:
        file: that it is written to.
        cursors: of the groups.
        redaction: what must not reach the file.

    Attributes:
        messages: taken so far.
        gaps: the first 1,000.
        errors: why subscriptions have ended.
    """

    def __init__(self, file: RecordingFile, cursors: Sequence[Cursor], redaction: Redaction):
        self.messages = 0
        self.gaps: list[Gap] = []
        self.errors: list[ChannelsError] = []
        self.sources = [Source(cursor) for cursor in cursors]
        self._file = file
        self._redaction = redaction
        self._begun: float | None = None  # when the chunk that is being filled was begun
        self._now = 0.0
        for source in self.sources:
            self._take_in(source, [source.cursor.anchor])

    @property
    def is_over(self) -> bool:
        """Whether no group can bring anything any more."""
        return all(source.ended for source in self.sources)

    @property
    def is_through(self) -> bool:
        """Whether every group was read to the end that was asked for."""
        return all(source.is_through for source in self.sources)

    @property
    def flush_at(self) -> float | None:
        """When the chunk has to be written at the latest; ``None`` while it is empty."""
        return None if self._begun is None else self._begun + FLUSH_SECONDS

    def take(self, now: float) -> bool:
        """Take a portion of each group, and flush if it is time; whether there was something.

        Raises:
            RecordingError: the file cannot be written.
        """
        self._now = now
        taken = 0
        for source in self.sources:
            if not source.ended:
                taken += self._take(source)
        due = self.flush_at
        if due is not None and (now >= due or self._file.waiting >= FLUSH_BYTES):
            self._file.flush()
            self._begun = None
        return bool(taken)

    def finish(self) -> None:
        """Say what is missing at the end, and close the file.

        Raises:
            RecordingError: the file cannot be written.
        """
        for source in self.sources:
            gap = source.gap_at_end()
            if gap is not None:
                self._miss(gap)
        told: dict[str, object] = {"messages": self.messages}
        if len(self.gaps) <= MOST_GAPS:  # otherwise a reader looks for them itself
            told["gaps"] = [gap.to_json() for gap in self.gaps]
        self._file.close(told)

    def _take(self, source: Source) -> int:
        try:
            items = source.cursor.take()
        except ChannelsError as error:
            source.ended = True
            self.errors.append(error)
            self._miss(Gap(source.group, "ended", detail=str(error)))
            return 0
        self._take_in(source, items)
        return len(items)

    def _take_in(self, source: Source, items: Sequence[Item]) -> None:
        for number, item in enumerate(items):
            if isinstance(item, Record):
                source.offset = item.sequence
                self._write(source, item)
                continue
            gap = _gap(source.group, item)
            if gap is not None:  # its place is before the message that comes next
                later = (found.time for found in items[number:] if isinstance(found, Record))
                self._miss(gap._replace(moment=nanoseconds(next(later, time.time()))))
            if isinstance(item, Missing):
                source.offset = item.last
            else:
                if item.epoch != source.epoch:
                    source.past.add(source.epoch)
                source.epoch, source.offset = item.epoch, item.offset

    def _write(self, source: Source, record: Record) -> None:
        encoded = Encoded(record.codec, bytes(record.body))
        moment, offset = nanoseconds(record.time), record.sequence
        try:
            encoded = redacted(encoded, self._redaction)
        except EncodingError as error:
            self._miss(Gap(source.group, "unreadable", 1, offset, offset, moment, str(error)))
            return
        self._file.write(
            Entry(
                source.group, encoded.codec, encoded.body, moment, offset, source.epoch,
                record.tag, record.sender,
            )
        )  # fmt: skip
        self.messages += 1
        self._begin()

    def _miss(self, gap: Gap) -> None:
        """Something is missing: into the file, the handle, and the diagnoses."""
        if len(self.gaps) <= MOST_GAPS:
            self.gaps.append(gap)
        self._file.gap(gap)
        self._begin()
        report(
            "recording", f"{self._file.path}: {gap}; the file says so at this place",
            subject=f"gap in {self._file.path}, {gap.group}",
        )  # fmt: skip

    def _begin(self) -> None:
        if self._begun is None:
            self._begun = self._now


def _gap(group: str, item: Anchor | Missing) -> Gap | None:
    """What is missing at this place, if something is."""
    if isinstance(item, Missing):
        return Gap(group, item.reason, item.last - item.first + 1, item.first, item.last)
    if item.recovered or item.cleared or item.reason is None:
        return None
    return Gap(group, item.reason, item.lost)
