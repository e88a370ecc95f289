"""The client session against a simple model of the server, with connections lost at any moment.

The server is a dict of logs that are appended to, trimmed and born anew, a record of what it has
already appended, and what each target waits for after a refusal. Both directions are queues of
WebSocket messages, and a lost connection loses what is in them.
"""

from collections import deque
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import UNSET

from nbchannels.protocol.client import ClientSession
from nbchannels.protocol.codec import (
    decode_client_control,
    decode_records,
    encode_control,
    encode_record,
)
from nbchannels.protocol.events import (
    MESSAGE,
    RETRIED,
    Accepted,
    Ack,
    Alive,
    Control,
    Event,
    Gap,
    Heartbeat,
    Hello,
    Record,
    Rejected,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Welcome,
    Withdraw,
)
from nbchannels.protocol.publisher import Outgoing

GROUPS = st.sampled_from(["a", "b"])
WINDOW = 4
USER = ["publish", "publish", "subscribe", "unsubscribe", "again", "withdraw"]
NETWORK = ["write", "server reads", "client reads", "settle", "wait", "lose"]
OTHER_SIDE = ["append", "push", "push", "trim", "clear", "refuse", "beat"]
STEPS = [*USER, *NETWORK, *NETWORK, *OTHER_SIDE]


class Entry(NamedTuple):
    offset: int
    tag: int
    body: bytes


class Log:
    def __init__(self, number: int) -> None:
        self.number = number
        self.epoch = f"{number:016x}"
        self.top = 0
        self.kept: deque[Entry] = deque()
        self.everything: dict[int, Entry] = {}

    def append(self, body: bytes) -> None:
        self.top += 1
        entry = Entry(self.top, self.number * 1000 + self.top, body)
        self.kept.append(entry)
        self.everything[self.top] = entry


class Reading:
    """A subscription as the server sees it."""

    def __init__(self, log: Log, offset: int, mode: str) -> None:
        self.log = log
        self.sent = offset
        self.acknowledged = offset
        self.mode = mode


