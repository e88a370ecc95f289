"""Who is in a group; over a reconnect in test_inspecting."""

import pytest

from nbchannels.server.presence import present
from tests.server.rig import Rig, say

pytestmark = pytest.mark.asyncio


async def test_nobody():
    rig = Rig()
    assert await present(rig.hub, "index") == []


async def test_a_page_with_who_and_since_when():
    rig = Rig()
    connection, _ = await rig.connect()
    connection.client.label = "Untitled.ipynb"
    await say(connection, op="subscribe", group="index")
    (found,) = await present(rig.hub, "index")
    assert found["kind"] == "page"
    assert found["user"] == "Ada"
    assert found["label"] == "Untitled.ipynb"
    assert found["since"] == connection.client.since
