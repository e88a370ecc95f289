"""The server's side of a subscription: windows, gaps, epochs; against what a client must see."""

import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.feed import Feed
from nbchannels.layers.groups import GroupState, LogCursor
from nbchannels.layers.log import Log
from nbchannels.protocol.codec import decode_records
from nbchannels.protocol.events import Gap, Subscribed


class Socket:
    """A connection that keeps what it is given."""

    def __init__(self):
        self.writable = True
        self.out = []

    def write(self, batch):
        if self.writable:
            self.out.append(batch)
        return self.writable

    def tell(self, control):
        self.out.append(control)

    def take(self):
        out, self.out = self.out, []
        return out


def group(**limits) -> GroupState:
    return GroupState("index", Log(1, "e" * 16, **limits), 0.0)


def append(state, count=1, size=2):
    for _ in range(count):
        state.log.append(Encoded(JSON, b" " * size), now=0, tag=1)


def feed(state, mode="log", window=512, window_bytes=2**20, start="now"):
    cursor = LogCursor(state, state.log.locate(start), threading.Lock())
    return Feed(Socket(), cursor, mode, window, window_bytes)


def offsets(out):
    """What came, as offsets and controls."""
    seen = []
    for item in out:
        if isinstance(item, (Gap, Subscribed)):
            seen.append(item)
        else:
            seen += [record.sequence for record in decode_records(item.data)]
    return seen


def test_feeds_at_one_place_share_the_frame():
    state = group()
    one, two, late = feed(state), feed(state), feed(state)
    append(state, 3)
    batches = {}
    for each in (one, two):
        each.pump(batches)
    assert one.sink.out[0] is two.sink.out[0]
    append(state, 1)
    batches = {}
    for each in (one, two, late):
        each.pump(batches)
    assert one.sink.out[1] is two.sink.out[1]
    assert offsets(late.sink.out) == [1, 2, 3, 4]


def test_the_window_in_messages():
    state = group()
    reader = feed(state, window=4)
    append(state, 10)
    reader.pump({})
    assert offsets(reader.sink.take()) == [1, 2, 3, 4]
    reader.pump({})
    assert reader.sink.take() == []
    reader.acknowledge(2)
    reader.pump({})
    assert offsets(reader.sink.take()) == [5, 6]
    reader.acknowledge(6)
    reader.pump({})
    assert offsets(reader.sink.take()) == [7, 8, 9, 10]


def test_the_window_in_bytes_and_one_message_of_any_size():
    state = group()
    reader = feed(state, window_bytes=1000)
    append(state, 1, size=5000)
    append(state, 1, size=5000)
    append(state, 20, size=60)
    reader.pump({})
    assert offsets(reader.sink.take()) == [1]
    reader.acknowledge(1)
    reader.pump({})
    assert offsets(reader.sink.take()) == [2]
    reader.acknowledge(2)
    reader.pump({})
    sent = reader.sink.take()
    assert sum(len(batch.data) for batch in sent) <= 1000
    assert offsets(sent) == list(range(3, 3 + len(offsets(sent))))
    assert len(offsets(sent)) == 9  # of 104 bytes each


def test_a_socket_that_is_full_gets_nothing_more():
    state = group()
    reader = feed(state)
    reader.sink.writable = False
    append(state, 3)
    reader.pump({})
    assert reader.sink.take() == []
    reader.sink.writable = True
    reader.pump({})
    assert offsets(reader.sink.take()) == [1, 2, 3]


def test_a_stuck_reader_is_not_told_gap_after_gap():
    state = group(max_messages=2)
    reader = feed(state)
    reader.sink.writable = False
    for _ in range(20):
        append(state)
        reader.pump({})
    assert reader.sink.take() == []
    reader.sink.writable = True
    reader.pump({})
    assert offsets(reader.sink.take()) == [Gap(1, 1, 18, "trimmed"), 19, 20]


def test_what_was_trimmed_is_announced_at_its_place():
    state = group(max_messages=5)
    reader = feed(state, window=2)
    append(state, 2)
    reader.pump({})
    append(state, 10)
    reader.pump({})
    reader.acknowledge(2)
    reader.pump({})
    assert offsets(reader.sink.take()) == [1, 2, Gap(1, 3, 7, "trimmed"), 8, 9]


def test_latest_jumps_to_the_newest():
    state = group()
    reader = feed(state, mode="latest", window=2)
    append(state, 10)
    reader.pump({})
    assert offsets(reader.sink.take()) == [1, 2]
    reader.acknowledge(2)
    reader.pump({})
    assert offsets(reader.sink.take()) == [Gap(1, 3, 9, "conflated"), 10]


