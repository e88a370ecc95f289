"""Whose a key is: what the nodes of a cluster say, taken over."""

import pytest

from nbchannels.layers.redis.entries import Keys
from nbchannels.layers.redis.slots import SlotMap, address_in, slot_of

ONE, TWO, THREE = ("10.0.0.1", 7000), ("10.0.0.2", 7000), ("10.0.0.3", 7001)


def test_what_has_one_hash_tag_has_one_slot():
    keys = Keys("nbc")
    slots = {slot_of(keys.group("orders", part)) for part in ("log", "meta", "live", "by:x")}
    assert len(slots) == 1
    assert slot_of("123456789") == 12739  # the example of the specification
    assert len({slot_of(keys.group(f"g{n}", "log")) for n in range(100)}) > 90


def test_nothing_is_known_at_first():
    slots = SlotMap()
    assert slots.owner(0) is None
    assert slots.primaries == set()
    assert not slots.is_whole


def test_the_answer_of_a_node_is_taken_over():
    slots = SlotMap()
    slots.assign(7, THREE)
    slots.update(
        [
            [0, 9999, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.3", 7001, b"id", []]],
            [10000, 16383, [b"10.0.0.2", 7000, b"id"]],
        ],
        THREE,
    )
    assert slots.owner(0) == slots.owner(7) == slots.owner(9999) == ONE
    assert slots.owner(10000) == slots.owner(16383) == TWO
    assert slots.primaries == {ONE, TWO}
    assert slots.replicas == {THREE}
    assert slots.is_whole


def test_slots_that_nobody_has():
    slots = SlotMap()
    slots.update([[0, 100, [b"10.0.0.1", 7000, b"id"]]], ONE)
    assert slots.owner(101) is None
    assert not slots.is_whole


def test_a_single_slot_moves():
    slots = SlotMap()
    slots.update([[0, 16383, [b"10.0.0.1", 7000, b"id"]]], ONE)
    slots.assign(5, TWO)
    assert slots.owner(5) == TWO
    assert slots.owner(4) == slots.owner(6) == ONE


@pytest.mark.parametrize("host", [None, b"", "", b"?"])
def test_a_node_that_does_not_know_its_host_means_itself(host):
    slots = SlotMap()
    slots.update([[0, 16383, [host, 7005, b"id"]]], ("redis.example", 7000))
    assert slots.owner(0) == ("redis.example", 7005)


def test_addresses_are_remapped():
    slots = SlotMap()
    slots.update(
        [[0, 16383, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.2", 7000, b"id"]]],
        ONE,
        lambda address: ("localhost", address[1] + int(address[0][-1])),
    )
    assert slots.primaries == {("localhost", 7001)}
    assert slots.replicas == {("localhost", 7002)}


def test_where_a_call_is_sent_on():
    assert address_in("10.0.0.2:7000", ONE) == TWO
    assert address_in(":7009", ONE) == ("10.0.0.1", 7009)
    assert address_in("2001:db8::1:7000", ONE) == ("2001:db8::1", 7000)