class Server:
    def __init__(self) -> None:
        self.logs: dict[str, Log] = {}
        self.born = 0
        self.appended: dict[tuple[str, int], str] = {}  # (group, sequence): epoch
        self.order: dict[str, list[int]] = {"a": [], "b": []}
        self.refusing: dict[str, list[int]] = {}  # group: what was refused; the first is waited for
        self.refuse_next: set[str] = set()
        self.readings: dict[str, Reading] = {}
        self.out: deque[str | bytes] = deque()
        for group in "ab":
            self.bear(group)

    def bear(self, group: str) -> None:
        self.born += 1
        self.logs[group] = Log(self.born)

    def say(self, control: Control) -> None:
        self.out.append(encode_control(control))

    def reads(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            for record in decode_records(message):
                self.publish(record)
            return
        match decode_client_control(message):
            case Hello() as hello:
                self.say(Welcome("s", "0.1.0", 1, limits={"window": WINDOW}))
                for wanted in hello.subscriptions:
                    self.subscribe(wanted)
            case Subscribe() as wanted:
                self.subscribe(wanted)
            case Unsubscribe(group):
                self.readings.pop(group, None)
                self.say(Unsubscribed(group))
            case Ack(logs):
                for number, offset in logs:
                    for reading in self.readings.values():
                        if reading.log.number == number:
                            assert reading.acknowledged <= offset <= reading.sent
                            reading.acknowledged = offset
            case Withdraw(_, name, sequence):
                if sequence in self.refusing.get(name, []):
                    self.refusing[name].remove(sequence)
                    if not self.refusing[name]:
                        del self.refusing[name]
            case Alive():
                pass
            case other:
                raise AssertionError(other)

    def publish(self, record: Record) -> None:
        group, sequence = record.name, record.sequence
        log = self.logs[group]
        if self.appended.get((group, sequence)) == log.epoch:
            assert record.flags & RETRIED
            self.accept(group, sequence)
        elif self.refusing.get(group, [sequence])[0] < sequence:
            if sequence > self.refusing[group][-1]:
                self.refusing[group].append(sequence)
            self.reject(group, sequence, "out_of_order")
        elif group in self.refuse_next:
            self.refuse_next.discard(group)
            self.refusing[group] = [sequence]
            self.reject(group, sequence, "unavailable")
        else:
            self.refusing.pop(group, None)
            if (group, sequence) not in self.appended:
                self.order[group].append(sequence)
            self.appended[group, sequence] = log.epoch
            log.append(bytes(record.body))
            self.accept(group, sequence)

    def accept(self, group: str, sequence: int) -> None:
        self.say(Accepted([("group", group, sequence)]))

    def reject(self, group: str, sequence: int, code: str) -> None:
        error = {"code": code, "message": "m", "temporary": True}
        self.say(Rejected("group", group, sequence, error, 0.5))

    def subscribe(self, wanted: Any) -> None:
        log = self.logs[wanted.group]
        oldest = log.kept[0].offset if log.kept else log.top + 1
        offset, reason = log.top, None
        if wanted.position is not UNSET:
            place = wanted.position
            entry = log.everything.get(place.offset)
            if place.epoch != log.epoch:
                offset, reason = oldest - 1, "epoch"
            elif place.offset < oldest - 1 and place.offset != log.top:
                offset, reason = oldest - 1, "trimmed"
            else:
                assert place.offset == 0 or (entry is not None and entry.tag == place.tag)
                offset = place.offset
        elif wanted.since == "earliest":
            offset = oldest - 1
        before = log.everything.get(offset)
        self.readings[wanted.group] = Reading(log, offset, wanted.mode)
        self.say(
            Subscribed(
                wanted.group, log.number, log.epoch, offset, before.tag if before else 0, log.top,
                reason is None, reason,
            )
        )  # fmt: skip

    def push(self, group: str) -> None:
        """Send a subscriber as much as its window admits."""
        reading = self.readings.get(group)
        if reading is None:
            return
        if reading.log is not self.logs[group]:
            reading = self.readings[group] = Reading(self.logs[group], 0, reading.mode)
            log = reading.log
            self.say(Subscribed(group, log.number, log.epoch, 0, 0, log.top, False, "epoch", True))
        log = reading.log
        while reading.sent - reading.acknowledged < WINDOW and reading.sent < log.top:
            oldest = log.kept[0].offset
            if reading.mode == "latest" and reading.sent + 1 < log.top:
                self.gap(reading, log.top - 1, "conflated")
            elif oldest > reading.sent + 1:
                self.gap(reading, oldest - 1, "trimmed")
            entry = log.everything[reading.sent + 1]
            self.out.append(
                encode_record(
                    Record(
                        MESSAGE, 1, 0, "", log.number, entry.tag, entry.offset, 1.0, 0, entry.body
                    )
                )
            )
            reading.sent += 1

    def gap(self, reading: Reading, last: int, reason: Any) -> None:
        self.say(Gap(reading.log.number, reading.sent + 1, last, reason))
        reading.sent = last

    def beat(self) -> None:
        logs = [(r.log.number, r.sent, r.log.top) for r in self.readings.values()]
        self.say(Heartbeat(1.0, logs))


class Stream:
    """What came for one subscription: contiguous within an epoch, or announced."""

    def __init__(self) -> None:
        self.epoch = ""
        self.offset: int | None = None
        self.seen: set[tuple[str, int]] = set()

    def take(self, event: Event) -> None:
        if event.name == "subscribed":
            control = event.control
            if self.offset is not None and control.recovered:
                assert control.epoch == self.epoch
                assert control.offset <= self.offset
            self.epoch, self.offset = control.epoch, control.offset
        elif event.name == "gap":
            assert self.offset is not None
            assert event.control.first <= self.offset + 1 <= event.control.last
            self.offset = event.control.last
        else:
            assert self.offset is not None
            assert event.record is not None
            assert event.record.sequence == self.offset + 1
            self.offset += 1
            assert (self.epoch, self.offset) not in self.seen
            self.seen.add((self.epoch, self.offset))


class ClientMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.past: dict[str, Log] = {}
        self.session = ClientSession("script", "0.1.0", "0" * 32)
        self.server = Server()
        self.now = 0.0
        self.to_server: deque[str | bytes] = deque()
        self.open: dict[int, Outgoing] = {}
        self.accepted: dict[str, list[int]] = {"a": [], "b": []}
        self.streams: dict[str, Stream] = {}
        self.session.connected(0.0)
        for group in "ab":
            self.user("subscribe", group, "log", "now", 1)
        self.settle()

    def take(self, events: list[Event]) -> None:
        for event in events:
            if event.name in ("subscribed", "gap", "message"):
                group = event.subject.group
                self.streams[group].take(event)
                if event.name == "message":
                    log = self.log_of(self.streams[group].epoch)
                    assert log.everything[event.record.sequence].body == event.record.body
            elif event.name == "accepted":
                outgoing = event.subject
                assert self.open.pop(outgoing.sequence) is outgoing
                assert (outgoing.name, outgoing.sequence) in self.server.appended
                self.accepted[outgoing.name].append(outgoing.sequence)
            else:
                assert event.name in ("welcomed", "unsubscribed"), event

    def log_of(self, epoch: str) -> Log:
        return (self.past | {log.epoch: log for log in self.server.logs.values()})[epoch]

    # One rule, not fifteen: Hypothesis switches whole rules off at random, and what is looked for
    # here are long chains of different steps.

    @rule(
        what=st.sampled_from(STEPS),
        group=GROUPS,
        mode=st.sampled_from(["log", "latest"]),
        since=st.sampled_from(["now", "earliest"]),
        count=st.sampled_from([1, 2, 5, 50]),
    )
    def step(self, what: str, group: str, mode: Any, since: Any, count: int) -> None:
        if what in USER:
            self.user(what, group, mode, since, min(count, 5))
        elif what in NETWORK:
            self.network(what, count, mode == "log")
        else:
            self.other_side(what, group, min(count, 5))

    def user(self, what: str, group: str, mode: Any, since: Any, count: int) -> None:
        if what == "publish":
            for _ in range(count):
                outgoing = self.session.publish("group", group, 1, b"mine")
                self.open[outgoing.sequence] = outgoing
                if mode == "log":
                    self.write(1)
        elif what == "subscribe" and group not in self.session.subscriber.groups:
            self.session.subscribe(group, mode=mode, since=since)
            self.streams[group] = Stream()
        elif what in ("unsubscribe", "again"):
            self.session.unsubscribe(group)
            self.streams.pop(group, None)
            if what == "again":
                self.user("subscribe", group, mode, since, count)
        elif what == "withdraw" and self.open:
            outgoing = self.open.pop(sorted(self.open)[count % len(self.open)])
            if self.session.withdraw(outgoing):  # it is certain that it is not there
                assert (outgoing.name, outgoing.sequence) not in self.server.appended

    def network(self, what: str, messages: int, half: bool) -> None:
        if self.session.state == "CLOSED":
            self.session.connected(self.now)
        elif what == "write":
            self.write(messages)
        elif what == "server reads":
            self.server_reads(messages)
        elif what == "client reads":
            self.client_reads(messages)
        elif what == "settle":
            self.settle()
        elif what == "wait":
            self.wait(0.1 * min(messages, 10))
        elif messages == 1:
            self.lose(half)

    def other_side(self, what: str, group: str, count: int) -> None:
        log = self.server.logs[group]
        if what == "append":
            for _ in range(count):
                log.append(b"else")
        elif what == "push":
            self.server.push(group)
        elif what == "trim":
            while len(log.kept) > count:
                log.kept.popleft()
        elif what == "clear" and count == 1:
            self.past[log.epoch] = log
            self.server.bear(group)
        elif what == "refuse":
            self.server.refuse_next.add(group)
        elif what == "beat" and self.session.state == "OPEN":
            self.server.beat()

    # --- The steps ---

    def write(self, messages: int) -> None:
        for _ in range(messages):
            if (message := self.session.take()) is None:
                break
            self.to_server.append(message)

    def server_reads(self, messages: int) -> None:
        for _ in range(min(messages, len(self.to_server))):
            self.server.reads(self.to_server.popleft())

    def client_reads(self, messages: int) -> None:
        for _ in range(min(messages, len(self.server.out))):
            self.take(self.session.receive(self.server.out.popleft(), self.now))

    def settle(self) -> None:
        """Everything that is under way arrives."""
        self.write(50)
        self.server_reads(50)
        self.client_reads(200)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.session.state != "CLOSED":  # so that the connection never counts as silent
            self.take(self.session.receive('{"op": "something else"}', self.now))
        self.take(self.session.tick(self.now))

    def lose(self, server_reads_first: bool) -> None:
        while server_reads_first and self.to_server:
            self.server.reads(self.to_server.popleft())
        self.to_server.clear()
        self.server.out.clear()
        self.server.readings.clear()
        self.server.refusing.clear()
        self.take(self.session.disconnected())

    # --- What always holds ---

    @invariant()
    def order_is_kept(self) -> None:
        for group in "ab":
            assert self.server.order[group] == sorted(self.server.order[group])
            assert self.accepted[group] == sorted(self.accepted[group])

    @invariant()
    def the_bounds_are_right(self) -> None:
        publisher = self.session.publisher
        assert publisher.unacknowledged == len(self.open)
        assert publisher.unacknowledged_bytes == sum(o.size for o in self.open.values())

    def teardown(self) -> None:
        """In the end, with a good connection, everything arrives."""
        self.server.refuse_next.clear()
        for _ in range(40):
            if self.session.state == "CLOSED":
                self.session.connected(self.now)
            self.wait(1.0)
            for group in "ab":
                self.server.push(group)
            self.settle()
        assert not self.open
        for group, stream in self.streams.items():
            log = self.server.logs[group]
            assert (stream.epoch, stream.offset) == (log.epoch, log.top)


ClientMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestClient = ClientMachine.TestCase
