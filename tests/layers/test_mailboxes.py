"""Channels as pure state: bounds on names, what expires, what comes back, the books."""

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.mailboxes import MOST_USED, Mailboxes


class Talk:
    """A dialogue that remembers what it is told."""

    def __init__(self):
        self.is_open = True
        self.told = []


def boxes(most: int = 100, expiry: float = 10.0) -> Mailboxes:
    return Mailboxes(lambda name: 5, lambda name: expiry, most)


def put(state, name, now=0.0, body=b"{}", **fields):
    box = state.mailbox(name, now)
    box.letters.append(Letter(Encoded(JSON, body), now, now + box.expiry, **fields))
    state.waiting_bytes += len(body)
    return box


def test_what_can_be_forgotten_makes_room_for_a_new_name():
    state = boxes(most=2)
    state.mailbox("idle", 0.0)
    put(state, "old", 0.0)
    assert state.mailbox("new", 11.0).name == "new"
    assert list(state.mailboxes) == ["new"]
    assert state.counters["expired"] == 1
    state.mailbox("second", 11.0).kept = True
    state.mailboxes["new"].kept = True
    with pytest.raises(LayerUnavailable, match="2 channels, the limit is 2"):
        state.mailbox("third", 13.0)


def test_looking_for_room_is_not_done_for_each_message():
    state = boxes(most=1)
    put(state, "busy", 0.0)
    for _ in range(2):
        with pytest.raises(LayerUnavailable):
            state.mailbox("other", 5.0)
    state.mailboxes["busy"].letters.clear()
    with pytest.raises(LayerUnavailable):
        state.mailbox("other", 5.5)
    assert state.mailbox("other", 6.5).name == "other"


def test_what_was_taken_comes_back_also_where_there_are_too_many_names():
    state = boxes(most=1)
    letter = state.take(put(state, "work"), 1.0)
    state.release(state.mailboxes["work"])
    state.mailbox("other", 1.0).kept = True
    state.come_back("work", letter, 2.0, later=False)
    assert [x.encoded for x in state.mailboxes["work"].letters] == [letter.encoded]
    assert state.waiting_bytes == 2


def test_what_came_back_does_not_hide_what_expires_behind_it():
    state = boxes()
    box = put(state, "work", 0.0, b"1")
    put(state, "work", 0.0, b"2")
    first = state.take(box, 1.0)
    state.come_back("work", first, 9.0, later=False)
    state.expire_all(15.0)
    assert [x.encoded.body for x in box.letters] == [b"1"]
    assert state.dead.newest(9)[0].letter.encoded.body == b"2"
    assert state.waiting_bytes == 1
    assert not box.disordered


def test_a_shorter_expiry_does_not_wait_for_longer_ones_in_front():
    state = boxes()
    box = put(state, "work", 0.0, b"long")
    box.limit(5, 1.0)
    put(state, "work", 0.0, b"short")
    state.expire_all(2.0)
    assert [x.encoded.body for x in box.letters] == [b"long"]


def test_what_expires_in_process_local_channels_is_counted_and_not_kept():
    state = boxes()
    put(state, "specific.a!b")
    state.expire_all(11.0)
    assert (state.counters["expired"], len(state.dead), state.mailboxes) == (1, 0, {})


def test_dialogues_are_told_what_became_of_their_letters():
    state = boxes()
    late, closed, flushed = Talk(), Talk(), Talk()
    put(state, "a", 0.0, dialogue=late)
    put(state, "b", 8.0, dialogue=closed)
    closed.is_open = False
    put(state, "c", 8.0, dialogue=flushed)
    state.expire_all(11.0)
    assert [talk for talk, _ in state.lost_dialogues] == [late, closed]
    assert "from channel 'a' within 10 s" in state.lost_dialogues[0][1]
    state.close_channel("c")
    assert state.lost_dialogues[-1] == (flushed, "channel 'c' was closed")
    assert len(state.dead) == 0


def test_when_a_forgotten_channel_was_received_from_is_still_known():
    state = boxes(most=10_000)
    box = put(state, "work", 0.0)
    state.take(box, 5.0)
    state.release(box)
    assert state.mailboxes == {}
    assert state.is_recent("work", 60.0)
    assert not state.is_recent("work", 70.0)
    assert not state.is_recent("other", 5.0)
    assert state.mailbox("work", 6.0).used == 5.0
    for n in range(2 * MOST_USED):
        box = put(state, f"c{n}", 0.0)
        state.take(box, 0.0)
        state.release(box)
    assert len(state._used) == MOST_USED


def test_a_box_that_was_replaced_is_not_forgotten_for_its_namesake():
    state = boxes()
    old = state.mailbox("work", 0.0)
    state.close_channel("work")
    new = state.mailbox("work", 0.0)
    state.release(old)
    assert state.mailboxes["work"] is new


def test_closing_drops_and_counts():
    state = boxes()
    put(state, "work", 0.0, b"12345")
    box = state.close_channel("work")
    assert (box.closed, box.dropped, state.counters["dropped"]) == (True, 1, 1)
    assert state.waiting_bytes == 0
    assert state.close_channel("work") is None
