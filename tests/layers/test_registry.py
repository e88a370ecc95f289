"""The rules of sending, and the bounds."""

import secrets
import threading

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import ChannelFull, LayerUnavailable
from nbchannels.layers.cursor import Position
from nbchannels.layers.groups import LogCursor
from nbchannels.layers.producers import Producer
from nbchannels.layers.registry import Bounds, Registry


def registry(**bounds) -> Registry:
    return Registry(lambda name: 5, lambda name: 60.0, secrets.randbits, Bounds(**bounds), 100.0)


def message(size: int = 10) -> Encoded:
    return Encoded(JSON, b"x" * size)


def test_a_retry_is_appended_once_in_a_group_and_in_a_channel():
    state = registry()
    first = state.append("index", message(), 0.0, Producer("p", 1)).receipt
    again = state.append("index", message(), 0.0, Producer("p", 1)).receipt
    assert (again.duplicate, again.offset, again.tag) == (True, first.offset, first.tag)
    assert state.group("index", 0.0).log.top == 1
    state.put("work", message(), 0.0, Producer("p", 2))
    assert state.put("work", message(), 0.0, Producer("p", 2)).receipt.duplicate
    assert len(state.mailbox("work").letters) == 1


def test_the_idlest_log_shrinks_first_and_newest_entries_stay():
    state = registry(total_history_bytes=5000)
    for n in range(20):
        state.append("idle", message(100), float(n))
    for n in range(40):
        state.append("busy", message(100), 100.0 + n)
        assert state.log_bytes <= 5000
        assert state.log_bytes == sum(g.log.bytes for g in state.groups.values())
    assert len(state.groups["idle"].log) == 1
    assert state.groups["idle"].log.top == 20
    assert state.groups["busy"].log.top == 40


def test_bytes_in_mailboxes_are_bounded_and_counted():
    state = registry(mailbox_bytes=1000)
    state.put("a", message(600), 0.0)
    with pytest.raises(ChannelFull, match=r"cannot take 600 bytes.*the limit is 1,000"):
        state.put("b", message(600), 0.0)
    assert state.waiting_bytes == 600
    assert state.take(state.mailbox("a"), 1.0) is not None
    assert state.waiting_bytes == 0
    state.put("b", message(600), 0.0)
    # What has waited too long makes room.
    state.put("c", message(600), 61.0)
    assert state.waiting_bytes == 600
    assert state.counters["expired"] == 1


def test_group_sends_respect_the_bytes_in_mailboxes():
    state = registry(mailbox_bytes=1000)
    for name in ("a", "b"):
        box = state.mailbox(name)
        state.group("index", 0.0).members[name] = box
        box.groups.add("index")
    receipt = state.append("index", message(600), 0.0).receipt
    assert (receipt.members, receipt.dropped) == (2, 1)
    assert "were full" in receipt.hint
    assert state.waiting_bytes == 600
    state.close_channel("a")
    assert state.waiting_bytes == 0
    assert list(state.groups["index"].members) == ["b"]


def test_groups_are_bounded_and_the_idlest_makes_room():
    state = registry(groups=3)
    for n in range(10):
        state.append(f"g{n}", message(), float(n))
    assert list(state.groups) == ["g7", "g8", "g9"]
    for name in state.groups:
        group = state.groups[name]
        LogCursor(group, group.log.locate("now"), threading.Lock())
    with pytest.raises(LayerUnavailable, match="3 groups, the limit is 3"):
        state.append("one-too-many", message(), 20.0)


def test_channels_are_bounded():
    state = registry(channels=2)
    state.put("a", message(), 0.0)
    state.put("b", message(), 0.0)
    with pytest.raises(LayerUnavailable, match="2 channels, the limit is 2"):
        state.put("c", message(), 0.0)


def test_unused_groups_are_forgotten():
    state = registry()
    state.append("index", message(), 0.0)
    state.forget(99.0)
    assert "index" in state.groups
    state.forget(100.0)
    assert "index" not in state.groups
    assert state.log_bytes == 0


def test_clear_keeps_the_books():
    state = registry()
    state.append("index", message(), 0.0)
    before = state.groups["index"].log
    after = state.clear("index", 1.0).log
    assert (after.top, state.log_bytes) == (0, 0)
    assert after.number != before.number
    assert after.locate(Position(before.epoch, 1, 1)).cleared


def test_hints():
    state = registry()
    assert (
        state.append("index", message(), 0.0).receipt.hint == "no one listens to group 'index' yet"
    )
    hint = state.put("work", message(), 0.0).receipt.hint
    assert hint == "no one receives from channel 'work' yet: 1 of at most 5 messages wait"
    state.take(state.mailbox("work"), 10.0)
    assert state.put("work", message(), 20.0).receipt.hint is None


def test_what_expires_makes_room_and_the_books_agree():
    state = registry(mailbox_bytes=1000)
    for name in ("a", "b"):
        box = state.mailbox(name)
        state.group("index", 0.0).members[name] = box
        box.groups.add("index")
    state.append("index", message(400), 0.0)
    receipt = state.append("index", message(400), 61.0).receipt
    assert receipt.dropped == 0
    waiting = sum(len(x.encoded.body) for b in state.mailboxes.values() for x in b.letters)
    assert state.waiting_bytes == waiting == 800


def test_a_reader_that_slept_through_several_clears_is_told_so():
    state = registry()
    epoch = state.group("index", 0.0).log.epoch
    for _ in range(3):
        log = state.clear("index", 0.0).log
    assert log.locate(Position(epoch, 0, 0)).cleared
