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
    assert len(one.client.leases) == 3, "it may come back"
    await rig.hub.dismiss(one.client)
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


async def test_letters_come_back_before_what_waits_and_others_get_them_at_once():
    rig = Rig()
    one, out_one = await rig.connect("1")
    two, out_two = await rig.connect("2")
    await fill(two, 3)
    await say(one, op="credit", channel="work", credit=3)
    deliveries(out_one)
    await say(two, op="credit", channel="work", credit=5)
    await send(two, "work", 4, b'{"n": 3}')
    one.left()
    await rig.hub.dismiss(one.client)
    await turn()
    got = deliveries(out_two)
    assert sorted(bytes(r.body) for r in got) == [b'{"n": %d}' % n for n in range(4)]
    back = [bytes(r.body) for r in got if r.flags & REDELIVERED]
    assert back == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']


async def test_credit_replaces_the_last_and_zero_ends_it():
    rig = Rig()
    connection, transport = await rig.connect()
    await say(connection, op="credit", channel="work", credit=5)
    await say(connection, op="credit", channel="work", credit=1)
    await fill(connection, 3)
    await turn()
    assert len(deliveries(transport)) == 1
    await say(connection, op="credit", channel="work", credit=-3)
    await say(connection, op="credit", channel="other", credit=0)
    assert connection.deliveries.taps == {}
    assert not rig.layer._registry.mailboxes["work"].waiters


async def test_two_that_compete_drain_a_channel_whoever_runs_out():
    rig = Rig()
    tabs = [await rig.connect(str(n)) for n in range(3)]
    got = []
    for n in range(30):
        for connection, _ in tabs:
            await say(connection, op="credit", channel="work", credit=1)
        await send(tabs[0][0], "work", n + 1, b'{"n": %d}' % n)
        await turn()
        for connection, transport in tabs:
            for record in deliveries(transport):
                got.append(bytes(record.body))
                await say(connection, op="settle", leases=[[record.sequence, "done"]])
    assert got == [b'{"n": %d}' % n for n in range(30)]


async def test_a_lease_of_another_client_cannot_be_settled():
    rig = Rig()
    one, out_one = await rig.connect("1")
    two, _ = await rig.connect("2")
    await fill(one, 1)
    await say(one, op="credit", channel="work", credit=1)
    (record,) = deliveries(out_one)
    await say(two, op="settle", leases=[[record.sequence, "done"], [10**6, "return"]])
    assert list(one.client.leases) == [record.sequence]


async def test_a_refused_reader_takes_nothing():
    rig = Rig()
    rig.policy.denied = {("read", "work")}
    connection, transport = await rig.connect()
    await fill(connection, 1)
    transport.take()
    await say(connection, op="credit", channel="work", credit=1)
    assert transport.controls("error")[0]["error"]["code"] == "forbidden"
    assert (connection.deliveries.taps, connection.client.leases) == ({}, {})
    assert len(rig.layer._registry.mailboxes["work"].letters) == 1


async def test_a_closed_channel_is_not_made_anew_by_who_waits_on_it():
    rig = Rig()
    connection, transport = await rig.connect(channels=["specific.a!b"])
    await say(connection, op="credit", channel="specific.a!b", credit=1)
    await say(
        connection, op="call", id=1, method="close_channel", arguments={"channel": "specific.a!b"}
    )
    await turn()
    assert transport.controls("result")[0]["value"] is None
    assert "specific.a!b" not in rig.layer._registry.mailboxes
    assert connection.deliveries.taps == {}


async def test_who_cannot_take_it_now_passes_it_on():
    rig = Rig()
    one, out_one = await rig.connect("1")
    two, out_two = await rig.connect("2")
    for connection in (one, two):
        await say(connection, op="credit", channel="work", credit=1)
    out_one.writable = False
    await fill(two, 1)  # it wakes the first, whose socket is full
    await turn()
    assert deliveries(out_one) == []
    assert len(deliveries(out_two)) == 1


async def test_a_spent_credit_leaves_nothing_behind():
    rig = Rig()
    connection, transport = await rig.connect()
    for n in range(3):  # as many channels as there are questions
        await say(connection, op="credit", channel=f"ask.a!{n}", credit=1)
        await rig.layer.send(f"ask.a!{n}", {"n": n})
        await turn()
        (record,) = deliveries(transport)
        await say(connection, op="settle", leases=[[record.sequence, "done"]])
    await rig.layer.send("waits", {"n": 3})
    await say(connection, op="credit", channel="waits", credit=1)
    assert len(deliveries(transport)) == 1
    assert connection.deliveries.taps == {}
    assert (await rig.layer.names())["channels"] == []
    # And what comes later goes to whoever is ready then.
    await rig.layer.send("waits", {"n": 4})
    await turn()
    assert deliveries(transport) == []
    await say(connection, op="credit", channel="waits", credit=1)
    assert len(deliveries(transport)) == 1
