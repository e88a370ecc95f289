"""Where messages stand: in files that were closed, cut, damaged, or made by others."""

import os
from pathlib import Path
from typing import Any

import pytest
from mcap.writer import CompressionType, IndexType, Writer

from nbchannels.exceptions import RecordingError
from nbchannels.recording.extents import load, survey
from nbchannels.recording.reader import Recording
from tests.recording.conftest import entry


def numbers(path: str) -> list[int]:
    return [item.offset for item in Recording(path).entries() if not hasattr(item, "reason")]


@pytest.fixture
def three(written: Any) -> str:
    """A recording of three chunks, of two messages each."""
    return written([entry(1), entry(2), None, entry(3), entry(4), None, entry(5), entry(6)])


def test_a_closed_file_says_where_its_chunks_are(three: str):
    with open(three, "rb") as file:
        found = survey(file, three)
        assert found.is_complete
        assert found.counts is not None
        assert [(e.start // 10**9, e.end // 10**9) for e in found.extents] == [
            (1, 2), (3, 4), (5, 6),
        ]  # fmt: skip
        walked = _walk(file, three)
    assert walked.extents == found.extents
    assert walked.channels == found.channels
    assert walked.metadata == found.metadata


def _walk(file: Any, path: str) -> Any:
    """The layout that is found without a summary: of the file without its last 20 bytes."""
    cut = Path(path).with_suffix(".cut")
    file.seek(0)
    cut.write_bytes(file.read()[:-20])
    with cut.open("rb") as shorter:
        found = survey(shorter, str(cut))
    assert not found.is_complete
    return found


def test_a_file_cut_anywhere_is_read_to_its_last_whole_chunk(three: str):
    whole = Path(three).read_bytes()
    with open(three, "rb") as file:
        extents = survey(file, three).extents
    ends = [extent.offset + extent.length for extent in extents]
    edges = {end + n for end in ends for n in (-2, -1, 0, 1)}
    # From the first chunk on; a cut header is the next test.
    for size in sorted(edges | {*range(extents[0].offset, len(whole), 11), len(whole) - 1}):
        Path(three).write_bytes(whole[:size])
        expected = 2 * sum(end <= size for end in ends)
        assert numbers(three) == list(range(1, expected + 1)), f"cut after {size} bytes"
        assert not Recording(three).is_complete


@pytest.mark.parametrize("size", [0, 3, 8, 20])
def test_what_has_no_whole_header_is_no_recording(three: str, size: int):
    Path(three).write_bytes(Path(three).read_bytes()[:size])
    with pytest.raises(RecordingError, match=r"is empty; a rec|is no MCAP file; a recording is"):
        Recording(three)


@pytest.mark.parametrize("content", [b"\x00" * 4096, b"{}", os.urandom(2048)])
def test_what_is_something_else_is_no_recording(path: str, content: bytes):
    Path(path).write_bytes(content)
    with pytest.raises(RecordingError, match="is no MCAP file"):
        Recording(path)


def test_garbage_behind_a_cut_does_not_hide_what_is_before_it(three: str):
    whole = Path(three).read_bytes()
    with open(three, "rb") as file:
        second = survey(file, three).extents[1]
    for garbage in (b"\x00" * 5000, b"\xff" * 300, bytes(range(256)) * 9):
        Path(three).write_bytes(whole[: second.offset + second.length] + garbage)
        assert numbers(three) == [1, 2, 3, 4]


@pytest.mark.parametrize("closed", [True, False])
def test_a_damaged_chunk_is_a_gap_and_the_others_are_read(written: Any, closed: bool):
    path = written([entry(1), None, entry(2), None, entry(3)], closed=closed)
    data = bytearray(Path(path).read_bytes())
    with open(path, "rb") as file:
        extent = survey(file, path).extents[1]
    data[extent.offset + extent.length - 3] ^= 0xFF
    Path(path).write_bytes(data)
    items = list(Recording(path).entries())
    assert [item.offset for item in items if not hasattr(item, "reason")] == [1, 3]
    (gap,) = [item for item in items if hasattr(item, "reason")]
    assert (gap.reason, gap.group) == ("damaged", "")
    assert f"{extent.length:,} bytes at {extent.offset:,}" in str(gap)
    assert items.index(gap) == 1


def test_a_damaged_summary_is_not_believed(three: str):
    data = bytearray(Path(three).read_bytes())
    data[-120] ^= 0x01
    Path(three).write_bytes(data)
    with open(three, "rb") as file:
        assert survey(file, three).counts is None
    assert numbers(three) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("use_chunking", [True, False])
@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4])
def test_files_of_other_programs(path: str, use_chunking: bool, compression: CompressionType):
    with open(path, "wb") as file:
        writer = Writer(
            file, chunk_size=100, compression=compression, use_chunking=use_chunking,
            index_types=IndexType.NONE,
        )  # fmt: skip
        writer.start("ros2", "another")
        channel = writer.register_channel("imu", "json", 0)
        for n in range(1, 40):
            writer.add_message(channel, n * 10**9, b'{"x":%d}' % n, n * 10**9, n)
        writer.finish()
    assert numbers(path) == list(range(1, 40))
    found = Recording(path)
    assert (found.is_complete, found.groups, found.gaps) == (True, {"imu": 39}, [])


def test_a_file_that_was_cut_meanwhile_has_damage_there(three: str):
    with open(three, "rb") as file:
        last = survey(file, three).extents[-1]
    found = Recording(three)
    os.truncate(three, last.offset + last.length - 5)
    with open(three, "rb") as file:
        records, damage = load(file, last)
    assert (records, type(damage).__name__) == ([], "EndOfFile")
    *_, gap = found.entries()
    assert gap.reason == "damaged"
