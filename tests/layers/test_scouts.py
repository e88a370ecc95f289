"""Who serves a message: parties, orders, ranks, globs and filters."""

import itertools

import pytest

from nbchannels.layers import scouts as module
from nbchannels.layers.scouts import Plan, Scouts
from tests.layers.scouting import FakeScout

PAID = ("paid", "yes")


def serving(*scouts: FakeScout) -> Scouts:
    found = Scouts()
    for scout in scouts:
        found.add(scout)
    return found


def test_the_most_specific_parties_compete():
    glob, filtered_glob = FakeScout("order.*"), FakeScout("order.*", PAID)
    name, same_name = FakeScout("order.a"), FakeScout("order.a")
    filtered = FakeScout("order.a", PAID)
    found = serving(glob, filtered_glob, name, same_name, filtered)
    plan = found.plan("order.a")
    assert plan.is_filtered
    assert plan.chosen({"paid": "yes"}) == [filtered]
    assert plan.chosen({"paid": "no"}) == [name, same_name]
    found.remove(filtered)
    assert found.plan("order.a").chosen({"paid": "yes"}) == [name, same_name]
    assert found.plan("order.b").chosen({"paid": "yes"}) == [filtered_glob]
    assert found.plan("order.b").chosen({}) == [glob]


@pytest.mark.parametrize("first", [0, 1])
def test_of_one_party_its_first_route_counts_names_before_globs(first):
    early = FakeScout("work", party="kernel", order=1)
    late = FakeScout("work", PAID, party="kernel", order=2)
    glob = FakeScout("*", PAID, party="kernel", order=0)
    both = [early, late, glob]
    found = serving(*both[first:], *both[:first])
    assert found.plan("work").chosen({"paid": "yes"}) == [early]
    assert found.plan("work").chosen_of("kernel", {"paid": "yes"}) is early
    assert found.plan("other").chosen_of("kernel", {"paid": "no"}) is None
    assert found.plan("work").chosen_of("another", {}) is None


def test_without_filters_the_content_does_not_matter():
    name, glob = FakeScout("work"), FakeScout("*")
    plan = serving(glob, name).plan("work")
    assert not plan.is_filtered
    assert plan.scouts == (name,)
    assert plan.chosen({}) == [name]


def test_a_glob_takes_neither_replies_nor_what_is_our_own():
    star, own = FakeScout("*"), FakeScout("specific.a!b")
    found = serving(star, own)
    assert found.plan("anything").scouts == (star,)
    assert found.plan("specific.a!b").scouts == (own,)
    assert found.plan("specific.a!c").scouts == ()
    assert found.plan("nbchannels.view.1").scouts == ()


def test_who_may_not_take_from_a_channel_stands_in_nobodys_way():
    best, rest = FakeScout("sensor.*", PAID), FakeScout("sensor.*")
    best.refuses = {"sensor.secret"}
    found = serving(best, rest)
    assert found.plan("sensor.open").chosen({"paid": "yes"}) == [best]
    assert found.plan("sensor.secret").chosen({"paid": "yes"}) == [rest]
    assert found.plan("sensor.secret").scouts == (rest,)


def test_names_that_the_same_scouts_match_share_a_plan():
    star, one = FakeScout("sensor.*"), FakeScout("sensor.1")
    found = serving(star, one)
    assert found.plan("sensor.2") is found.plan("sensor.3")
    assert found.plan("sensor.1") is not found.plan("sensor.2")
    assert found.plan("a") is found.plan("b")
    before = found.plan("sensor.2").number
    found.add(FakeScout("*"))
    assert found.plan("sensor.2").number > before, "what the old one decided counts no more"


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MEMORY", 10)
    found = serving(FakeScout("sensor.*"))
    for n in range(100):
        assert len(found.plan(f"sensor.{n}").scouts) == 1
        assert len(found._plans) <= 10
    assert len(found._shared) == 1


def test_adding_and_removing_leaves_nothing_behind():
    scouts = [FakeScout("work"), FakeScout("work"), FakeScout("*")]
    found = serving(*scouts)
    assert found
    assert set(found) == set(scouts)
    assert found.has(scouts[0].party)
    found.remove(FakeScout("work"))
    assert set(found) == set(scouts)
    for scout in scouts:
        found.remove(scout)
    assert not found
    assert not found._names
    assert not found.has(scouts[0].party)
    assert found.plan("work").scouts == ()


def test_the_bits_of_a_plan_tell_its_scouts_apart():
    scouts = [FakeScout("work", ("n", str(n))) for n in range(70)]
    plan = serving(*scouts).plan("work")
    for one, other in itertools.pairwise(plan.scouts):
        assert plan.bits([one]) & plan.bits([other]) == 0
    assert plan.bits(scouts) == 2**70 - 1
    assert plan.bits([FakeScout("work")]) == 0


def test_a_filter_that_takes_too_long_is_told(monkeypatch):
    slow = FakeScout("work", ("text", "(a|a)*b"))
    quick = FakeScout("work", ("text", "a"), party=slow.party, order=1)
    plan = Plan([slow, quick], 1)
    monkeypatch.setattr(module, "SLOW", 0.005)
    assert plan.chosen({"text": "b"}) == [slow]
    assert slow.slow == []
    assert plan.chosen({"text": "a" * 18}) == [quick]
    assert len(slow.slow) == 1
    assert slow.slow[0] > 0.005
    assert quick.slow == []
