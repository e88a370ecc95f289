"""The memory layer under several threads and loops, against a plain model."""

import asyncio
import random
import threading
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import ChannelFull
from nbchannels.layers.cursor import Anchor, Missing
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.protocol.events import Record

NAMES = st.sampled_from(["a", "b", "c"])


class LayerMachine(RuleBasedStateMachine):
    """Sends, receives, members, cursors, clear: one loop here, one in another thread."""

    @initialize()
    def begin(self):
        self.now = 1000.0
        self.layer = InMemoryChannelLayer(capacity=4, expiry=10, history=6, clock=lambda: self.now)
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

    @rule(seconds=st.floats(0, 8))
    def time_goes_on(self, seconds):
        self.now += seconds

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

    @invariant()
    def the_books_agree(self):
        if not hasattr(self, "layer"):
            return
        registry = self.layer._registry
        waiting = sum(len(x.encoded.body) for b in registry.mailboxes.values() for x in b.letters)
        assert registry.waiting_bytes == waiting
        assert registry.log_bytes == sum(g.log.bytes for g in registry.groups.values())


TestLayer = LayerMachine.TestCase
TestLayer.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_many_threads_and_loops_lose_nothing():
    """8 senders and 6 receiving loops that cancel at random: each message arrives once."""
    layer = InMemoryChannelLayer(capacity=100_000)
    received: Counter[int] = Counter()
    lock = threading.Lock()
    total = 8 * 300
    done = threading.Event()

    def send(thread):
        for n in range(300):
            layer.submit("channel", "work", Encoded(JSON, b'{"n":%d}' % (thread * 300 + n)))

    async def receive(seed):
        chance = random.Random(seed)
        while not done.is_set():
            task = asyncio.ensure_future(layer.receive("work"))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
                task.cancel()
            try:
                message = await asyncio.wait_for(task, 0.05)
            except (asyncio.CancelledError, TimeoutError):
                continue
            with lock:
                received[message["n"]] += 1
                if len(received) == total:
                    done.set()

    receivers = [threading.Thread(target=lambda s=s: asyncio.run(receive(s))) for s in range(6)]
    senders = [threading.Thread(target=send, args=(t,)) for t in range(8)]
    for thread in receivers + senders:
        thread.start()
    assert done.wait(30), f"{len(received)} of {total} arrived"
    for thread in receivers + senders:
        thread.join()
    assert set(received.values()) == {1}
    assert layer._registry.waiting_bytes == 0


def test_a_loop_that_is_closed_while_it_waits_does_not_keep_the_message():
    layer = InMemoryChannelLayer()
    gone = asyncio.new_event_loop()
    task = gone.create_task(layer.receive("work"))
    gone.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False  # it is destroyed pending: that is the point
    gone.close()

    async def receive():
        waiting = asyncio.ensure_future(layer.receive("work"))
        await asyncio.sleep(0)
        await layer.send("work", {"n": 1})
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(receive()) == {"n": 1}


def test_random_seed_changes_nothing():
    async def names():
        random.seed(0)
        layer = InMemoryChannelLayer()
        name = await layer.new_channel()
        receipt = await layer.group_send("index", {})
        return name, receipt.epoch, receipt.tag

    assert not set(asyncio.run(names())) & set(asyncio.run(names()))
