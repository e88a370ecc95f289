"""The inspector's calls."""

import pytest

from nbchannels.protocol.events import SEND
from tests.server.rig import Rig, publish, say, turn

pytestmark = pytest.mark.asyncio


async def call(connection, transport, method, **arguments):
    transport.take()
    await say(connection, op="call", id=1, method=method, arguments=arguments)
    (found,) = (
        item for item in transport.take() if isinstance(item, dict) and item["op"] != "accepted"
    )
    return found.get("value", found.get("error"))


async def test_the_layer():
    rig = Rig()
    rig.hub.version = "1.2.3"
    connection, transport = await rig.connect()
    found = await call(connection, transport, "inspect_layer")
    assert found["backend"] == "InMemoryChannelLayer"
    assert found["version"] == "1.2.3"
    assert found["connections"] == 1
    assert found["capacity"]["history"] == 10_000
    assert found["statistics"]["groups"] == 0
    assert found["trouble"] is None
    rig.layer.trouble = "Redis does not answer"
    assert (await call(connection, transport, "inspect_layer"))["trouble"] == rig.layer.trouble


async def test_the_tail_costs_nothing_until_somebody_looks():
    rig = Rig()
    connection, transport = await rig.connect()
    await publish(connection, "a", 1)
    assert rig.layer.observer is None
    await call(connection, transport, "tail", on=True)
    await publish(connection, "a", 2, body=b'{"y": 1}')
    found = await call(connection, transport, "tail_read")
    ((number, kind, name, _, sender, size, codec, offset, preview, omitted),) = found["rows"]
    assert (kind, name, sender, size, codec) == ("group", "a", connection.number, 8, "json")
    assert (offset, preview, omitted) == (2, {"y": 1}, None)
    whole = await call(connection, transport, "inspect_message", number=number)
    assert whole["message"] == {"y": 1}
    assert bytes.fromhex(whole["hex"]) == b'{"y": 1}'
    rig.hub.tail._until = 0.0
    await rig.hub.tick()
    assert rig.layer.observer is None
    gone = await call(connection, transport, "inspect_message", number=number)
    assert gone["code"] == "not_found"


async def test_filters_of_the_tail_and_what_one_may_read():
    rig = Rig()
    connection, transport = await rig.connect()
    await call(connection, transport, "tail")
    for n, name in enumerate(("sensor.a", "sensor.b", "other")):
        await publish(connection, name, n + 1, body=b'{"n": %d}' % n)
    names = [
        row[2] for row in (await call(connection, transport, "tail_read", name="sensor.*"))["rows"]
    ]
    assert names == ["sensor.a", "sensor.b"]
    rig.policy.denied.add(("read", "sensor.a"))
    found = await call(connection, transport, "tail_read", text='"n": 0')
    assert found["rows"] == []
    assert (await call(connection, transport, "tail_read", name=7))["code"] == "bad_request"


async def test_presence_over_a_short_reconnect():
    rig = Rig()
    one, out = await rig.connect("1")
    two, _ = await rig.connect("2", kind="kernel")
    await say(two, op="subscribe", group="index")
    await say(two, op="call", id=1, method="new_channel", arguments={})
    (channel,) = two.client.channels
    await rig.layer.group_add("index", channel)
    await rig.layer.group_add("index", "plain")
    found = await call(one, out, "presence", group="index")
    assert [(p["kind"], p["as"]) for p in found] == [
        ("kernel", "subscriber"),
        ("kernel", "member"),
        ("channel", "member"),
    ]
    two.left()
    found = await call(one, out, "presence", group="index")
    assert found[0]["kind"] == "kernel"
    two.client.away_since -= 11
    found = await call(one, out, "presence", group="index")
    assert [p["as"] for p in found] == ["member", "member"]


async def test_a_client_is_disconnected():
    rig = Rig()
    one, out = await rig.connect("1")
    two, transport = await rig.connect("2")
    await call(one, out, "disconnect", client=two.client.key)
    await turn()
    assert transport.closed[0] == 4507
    assert (await call(one, out, "disconnect", client="page-0"))["code"] == "not_found"


async def test_what_belongs_to_a_kernel():
    rig = Rig()
    kernel, theirs = await rig.connect("k", "kernel:k", "kernel")
    await say(kernel, op="subscribe", group="watched", mode="log", since="now")
    own = await call(kernel, theirs, "new_channel")
    await call(kernel, theirs, "group_add", group="joined", channel=own)
    await call(kernel, theirs, "consume", number=1, binding={"channel": "work.*"}, credit=1)
    await publish(kernel, "sent", 1)
    await publish(kernel, "asked", 2, kind=SEND)
    other, _ = await rig.connect("o", "kernel:o", "kernel")
    await publish(other, "others", 1)
    page, transport = await rig.connect()
    found = await call(page, transport, "belongings", kernel="k")
    assert found["groups"] == ["joined", "sent", "watched"]
    assert found["channels"] == sorted(["asked", own, "work.*"])
    assert found["clients"] == [kernel.client.key]
    found = await call(page, transport, "belongings", kernel=None, views=True)
    assert found == {"groups": [], "channels": [], "clients": [page.client.key]}
    rig.policy.denied |= {("read", "sent"), ("read", "asked")}
    found = await call(page, transport, "belongings", kernel="k")
    assert found["groups"] == ["joined", "watched"]
    assert "asked" not in found["channels"]
    kernel.left()  # away for a moment: what it watched is still its own
    found = await call(page, transport, "belongings", kernel="k")
    assert "watched" in found["groups"]
    rig.policy.denied.add(("read", ""))
    page.rights._until.clear()
    assert (await call(page, transport, "belongings", kernel="k"))["code"] == "forbidden"
