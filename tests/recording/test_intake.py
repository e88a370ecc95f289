"""From cursors into a file, with the time handed in."""

from typing import Any

import pytest

from nbchannels.diagnoses import recent
from nbchannels.exceptions import PermissionDenied
from nbchannels.layers.cursor import Anchor, Cursor, Missing
from nbchannels.protocol.events import MESSAGE, Position, Record
from nbchannels.recording.entries import Entry, Gap
from nbchannels.recording.intake import FLUSH_BYTES, FLUSH_SECONDS, MOST_GAPS, Intake
from nbchannels.recording.reader import Recording
from nbchannels.recording.writer import RecordingFile
from nbchannels.redaction import HIDDEN, Redaction


class Given(Cursor):
    """A cursor that gives these portions, one after the other; an error is raised."""

    def __init__(self, *portions: Any, group: str = "run", offset: int = 0, **anchor: Any) -> None:
        self.group = group
        self.anchor = Anchor("e", offset, 0, 99, **anchor)
        self.portions = list(portions)

    def take(self, limit: int = 256) -> list[Any]:
        portion = self.portions.pop(0) if self.portions else []
        if isinstance(portion, Exception):
            raise portion
        return list(portion)

    @property
    def position(self) -> Position:
        raise NotImplementedError

    def close(self) -> None:
        self.portions = []


def message(offset: int, body: bytes = b"{}", codec: int = 1) -> Record:
    return Record(MESSAGE, codec, 0, "", 1, offset * 3, offset, 100.0 + offset, 4, body)


@pytest.fixture
def file(path: str) -> Any:
    made = RecordingFile(path, ["run"])
    yield made
    made.abandon()


def taken(file: RecordingFile, *cursors: Cursor, redact: tuple[str, ...] = ()) -> Intake:
    """What the cursors have, to their end."""
    intake = Intake(file, cursors, Redaction(redact))
    while intake.take(0.0):
        pass
    return intake


def kinds(path: str) -> list[Any]:
    """Offsets of entries, reasons of gaps, in their order."""
    return [
        item.offset if isinstance(item, Entry) else item.reason
        for item in Recording(path).entries()
    ]


def test_order_times_and_positions(file: RecordingFile, path: str):
    anchor = Anchor("f", 0, 0, 1, recovered=False, reason="epoch", cleared=True)
    intake = taken(file, Given([message(1), message(2)], [anchor, message(1)]))
    intake.finish()
    found = [item for item in Recording(path).entries() if isinstance(item, Entry)]
    assert [(e.epoch, e.offset, e.tag, e.sender, e.time / 10**9) for e in found] == [
        ("e", 1, 3, 4, 101.0), ("e", 2, 6, 4, 102.0), ("f", 1, 3, 4, 101.0),
    ]  # fmt: skip
    assert (intake.messages, intake.gaps) == (3, [])


@pytest.mark.parametrize(
    ("item", "lost"),
    [
        (Missing(2, 5), 4),
        (Missing(2, 5, "conflated"), 4),
        (Anchor("f", 5, 0, 9, recovered=False, reason="epoch"), None),
        (Anchor("e", 5, 0, 9, recovered=False, reason="tag", lost=2), 2),
    ],
)
def test_what_is_missing_is_written_at_its_place_and_said(
    file: RecordingFile, path: str, item: Any, lost: int | None
):
    intake = taken(file, Given([message(1), item], [message(6)]))
    intake.finish()
    reason = item.reason
    assert kinds(path) == [1, reason, 6]
    assert [(gap.reason, gap.lost) for gap in intake.gaps] == [(reason, lost)]
    found = Recording(path)
    assert [(gap.reason, gap.lost) for gap in found.gaps] == [(reason, lost)]
    (told,) = recent()
    assert told.kind == "recording"
    assert path in told.sentence
    assert str(intake.gaps[0]) in told.sentence


def test_a_gap_before_the_first_message(file: RecordingFile, path: str):
    taken(file, Given([Missing(1, 3), message(4)])).finish()
    assert kinds(path) == ["trimmed", 4]
    assert Recording(path).start == 104.0


def test_a_beginning_that_was_not_recovered_is_a_gap(file: RecordingFile, path: str):
    cursor = Given([message(6)], offset=5, recovered=False, reason="trimmed", lost=4)
    taken(file, cursor).finish()
    assert Recording(path).lost == 4


