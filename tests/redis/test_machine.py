"""The layer on Redis against plain models, by chance: one of it, and two on one Redis."""

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from nbchannels.bridge import bridge
from nbchannels.layers.cursor import Anchor, Missing
from nbchannels.layers.redis.layer import RedisChannelLayer
from nbchannels.protocol.events import Record
from tests.layers.machine import LayerMachine
from tests.redis.servers import PATIENCE

pytestmark = pytest.mark.integration

#: On two loaded cores; `make fuzz` takes more.
FEW = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
NUMBERS = itertools.count()
NAMES = st.sampled_from("ab")
WHICH = st.integers(0, 1)


@pytest.mark.timeout(240)
def test_one_layer_does_what_memory_does(redis_server):
    class Machine(LayerMachine):
        def new_layer(self, **options):
            options["expiry"] = 3600  # time cannot be handed in here
            return RedisChannelLayer(
                [redis_server.url], prefix=f"machine-{next(NUMBERS)}", **options
            )

        def teardown(self):
            if hasattr(self, "layer"):
                self.run(True, self.layer.close())
            super().teardown()

    run_state_machine_as_test(Machine, settings=FEW)


class Follower:
    """A cursor, and where it has to be."""

    def __init__(self, cursor):
        self.cursor = cursor
        self.place = (cursor.anchor.epoch, cursor.anchor.offset)


class TwoLayers(RuleBasedStateMachine):
    """Two processes' worth: one order for all, without holes, whatever is cut."""

    server = None

    @initialize()
    def begin(self):
        prefix = f"machine-{next(NUMBERS)}"
        self.layers = [
            RedisChannelLayer([self.server.url], prefix=prefix, history=20) for _ in range(2)
        ]
        self.number = 0
        self.newest = {}
        self.logs = {}
        self.queues = {name: [] for name in "ab"}
        self.followers = {name: [] for name in "ab"}

    def teardown(self):
        if hasattr(self, "layers"):
            for name in "ab":
                self.all_catch_up(name)
            for layer in self.layers:
                self.run(layer.close())

    def run(self, coroutine):
        return bridge.run(coroutine, PATIENCE)

    @rule(which=WHICH, name=NAMES, count=st.integers(1, 12))
    def group_send(self, which, name, count):
        async def send():
            return await asyncio.gather(
                *(self.layers[which].group_send(name, {"n": self.number + i}) for i in range(count))
            )

        for i, receipt in enumerate(self.run(send())):
            log = self.logs.setdefault((name, receipt.epoch), {})
            assert receipt.offset == len(log) + 1
            log[receipt.offset] = self.number + i
            self.newest[name] = receipt.epoch
        self.number += count

    @rule(which=WHICH, name=NAMES, count=st.integers(1, 5))
    def send(self, which, name, count):
        for _ in range(count):
            if len(self.queues[name]) < 100:
                self.run(self.layers[which].send(name, {"n": self.number}))
                self.queues[name].append(self.number)
                self.number += 1

    @rule(which=WHICH, name=NAMES, count=st.integers(1, 5))
    def receive(self, which, name, count):
        for _ in range(min(count, len(self.queues[name]))):
            lease = self.run(self.layers[which].lease(name))
            assert lease.message["n"] == self.queues[name].pop(0)
            self.run(self.layers[which].settle(lease))

    @rule(which=WHICH, name=NAMES, again=WHICH)
    def give_back(self, which, name, again):
        """What one layer gives back is the next that anyone gets, and marked."""
        if self.queues[name]:
            lease = self.run(self.layers[which].lease(name))
            self.run(self.layers[which].settle(lease, "return"))
            number = self.queues[name].pop(0)
            lease = self.run(self.returned(self.layers[again], name, number))
            assert lease.redelivered
            self.run(self.layers[again].settle(lease))

    async def returned(self, layer, name, number):
        """That it is given back is not waited for: others may come first for a moment."""
        others = []
        while (lease := await layer.lease(name)).message["n"] != number:
            others.append(lease)
        for other in reversed(others):
            await layer.settle(other, "return")
        return lease

    @rule(which=WHICH, name=NAMES)
    def clear(self, which, name):
        self.run(self.layers[which].clear(name))

    @rule(which=WHICH, name=NAMES, start=st.sampled_from(["now", "earliest"]))
    def subscribe(self, which, name, start):
        if len(self.followers[name]) < 4:
            cursor = self.run(self.layers[which].subscribe(name, start))
            self.followers[name].append(Follower(cursor))

    @rule(which=WHICH, name=NAMES)
    def resume(self, which, name):
        """A follower goes on at the other layer: with all that it missed."""
        if self.followers[name]:
            follower = self.followers[name].pop(0)
            cursor = self.run(self.layers[which].subscribe(name, follower.cursor.position))
            follower.cursor.close()
            self.followers[name].append(Follower(cursor))
            if cursor.anchor.recovered:
                assert (cursor.anchor.epoch, cursor.anchor.offset) == follower.place
            else:
                assert cursor.anchor.reason in ("epoch", "trimmed")

    @rule(kind=st.sampled_from(["normal", "pubsub"]))
    def cut(self, kind):
        self.server.kill_clients(kind)

    @rule()
    def forget_scripts(self):
        self.server.flush_scripts()

    @rule(name=NAMES, limit=st.integers(1, 7))
    def read(self, name, limit):
        for follower in self.followers[name]:
            self.take(name, follower, limit)

    @rule(name=NAMES)
    def all_catch_up(self, name):
        epoch = self.newest.get(name)
        if epoch is None:
            return
        # One more, so that there is an end that all can see.
        self.group_send(0, name, 1)
        epoch = self.newest[name]
        end = (epoch, len(self.logs[name, epoch]))
        for follower in self.followers[name]:
            self.run(self.reach(name, follower, end))

    async def reach(self, name, follower, end):
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        follower.cursor.on_change = lambda: loop.call_soon_threadsafe(news.set)
        while True:
            news.clear()
            while self.take(name, follower, 100):
                pass
            if follower.place == end:
                follower.cursor.on_change = None
                return
            await news.wait()

    def take(self, name, follower, limit):
        items = follower.cursor.take(limit)
        for item in items:
            epoch, offset = follower.place
            if isinstance(item, Anchor):
                assert not item.recovered
                assert item.epoch != epoch, "nothing was lost: only clear() begins anew"
                assert item.cleared
                follower.place = (item.epoch, item.offset)
            elif isinstance(item, Missing):
                assert item.first == offset + 1
                assert item.last - item.first < len(self.logs[name, epoch]) - 20
                follower.place = (epoch, item.last)
            else:
                assert isinstance(item, Record)
                assert item.sequence == offset + 1
                number = self.layers[0].decode(item)["n"]
                assert number == self.logs[name, epoch][item.sequence]
                follower.place = (epoch, item.sequence)
        return items


@pytest.mark.timeout(240)
def test_two_layers_agree_whatever_is_cut(redis_server):
    class Machine(TwoLayers):
        server = redis_server

    run_state_machine_as_test(Machine, settings=FEW)
