"""A recording as it is read: what it holds, and its entries in their order."""

import heapq
import itertools
import json
import os
import time
from collections.abc import Container, Iterable, Iterator
from typing import Any

from nbchannels.decoding import decode
from nbchannels.exceptions import EncodingError, RecordingError
from nbchannels.message import Message
from nbchannels.names import near_match
from nbchannels.recording.entries import (
    CODECS,
    END,
    ENTRIES,
    GAPS,
    HEAD,
    Entry,
    Gap,
    counted,
    seconds,
)
from nbchannels.recording.extents import Extent, Layout, load, survey
from nbchannels.tables import to_dataframe

__all__ = ["Recording"]

#: Gaps that are told one by one.
MOST_TOLD = 10


class Recording:
    """An MCAP file with what was sent to one or more groups.

    ::

        recording = nb.Recording("run.mcap")
        recording                        # what is in it
        recording.to_dataframe("run")    # as Group("run").to_dataframe() would have been

    Iterating gives the messages of all groups in the order of their times, each group's own in the
    order of its log. Files of other programs can be read as far as their messages are JSON.

    Args:
        path: of the file.

    Attributes:
        path: as it was given.
        groups: messages by the name of the group.
        start: when the first message was sent, in seconds since 1970; ``None`` without messages.
        end: when the last was sent.
        first: the beginning of its time line, in nanoseconds since 1970.
        size: of the file, in bytes.
        is_complete: whether the file was closed; otherwise its recorder was killed, or still
            records, and what can be read ends with its last flush.
        gaps: what is known to be missing; empty for a complete file without gaps.
        redacted: the rules by which values were hidden.
        foreign: topics that nbchannels cannot read, with their encodings.

    Raises:
        RecordingError: there is no such file, or it is no recording.
        ChannelsError: the library mcap is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with self._opened() as file:
            self.size = os.fstat(file.fileno()).st_size
            layout = self._layout = survey(file, self.path)
            self.is_complete = layout.is_complete
            self.redacted: list[str] = _read(layout, HEAD, "redacted", [])
            self.foreign = {
                c.topic: c.message_encoding
                for c in layout.channels.values()
                if c.message_encoding not in CODECS
            }
            self.groups: dict[str, int] = {}
            self.gaps: list[Gap] = []
            told = _read(layout, END, "gaps", None)
            if layout.counts is None or (told is None and HEAD in layout.metadata):
                self._count(file)
            else:
                self._add_counts(layout.counts)
                self.gaps += [Gap.from_json(gap, gap.get("moment", 0)) for gap in told or ()]
        extents = layout.extents
        self.first = min((extent.start for extent in extents), default=0)
        self.start = seconds(min(e.start for e in extents)) if self.messages else None
        self.end = seconds(max(e.end for e in extents)) if self.messages else None

    def _opened(self) -> Any:
        try:
            return open(self.path, "rb")
        except FileNotFoundError as error:
            raise RecordingError(
                f"there is no file {self.path!r} (looked for in {os.getcwd()})"
            ) from error
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be read: {error.strerror}") from error

    def _add_counts(self, counts: dict[int, int]) -> None:
        for number, count in sorted(counts.items()):
            channel = self._layout.channels[number]
            if channel.message_encoding in CODECS and channel.topic not in (ENTRIES, GAPS):
                self.groups[channel.topic] = self.groups.get(channel.topic, 0) + count

    def _count(self, file: Any) -> None:
        """Read all of it: nothing says how many messages there are, or there are gaps."""
        counts: dict[int, int] = {}
        for extent in self._layout.extents:
            records, damage = load(file, extent)
            self._learn(records)
            for record in records:
                if hasattr(record, "channel_id") and hasattr(record, "data"):
                    counts[record.channel_id] = counts.get(record.channel_id, 0) + 1
                    if self._topic(record) == GAPS:
                        self.gaps.append(_gap(record))
            if damage is not None:
                self.gaps.append(_damaged(extent, damage))
        self._add_counts(counts)

    def _learn(self, records: list[Any]) -> None:
        for record in records:
            if hasattr(record, "message_encoding"):
                self._layout.channels.setdefault(record.id, record)
                if record.message_encoding not in CODECS:
                    self.foreign[record.topic] = record.message_encoding

    def _topic(self, record: Any) -> str | None:
        channel = self._layout.channels.get(record.channel_id)
        return None if channel is None else str(channel.topic)

    @property
    def messages(self) -> int:
        """How many there are, of all groups."""
        return sum(self.groups.values())

    @property
    def lost(self) -> int:
        """How many messages are known to be missing."""
        return sum(gap.lost or 0 for gap in self.gaps)

    @property
    def duration(self) -> float:
        """Seconds between the first message and the last."""
        return 0.0 if self.start is None or self.end is None else self.end - self.start

    def warnings(self, groups: Container[str]) -> list[str]:
        """What whoever uses these groups should know: sentences about what is missing."""
        told = []
        if not self.is_complete:
            told.append(
                f"{self.path} was not closed: its recorder was killed, or still records; "
                f"{counted(self.messages, 'message')} can be read, what came after the last flush "
                "is missing"
            )
        gaps = [gap for gap in self.gaps if not gap.group or gap.group in groups]
        told += [f"{self.path}: {gap}" for gap in gaps[:MOST_TOLD]]
        if len(gaps) > MOST_TOLD:
            told.append(f"{self.path}: {len(gaps) - MOST_TOLD:,} more gaps")
        if self.foreign:
            topics = ", ".join(f"{topic} ({code})" for topic, code in sorted(self.foreign.items()))
            told.append(f"{self.path}: encodings that nbchannels does not know: {topics}")
        return told

    # Reading.

    def entries(
        self,
        groups: Iterable[str] | None = None,
        start: float | None = None,
        stop: float | None = None,
    ) -> Iterator[Entry | Gap]:
        """What was recorded, in the order of time, gaps at their places; bodies as they were sent.

        Args:
            groups: which; all without.
            start: seconds after the first message of the recording.
            stop: seconds after it, exclusive.

        Raises:
            RecordingError: a group is not in the recording, or the file has gone.
        """
        wanted = self.require(groups)
        first = self.first
        least = first + round((start or 0) * 10**9)
        most = None if stop is None else first + round(stop * 10**9)
        return self._chosen(wanted, least, most)

    def require(self, groups: Iterable[str] | None) -> set[str]:
        """The names of groups, if they are in the recording; all of them for ``None``.

        Raises:
            RecordingError: one is not.
        """
        if groups is None:
            return set(self.groups)
        names = [groups] if isinstance(groups, str) else [str(group) for group in groups]
        for name in names:
            if name not in self.groups:
                raise RecordingError(self._unknown(name))
        return set(names)

    def _unknown(self, name: str) -> str:
        if name in self.foreign:
            return (
                f"topic {name!r} in {self.path} has messages encoded as {self.foreign[name]!r}, "
                "which nbchannels does not send"
            )
        near = near_match(name, list(self.groups))
        hint = f"; did you mean {near!r}?" if near else ""
        there = ", ".join(map(repr, sorted(self.groups))) or "no group"
        return f"there is no group {name!r} in {self.path}; it has {there}{hint}"

    def _chosen(self, wanted: set[str], least: int, most: int | None) -> Iterator[Entry | Gap]:
        for item in self._ordered(least, most):
            if item.moment < least or (item.group and item.group not in wanted):
                continue
            if most is not None and item.moment >= most:
                return
            yield item

    def _ordered(self, least: int, most: int | None) -> Iterator[Entry | Gap]:
        """All items by their moment; those of one moment, and of one group, as in the file.

        Extents may overlap in time (several groups, each with its history): an item waits until
        no extent to come can have an earlier one.
        """
        extents = [
            e for e in self._layout.extents if e.end >= least and (most is None or e.start < most)
        ]
        horizon = [*itertools.accumulate((e.start for e in reversed(extents)), min)][::-1]
        waiting: list[tuple[int, int, Entry | Gap]] = []
        numbers = itertools.count()
        moments: dict[str, int] = {}
        with self._opened() as file:
            for extent, until in zip(extents, [*horizon[1:], None], strict=False):
                for item in self._items(file, extent):
                    moment = max(item.moment, moments.get(item.group, 0))
                    moments[item.group] = moment
                    placed = item._replace(moment=moment)
                    heapq.heappush(waiting, (moment, next(numbers), placed))
                while waiting and (until is None or waiting[0][0] <= until):
                    yield heapq.heappop(waiting)[2]

    def _items(self, file: Any, extent: Extent) -> list[Entry | Gap]:
        records, damage = load(file, extent)
        self._learn(records)
        found: list[Entry | Gap] = []
        beside: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            channel = self._layout.channels.get(getattr(record, "channel_id", 0))
            if channel is None or not hasattr(record, "data"):
                continue
            codec = CODECS.get(channel.message_encoding)
            if channel.topic == GAPS:
                found.append(_gap(record))
            elif channel.topic == ENTRIES:
                run = json.loads(record.data)
                beside.setdefault(run["group"], []).append(run)
            elif codec is not None:
                found.append(
                    Entry(channel.topic, codec, record.data, record.publish_time, record.sequence,
                          moment=record.log_time)
                )  # fmt: skip
        if damage is not None:
            found.append(_damaged(extent, damage))
        return _completed(found, beside)

    def __iter__(self) -> Iterator[Message]:
        return self.read()

    def read(self, groups: Iterable[str] | None = None) -> Iterator[Message]:
        """The messages of these groups, or of all, in the order of time.

        Raises:
            EncodingError: a message cannot be decoded.
            RecordingError: a group is not in the recording.
        """
        for item in self.entries(groups):
            if isinstance(item, Entry):
                try:
                    content = decode(item.codec, item.body)
                except EncodingError as error:
                    raise EncodingError(
                        f"{self.path}, group {item.group!r}, offset {item.offset}: {error}",
                        error.path,
                    ) from error
                yield Message(
                    content, group=item.group, offset=item.offset, time=seconds(item.time)
                )

    def to_dataframe(self, group: str | None = None) -> Any:
        """The messages of a group, or of all, as a ``pandas.DataFrame`` indexed by their time."""
        return to_dataframe(self.read(None if group is None else [group]))

    def __len__(self) -> int:
        return self.messages

    def __bool__(self) -> bool:
        """A recording is always true, also an empty one."""
        return True

    def __repr__(self) -> str:
        groups = ", ".join(f"{name!r} {count:,}" for name, count in sorted(self.groups.items()))
        parts = [counted(self.messages, "message") + (f" ({groups})" if groups else "")]
        if self.start is not None:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.start))
            parts.append(f"{self.duration:.1f} s from {moment}")
        if self.gaps:
            lost = f" of {counted(self.lost, 'message')}" if self.lost else ""
            parts.append(counted(len(self.gaps), "gap") + lost)
        if self.redacted:
            parts.append(f"hidden: {', '.join(self.redacted)}")
        if not self.is_complete:
            parts.append("NOT CLOSED")
        return f"<recording {self.path}: {', '.join(parts)}>"


def _read(layout: Layout, record: str, key: str, default: Any) -> Any:
    try:
        return json.loads(layout.metadata[record][key])
    except (KeyError, ValueError):  # a file of another program
        return default


def _gap(record: Any) -> Gap:
    try:
        return Gap.from_json(json.loads(record.data), record.log_time)
    except (ValueError, TypeError, AttributeError):
        return Gap("", "damaged", moment=record.log_time)


def _damaged(extent: Extent, error: Exception) -> Gap:
    place = f"{extent.length:,} bytes at {extent.offset:,}: {str(error) or type(error).__name__}"
    return Gap("", "damaged", moment=extent.end, detail=place)


def _completed(
    items: list[Entry | Gap], beside: dict[str, list[dict[str, Any]]]
) -> list[Entry | Gap]:
    """The entries of a chunk with what stands beside their bodies."""
    told = {
        group: iter(
            [
                (run["epoch"], run["first"] + n, tag, sender)
                for run in runs
                for n, (tag, sender) in enumerate(zip(run["tags"], run["senders"], strict=False))
            ]
        )
        for group, runs in beside.items()
    }
    done: list[Entry | Gap] = []
    for item in items:
        more = next(told.get(item.group, iter(())), None) if isinstance(item, Entry) else None
        if more is None or not isinstance(item, Entry):
            done.append(item)
        else:
            epoch, offset, tag, sender = more
            done.append(item._replace(epoch=epoch, offset=offset, tag=tag, sender=sender))
    return done
