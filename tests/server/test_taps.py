"""Credit: deliveries as long as it lasts, leases given back."""

import pytest

from nbchannels.protocol.events import REDELIVERED
from tests.server.rig import Rig, say, send, turn

pytestmark = pytest.mark.asyncio


def deliveries(transport):
    return [item for item in transport.take() if not isinstance(item, dict)]


async def fill(connection, count):
    for n in range(count):
        await send(connection, "work", n + 1, b'{"n": %d}' % n)


async def test_deliveries_take_from_the_credit():
    rig = Rig()
    connection, transport = await rig.connect()
    await fill(connection, 5)
    await say(connection, op="credit", channel="work", credit=2)
    got = deliveries(transport)
    assert [bytes(r.body) for r in got] == [b'{"n": 0}', b'{"n": 1}']
    await say(connection, op="settle", leases=[[r.sequence, "done"] for r in got])
    assert not connection.client.leases
    await turn()
    assert deliveries(transport) == []
    await say(connection, op="credit", channel="work", credit=10)
    assert len(deliveries(transport)) == 3
    await send(connection, "work", 9, b'{"n": 9}')
    await turn()
    assert [bytes(r.body) for r in deliveries(transport)] == [b'{"n": 9}']


async def test_two_connections_compete_and_each_message_goes_to_one():
    rig = Rig()
    one, out_one = await rig.connect("1")
    two, out_two = await rig.connect("2")
    for connection in (one, two):
        await say(connection, op="credit", channel="work", credit=100)
    await fill(one, 20)
    await turn()
    bodies = [bytes(r.body) for r in deliveries(out_one) + deliveries(out_two)]
    assert sorted(bodies) == sorted(b'{"n": %d}' % n for n in range(20))


async def test_what_was_not_settled_comes_back_in_order_and_marked():
    rig = Rig()
    one, out_one = await rig.connect("1")
    two, out_two = await rig.connect("2")
    await fill(two, 4)
    await say(one, op="credit", channel="work", credit=3)
    assert len(deliveries(out_one)) == 3
    one.left()
    await say(two, op="credit", channel="work", credit=10)
    got = deliveries(out_two)
    assert [bytes(r.body) for r in got] == [b'{"n": %d}' % n for n in range(4)]
    assert [r.flags & REDELIVERED for r in got] == [1, 1, 1, 0]


async def test_no_more_credit_passes_the_message_on():
    rig = Rig()
    one, out_one = await rig.connect("1")
    two, out_two = await rig.connect("2")
    await say(one, op="credit", channel="work", credit=1)
    await say(two, op="credit", channel="work", credit=1)
    await say(one, op="credit", channel="work", credit=0)
    await fill(two, 1)
    await turn()
    assert deliveries(out_one) == []
    assert len(deliveries(out_two)) == 1


async def test_a_socket_that_is_full_gets_nothing():
    rig = Rig()
    connection, transport = await rig.connect()
    await say(connection, op="credit", channel="work", credit=5)
    transport.writable = False
    await fill(connection, 2)
    await turn()
    assert deliveries(transport) == []
    transport.writable = True
    connection.drained()
    assert len(deliveries(transport)) == 2


async def test_return_and_later():
    rig = Rig()
    connection, transport = await rig.connect()
    await fill(connection, 3)
    await say(connection, op="credit", channel="work", credit=2)
    first, second = deliveries(transport)
    await say(
        connection, op="settle", leases=[[first.sequence, "later"], [second.sequence, "return"]]
    )
    await say(connection, op="credit", channel="work", credit=5)
    order = [bytes(r.body) for r in deliveries(transport)]
    assert order == [b'{"n": 1}', b'{"n": 2}', b'{"n": 0}']
