"""Who is told of messages, and who may take them: scouts on the memory layer."""

import threading

import pytest

from nbchannels.decoding import decode
from nbchannels.diagnoses import diagnoses
from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.layers.serving import GLANCE
from tests.layers.scouting import FakeScout

X, Y = ("kind", "x"), ("kind", "y")


@pytest.fixture
def layer():
    yield InMemoryChannelLayer(capacity=100_000)
    diagnoses.clear()


def send(layer, channel, kind="", n=0):
    layer.submit("channel", channel, layer.encode({"kind": kind, "n": n}))


def take(layer, scout, channel):
    """All that a scout gets of a channel at one time."""
    got = []
    while True:
        letter, again = layer.take_for(scout, channel)
        if letter is not None:
            got.append(_content(letter))
        elif not again:
            return got


def _content(letter):
    return decode(*letter.encoded)["n"]


def test_scouts_are_told_of_what_comes_and_of_what_waits(layer):
    early = FakeScout("work")
    layer.enlist(early)
    send(layer, "work")
    assert early.news == ["work"]
    late = FakeScout("wor*")
    layer.enlist(late)
    assert late.news == ["work"], "it may be served by others; the plan says so when it takes"
    assert take(layer, late, "work") == []
    assert take(layer, early, "work") == [0]


def test_who_is_left_is_told_of_what_waits(layer):
    best, rest = FakeScout("work", X), FakeScout("*")
    layer.enlist(best)
    layer.enlist(rest)
    send(layer, "work", "x", 1)
    assert take(layer, rest, "work") == []
    rest.news.clear()
    layer.dismiss(best)
    assert rest.news == ["work"]
    assert take(layer, rest, "work") == [1]
    assert layer.enlisted() == [rest]


def test_a_scout_gets_only_what_is_for_it_in_order(layer):
    xs, ys, rest = FakeScout("work", X), FakeScout("work", Y), FakeScout("work")
    for scout in (xs, ys, rest):
        layer.enlist(scout)
    for n in range(30):
        send(layer, "work", "xyz"[n % 3], n)
    assert take(layer, ys, "work") == list(range(1, 30, 3))
    assert take(layer, rest, "work") == list(range(2, 30, 3))
    assert take(layer, xs, "work") == list(range(0, 30, 3))
    assert layer._registry.waiting_bytes == 0


def test_messages_for_others_hide_nothing_behind_them(layer):
    xs, ys = FakeScout("work", X), FakeScout("work", Y)
    layer.enlist(xs)
    layer.enlist(ys)
    for n in range(10 * GLANCE):
        send(layer, "work", "x", n)
    send(layer, "work", "y", -1)
    assert take(layer, ys, "work") == [-1]
    assert take(layer, xs, "work") == list(range(10 * GLANCE))


def test_a_message_is_looked_into_once(layer, monkeypatch):
    looked = []
    xs, ys = FakeScout("work", X), FakeScout("work", Y)
    layer.enlist(xs)
    layer.enlist(ys)
    decide = layer._decide
    monkeypatch.setattr(layer, "_decide", lambda *a: looked.append(a[2]) or decide(*a))
    for n in range(200):
        send(layer, "work", "x", n)
    for _ in range(10):
        assert take(layer, ys, "work") == []
    assert len(looked) == 200
    assert len(take(layer, xs, "work")) == 200
    assert len(looked) == 200


def test_a_new_scout_changes_what_was_decided(layer):
    rest = FakeScout("work")
    xs = FakeScout("work", X)
    layer.enlist(FakeScout("work", Y))
    layer.enlist(rest)
    for n in range(4):
        send(layer, "work", "xz"[n % 2], n)
    letter, _ = layer.take_for(rest, "work")
    assert _content(letter) == 0
    layer.enlist(xs)
    assert xs.news == ["work"]
    assert take(layer, rest, "work") == [1, 3]
    assert take(layer, xs, "work") == [2]


def test_what_nobody_s_filter_matches_waits_and_is_told(layer):
    xs = FakeScout("work", X)
    layer.enlist(xs)
    send(layer, "work", "z", 1)
    send(layer, "work", "x", 2)
    assert take(layer, xs, "work") == [2]
    (told,) = [found for found in diagnoses.recent() if found.kind == "no-route"]
    assert "channel 'work' matches no filter" in told.sentence
    assert take(layer, xs, "work") == []
    late = FakeScout("*")
    layer.enlist(late)
    assert take(layer, late, "work") == [1]


