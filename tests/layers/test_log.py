"""The log against a plain list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.log import Log
from nbchannels.protocol.codec import decode_records
from nbchannels.protocol.events import Last, Position


def encoded(n: int, size: int = 10) -> Encoded:
    return Encoded(JSON, f'{{"n":{n:>{size}}}}'.encode())


def filled(count: int, **limits) -> Log:
    log = Log(7, "e" * 16, **limits)
    for n in range(1, count + 1):
        log.append(encoded(n), now=1000.0 + n, tag=n * 11)
    return log


def test_an_entry_is_its_wire_record():
    log = Log(7, "e" * 16)
    entry = log.append(encoded(1), now=5.0, tag=99, sender=3, flags=2)
    (record,) = decode_records(entry.data)
    assert record == entry.record()
    assert (record.id, record.tag, record.sequence, record.sender) == (7, 99, 1, 3)
    assert (record.time, record.flags) == (5.0, 2)
    assert bytes(record.body) == encoded(1).body


def test_time_never_decreases():
    log = Log(1, "e" * 16)
    times = [log.append(encoded(0), now=now, tag=0).time for now in (5.0, 4.0, 6.0, 1.0)]
    assert times == [5.0, 5.0, 6.0, 6.0]


def test_the_newest_entry_stays_whatever_its_size():
    log = Log(1, "e" * 16, max_bytes=100)
    log.append(encoded(1), now=0, tag=0)
    log.append(encoded(2, 500), now=0, tag=0)
    assert (len(log), log.first, log.top) == (1, 2, 2)
    log.append(encoded(3), now=0, tag=0)
    assert (len(log), log.first, log.top) == (1, 3, 3)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3)), max_size=60),
    st.integers(1, 12),
    st.integers(60, 1500),
)
@settings(deadline=None)
def test_against_a_list(steps, max_messages, max_bytes):
    log = Log(1, "e" * 16, max_messages, max_bytes)
    model: list[tuple[int, bytes]] = []
    for top, (size, action) in enumerate(steps, 1):
        entry = log.append(encoded(top, size), now=0, tag=top)
        model.append((top, entry.data))
        while len(model) > 1 and (
            len(model) > max_messages or sum(len(d) for _, d in model) > max_bytes
        ):
            model.pop(0)
        if action == 3:
            log.trim(max(1, len(log) // 2), max_bytes)
            del model[: len(model) - max(1, len(model) // 2)]
        assert (len(log), log.top, log.first) == (len(model), top, model[0][0])
        assert log.bytes == sum(len(d) for _, d in model)
        assert [(e.offset, e.data) for e in log.after(0, 1000, 10**9)] == model
        for offset in range(top + 2):
            found = log.entry(offset)
            assert (found.data if found else None) == dict(model).get(offset)


@given(st.integers(0, 30), st.integers(1, 10), st.integers(1, 400))
def test_after_is_bounded_and_contiguous(offset, limit, max_bytes):
    log = filled(20, max_messages=15)
    found = log.after(offset, limit, max_bytes)
    expected = list(range(max(offset + 1, 6), 21))[:limit]
    assert [e.offset for e in found] == expected[: len(found)]
    assert len(found) <= limit
    assert bool(found) == bool(expected)
    assert len(found) <= 1 or sum(len(e.data) for e in found) <= max_bytes
    if len(found) < len(expected):
        following = log.entry(found[-1].offset + 1)
        assert sum(len(e.data) for e in found) + len(following.data) > max_bytes


@pytest.mark.parametrize(
    ("start", "offset"),
    [("now", 20), (Last(-5), 20), ("earliest", 5), (Last(3), 17), (Last(100), 5), (Last(0), 20)],
)
def test_where_a_cursor_begins(start, offset):
    anchor = filled(20, max_messages=15).locate(start)
    assert (anchor.offset, anchor.top, anchor.recovered, anchor.log) == (offset, 20, True, 7)
    assert anchor.tag == offset * 11


@pytest.mark.parametrize(
    ("position", "recovered", "reason", "lost", "offset"),
    [
        (Position("e" * 16, 12, 132), True, None, None, 12),
        (Position("e" * 16, 20, 220), True, None, None, 20),
        (Position("e" * 16, 5, 55), True, None, None, 5),
        (Position("e" * 16, 12, 131), False, "tag", None, 5),
        (Position("e" * 16, 5, 56), False, "tag", None, 5),
        (Position("e" * 16, 21, 231), False, "tag", None, 5),
        (Position("e" * 16, 3, 33), False, "trimmed", 2, 5),
        (Position("e" * 16, 0, 0), False, "trimmed", 5, 5),
        (Position("f" * 16, 12, 132), False, "epoch", None, 5),
    ],
)
def test_resume_is_all_or_announced(position, recovered, reason, lost, offset):
    anchor = filled(20, max_messages=15).locate(position)
    assert (anchor.recovered, anchor.reason, anchor.lost) == (recovered, reason, lost)
    assert anchor.offset == offset
    assert not anchor.cleared


def test_resume_from_the_beginning_of_a_whole_log():
    anchor = filled(3).locate(Position("e" * 16, 0, 0))
    assert (anchor.recovered, anchor.offset) == (True, 0)


def test_resume_after_clear_says_so():
    log = Log(2, "f" * 16, before=("e" * 16,))
    anchor = log.locate(Position("e" * 16, 3, 33))
    assert (anchor.recovered, anchor.reason, anchor.cleared) == (False, "epoch", True)
