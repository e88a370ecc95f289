"""Rows of what there is, and only those that changed."""

import json

import pytest

from nbchannels.server.inspector import MOST_ROWS
from tests.server.rig import Rig, publish, say, send

pytestmark = pytest.mark.asyncio


async def ask(connection, transport, **arguments):
    transport.take()
    await say(connection, op="call", id=1, method="inspect", arguments=arguments)
    return transport.controls("result")[0]["value"]


async def test_groups_and_then_only_what_changed():
    rig = Rig()
    connection, transport = await rig.connect()
    await publish(connection, "a", 1)
    await publish(connection, "b", 2)
    found = await ask(connection, transport, panel="groups")
    assert sorted(row[:3] for row in found["rows"]) == [["a", 1, 1], ["b", 1, 1]]
    assert found["total"] == 2
    assert (await ask(connection, transport, panel="groups"))["rows"] == []
    await publish(connection, "b", 3)
    assert [row[:2] for row in (await ask(connection, transport, panel="groups"))["rows"]] == [
        ["b", 2]
    ]
    again = await ask(connection, transport, panel="groups", reset=True)
    assert len(again["rows"]) == 2


async def test_what_is_gone_is_told():
    rig = Rig(group_expiry=1e-6)
    connection, transport = await rig.connect()
    await publish(connection, "a", 1)
    await ask(connection, transport, panel="groups")
    rig.layer.sweep()
    assert (await ask(connection, transport, panel="groups"))["gone"] == ["a"]


async def test_five_hundred_groups_are_one_answer_and_more_come_in_parts():
    rig = Rig()
    connection, transport = await rig.connect()
    for n in range(500):
        await publish(connection, f"load.{n:03}", n + 1)
    found = await ask(connection, transport, panel="groups")
    assert (len(found["rows"]), found["more"]) == (500, False)
    for n in range(MOST_ROWS + 50):
        await publish(connection, f"more.{n:04}", n + 501)
    seen, parts = set(), 0
    while True:
        found = await ask(connection, transport, panel="groups")
        assert found["total"] == 500 + MOST_ROWS + 50
        assert seen.isdisjoint(row[0] for row in found["rows"])
        seen.update(row[0] for row in found["rows"])
        parts += 1
        if not found["more"]:
            break
    assert (len(seen), parts) == (MOST_ROWS + 50, 2)


async def test_an_answer_fits_whatever_the_names_are():
    rig = Rig(group_expiry=1e-6)
    connection, transport = await rig.connect()
    for n in range(400):
        await publish(connection, f"{n:03}".ljust(98, "x"), n + 1)
    for _ in range(2):
        await ask(connection, transport, panel="groups")
    rig.layer.sweep()
    for n in range(400):
        await publish(connection, f"{n:03}".ljust(98, "y"), n + 401)
    seen, gone, more = set(), [], True
    while more:
        transport.take()
        await say(connection, op="call", id=1, method="inspect", arguments={"panel": "groups"})
        (result,) = transport.controls("result")  # too_large would be an error
        found = result["value"]
        assert len(json.dumps(result, separators=(",", ":"))) <= 64 * 1024
        assert found["rows"]
        seen.update(row[0] for row in found["rows"])
        gone += found["gone"]
        more = found["more"]
    assert (len(seen), len(gone)) == (400, 400)


async def test_channels_and_consumers_and_clients():
    rig = Rig()
    connection, transport = await rig.connect()
    await send(connection, "work", 1)
    await say(
        connection,
        op="call",
        id=7,
        method="consume",
        arguments={"number": 1, "binding": {"channel": "jobs"}, "function": "work", "on": "thread"},
    )
    (channel,) = (await ask(connection, transport, panel="channels"))["rows"]
    assert channel[:3] == ["work", 1, 2]
    (consumer,) = (await ask(connection, transport, panel="consumers"))["rows"]
    assert consumer[1:3] == ["jobs", "work"]
    assert consumer[-1] == connection.client.key
    (client,) = (await ask(connection, transport, panel="clients"))["rows"]
    assert client[0] == connection.client.key
    assert client[1:5] == ["page", "Ada", None, True]


async def test_names_that_one_may_not_read_are_not_told():
    rig = Rig()
    connection, transport = await rig.connect()
    await publish(connection, "open", 1)
    await publish(connection, "secret", 2)
    rig.policy.denied.add(("read", "secret"))
    found = await ask(connection, transport, panel="groups")
    assert [row[0] for row in found["rows"]] == ["open"]
    assert found["total"] == 1


async def test_a_panel_that_there_is_not():
    rig = Rig()
    connection, transport = await rig.connect()
    await say(connection, op="call", id=1, method="inspect", arguments={"panel": "x"})
    assert transport.controls("error")[0]["error"]["code"] == "bad_request"
