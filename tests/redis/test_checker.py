"""A true history passes; whatever is broken in it is found.

Each mutation breaks one promise in a history that `imagined` makes.
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
from tests.redis.imagined import group_history, work_history

EXAMPLES = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


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
