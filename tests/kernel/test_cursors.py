"""Many cursors on one stream: a slow one reads pages and stalls nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from nbchannels.exceptions import LayerUnavailable, PermissionDenied
from nbchannels.kernel import cursors
from nbchannels.kernel.cursors import RemoteCursor, Stream
from nbchannels.layers.cursor import Anchor, Missing, Page, Start
from nbchannels.protocol.events import MESSAGE, Position, Record


def record(offset: int, size: int = 48) -> Record:
    return Record(MESSAGE, 1, 0, "", 7, 100 + offset, offset, 0.0, 0, b"{}", size)


def anchor(offset: int, epoch: str = "aa", **more: Any) -> Anchor:
    return Anchor(epoch, offset, 100 + offset if offset else 0, offset, **more)


class FakeReader:
    """The server's log, and what was asked of it; `answer` answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Start, Callable[[Any], None]]] = []
        self.released: list[Stream] = []

    def fetch(self, group: str, start: Start, done: Callable[[Any], None]) -> None:
        self.asked.append((start, done))

    def release(self, stream: Stream) -> None:
        self.released.append(stream)

    def answer(self, top: int, limit: int = 256, oldest: int = 1) -> None:
        start, done = self.asked.pop(0)
        assert isinstance(start, Position)
        first = max(start.offset + 1, oldest)
        records = [record(i) for i in range(first, min(first + limit, top + 1))]
        kept = first == start.offset + 1
        reason = None if kept else "trimmed"
        done(Page(anchor(first - 1, recovered=kept, reason=reason), records))


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def stream(reader: FakeReader) -> Stream:
    found = Stream("index", reader)
    found.subscribed(anchor(0))
    return found


def offsets(items: list[Any]) -> list[Any]:
    return [item.sequence if isinstance(item, Record) else item for item in items]


def test_cursors_take_the_same_in_their_own_time(stream: Stream) -> None:
    one, two = RemoteCursor(stream, anchor(0)), RemoteCursor(stream, anchor(0))
    for i in range(1, 5):
        stream.message(record(i))
    assert offsets(one.take(3)) == [1, 2, 3]
    assert offsets(two.take()) == [1, 2, 3, 4]
    assert offsets(one.take()) == [4]
    assert one.take() == []
    assert one.position == Position("aa", 4, 104)


def test_a_change_is_told_to_all(stream: Stream) -> None:
    told = []
    cursor = RemoteCursor(stream, anchor(0))
    cursor.on_change = lambda: told.append(1)
    stream.message(record(1))
    stream.announce()
    assert told == [1]


def test_gaps_and_new_epochs_come_at_their_place(stream: Stream) -> None:
    cursor = RemoteCursor(stream, anchor(0))
    stream.message(record(1))
    stream.gap(Missing(2, 4))
    stream.message(record(5))
    born = anchor(0, "bb", recovered=False, reason="epoch", cleared=True)
    stream.subscribed(born)
    stream.message(record(1))
    assert offsets(cursor.take()) == [1, Missing(2, 4), 5, born, 1]
    assert cursor.position == Position("bb", 1, 101)


def test_a_resumed_stream_says_nothing_and_a_trimmed_one_says_what_is_missing(
    stream: Stream,
) -> None:
    cursor = RemoteCursor(stream, anchor(0))
    stream.message(record(1))
    stream.subscribed(anchor(1))
    stream.message(record(2))
    stream.subscribed(anchor(7, recovered=False, reason="trimmed", lost=5))
    stream.message(record(8))
    assert offsets(cursor.take()) == [1, 2, Missing(3, 7), 8]


def test_one_that_falls_behind_reads_pages_and_joins_again(
    stream: Stream, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "KEPT", 10)
    fast, slow = RemoteCursor(stream, anchor(0)), RemoteCursor(stream, anchor(0))
    seen = []
    for i in range(1, 31):
        stream.message(record(i))
        seen += offsets(fast.take())
    assert seen == [*range(1, 31)]
    assert len(stream.items) == 10
    assert not reader.asked
    assert slow.take() == []
    got = []
    while reader.asked:
        reader.answer(top=30, limit=12)
        got += offsets(slow.take())
    stream.message(record(31))
    assert got + offsets(slow.take()) == [*range(1, 32)]
    assert not reader.asked


def test_what_the_server_no_longer_has_is_missing(
    stream: Stream, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "KEPT", 5)
    slow = RemoteCursor(stream, anchor(0))
    for i in range(1, 31):
        stream.message(record(i))
    slow.take()
    reader.answer(top=30, oldest=21)
    assert offsets(slow.take()) == [Missing(1, 20), *range(21, 31)]


def test_memory_is_bounded_in_bytes_too(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "KEPT_BYTES", 1000)
    for i in range(1, 100):
        stream.message(record(i, size=400))
        assert sum(item.size for _, item in stream.items) <= 1000  # type: ignore[union-attr]
    stream.message(record(100, size=5000))
    assert len(stream.items) == 1  # one of any size is kept


def test_one_that_begins_earlier_reads_until_it_meets_the_stream(
    stream: Stream, reader: FakeReader
) -> None:
    for i in range(1, 6):
        stream.message(record(i))
    page = Page(anchor(0), [record(1), record(2)])
    cursor = RemoteCursor(stream, page.anchor, page)
    assert offsets(cursor.take()) == [1, 2, 3, 4, 5]
    assert not reader.asked


def test_one_that_is_ahead_of_the_stream_gets_nothing_twice(
    stream: Stream, reader: FakeReader
) -> None:
    page = Page(anchor(0), [record(i) for i in range(1, 6)])
    cursor = RemoteCursor(stream, page.anchor, page)
    assert offsets(cursor.take()) == [1, 2, 3, 4, 5]
    for i in range(1, 8):
        stream.message(record(i))
    assert offsets(cursor.take(limit=1)) == [6]
    assert offsets(cursor.take()) == [7]
    assert not reader.asked


def test_a_page_that_cannot_be_read_now_is_asked_for_again(
    stream: Stream, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "KEPT", 2)
    slow = RemoteCursor(stream, anchor(0))
    for i in range(1, 6):
        stream.message(record(i))
    assert slow.take() == []
    reader.asked.pop()[1](LayerUnavailable("not now"))
    assert slow.take() == []
    reader.answer(top=5)
    assert offsets(slow.take()) == [1, 2, 3, 4, 5]


def test_the_end_of_a_subscription_is_raised_after_what_came(stream: Stream) -> None:
    cursor = RemoteCursor(stream, anchor(0))
    stream.message(record(1))
    stream.ended(PermissionDenied("no more"))
    assert offsets(cursor.take()) == [1]
    with pytest.raises(PermissionDenied, match="no more"):
        cursor.take()


def test_the_last_cursor_releases_the_stream(stream: Stream, reader: FakeReader) -> None:
    one, two = RemoteCursor(stream, anchor(0)), RemoteCursor(stream, anchor(0))
    one.close()
    one.close()
    assert reader.released == []
    two.close()
    assert reader.released == [stream]
    stream.message(record(1))
    assert two.take() == []
