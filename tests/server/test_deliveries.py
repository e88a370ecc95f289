"""What one connection hands out: reconnects, clients that are gone, bad input."""

import asyncio

import pytest

from nbchannels.diagnoses import diagnoses
from nbchannels.protocol.events import REDELIVERED
from nbchannels.server import deliveries as module
from tests.server.rig import Rig, say, turn

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def nothing_reported():
    yield
    diagnoses.clear()


def wanted(number=1, channel="work", credit=1):
    return {"number": number, "binding": {"channel": channel}, "credit": credit}


async def call(connection, method, **arguments):
    await say(connection, op="call", id=1, method=method, arguments=arguments)


def put(rig, channel="work", **content):
    rig.layer.submit("channel", channel, rig.layer.encode(content))


def deliveries(transport):
    return [item for item in transport.take() if not isinstance(item, dict)]


async def test_consumers_and_their_credit_outlive_a_connection():
    rig = Rig()
    first, out = await rig.connect(consumers=[wanted(credit=2)])
    for n in range(4):
        put(rig, n=n)
    await turn()
    one, two = deliveries(out)
    first.left()
    second, out = await rig.connect(
        consumers=[wanted(credit=2)], leases=[two.sequence], settled=[[one.sequence, "done"]]
    )
    (consumer,) = second.client.consumers.values()
    await turn()
    assert [bytes(r.body) for r in deliveries(out)] == [b'{"n":2}']
    assert (consumer.held, len(rig.layer.enlisted())) == (2, 1)
    assert consumer.counts["done"] == 1


async def test_what_did_not_arrive_comes_again_in_its_order():
    rig = Rig()
    first, out = await rig.connect(consumers=[wanted(credit=3)])
    for n in range(4):
        put(rig, n=n)
    await turn()
    arrived, *_ = deliveries(out)
    first.left()
    _, out = await rig.connect(consumers=[wanted(credit=3)], leases=[arrived.sequence])
    await turn()
    got = deliveries(out)
    assert [bytes(r.body) for r in got] == [b'{"n":1}', b'{"n":2}']
    assert all(r.flags & REDELIVERED for r in got)


async def test_a_consumer_that_follows_hello_counts_what_it_held_before():
    rig = Rig()
    first, out = await rig.connect(consumers=[wanted()])
    for n in range(2):
        put(rig, n=n)
    await turn()
    (record,) = deliveries(out)
    first.left()
    second, out = await rig.connect(leases=[record.sequence])  # hello had no room for it
    await call(second, "consume", **wanted())
    await turn()
    (consumer,) = second.client.consumers.values()
    assert (consumer.held, deliveries(out)) == (1, [])
    await say(second, op="settle", leases=[[record.sequence, "done"]])
    await turn()
    assert (consumer.held, len(deliveries(out))) == (1, 1)


async def test_consumers_that_a_client_has_no_more_end_with_its_hello():
    rig = Rig()
    first, _ = await rig.connect(consumers=[wanted(1), wanted(2, "other")])
    first.left()
    await rig.connect(consumers=[wanted(2, "other"), wanted([3])])
    assert [scout.binding.channel for scout in rig.layer.enlisted()] == ["other"]


async def test_a_consumer_whose_connection_is_lost_meanwhile_is_not_left_behind():
    rig = Rig()
    connection, _ = await rig.connect()
    rig.policy.slow = asyncio.Event()
    asking = asyncio.ensure_future(call(connection, "consume", **wanted()))
    await turn()
    connection.left()
    await rig.hub.dismiss(connection.client)
    rig.policy.slow.set()
    await asking
    assert rig.layer.enlisted() == [], "nobody would ever end it"


async def test_who_may_not_read_consumes_nothing():
    rig = Rig()
    rig.policy.denied = {("read", "work")}
    connection, transport = await rig.connect()
    await call(connection, "consume", **wanted())
    assert transport.controls("error")[0]["error"]["code"] == "forbidden"
    assert rig.layer.enlisted() == []


async def test_a_client_that_dies_gives_back_in_order_and_others_go_on():
    rig = Rig()
    one, out_one = await rig.connect("1", label="a.ipynb")
    two, out_two = await rig.connect("2")
    await call(one, "consume", **wanted(credit=3))
    for n in range(4):
        put(rig, n=n)
    await turn()
    assert len(deliveries(out_one)) == 3
    await call(two, "consume", **wanted(credit=5))
    one.left()
    await rig.hub.dismiss(one.client)
    await turn()
    got = deliveries(out_two)
    assert sorted(bytes(r.body) for r in got) == [b'{"n":%d}' % n for n in range(4)]
    again = [bytes(r.body) for r in got if r.flags & REDELIVERED]
    assert again == [b'{"n":%d}' % n for n in range(3)]
    assert len(rig.layer.enlisted()) == 1


async def test_numbers_of_leases_mean_nothing_to_another_server():
    numbers = set()
    for _ in range(2):
        rig = Rig()
        connection, out = await rig.connect(consumers=[wanted()])
        put(rig, n=1)
        await turn()
        (record,) = deliveries(out)
        numbers.add(record.sequence)
        assert 0 < record.sequence < 2**53
        assert connection.client.leases
    assert len(numbers) == 2


async def test_the_channels_that_one_connection_waits_on_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_TAPS", 2)
    rig = Rig()
    connection, transport = await rig.connect()
    for name in "abc":
        await say(connection, op="credit", channel=name, credit=1)
    (error,) = transport.controls("error")
    assert error["error"]["code"] == "too_many"
    await say(connection, op="credit", channel="a", credit=0)
    await say(connection, op="credit", channel="c", credit=1)
    assert transport.controls("error") == []
    assert set(connection.deliveries.taps) == {"b", "c"}


async def test_after_the_end_nothing_is_handed_out():
    rig = Rig()
    connection, transport = await rig.connect(consumers=[wanted()])
    await say(connection, op="credit", channel="other", credit=1)
    connection.left()
    connection.deliveries.credit("third", 1)
    for name in ("work", "other", "third"):
        put(rig, name)
    await turn()
    assert deliveries(transport) == []
    assert connection.deliveries.taps == {}
