"""A true history passes; whatever is broken in it is found.

The histories come from a small model of a log that loses nothing silently. Each mutation breaks one
promise in one.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbchannels.exceptions import ChannelFull, DeliveryUnknown
from nbchannels.layers.cursor import Anchor
from nbchannels.protocol.events import Position
from nbchannels.receipt import Receipt
from tests.redis.checker import HistoryError, check, violations
from tests.redis.history import History

EXAMPLES = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


class Reader:
    """A subscriber of the model."""

    def __init__(self, seen, log, offset):
        self.seen, self.offset = seen, offset
        seen.anchored(log.anchor(offset))


class Log:
    """A log with subscribers, producers and all that may befall them."""

    def __init__(self, chance):
        self.chance, self.history = chance, History()
        self.epoch, self.entries, self.first = "e0", [], 1
        self.readers = [Reader(self.history.subscriber(n, "orders"), self, 0) for n in "abc"]

    def anchor(self, offset, reason=None):
        tag = self.entries[offset - 1][1] if offset else 0
        told = {"recovered": reason is None, "reason": reason}
        return Anchor(self.epoch, offset, tag, len(self.entries), **told)

    def append(self, message, *, retried=False):
        self.entries.append((message, self.chance.randrange(1, 2**32), retried))
        return Position(self.epoch, len(self.entries), self.entries[-1][1])

    def send(self):
        sent = self.history.send(self.chance.choice(["p", "q"]), "orders")
        which = (sent.message["producer"], sent.message["number"])
        fate = self.chance.random()
        if fate < 0.05:
            sent.failed("full")
        elif fate < 0.1:
            sent.unknown("cut before")
        elif fate < 0.2:  # written, but the answer is lost; tried again
            place = self.append(which)
            sent.unknown("cut after")
            if self.chance.random() < 0.5:
                again = self.history.send(which[0], "orders", which[1])
                if self.chance.random() < 0.5:
                    for reader in self.readers[:2]:
                        self.read(reader, 1_000)
                    self.clear()
                    place = self.append(which, retried=True)
                again.acknowledged(place)
        else:
            sent.acknowledged(self.append(which))

    def read(self, reader, most):
        if reader.offset < self.first - 1:
            reader.seen.gap(reader.offset + 1, self.first - 1, "trimmed")
            reader.offset = self.first - 1
        for message, tag, retried in self.entries[reader.offset : reader.offset + most]:
            reader.offset += 1
            reader.seen.delivered(reader.offset, tag, message, retried=retried)

    def clear(self):
        self.epoch, self.entries, self.first = f"e{int(self.epoch[1:]) + 1}", [], 1
        for reader in self.readers:
            reader.seen.anchored(self.anchor(0, "epoch"))
            reader.offset = 0

    def forget_the_end(self):
        """As a failover does that loses what was acknowledged."""
        kept = self.chance.randint(self.first - 1, len(self.entries))
        del self.entries[kept:]
        for reader in self.readers:
            reader.offset = min(reader.offset, kept)
            if reader.offset >= self.first - 1:
                reader.seen.anchored(self.anchor(reader.offset, "tag"))
            else:
                reader.offset = kept
                reader.seen.anchored(self.anchor(kept, "tag"))

    def reconnect(self, reader):
        if reader.offset >= self.first - 1:
            reader.seen.anchored(self.anchor(reader.offset))
        else:
            reader.offset = self.first
            reader.seen.anchored(self.anchor(reader.offset, "trimmed"))

    def step(self):
        reader = self.chance.choice(self.readers)
        match self.chance.choices(range(7), [40, 40, 4, 1, 1, 6, 2])[0]:
            case 0:
                self.send()
            case 1:
                self.read(reader, self.chance.randint(1, 5))
            case 2:
                self.first = max(self.first, len(self.entries) - 3)
            case 3:
                self.clear()
            case 4:
                self.forget_the_end()
            case 5:
                self.reconnect(reader)
            case 6:
                name = f"late {len(self.history.events)}"
                seen = self.history.subscriber(name, "orders")
                self.readers.append(Reader(seen, self, len(self.entries)))


def group_history(seed):
    chance = random.Random(seed)
    log = Log(chance)
    for _ in range(chance.randint(20, 120)):
        log.step()
    for reader in log.readers:
        log.read(reader, 1_000)
        if chance.random() < 0.1:
            reader.seen.left()
    return log.history


def work_history(seed):
    chance = random.Random(seed)
    history = History()
    workers = [history.worker(name, "work") for name in ("v", "w")[: chance.randint(1, 2)]]
    queue = []
    for _ in range(chance.randint(5, 40)):
        sent = history.send("p", "work")
        fate = chance.random()
        if fate < 0.1:
            sent.failed("full")
        else:
            queue.append((sent.message["producer"], sent.message["number"]))
            sent.unknown("cut") if fate < 0.2 else sent.acknowledged()
        while queue and chance.random() < 0.5:
            run(queue.pop(0), workers, chance)
    for message in queue:
        run(message, workers, chance)
    return history


def run(message, workers, chance):
    if chance.random() < 0.1:
        workers[0].given_up(message, "expired")
        return
    chance.choice(workers).done(message)
    if chance.random() < 0.2:
        chance.choice(workers).done(message, marked=True)


@EXAMPLES
@given(SEEDS)
def test_a_true_history_of_a_group_passes(seed):
    check(group_history(seed))


@EXAMPLES
@given(SEEDS)
def test_a_true_history_of_a_channel_passes(seed):
    check(work_history(seed))


def test_what_the_mutations_need_does_happen():
    events = [event for seed in range(50) for event in group_history(seed).events]
    assert {"gap", "failed", "unknown", "left"} <= {event.what for event in events}
    assert {"epoch", "tag", "trimmed"} <= {event.reason for event in events}
    assert any(event.marked for event in events)


# --- mutations: each yields a broken history, or None where there is nothing to break -------------


def indices(events, true):
    return [number for number, event in enumerate(events) if true(event)]


def last_stretch(events, who):
    """Where the deliveries are that nothing excuses if they are missing."""
    own = indices(events, lambda event: event.who == who and event.what != "left")
    begin = [n for n in own if events[n].what == "anchored" and not events[n].recovered]
    start = begin[-1] if begin else own[0]
    return [n for n in own if n > start and events[n].what == "delivered"]


def remaining(events):
    gone = {event.who for event in events if event.what == "left"}
    return sorted({e.who for e in events if e.what == "anchored"} - gone)


def without(events, numbers):
    return [event for number, event in enumerate(events) if number not in set(numbers)]


def lose_the_end(events, chance):
    # Where a failover has changed the log, what is lost there is announced.
    gone = {event.position.epoch for event in events if event.reason == "tag"}
    for who in remaining(events):
        tail = last_stretch(events, who)[-3:]
        tail = [n for n in tail if events[n].position.epoch not in gone]
        known = {e.message for e in events if e.what == "acknowledged"}
        place = {e.message: e.position for e in events if e.what == "acknowledged"}
        got = [e.message for e in events if e.what == "delivered" and e.who == who]
        once = {message for message in known if got.count(message) == 1}
        sure = [n for n in tail if events[n].message in once]
        if sure and place[events[sure[-1]].message] == events[sure[-1]].position:
            first = tail.index(sure[-1])
            later = indices(events, lambda event, who=who: event.who == who)
            return without(events, [*tail[first:], *(n for n in later if n > tail[first])])
    return None


def lose_one(events, chance):
    for who in remaining(events):
        found = last_stretch(events, who)
        if len(found) > 1:
            return without(events, [found[chance.randrange(len(found) - 1)]])
    return None


def repeat_one(events, chance):
    found = indices(events, lambda event: event.what == "delivered")
    if not found:
        return None
    at = chance.choice(found)
    return [*events[: at + 1], events[at], *events[at + 1 :]]


def swap_two(events, chance):
    for who in remaining(events):
        found = last_stretch(events, who)
        for one, other in zip(found, found[1:], strict=False):
            if events[one].message[0] == events[other].message[0]:
                events = list(events)
                events[one], events[other] = (
                    replace(events[one], message=events[other].message),
                    replace(events[other], message=events[one].message),
                )
                return events
    return None


def another_entry(events, chance):
    """Two subscribers have something else at one place."""
    both = last_stretch(events, "a") if "a" in remaining(events) else []
    for at in both:
        place = events[at].position
        same = indices(events, lambda e, place=place: e.what == "delivered" and e.position == place)
        if len([n for n in same if events[n].who in remaining(events)]) > 1:
            return changed(events, at, position=place._replace(tag=place.tag ^ 1))
    return None


def changed(events, at, **values):
    return [*events[:at], replace(events[at], **values), *events[at + 1 :]]


def change(true, **values):
    def mutate(events, chance):
        found = indices(events, true)
        return changed(events, chance.choice(found), **values) if found else None

    return mutate


def announce_nothing(events, chance):
    """A gap is not told."""
    found = indices(events, lambda event: event.what == "gap")
    found = [n for n in found if any(e.who == events[n].who for e in events[n + 1 :])]
    found = [
        n
        for n in found
        if next(e for e in events[n + 1 :] if e.who == events[n].who).what == "delivered"
    ]
    return without(events, [chance.choice(found)]) if found else None


def refuse_what_came(events, chance):
    came = {event.message for event in events if event.what == "delivered"}
    starts = [event.message for event in events if event.what == "started"]
    once = {message for message in came if starts.count(message) == 1}
    found = indices(events, lambda event: event.what == "acknowledged" and event.message in once)
    return changed(events, chance.choice(found), what="failed") if found else None


def forget_the_send(events, chance):
    came = {event.message for event in events if event.what in ("delivered", "done")}
    if not came:
        return None
    message = chance.choice(sorted(came))
    return without(
        events,
        indices(events, lambda e: e.message == message and e.what not in ("delivered", "done")),
    )


def acknowledge_elsewhere(events, chance):
    held = {(event.message, event.position) for event in events if event.what == "delivered"}
    told = indices(events, lambda e: e.what == "acknowledged" and (e.message, e.position) in held)
    # Who lost it in a failover was told so.
    gone = {event.position.epoch for event in events if event.reason == "tag"}
    told = [n for n in told if events[n].position.epoch not in gone]
    if not told:
        return None
    at = chance.choice(told)
    place = events[at].position
    return changed(events, at, position=place._replace(tag=place.tag ^ 1))


def hide_the_epoch(events, chance):
    """A new epoch begins, and one that goes on there is not told."""
    found = [
        n
        for n in indices(events, lambda e: e.what == "anchored" and e.reason == "epoch")
        if (after := [e for e in events[n + 1 :] if e.who == events[n].who])
        and after[0].what == "delivered"
    ]
    return without(events, [chance.choice(found)]) if found else None


def unmark(events, chance):
    got = set()
    for at, event in enumerate(events):
        if event.what == "delivered":
            if event.marked and (event.who, event.message) in got:
                return changed(events, at, marked=False)
            got.add((event.who, event.message))
    return None


GROUP_MUTATIONS = {
    "the end is lost": (lose_the_end, {"lost"}),
    "one is lost": (lose_one, {"hole", "false recovery"}),
    "one comes twice": (repeat_one, {"duplicate"}),
    "two change places": (swap_two, {"order"}),
    "another entry": (another_entry, {"order"}),
    "a gap is not told": (announce_nothing, {"hole"}),
    "a refused one comes": (refuse_what_came, {"phantom"}),
    "nobody sent it": (forget_the_send, {"phantom"}),
    "acknowledged elsewhere": (acknowledge_elsewhere, {"position"}),
    "a new epoch is not told": (hide_the_epoch, {"hole"}),
    "no reason": (
        change(lambda e: e.what == "anchored" and not e.recovered, reason=None),
        {"false recovery"},
    ),
    "a clean resume that is none": (
        change(lambda e: e.reason == "epoch", recovered=True, reason=None),
        {"false recovery"},
    ),
    "a repetition without its mark": (
        unmark,
        {"unmarked"},
    ),
}


def do_nothing(events, chance):
    known = {event.message for event in events if event.what == "acknowledged"}
    if not known:
        return None
    message = chance.choice(sorted(known))
    ends = ("done", "given up")
    return without(events, indices(events, lambda e: e.message == message and e.what in ends))


def do_again(events, chance):
    found = indices(events, lambda event: event.what == "done" and not event.marked)
    return [*events, events[chance.choice(found)]] if found else None


WORK_MUTATIONS = {
    "nobody does it": (do_nothing, {"undone"}),
    "done twice": (do_again, {"done twice"}),
    "done again without its mark": (
        change(lambda e: e.what == "done" and e.marked, marked=False),
        {"done twice"},
    ),
    "nobody sent it": (forget_the_send, {"phantom"}),
}


def mutated(history, mutate, seed):
    """The first history from this seed on in which there is something to break, broken."""
    for own in range(seed, seed + 200):
        events = mutate(history(own).events, random.Random(own))
        if events is not None:
            return events
    raise AssertionError(f"nothing to break in 200 histories from {seed} on")


def found_in(events):
    history = History()
    history.events = [replace(event, number=number) for number, event in enumerate(events)]
    return list(violations(history))


@pytest.mark.parametrize("name", GROUP_MUTATIONS)
@EXAMPLES
@given(seed=SEEDS)
def test_whatever_is_broken_in_a_group_is_found(name, seed):
    mutate, kinds = GROUP_MUTATIONS[name]
    events = mutated(group_history, mutate, seed)
    assert kinds & {violation.kind for violation in found_in(events)}


@pytest.mark.parametrize("name", WORK_MUTATIONS)
@EXAMPLES
@given(seed=SEEDS)
def test_whatever_is_broken_in_a_channel_is_found(name, seed):
    mutate, kinds = WORK_MUTATIONS[name]
    events = mutated(work_history, mutate, seed)
    assert kinds & {violation.kind for violation in found_in(events)}


# --- by hand --------------------------------------------------------------------------------------


def test_one_worker_takes_a_senders_messages_in_order():
    history = History()
    for _ in range(2):
        history.send("p", "work").acknowledged()
    worker = history.worker("w", "work")
    worker.done(("p", 2))
    worker.done(("p", 1))
    with pytest.raises(HistoryError, match="order: w got what p sent in another order"):
        check(history)


def test_a_failover_that_loses_silently_is_found():
    # Acknowledged at 2, lost; another message takes the place, and the epoch is the same.
    history = History()
    seen = history.subscriber("a", "orders")
    seen.anchored(Anchor("e", 0, 0, 0))
    first, second, third = (history.send("p", "orders") for _ in range(3))
    first.acknowledged(Position("e", 1, 11))
    seen.delivered(1, 11, ("p", 1))
    second.acknowledged(Position("e", 2, 22))
    third.acknowledged(Position("e", 2, 33))
    seen.anchored(Anchor("e", 1, 11, 2))
    seen.delivered(2, 33, ("p", 3))
    with pytest.raises(HistoryError) as caught:
        check(history)
    assert [violation.kind for violation in caught.value.violations] == ["lost"]
    told = str(caught.value)
    assert "lost: a never got 2 of p" in told
    assert "p acknowledged 2 of p in orders at e:2 (tag 22)" in told
    assert "a delivered 1 of p in orders at e:1 (tag 11)" in told
    assert len(told.splitlines()) == 6  # what shows it, and no more


def test_a_message_that_nobody_was_there_for_is_not_lost():
    history = History()
    history.send("p", "orders").acknowledged(Position("e", 1, 1))
    check(history)
    history.subscriber("a", "orders").anchored(Anchor("e", 1, 1, 1))
    check(history)


def test_what_a_sender_is_told():
    history = History()
    sent = history.send("p", "orders")
    sent.acknowledged(Receipt("group", "orders", epoch="e", offset=4, tag=9))
    assert history.events[-1].position == Position("e", 4, 9)
    sent.raised(ChannelFull(channel="orders", capacity=1))
    assert history.events[-1].what == "failed"
    for error in (DeliveryUnknown("no answer", None), ConnectionResetError("gone")):
        sent.raised(error)
        assert history.events[-1].what == "unknown"
