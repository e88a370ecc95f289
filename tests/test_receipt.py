"""What a receipt says, in each case."""

import dataclasses

import pytest

from nbchannels.receipt import Receipt


@pytest.mark.parametrize(("receipt", "sentence"), [
    (Receipt("group", "index", 0, 3, offset=17),
     "<sent to group 'index', 3 subscribers, offset 17, in memory>"),
    (Receipt("group", "index", 0, 1, offset=1),
     "<sent to group 'index', 1 subscriber, offset 1, in memory>"),
    (Receipt("group", "index", 2, 0, offset=1),
     "<sent to group 'index', 0 subscribers, 2 members, offset 1, in memory>"),
    (Receipt("group", "index", 1, None),
     "<sent to group 'index', subscribers not known, 1 member, in memory>"),
    (Receipt("group", "index", None, 2),
     "<sent to group 'index', 2 subscribers, in memory>"),
    (Receipt("group", "index"), "<sent to group 'index', receivers not known, in memory>"),
    (Receipt("group", "index", 3, 0, 1, offset=2),
     ("<sent to group 'index', 0 subscribers, 3 members, offset 2, DROPPED by 1 full member, "
      "in memory>")),
    (Receipt("group", "index", 3, 0, 2),
     "<sent to group 'index', 0 subscribers, 3 members, DROPPED by 2 full members, in memory>"),
    (Receipt("group", "index", 0, 1, meaning="primary"),
     "<sent to group 'index', 1 subscriber, on the Redis primary>"),
    (Receipt("group", "index", 0, 1, meaning="replicas"),
     "<sent to group 'index', 1 subscriber, on the Redis replicas>"),
    (Receipt("group", "index", 0, 1, meaning="moon"),
     "<sent to group 'index', 1 subscriber, moon>"),
    (Receipt("group", "index", 0, 1, duplicate=True),
     "<sent to group 'index', 1 subscriber, in memory, a repetition, not sent twice>"),
    (Receipt("group", "index", 0, 0, hint="no one listens"),
     "<sent to group 'index', 0 subscribers, in memory>\nno one listens"),
    (Receipt("channel", "work", 1, offset=5),
     "<sent to channel 'work', 1 receiver waits, in memory>"),
    (Receipt("channel", "work", 2), "<sent to channel 'work', 2 receivers wait, in memory>"),
    (Receipt("channel", "work", 0), "<sent to channel 'work', in memory>"),
    (Receipt("channel", "work"), "<sent to channel 'work', in memory>"),
])  # fmt: skip
def test_sentences(receipt, sentence):
    assert repr(receipt) == sentence


@pytest.mark.parametrize(("members", "subscribers", "received"), [
    (0, 0, False), (0, None, False), (1, 0, True), (0, 1, True), (None, None, True), (None, 0, True)
])  # fmt: skip
def test_received_as_far_as_is_known(members, subscribers, received):
    assert Receipt("group", "index", members, subscribers).received is received


def test_over_the_wire_and_back():
    receipt = Receipt("group", "index", 1, 2, 3, "e" * 16, 4, 5, "primary", True, "hint")
    wire = receipt.to_wire()
    assert set(wire) == {field.name for field in dataclasses.fields(Receipt)}
    assert Receipt.from_wire(wire) == receipt
    assert Receipt.from_wire(wire | {"sequence": 9, "news": []}) == receipt
    assert Receipt.from_wire({"kind": "group", "name": "index"}) == Receipt("group", "index")


def test_a_receipt_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Receipt("group", "index").dropped = 1