def test_many_gaps_are_all_in_the_file(file: RecordingFile, path: str):
    items = [pair for n in range(1, MOST_GAPS + 11) for pair in (Missing(2 * n, 2 * n),)]
    intake = taken(file, Given(items))
    intake.finish()
    assert len(intake.gaps) == MOST_GAPS + 1
    assert len(Recording(path).gaps) == MOST_GAPS + 10


def test_a_chunk_is_written_when_it_is_old(file: RecordingFile, path: str):
    cursor = Given([message(1)], [], [message(2)], [], [])
    intake = Intake(file, [cursor], Redaction())
    assert intake.flush_at is None
    size = file.size
    assert intake.take(10.0)
    assert (file.size, intake.flush_at) == (size, 10.0 + FLUSH_SECONDS)
    assert not intake.take(10.0 + FLUSH_SECONDS / 2)
    assert intake.take(10.0 + FLUSH_SECONDS * 0.9)
    assert (file.size, intake.flush_at) == (size, 10.0 + FLUSH_SECONDS)
    intake.take(10.0 + FLUSH_SECONDS)
    assert file.size > size
    assert intake.flush_at is None
    assert kinds(path) == [1, 2]


def test_a_chunk_is_written_when_it_is_large(file: RecordingFile, path: str):
    body = b'"' + b"x" * (FLUSH_BYTES // 2) + b'"'
    intake = Intake(file, [Given([message(1, body)], [message(2, body)])], Redaction())
    size = file.size
    intake.take(0.0)
    assert file.size == size
    intake.take(0.0)
    assert file.size > size


def test_what_must_not_reach_the_file_does_not(file: RecordingFile, path: str):
    secret = message(1, b'{"password":"sesame","n":1}')
    intake = taken(file, Given([secret, message(2, b'{"passw'), message(3)]), redact=("pass*",))
    intake.finish()
    assert kinds(path) == [1, "unreadable", 3]
    found = Recording(path)
    assert next(iter(found)).content == {"password": HIDDEN, "n": 1}
    assert [(gap.lost, gap.first) for gap in intake.gaps] == [(1, 2)]
    with open(path, "rb") as written:
        assert b"sesame" not in written.read()


def test_one_group_ends_and_the_others_go_on(file: RecordingFile, path: str):
    gone = Given([message(1)], PermissionDenied("not yours any more"))
    other = Given([message(1)], [message(2)], [message(3)], group="b")
    intake = taken(file, gone, other)
    assert [str(error) for error in intake.errors] == ["not yours any more"]
    assert not intake.is_over
    assert [(gap.group, gap.reason) for gap in intake.gaps] == [("run", "ended")]
    assert "not yours any more" in str(intake.gaps[0])
    intake.finish()
    assert Recording(path).groups == {"run": 1, "b": 3}


class TestTheEnd:
    """Where a log ended when the recording was stopped."""

    @pytest.fixture
    def intake(self, file: RecordingFile) -> Intake:
        cleared = Anchor("f", 0, 0, 1, recovered=False, reason="epoch", cleared=True)
        cursor = Given([message(1)], [Missing(2, 3)], [cleared, message(1)])
        return Intake(file, [cursor], Redaction())

    def until(self, intake: Intake, epoch: str, top: int) -> None:
        intake.sources[0].until = Anchor(epoch, top, 0, top)

    def test_it_is_reached_by_messages_and_by_gaps(self, intake: Intake):
        self.until(intake, "e", 3)
        assert not intake.is_through
        intake.take(0.0)
        assert not intake.is_through
        intake.take(0.0)
        assert intake.is_through

    def test_an_epoch_that_has_gone_by_was_reached(self, intake: Intake):
        self.until(intake, "e", 50)
        for _ in range(2):
            intake.take(0.0)
            assert not intake.is_through
        intake.take(0.0)
        assert intake.is_through

    def test_an_epoch_that_is_still_to_come(self, intake: Intake, path: str):
        self.until(intake, "f", 1)
        intake.take(0.0)
        assert not intake.is_through
        intake.finish()
        assert Recording(path).gaps[-1]._replace(moment=0) == Gap("run", "unreached")

    def test_what_did_not_come_in_time_is_a_gap(self, intake: Intake, path: str):
        self.until(intake, "e", 9)
        intake.take(0.0)
        intake.finish()
        (gap,) = Recording(path).gaps
        assert (gap.reason, gap.lost, gap.first, gap.last) == ("unreached", 8, 2, 9)

    def test_an_end_that_nobody_told_is_a_gap(self, intake: Intake, path: str):
        intake.sources[0].unasked = "the server is away"
        assert intake.is_through
        intake.finish()
        assert "the server is away" in str(Recording(path).gaps[0])
