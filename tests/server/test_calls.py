"""The methods of ``call``."""

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.protocol.events import ENTRY
from tests.server.rig import Rig, say

pytestmark = pytest.mark.asyncio


async def ask(method, rig=None, **arguments):
    rig = rig or Rig()
    connection, transport = await rig.connect()
    transport.take()
    await say(connection, op="call", id=7, method=method, arguments=arguments)
    *entries, answer = transport.take()
    assert answer["id"] == 7
    return entries, answer


async def test_read_pages_of_a_log():
    rig = Rig()
    for n in range(5):
        rig.layer.submit("group", "index", Encoded(JSON, b"%d" % n))
    entries, answer = await ask("read", rig, group="index", since="earliest", limit=3)
    assert [(e.kind, e.id, e.sequence) for e in entries] == [
        (ENTRY, 7, 1),
        (ENTRY, 7, 2),
        (ENTRY, 7, 3),
    ]
    assert (answer["value"]["count"], answer["value"]["top"]) == (3, 5)
    position = {"epoch": answer["value"]["epoch"], "offset": 3, "tag": entries[-1].tag}
    entries, answer = await ask("read", rig, group="index", position=position)
    assert [e.sequence for e in entries] == [4, 5]
    assert answer["value"]["recovered"]
    entries, answer = await ask("read", rig, group="index", position=position | {"tag": 1})
    assert (answer["value"]["recovered"], answer["value"]["reason"]) == (False, "tag")


async def test_members():
    rig = Rig()
    await ask("group_add", rig, group="index", channel="work")
    assert (await ask("group_channels", rig, group="index"))[1]["value"] == ["work"]
    assert (await ask("group_statistics", rig, group="index"))[1]["value"]["members"] == 1
    await ask("group_discard", rig, group="index", channel="work")
    assert (await ask("group_channels", rig, group="index"))[1]["value"] == []


async def test_clear_names_statistics_flush():
    rig = Rig()
    before = rig.layer.submit("group", "index", Encoded(JSON, b"{}")).epoch
    assert (await ask("clear", rig, group="index"))[1]["value"]["epoch"] != before
    assert (await ask("names", rig))[1]["value"] == {"groups": ["index"], "channels": []}
    assert (await ask("statistics", rig))[1]["value"]["group_sent"] == 1
    assert (await ask("flush", rig))[1]["value"] is None


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("read", {}, "bad_request"),
        ("read", {"group": "index", "limit": "many"}, "bad_request"),
        ("read", {"group": "a b"}, "bad_name"),
        ("group_add", {"group": "index"}, "bad_request"),
        ("group_add", {"group": "index", "channel": "a/b"}, "bad_name"),
        ("clear", {"group": 3}, "bad_name"),
        ("close_channel", {"channel": "work"}, "bad_request"),
    ],
)
async def test_bad_arguments_are_named(method, arguments, code):
    _, answer = await ask(method, **arguments)
    assert (answer["op"], answer["error"]["code"]) == ("error", code)


async def test_an_answer_that_is_too_large_is_an_error():
    rig = Rig()
    for n in range(1000):
        await rig.layer.group_add("index", f"{'n' * 90}.{n}")
    _, answer = await ask("group_channels", rig, group="index")
    assert answer["error"]["code"] == "too_large"
    assert "the limit is 65,536" in answer["error"]["message"]
