"""Records whose outcome is known later: one wait for all of them, and nobody overtakes."""

import asyncio

import pytest

from nbchannels.exceptions import ChannelFull, LayerUnavailable
from nbchannels.layers.producers import Producer
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import PUBLISH, RECEIPT_WANTED, SEND, Record
from tests.layers.distant import Distant
from tests.server.rig import Rig, publish, say, turn, until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def layer():
    found = Distant()
    yield found
    found.end()


@pytest.fixture
def rig(layer):
    return Rig(layer)


def record(sequence, name="index", kind=PUBLISH):
    body = b'{"n":%d}' % sequence
    return encode_record(Record(kind, 1, RECEIPT_WANTED, name, 0, 0, sequence, 0.0, 0, body))


def body(sequence):
    return b'{"n":%d}' % sequence


async def send(connection, *records):
    """One binary message of these records."""
    async with asyncio.timeout(10):
        await connection.receive_bytes(b"".join(records))


def told(transport):
    """What became of the records: by sequence ``"accepted"`` or the code of the refusal."""
    found = {}
    for control in transport.take():
        if control["op"] == "rejected":
            found[control["sequence"]] = control["error"]["code"]
        elif control["op"] == "accepted":
            found |= {receipt["sequence"]: "accepted" for receipt in control["receipts"]}
    return found


async def kept(layer, group="index"):
    return [bytes(found.body) for found in (await layer.read(group)).records]


async def test_all_records_of_a_message_are_under_way_before_one_is_answered(rig, layer):
    connection, transport = await rig.connect()
    transport.take()
    layer.gate.clear()
    sending = asyncio.ensure_future(send(connection, *map(record, (1, 2, 3))))
    await turn()
    assert layer.submitted == [body(1), body(2), body(3)]
    assert transport.take() == []
    layer.gate.set()
    await sending
    (accepted,) = transport.take()
    assert accepted["targets"] == [["group", "index", 3]]
    assert [receipt["offset"] for receipt in accepted["receipts"]] == [1, 2, 3]


async def test_behind_a_refusal_for_a_time_nothing_is_taken_until_it_comes_again(rig, layer):
    connection, transport = await rig.connect()
    layer.errors[body(2)] = LayerUnavailable("just now")
    await send(connection, *map(record, (1, 2, 3, 4)))
    assert told(transport) == {
        1: "accepted", 2: "unavailable", 3: "out_of_order", 4: "out_of_order",
    }  # fmt: skip
    await send(connection, record(5))
    assert told(transport) == {5: "out_of_order"}
    await send(connection, *map(record, (2, 3, 4, 5)))
    assert set(told(transport).values()) == {"accepted"}
    assert await kept(layer) == [body(n) for n in (1, 2, 3, 4, 5)]
    assert not layer._refused


async def test_a_final_refusal_holds_nothing_back(rig, layer):
    connection, transport = await rig.connect()
    layer.errors[body(2)] = ChannelFull(channel="work", capacity=5)
    await send(connection, *(record(n, "work", SEND) for n in (1, 2, 3)))
    assert told(transport) == {1: "accepted", 2: "full", 3: "accepted"}


async def test_what_is_known_at_once_is_told_in_its_place(rig, layer):
    connection, transport = await rig.connect(channels=["specific.a!b"])
    layer.errors[body(1)] = LayerUnavailable("just now")
    await send(connection, record(1), record(2, "specific.a!b", SEND), record(3, "away"), record(4))
    assert told(transport) == {
        1: "unavailable", 2: "accepted", 3: "unavailable", 4: "out_of_order",
    }  # fmt: skip
    assert layer.submitted == [body(1)], "the fourth was not even tried"
    await send(connection, record(1), record(3, "away"), record(4))
    assert told(transport) == {1: "accepted", 3: "unavailable", 4: "accepted"}


async def test_a_refusal_that_comes_while_the_policy_is_asked_is_not_overtaken(rig, layer):
    """It is known to the layer, but not to us, when the third is submitted."""
    connection, transport = await rig.connect()
    await send(connection, record(1))
    layer.errors[body(2)] = LayerUnavailable("just now")
    rig.policy.slow = asyncio.Event()
    sending = asyncio.ensure_future(send(connection, record(2), record(3, "other"), record(4)))
    await until(lambda: layer._refused)
    rig.policy.slow.set()
    await sending
    assert told(transport) == {
        1: "accepted", 2: "unavailable", 3: "accepted", 4: "out_of_order",
    }  # fmt: skip
    assert await kept(layer) == [body(1)]


async def test_after_a_withdrawal_the_next_one_is_waited_for(rig, layer):
    connection, transport = await rig.connect()
    layer.errors[body(1)] = LayerUnavailable("just now")
    await send(connection, *map(record, (1, 2, 3)))
    await say(connection, op="withdraw", kind="group", name="index", sequence=1)
    await send(connection, record(3))
    await send(connection, record(2), record(3))
    assert told(transport) == {1: "unavailable", 2: "accepted", 3: "accepted"}
    assert await kept(layer) == [body(2), body(3)]


async def test_a_connection_that_closed_meanwhile_is_told_nothing(rig, layer):
    first, old = await rig.connect("p")
    layer.gate.clear()
    sending = asyncio.ensure_future(send(first, record(1), record(2)))
    await turn()
    first.left()
    old.take()
    layer.gate.set()
    await sending
    assert old.take() == []
    second, new = await rig.connect("p")  # it asks again, and nothing is there twice
    await send(second, record(1), record(2))
    assert told(new) == {1: "accepted", 2: "accepted"}
    assert await kept(layer) == [body(1), body(2)]


async def test_two_connections_do_not_hold_each_other_back(rig, layer):
    (one, its), (other, others) = await rig.connect("1"), await rig.connect("2", "user:eve")
    layer.errors[body(1)] = LayerUnavailable("just now")
    layer.gate.clear()
    sending = [
        asyncio.ensure_future(send(one, record(1), record(2))),
        asyncio.ensure_future(send(other, record(11), record(12))),
    ]
    await until(lambda: len(layer.submitted) == 4)
    layer.gate.set()
    await asyncio.gather(*sending)
    assert told(its) == {1: "unavailable", 2: "out_of_order"}
    assert told(others) == {11: "accepted", 12: "accepted"}
    await send(one, record(1), record(2))
    assert told(its) == {1: "accepted", 2: "accepted"}
    assert await kept(layer) == [body(n) for n in (11, 12, 1, 2)]


async def test_a_connection_that_is_given_up_refuses_nothing_for_ever(rig, layer):
    first, _ = await rig.connect("p")
    layer.gate.clear()
    layer.errors[body(2)] = LayerUnavailable("just now")
    sending = asyncio.ensure_future(send(first, record(1, "other"), record(2), record(3)))
    await until(lambda: len(layer.submitted) == 3)
    layer._refuse("group", "index", Producer("p", 2))
    sending.cancel()
    await asyncio.wait({sending})
    assert not layer._refused
    layer.gate.set()


async def test_an_error_of_our_own_is_not_swallowed_and_refuses_nothing_for_ever(rig, layer):
    connection, _ = await rig.connect()
    layer.errors |= {body(1): KeyError("a mistake"), body(2): LayerUnavailable("just now")}
    with pytest.raises(KeyError):
        await send(connection, record(1), record(2, "other"))
    again, transport = await rig.connect()
    transport.take()
    await publish(again, "other", 2, body=body(2))
    assert told(transport) == {2: "accepted"}
