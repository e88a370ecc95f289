"""The memory layer under several threads and loops, against a plain model."""

import asyncio
import random
import threading
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.layers.machine import LayerMachine


class MemoryMachine(LayerMachine):
    """Time goes on, expiries too; and the books of what is held agree."""

    def new_layer(self, **options):
        self.now = 1000.0
        return InMemoryChannelLayer(**options, clock=lambda: self.now)

    @rule(seconds=st.floats(0, 8))
    def time_goes_on(self, seconds):
        self.now += seconds

    @invariant()
    def the_books_agree(self):
        if not hasattr(self, "layer"):
            return
        registry = self.layer._registry
        waiting = sum(len(x.encoded.body) for b in registry.mailboxes.values() for x in b.letters)
        assert registry.waiting_bytes == waiting
        assert registry.log_bytes == sum(g.log.bytes for g in registry.groups.values())


TestLayer = MemoryMachine.TestCase
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
