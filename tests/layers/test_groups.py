"""Cursors on a log in this process."""

import threading

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.cursor import Anchor, Missing
from nbchannels.layers.groups import GroupState, LogCursor
from nbchannels.layers.log import Log


def group(**limits) -> GroupState:
    return GroupState("index", Log(1, "e" * 16, **limits), 0.0)


def cursor(state: GroupState, start="now") -> LogCursor:
    return LogCursor(state, state.log.locate(start), threading.Lock())


def append(state: GroupState, count: int = 1) -> None:
    for _ in range(count):
        state.log.append(Encoded(JSON, b"{}"), now=0, tag=1)
    state.announce()


def test_listeners_are_shared_and_leave_with_their_last_cursor():
    state, calls = group(), []
    first, second = cursor(state), cursor(state)

    def listener(who):
        calls.append(who)

    first.listen(listener)
    second.listen(listener)
    append(state)
    assert calls == [state]
    first.close()
    append(state)
    assert len(calls) == 2
    second.close()
    second.close()
    append(state)
    assert len(calls) == 2
    assert not state.cursors
    assert not state.listeners


def test_a_slow_cursor_gets_a_gap_at_its_place():
    state = group(max_messages=3)
    slow = cursor(state)
    append(state, 2)
    assert [item.sequence for item in slow.take()] == [1, 2]
    append(state, 6)
    missing, *records = slow.take()
    assert missing == Missing(3, 5, "trimmed")
    assert [r.sequence for r in records] == [6, 7, 8]


def test_a_new_log_is_announced_once():
    state = group()
    reader = cursor(state)
    append(state)
    reader.take()
    state.log = Log(2, "f" * 16, before=("e" * 16,))
    append(state)
    anchor, record = reader.take()
    assert isinstance(anchor, Anchor)
    assert anchor.cleared
    assert record.sequence == 1
    assert reader.take() == []
    assert reader.position == ("f" * 16, 1, 1)


def test_take_is_bounded():
    state = group()
    reader = cursor(state)
    append(state, 10)
    assert [len(reader.take(4)) for _ in range(4)] == [4, 4, 2, 0]