def test_a_new_log_is_announced_before_its_first_message():
    state = group()
    reader = feed(state)
    append(state, 3)
    reader.pump({})
    reader.sink.take()
    state.log = Log(2, "f" * 16, before=("e" * 16,))
    append(state, 1)
    reader.pump({})
    subscribed, first = offsets(reader.sink.take())
    assert (subscribed.id, subscribed.epoch, subscribed.cleared) == (2, "f" * 16, True)
    assert (subscribed.recovered, subscribed.reason, subscribed.offset) == (False, "epoch", 0)
    assert first == 1


def test_a_late_acknowledgement_of_a_replaced_subscription_is_harmless():
    reader = feed(group())
    reader.acknowledge(99)
    assert (reader.acked, reader.sent) == (0, 0)


def test_a_reader_whose_window_is_full_is_not_told_gap_after_gap():
    state = group(max_messages=2)
    reader = feed(state, window_bytes=100)
    for _ in range(20):
        append(state, size=40)
        reader.pump({})
    assert offsets(reader.sink.take()) == [1]
    reader.acknowledge(1)
    reader.pump({})
    assert offsets(reader.sink.take()) == [Gap(1, 2, 18, "trimmed"), 19]
    reader.acknowledge(19)
    reader.pump({})
    assert offsets(reader.sink.take()) == [20]


def test_a_gap_wider_than_the_window_does_not_fill_it():
    state = group(max_messages=2)
    reader = feed(state, window=4)
    append(state, 2)
    reader.pump({})
    append(state, 500)
    reader.pump({})
    assert offsets(reader.sink.take()) == [1, 2, Gap(1, 3, 500, "trimmed"), 501, 502]
    reader.acknowledge(2)
    append(state, 2)
    reader.pump({})
    assert offsets(reader.sink.take()) == [503, 504]


class FeedMachine(RuleBasedStateMachine):
    """The client sees contiguous offsets or an announcement, within the window, always."""

    @initialize(
        mode=st.sampled_from(["log", "latest"]),
        window=st.integers(1, 6),
        window_bytes=st.integers(1, 600),
        kept=st.integers(1, 8),
    )
    def begin(self, mode, window, window_bytes, kept):
        self.kept = kept
        self.state = group(max_messages=kept)
        self.feed = feed(self.state, mode, window, window_bytes)
        self.log, self.seen, self.acked = 1, 0, 0
        self.sizes = {}
        self.logs = 1

    @rule(count=st.integers(1, 5), size=st.integers(0, 300))
    def append(self, count, size):
        append(self.state, count, size)

    @rule()
    def clear(self):
        self.logs += 1
        before = self.state.log.epoch
        self.state.log = Log(self.logs, f"{self.logs:016x}", self.kept, before=(before,))

    @rule(writable=st.booleans())
    def pump(self, writable):
        self.feed.sink.writable = writable
        self.feed.pump({})
        for item in self.feed.sink.take():
            if isinstance(item, Subscribed):
                self.log, self.seen, self.acked = item.id, item.offset, item.offset
                self.sizes = {}
            elif isinstance(item, Gap):
                assert (item.id, item.first) == (self.log, self.seen + 1)
                assert item.last >= item.first
                self.seen = item.last
                if not self.sizes:
                    self.acked = self.seen
            else:
                for record in decode_records(item.data):
                    assert record.id == self.log
                    assert record.sequence == self.seen + 1
                    self.seen = record.sequence
                    self.sizes[self.seen] = record.size
            in_flight = sum(self.sizes.values())
            assert len(self.sizes) <= self.feed.window
            assert in_flight <= self.feed.window_bytes or len(self.sizes) == 1
        if writable and self.acked == self.seen:
            assert self.seen == self.state.log.top

    @precondition(lambda self: self.sizes)
    @rule(data=st.data())
    def acknowledge(self, data):
        offset = data.draw(st.sampled_from(sorted(self.sizes)))
        self.feed.acknowledge(offset)
        self.acked = max(self.acked, offset)
        self.sizes = {o: s for o, s in self.sizes.items() if o > offset}
        if not self.sizes:
            self.acked = max(self.acked, self.seen)
            self.feed.acknowledge(self.seen)


TestFeed = FeedMachine.TestCase
TestFeed.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_a_stuck_reader_is_told_of_the_last_epoch_only():
    state = group()
    reader = feed(state)
    append(state, 3)
    reader.sink.writable = False
    reader.pump({})
    for number in range(2, 102):
        state.log = Log(number, f"{number:016x}", before=(state.log.epoch,))
        append(state, 1)
        reader.pump({})
    assert reader.sink.take() == []
    reader.sink.writable = True
    reader.pump({})
    told, first = offsets(reader.sink.take())
    assert isinstance(told, Subscribed)
    assert (told.epoch, first) == (f"{101:016x}", 1)
