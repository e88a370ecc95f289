"""Any layer under several threads and loops, against a plain model."""

import asyncio
import threading

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from nbchannels.exceptions import ChannelFull
from nbchannels.layers.cursor import Anchor, Missing
from nbchannels.protocol.events import Record

__all__ = ["LayerMachine"]

NAMES = st.sampled_from(["a", "b", "c"])


class LayerMachine(RuleBasedStateMachine):
    """Sends, receives, members, cursors, clear: one loop here, one in another thread."""

    #: Seconds since 1970; stands still unless a machine has a rule for it.
    now = 1000.0

    def new_layer(self, **options):
        """The layer under test, empty."""
        raise NotImplementedError

    @initialize()
    def begin(self):
        self.layer = self.new_layer(capacity=4, expiry=10, history=6)
        self.here = asyncio.new_event_loop()
        self.there = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.there.run_forever)
        self.thread.start()
        self.queues: dict[str, list[tuple[int, float]]] = {n: [] for n in "abc"}
        self.members: dict[str, list[str]] = {n: [] for n in "abc"}
        self.logs: dict[str, list[int]] = {n: [] for n in "abc"}
        self.kept_from: dict[str, int] = dict.fromkeys("abc", 0)
        self.cursors = []
        self.number = 0

    def teardown(self):
        self.there.call_soon_threadsafe(self.there.stop)
        self.thread.join()
        self.there.close()
        self.here.close()

    def run(self, elsewhere, coroutine):
        if elsewhere:
            return asyncio.run_coroutine_threadsafe(coroutine, self.there).result(10)
        return self.here.run_until_complete(asyncio.wait_for(coroutine, 10))

    def expire(self, name):
        queue = self.queues[name]
        while queue and queue[0][1] <= self.now:
            queue.pop(0)

    def put(self, name):
        if len(self.queues[name]) >= 4:
            self.expire(name)
        if len(self.queues[name]) >= 4:
            return False
        self.queues[name].append((self.number, self.now + 10))
        return True

    @rule(name=NAMES, elsewhere=st.booleans())
    def send(self, name, elsewhere):
        self.number += 1
        if self.put(name):
            self.run(elsewhere, self.layer.send(name, {"n": self.number}))
        else:
            with pytest.raises(ChannelFull):
                self.run(elsewhere, self.layer.send(name, {"n": self.number}))

    @rule(name=NAMES, elsewhere=st.booleans())
    def receive(self, name, elsewhere):
        self.expire(name)
        if self.queues[name]:
            expected, _ = self.queues[name].pop(0)
            assert self.run(elsewhere, self.layer.receive(name)) == {"n": expected}

    @rule(name=NAMES, elsewhere=st.booleans())
    def receive_before_send(self, name, elsewhere):
        self.expire(name)
        if self.queues[name]:
            return
        waiting = asyncio.run_coroutine_threadsafe(self.layer.receive(name), self.there)
        self.number += 1
        self.run(elsewhere, self.layer.send(name, {"n": self.number}))
        assert waiting.result(10) == {"n": self.number}

    @rule(group=NAMES, name=NAMES)
    def add(self, group, name):
        self.run(False, self.layer.group_add(group, name))
        if name not in self.members[group]:
            self.members[group].append(name)

    @rule(group=NAMES, name=NAMES)
    def discard(self, group, name):
        self.run(True, self.layer.group_discard(group, name))
        if name in self.members[group]:
            self.members[group].remove(name)

    @rule(group=NAMES, elsewhere=st.booleans())
    def group_send(self, group, elsewhere):
        self.number += 1
        dropped = sum(not self.put(name) for name in self.members[group])
        receipt = self.run(elsewhere, self.layer.group_send(group, {"n": self.number}))
        self.logs[group].append(self.number)
        self.kept_from[group] = max(self.kept_from[group], len(self.logs[group]) - 6)
        assert (receipt.members, receipt.dropped) == (len(self.members[group]), dropped)
        assert receipt.offset == len(self.logs[group])
        assert receipt.subscribers == sum(1 for c, g, *_ in self.cursors if g == group)

    @rule(group=NAMES)
    def clear(self, group):
        self.run(False, self.layer.clear(group))
        self.logs[group] = []
        self.kept_from[group] = 0
        self.cursors = [
            (c, g, 0, True) if g == group else (c, g, at, new) for c, g, at, new in self.cursors
        ]

    @rule(group=NAMES, earliest=st.booleans())
    def subscribe(self, group, earliest):
        start = "earliest" if earliest else "now"
        cursor = self.run(False, self.layer.subscribe(group, start))
        at = self.kept_from[group] if earliest else len(self.logs[group])
        assert cursor.anchor.offset == at
        self.cursors.append((cursor, group, at, False))

    @rule(data=st.data(), limit=st.integers(1, 5))
    def read_a_cursor(self, data, limit):
        if not self.cursors:
            return
        index = data.draw(st.integers(0, len(self.cursors) - 1))
        cursor, group, at, new = self.cursors[index]
        for item in cursor.take(limit):
            if isinstance(item, Anchor):
                assert new
                assert item.cleared
                assert item.offset == self.kept_from[group]
                at, new = item.offset, False
            elif isinstance(item, Missing):
                assert item.first == at + 1
                assert item.last == self.kept_from[group]
                at = item.last
            else:
                assert isinstance(item, Record)
                assert item.sequence == at + 1
                assert self.layer.decode(item) == {"n": self.logs[group][at]}
                at += 1
        self.cursors[index] = (cursor, group, at, new)

    @rule()
    def close_the_oldest_cursor(self):
        if self.cursors:
            self.cursors.pop(0)[0].close()
