"""Who of the clients is in a group; over a reconnect in test_inspecting."""

import pytest

from nbchannels.server.presence import present
from tests.server.rig import Rig, say

pytestmark = pytest.mark.asyncio


async def test_nobody():
    rig = Rig()
    assert present(rig.hub, "index", ["nobody's"]) == []


async def test_a_page_with_who_and_since_when():
    rig = Rig()
    connection, _ = await rig.connect()
    connection.client.label = "Untitled.ipynb"
    await say(connection, op="subscribe", group="index")
    (found,) = present(rig.hub, "index", [])
    assert found["kind"] == "page"
    assert found["user"] == "Ada"
    assert found["label"] == "Untitled.ipynb"
    assert found["since"] == connection.client.since
    assert found["here"] is True


async def test_the_layer_is_told_of_who_comes_and_goes():
    rig = Rig()
    told = []
    rig.layer.presence_changed = told.append
    connection, _ = await rig.connect()
    await say(connection, op="subscribe", group="index")
    assert told == ["index"]
    await say(connection, op="unsubscribe", group="index")
    assert told == ["index"] * 2
    await say(connection, op="subscribe", group="index")
    connection.left()
    assert told == ["index"] * 4
    # Who does not come back soon is not there any more: nothing else tells that.
    connection.client.away_since -= 11
    rig.hub.absent(connection.client)
    assert told == ["index"] * 5


async def test_a_client_that_is_sent_away_is_gone_at_once():
    rig = Rig()
    told = []
    connection, _ = await rig.connect()
    await say(connection, op="subscribe", group="index")
    connection.left()
    rig.layer.presence_changed = told.append
    await rig.hub.dismiss(connection.client)
    assert told == ["index"]
    assert present(rig.hub, "index", []) == []
