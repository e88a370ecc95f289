"""The file: what the reference reader finds in it, and what may go wrong with it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcap.reader import NonSeekingReader, make_reader

from nbchannels.exceptions import RecordingError
from nbchannels.recording.entries import ENTRIES, GAPS, HEAD, Gap
from nbchannels.recording.writer import RecordingFile
from tests.recording.conftest import entry


def test_the_reference_reader_finds_what_was_written(path: str, written: Any):
    items = [
        entry(1), entry(2, codec=0, body=b"\x00raw"), None,
        entry(2**33 + 5, 3.5, body=b"{}", epoch="f"), entry(1, 3.25, group="other", tag=9),
    ]  # fmt: skip
    written(items)
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "nbchannels"
        found = [
            (
                channel.topic,
                channel.message_encoding,
                m.log_time,
                m.publish_time,
                m.sequence,
                m.data,
            )
            for _, channel, m in reader.iter_messages()
            if channel.topic != ENTRIES
        ]
        assert found == [
            ("run", "json", 10**9, 10**9, 1, b'{"n":1}'),
            ("run", "application/octet-stream", 2 * 10**9, 2 * 10**9, 2, b"\x00raw"),
            ("other", "json", 3_250_000_000, 3_250_000_000, 1, b'{"n":1}'),
            ("run", "json", 3_500_000_000, 3_500_000_000, 5, b"{}"),
        ]
        summary = reader.get_summary()
        assert summary is not None
        assert len(summary.chunk_indexes) == 2
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        assert json.loads(metadata[HEAD]["groups"]) == ["other", "run"]
    with open(path, "rb") as file:
        beside = [
            json.loads(m.data)
            for _, channel, m in NonSeekingReader(file, validate_crcs=True).iter_messages(
                topics=ENTRIES, log_time_order=False
            )
        ]
    assert beside == [
        {"group": "run", "epoch": "e", "first": 1, "tags": [7, 14], "senders": [3, 3]},
        {
            "group": "run",
            "epoch": "f",
            "first": 2**33 + 5,
            "tags": [7 * (2**33 + 5)],
            "senders": [3],
        },
        {"group": "other", "epoch": "e", "first": 1, "tags": [9], "senders": [3]},
    ]


def test_messages_in_json_have_a_schema_that_other_programs_understand(path: str, written: Any):
    written([entry(1), entry(2, codec=2, body=b"")])
    with open(path, "rb") as file:
        found = [
            (schema and schema.encoding, channel.topic)
            for schema, channel, _ in make_reader(file).iter_messages(topics=["run"])
        ]
    assert found == [("jsonschema", "run"), (None, "run")]


def test_a_gap_stands_at_its_place(path: str, written: Any):
    written([entry(1), Gap("run", "trimmed", 2, 2, 3), entry(4)])
    with open(path, "rb") as file:
        topics = [c.topic for _, c, _ in make_reader(file).iter_messages() if c.topic != ENTRIES]
    assert topics == ["run", GAPS, "run"]


def test_a_clock_that_went_back_does_not_change_the_order(path: str, written: Any):
    written([entry(1, 10.0), entry(2, 5.0), entry(3, 11.0)])
    with open(path, "rb") as file:
        found = [
            (m.sequence, m.log_time // 10**9, m.publish_time // 10**9)
            for _, _, m in make_reader(file).iter_messages(topics=["run"])
        ]
    assert found == [(1, 10, 10), (2, 10, 5), (3, 11, 11)]


def test_what_was_flushed_can_be_read_by_others(path: str):
    file = RecordingFile(path, ["run"])
    file.write(entry(1))
    before = file.size
    assert (file.waiting, file.messages) == (7, 1)
    file.flush()
    assert file.size == os.path.getsize(path) > before
    assert file.waiting == 0
    with open(path, "rb") as other:
        reader = NonSeekingReader(other).iter_messages(topics="run", log_time_order=False)
        assert next(reader)[2].sequence == 1
    file.abandon()


def test_a_file_that_is_there_is_not_overwritten(path: str):
    Path(path).write_bytes(b"precious")
    with pytest.raises(RecordingError, match="is there already and is not overwritten") as caught:
        RecordingFile(path, ["run"])
    assert path in str(caught.value)
    assert "overwrite=True" in str(caught.value)
    assert Path(path).read_bytes() == b"precious"
    RecordingFile(path, ["run"], overwrite=True).close({})
    with open(path, "rb") as file:
        assert make_reader(file).get_summary() is not None


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(RecordingError, match=r"there is no folder '.*/away'; make it first"):
        RecordingFile(tmp_path / "away" / "run.mcap", ["run"])


def test_what_is_no_place_for_a_file_is_refused(tmp_path: Path):
    (tmp_path / "a file").write_bytes(b"")
    for place in (tmp_path / "a file" / "run.mcap", tmp_path):
        with pytest.raises(RecordingError, match=r"cannot be made|is there already"):
            RecordingFile(place, ["run"])
    with pytest.raises(RecordingError, match="cannot be made"):
        RecordingFile(tmp_path, ["run"], overwrite=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_told():
    with pytest.raises(RecordingError, match="No space left on device; .* make room"):
        RecordingFile("/dev/full", ["run"], overwrite=True)


def test_a_disk_that_fills_leaves_what_was_flushed(path: str, monkeypatch: pytest.MonkeyPatch):
    file = RecordingFile(path, ["run"])
    file.write(entry(1))
    file.flush()
    size, write = os.path.getsize(path), os.write
    file.write(entry(2))
    file.write(entry(3))

    def half(descriptor: int, data: bytes) -> int:
        if len(data) <= 40:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:40])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(RecordingError, match="it holds what was flushed before, 1 message;"):
            file.flush()
    file.abandon()
    assert os.path.getsize(path) == size
