"""Consumers, leases and conversations on a real hub, against a plain model.

Every message is in one place: waiting in its channel, in one hand, done, dead, or lost with its
conversation. Whoever gets one is the one that the rules name, and gets the first that is his. No
message waits while somebody who serves it has credit.
"""

import asyncio
import json
import logging
import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nbchannels.diagnoses import diagnoses
from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import ChannelFull
from nbchannels.layers.bindings import is_glob
from nbchannels.protocol.events import REDELIVERED
from nbchannels.server.router import Router
from tests.server.rig import Rig, say

log = logging.getLogger("nbchannels")
CAPACITY, EXPIRY = 6, 10.0
CHANNELS = ["job.a", "job.b", "other"]
BINDINGS = [
    ("job.a", ()),
    ("job.b", ()),
    ("other", ()),
    ("job.a", (("kind", "x"),)),
    ("job.a", (("kind", "y"),)),
    ("job.*", ()),
    ("job.*", (("kind", "x"),)),
    ("*", ()),
]
NAMES = st.sampled_from(CHANNELS)
KINDS = st.sampled_from("xyz")


class Message:
    def __init__(self, n, channel, kind, talk=None):
        self.n, self.channel, self.kind, self.talk = n, channel, kind, talk
        self.expires = 0.0
        self.retries = 0
        self.redelivered = False

    def __repr__(self):
        return f"<{self.n} {self.channel} {self.kind}>"


class Consumer:
    def __init__(self, client, number, binding, credit):
        self.client, self.number, self.credit = client, number, credit
        self.channel, self.steps = binding
        glob = self.channel.replace(".", r"\.").replace("*", ".*")
        self.pattern = re.compile(glob)

    def matches(self, message):
        return bool(self.pattern.fullmatch(message.channel)) and all(
            message.kind == kind for _, kind in self.steps
        )

    @property
    def rank(self):
        return (not is_glob(self.channel), bool(self.steps))

    @property
    def held(self):
        return sum(number == self.number for _, number in self.client.hands.values())

    def wire(self):
        binding = {"channel": self.channel, "steps": [list(step) for step in self.steps]}
        return {"number": self.number, "credit": self.credit, "binding": binding}


class Client:
    def __init__(self, name):
        self.name = name
        self.connection = self.transport = None
        self.consumers = {}
        self.hands = {}  # lease: (message, number of the consumer)
        self.unread = set()  # leases that a cut has lost on their way

    def first(self, message):
        """The route of this client that a message belongs to."""
        found = [c for c in self.consumers.values() if c.matches(message)]
        return min(found, key=lambda c: (is_glob(c.channel), c.number), default=None)


class Talk:
    """A conversation."""

    def __init__(self, real):
        self.real = real
        self.is_open, self.begun, self.settled = True, False, False
        self.holder = None
        self.in_hand = None
        self.queue = []
        self.told = []


class WorkMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        log.setLevel(logging.ERROR)  # what is dropped is reported, hundreds of times
        self.now = 1000.0
        self.loop = asyncio.new_event_loop()
        self.rig = Rig(capacity=CAPACITY, expiry=EXPIRY, clock=lambda: self.now)
        self.layer = self.rig.layer
        self.router = Router(self.layer, self.rig.hub)
        self.clients = {}
        self.talks = []
        self.boxes = {name: [] for name in CHANNELS}
        self.numbers = 0
        self.done, self.dead, self.lost = set(), [], set()
        self.messages = {}

    def teardown(self):
        if hasattr(self, "loop"):
            self.loop.close()
        diagnoses.clear()
        log.setLevel(logging.NOTSET)

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    # What happens.

    @rule(name=NAMES, kind=KINDS)
    def send(self, name, kind):
        message = self.new(name, kind)
        before = self.letters(name)
        try:
            self.layer.submit("channel", name, self.encoded(message))
        except ChannelFull:
            assert before >= CAPACITY
            self.lost.add(message.n)
        else:
            # What belongs to a conversation that is over makes room where it stands in front.
            assert len(self.boxes[name]) < CAPACITY
            self.put(message)
        self.settle_down()

    @precondition(lambda self: len(self.clients) < 3)
    @rule()
    def connect(self):
        self.numbers += 1
        client = Client(f"c{self.numbers}")
        self.clients[client.name] = client
        self.link(client)
        self.settle_down()

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), binding=st.sampled_from(BINDINGS), credit=st.integers(1, 3))
    def consume(self, data, binding, credit):
        client = self.pick(data)
        if client.connection is None:
            return
        self.numbers += 1
        consumer = Consumer(client, self.numbers, binding, credit)
        client.consumers[consumer.number] = consumer
        self.call(client, "consume", consumer.wire())
        self.settle_down()

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def unconsume(self, data):
        client = self.pick(data)
        if client.connection is None or not client.consumers:
            return
        number = data.draw(st.sampled_from(sorted(client.consumers)))
        del client.consumers[number]
        self.call(client, "unconsume", {"number": number})
        self.settle_down()

    @precondition(lambda self: any(c.hands for c in self.clients.values()))
    @rule(data=st.data(), outcome=st.sampled_from(["done", "done", "return", "later", "fail"]))
    def settle(self, data, outcome):
        client = data.draw(st.sampled_from([c for c in self.clients.values() if c.hands]))
        if client.connection is None:
            return
        lease = data.draw(st.sampled_from(sorted(client.hands)))
        message, _ = client.hands.pop(lease)
        self.became(message, outcome)
        self.run(say(client.connection, op="settle", leases=[[lease, outcome]]))
        self.settle_down()

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def toggle_the_socket(self, data):
        client = self.pick(data)
        if client.connection is None:
            return
        client.transport.writable = not client.transport.writable
        if client.transport.writable:
            client.connection.drained()
        self.settle_down()

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), loses=st.booleans())
    def cut(self, data, loses):
        client = self.pick(data)
        if client.connection is None:
            return
        client.connection.left()
        client.connection = None
        if loses and client.hands:
            client.unread = {max(client.hands)}
        self.settle_down()

    @precondition(lambda self: any(c.connection is None for c in self.clients.values()))
    @rule(data=st.data())
    def come_again(self, data):
        away = [c for c in self.clients.values() if c.connection is None]
        client = data.draw(st.sampled_from(away))
        back = [client.hands.pop(lease)[0] for lease in client.unread]
        client.unread = set()
        for message in back:
            self.became(message, "return")
        self.link(client)
        self.settle_down()

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def die(self, data):
        client = self.pick(data)
        del self.clients[client.name]
        real = client.real
        if client.connection is not None:
            client.connection.left()
        self.run(self.rig.hub.dismiss(real))
        client.consumers = {}
        for talk in self.talks:
            if talk.holder is client:
                self.end(talk)
        for lease in sorted(client.hands, reverse=True):
            message, _ = client.hands[lease]
            if message.talk is None:
                message.redelivered = True
                message.expires = self.now + EXPIRY
                self.boxes[message.channel].insert(0, message)
            else:
                self.lost.add(message.n)
        client.hands.clear()
        self.settle_down()

    @rule(seconds=st.floats(0.1, 7))
    def time_goes_on(self, seconds):
        self.now += seconds
        self.layer.sweep()
        for box in self.boxes.values():
            for message in [m for m in box if m.expires <= self.now]:
                box.remove(message)
                if message.talk is None:
                    self.dead.append(message.n)
                else:
                    self.end(message.talk)
                    self.lost.add(message.n)
        self.settle_down()

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def send_again(self, data):
        n = data.draw(st.sampled_from(self.dead))
        message = self.messages[n]
        if self.letters(message.channel) >= CAPACITY:
            return
        number = next(d.number for d in self.layer.newest_dead(999) if d.content()["n"] == n)
        self.run(self.layer.resend(number))
        self.dead.remove(n)
        message.retries, message.redelivered = 0, False
        self.put(message)
        self.settle_down()

    # Conversations.

    @precondition(lambda self: sum(t.is_open for t in self.talks) < 3)
    @rule()
    def converse(self):
        talk = Talk(None)

        async def make():
            return self.router.converse(lambda why, sentence: talk.told.append(why))

        talk.real = self.run(make())
        self.talks.append(talk)

    @precondition(lambda self: self.talks)
    @rule(data=st.data(), name=NAMES, kind=KINDS)
    def say_in(self, data, name, kind):
        talk = data.draw(st.sampled_from(self.talks))
        message = self.new(name, kind, talk)
        try:
            talk.real.send(name, {"n": message.n, "kind": kind})
        except ChannelFull:
            assert not talk.begun
            self.lost.add(message.n)
        else:
            if not talk.is_open:
                self.lost.add(message.n)
            elif not talk.begun:
                talk.begun = True
                self.put(message)
            else:
                talk.queue.append(message)
        self.settle_down()

    @precondition(lambda self: any(t.is_open for t in self.talks))
    @rule(data=st.data())
    def hang_up(self, data):
        talk = data.draw(st.sampled_from([t for t in self.talks if t.is_open]))
        talk.real.close()
        self.end(talk)
        self.settle_down()
        assert talk.told == []

    # The model.

    def new(self, name, kind, talk=None):
        self.numbers += 1
        message = Message(self.numbers, name, kind, talk)
        self.messages[message.n] = message
        return message

    def letters(self, name):
        box = self.layer._registry.mailboxes.get(name)
        return 0 if box is None else len(box.letters)

    def encoded(self, message):
        return Encoded(JSON, json.dumps({"n": message.n, "kind": message.kind}).encode())

    def put(self, message, front=False):
        message.expires = self.now + EXPIRY
        self.boxes[message.channel].insert(0 if front else 999, message)

    def pick(self, data):
        return self.clients[data.draw(st.sampled_from(sorted(self.clients)))]

    def link(self, client):
        hello = {"consumers": [c.wire() for c in client.consumers.values()]}
        if client.hands:
            hello["leases"] = sorted(client.hands)
        client.connection, client.transport = self.run(self.rig.connect(client.name, **hello))
        client.real = client.connection.client

    def call(self, client, method, arguments):
        self.run(say(client.connection, op="call", id=1, method=method, arguments=arguments))

    def chosen(self, message):
        """Who serves a message that waits in its channel: the rules, as plainly as possible."""
        firsts = [client.first(message) for client in self.clients.values()]
        found = [consumer for consumer in firsts if consumer is not None]
        best = max((consumer.rank for consumer in found), default=None)
        return [consumer for consumer in found if consumer.rank == best]

    def became(self, message, outcome):
        talk = message.talk
        if talk is not None and not talk.is_open:
            self.lost.add(message.n)
            return
        if talk is not None:
            talk.in_hand = None
        if outcome == "done":
            self.done.add(message.n)
            if talk is not None:
                talk.settled = True
        elif outcome == "fail" or (outcome == "later" and message.retries == 10):
            if talk is None:
                self.dead.append(message.n)
            else:
                self.lost.add(message.n)
                self.end(talk)
        else:
            if outcome == "later":
                message.retries += 1
            else:
                message.redelivered = True
            if talk is None or not talk.settled:
                if talk is not None:
                    talk.holder = None
                self.put(message, front=outcome == "return")
            else:
                talk.queue.insert(0 if outcome == "return" else 999, message)

    def end(self, talk):
        talk.is_open = False
        talk.holder = None
        self.lost |= {message.n for message in talk.queue}
        talk.queue.clear()
        for box in self.boxes.values():
            for message in [m for m in box if m.talk is talk]:
                box.remove(message)
                self.lost.add(message.n)

    def settle_down(self):
        """Let everything that can be delivered be delivered, and compare."""
        for _ in range(100):
            self.resolve()
            self.run(turns())
            came = sorted(
                (
                    (record.sequence, client, record)
                    for client in self.clients.values()
                    for record in client.transport.take()
                    if not isinstance(record, dict)
                ),
                key=lambda one: one[0],
            )
            for lease, client, record in came:
                self.delivered(client, lease, record)
            if not came:
                break
        self.compare()

    def resolve(self):
        """What the holder of a conversation has no route for is dropped."""
        for talk in self.talks:
            while talk.queue and talk.holder is not None and talk.in_hand is None:
                if talk.holder.first(talk.queue[0]) is not None:
                    break
                self.lost.add(talk.queue.pop(0).n)
                if not talk.holder.consumers:
                    self.end(talk)

    def delivered(self, client, lease, record):
        message = self.messages[json.loads(bytes(record.body))["n"]]
        consumer = client.consumers[record.id]
        assert record.name == message.channel
        assert bool(record.flags & REDELIVERED) == message.redelivered
        assert record.tag == message.retries
        box, talk = self.boxes[message.channel], message.talk
        if message in box:
            for other in box:
                if consumer in self.chosen(other):
                    assert other is message, f"{consumer.channel} got {message} before {other}"
                    break
            else:
                raise AssertionError(f"{message} is not for {consumer.channel} {consumer.steps}")
            box.remove(message)
            if talk is not None:
                talk.holder = client
        else:
            assert talk is not None, f"{message} came twice, or from nowhere"
            assert talk.queue[0] is message
            assert talk.in_hand is None
            assert talk.holder is client
            assert client.first(message) is consumer
            talk.queue.pop(0)
        if talk is not None:
            talk.in_hand = message
        client.hands[lease] = (message, consumer.number)
        assert consumer.held <= consumer.credit
        self.resolve()

    def compare(self):
        registry = self.layer._registry
        for name, box in self.boxes.items():
            real = registry.mailboxes.get(name)
            letters = [x for x in real.letters if not x.is_over(self.now)] if real else []
            assert [json.loads(x.encoded.body)["n"] for x in letters] == [m.n for m in box]
            for message in box:
                for consumer in self.chosen(message):
                    assert not self.could(consumer), f"{message} is stuck before {consumer.wire()}"
        for talk in self.talks:
            assert talk.real.is_open == talk.is_open
            if talk.queue and talk.holder is not None and talk.in_hand is None:
                consumer = talk.holder.first(talk.queue[0])
                assert not self.could(consumer), f"{talk.queue[0]} is stuck in its conversation"
        waiting = sum(len(x.encoded.body) for b in registry.mailboxes.values() for x in b.letters)
        assert registry.waiting_bytes == waiting
        assert sorted(d.content()["n"] for d in self.layer.newest_dead(999)) == sorted(self.dead)
        places = [m.n for box in self.boxes.values() for m in box]
        places += [m.n for c in self.clients.values() for m, _ in c.hands.values()]
        places += [m.n for talk in self.talks for m in talk.queue]
        places += [*self.dead, *self.done]
        assert len(places) == len(set(places))
        assert set(self.messages) == set(places) | self.lost
        for client in self.clients.values():
            assert set(client.real.leases) == set(client.hands)
            assert set(client.real.consumers) == set(client.consumers)
            for number, consumer in client.real.consumers.items():
                assert consumer.held == client.consumers[number].held

    def could(self, consumer):
        client = consumer.client
        return (
            client.connection is not None
            and client.transport.writable
            and consumer.held < consumer.credit
        )


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


TestWork = WorkMachine.TestCase
TestWork.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
