"""Where the messages of an MCAP file stand: byte ranges of whole records, with their times.

A file that was closed says it in its summary. One that was not (its recorder was killed, or still
records) is walked through to the last whole record. Both give the same extents, so that all reading
behind them is one. Every checksum is verified.
"""

import io
import os
import zlib
from typing import Any, BinaryIO, NamedTuple

from nbchannels.exceptions import RecordingError
from nbchannels.recording.mcapfile import mcap

__all__ = ["Extent", "Layout", "load", "survey"]

#: Bytes of messages outside of chunks that one extent has at most.
_LOOSE = 2**20
#: The end of a file: the checksum of the summary (of the footer's 29 bytes the last 4), the magic.
_FOOTER, _MAGIC = 29, 8


class Extent(NamedTuple):
    """A range of the file: a chunk, or messages outside of one.

    Attributes:
        offset: of its first byte.
        length: in bytes.
        start: the earliest time in it, in nanoseconds.
        end: the latest.
    """

    offset: int
    length: int
    start: int
    end: int


class Layout(NamedTuple):
    """What a file holds, without its messages.

    Attributes:
        extents: in the order of the file.
        channels: MCAP's, by their number.
        metadata: MCAP's, by their name; the last of a name counts.
        counts: messages by the number of their channel; ``None``: they have to be counted.
        is_complete: whether the file was closed.
    """

    extents: list[Extent]
    channels: dict[int, Any]
    metadata: dict[str, dict[str, str]]
    counts: dict[int, int] | None
    is_complete: bool


def survey(file: BinaryIO, path: str) -> Layout:
    """What a file holds.

    Raises:
        RecordingError: it is no MCAP file.
    """
    library = mcap()
    try:
        file.seek(0)
        header = next(library.stream.StreamReader(file).records)
    except library.damage as error:
        size = os.fstat(file.fileno()).st_size
        what = "is empty" if not size else "is no MCAP file"
        raise RecordingError(
            f"{path} {what}; a recording is made with Group(...).record({path!r})"
        ) from error
    if not isinstance(header, library.records.Header):
        raise RecordingError(f"{path} is no MCAP file: it does not begin with a header")
    try:
        found = _told(file)
    except library.damage:
        found = None  # its end is missing or damaged: what stands before it is looked for
    return found or _walked(file)


def _told(file: BinaryIO) -> Layout | None:
    """What the summary says; ``None`` without one of use."""
    library = mcap()
    file.seek(0)
    reader = library.reader.make_reader(file, validate_crcs=True)
    summary = reader.get_summary()
    if summary is None or summary.statistics is None or not _is_sound(file):
        return None
    if summary.statistics.message_count and not summary.chunk_indexes:
        return None
    extents = [
        Extent(chunk.chunk_start_offset, chunk.chunk_length, chunk.message_start_time,
               chunk.message_end_time)
        for chunk in sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset)
    ]  # fmt: skip
    metadata = {record.name: record.metadata for record in reader.iter_metadata()}
    counts = dict(summary.statistics.channel_message_counts)
    return Layout(extents, dict(summary.channels), metadata, counts, is_complete=True)


def _is_sound(file: BinaryIO) -> bool:
    """Whether the summary is what was written, as far as the file says."""
    size = file.seek(0, os.SEEK_END)
    file.seek(size - _FOOTER - _MAGIC)
    footer = file.read(_FOOTER)
    start = int.from_bytes(footer[9:17], "little")
    expected = int.from_bytes(footer[25:29], "little")
    if not expected:
        return True
    file.seek(start)
    return zlib.crc32(file.read(size - start - _MAGIC - 4)) == expected


def _walked(file: BinaryIO) -> Layout:
    """What stands in a file without a summary, to the last whole record."""
    library = mcap()
    records = library.records
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    reader = library.stream.StreamReader(
        file, emit_chunks=True, record_size_limit=size
    ).records  # chunks are verified when they are read
    layout = Layout([], {}, {}, None, is_complete=False)
    before, is_complete, has_footer = 0, False, False
    while True:
        try:
            record = next(reader, None)
        except library.damage:
            break
        if record is None:  # the magic behind the footer was there, too
            is_complete = has_footer
            break
        here, before = before, file.tell()
        match record:
            case records.Chunk():
                extent = Extent(
                    here, before - here, record.message_start_time, record.message_end_time
                )
                layout.extents.append(extent)
            case records.Channel():
                layout.channels[record.id] = record
                _loose(layout.extents, here, before, None)
            case records.Message():
                _loose(layout.extents, here, before, record.log_time)
            case records.Metadata():
                layout.metadata[record.name] = record.metadata
            case records.Footer():
                has_footer = True
    return layout._replace(is_complete=is_complete)


def _loose(extents: list[Extent], start: int, end: int, time: int | None) -> None:
    """A message or channel outside of a chunk: it belongs to the range before it, or begins one."""
    last = extents[-1] if extents else None
    if last is not None and last.offset + last.length == start and last.length < _LOOSE:
        earliest = last.start if time is None else min(last.start, time)
        latest = last.end if time is None else max(last.end, time)
        extents[-1] = Extent(last.offset, end - last.offset, earliest, latest)
    elif time is not None:
        extents.append(Extent(start, end - start, time, time))


def load(file: BinaryIO, extent: Extent) -> tuple[list[Any], Exception | None]:
    """The records of one extent, and what kept the rest of it from being read."""
    library = mcap()
    found: list[Any] = []
    file.seek(extent.offset)
    data = file.read(extent.length)
    stream = library.stream.StreamReader(
        io.BytesIO(data), skip_magic=True, validate_crcs=True, record_size_limit=extent.length
    )
    try:
        for record in stream.records:
            found.append(record)  # noqa: PERF402 - what came before an error is kept
    except library.end as error:
        if len(data) < extent.length:
            return found, error
    except library.damage as error:
        return found, error
    return found, None