def test_what_cannot_be_read_goes_to_whoever_is_first(layer):
    xs = FakeScout("work", X)
    layer.enlist(xs)
    layer.submit("channel", "work", Encoded(JSON, b"[1]"))
    letter, _ = layer.take_for(xs, "work")
    assert letter.encoded.body == b"[1]"


def test_what_expired_behind_others_is_not_taken():
    now = 1000.0
    layer = InMemoryChannelLayer(expiry=10, clock=lambda: now)
    xs, ys = FakeScout("work", X), FakeScout("work", Y)
    layer.enlist(xs)
    layer.enlist(ys)
    send(layer, "work", "x", 1)
    letter, _ = layer.take_for(xs, "work")
    send(layer, "work", "y", 2)
    now += 9
    layer.give_back("work", letter)
    now += 5
    assert layer.take_for(ys, "work") == (None, False)
    assert _content(layer.take_for(xs, "work")[0]) == 1


def test_capacity_and_expiry_hold_for_what_the_binding_means(layer):
    send(layer, "sensor.a")
    before = layer.get_capacity("specific.a!b")
    layer.enlist(FakeScout("*"), capacity=7, expiry=3)
    layer.enlist(FakeScout("sensor.a"), capacity=2)
    box = layer._registry.mailboxes["sensor.a"]
    assert (box.capacity, box.expiry) == (2, 3)
    assert layer.get_capacity("sensor.b") == 7
    assert layer.get_capacity("specific.a!b") == before, "replies are nobody's"
    for capacity, expiry in ((0, None), (True, None), (None, -1), (None, "1")):
        with pytest.raises(InvalidChannelLayerError):
            layer.enlist(FakeScout("work"), capacity, expiry)
    assert len(layer.enlisted()) == 2, "who was refused is not there"


def test_with_many_channels_a_scout_comes_and_goes_without_a_look_at_each(layer):
    message = layer.encode({})
    for n in range(50_000):
        layer.submit("channel", f"some.{n}", message)
    scout = FakeScout("other.*", X)
    layer.enlist(scout)
    layer.enlist(FakeScout("some.7"))
    layer.dismiss(scout)
    assert len(layer._registry.scouts._plans) < 10


def test_names_share_what_is_remembered_of_them(layer):
    layer.enlist(FakeScout("some.*"))
    message = layer.encode({})
    for n in range(20_000):
        layer.submit("channel", f"some.{n}", message)
    scouts = layer._registry.scouts
    assert len(scouts._plans) <= 10_000
    assert len(scouts._shared) == 1


def test_plans_from_outside(layer):
    xs, rest = FakeScout("work", X, party="a"), FakeScout("work", party="b")
    layer.enlist(xs)
    layer.enlist(rest)
    assert layer.plan("work").chosen({"kind": "x"}) == [xs]
    assert layer.chosen_of("a", "work", layer.encode({"kind": "x"})) is xs
    assert layer.chosen_of("a", "work", layer.encode({"kind": "y"})) is None
    assert layer.has_receivers("work", {"kind": "y"})
    assert not layer.has_receivers("other", {})
    assert layer.serves("a")
    assert not layer.serves("c")


def test_scouts_and_senders_on_threads_lose_nothing(layer):
    """Four takers, four senders, one that comes and goes: each message arrives once."""
    taken, lock, stop = [], threading.Lock(), threading.Event()
    scouts = [FakeScout("work", X), FakeScout("work", Y), FakeScout("w*"), FakeScout("work")]
    for scout in scouts:
        layer.enlist(scout)

    def work(scout):
        while True:
            last = stop.is_set()
            letter, _ = layer.take_for(scout, "work")
            if letter is None:
                if last:
                    return
                continue
            with lock:
                taken.append(_content(letter))

    def come_and_go():
        guest = FakeScout("work", X)
        while not stop.is_set():
            layer.enlist(guest)
            layer.dismiss(guest)

    def produce(first):
        for n in range(first, first + 200):
            send(layer, "work", "xyz"[n % 3], n)

    workers = [threading.Thread(target=work, args=(scout,)) for scout in scouts]
    senders = [threading.Thread(target=produce, args=(200 * n,)) for n in range(4)]
    guest = threading.Thread(target=come_and_go)
    for thread in (*workers, *senders, guest):
        thread.start()
    for thread in senders:
        thread.join()
    stop.set()
    for thread in (*workers, guest):
        thread.join()
    for scout in scouts:
        taken += take(layer, scout, "work")
    assert sorted(taken) == list(range(800))
    assert layer._registry.waiting_bytes == 0
