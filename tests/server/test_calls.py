"""The methods of ``call``."""

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.protocol.events import ENTRY
from tests.server.rig import Rig, say

pytestmark = pytest.mark.asyncio


async def ask(method, rig=None, connected=None, **arguments):
    rig = rig or Rig()
    connection, transport = connected or await rig.connect()
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


async def test_read_of_a_trimmed_log_and_of_another_epoch():
    rig = Rig(history=2)
    first = rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    for _ in range(4):
        rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    asked = {"epoch": first.epoch, "offset": first.offset, "tag": first.tag}
    entries, answer = await ask("read", rig, group="index", position=asked)
    assert [e.sequence for e in entries] == [4, 5]
    value = answer["value"]
    assert (value["recovered"], value["reason"], value["lost"]) == (False, "trimmed", 2)
    await ask("clear", rig, group="index")
    entries, answer = await ask("read", rig, group="index", position=asked)
    value = answer["value"]
    assert (entries, value["reason"], value["cleared"]) == ([], "epoch", True)
    assert (value["offset"], value["count"]) == (0, 0)


async def test_read_gives_256_entries_or_1_mib_and_one_of_any_size():
    rig = Rig()
    for _ in range(300):
        rig.layer.submit("group", "many", Encoded(JSON, b"{}"))
    entries, answer = await ask("read", rig, group="many", limit=10_000)
    assert (len(entries), answer["value"]["count"]) == (256, 256)
    for size in (2_000_000, 600_000, 400_000, 600_000):
        rig.layer.submit("group", "large", Encoded(JSON, b"x" * size))
    entries, answer = await ask("read", rig, group="large")
    assert [e.sequence for e in entries] == [1]
    at = {"epoch": answer["value"]["epoch"], "offset": 1, "tag": entries[0].tag}
    entries, _ = await ask("read", rig, group="large", position=at)
    assert [e.sequence for e in entries] == [2, 3]


async def test_a_new_channel_belongs_to_the_client():
    rig = Rig()
    connected = await rig.connect()
    _, answer = await ask("new_channel", rig, connected, prefix="mine")
    name = answer["value"]
    assert name.startswith("mine.")
    assert connected[0].client.channels == {name}
    assert (await ask("close_channel", rig, connected, channel=name))[1]["value"] is None
    assert connected[0].client.channels == set()
    assert name not in rig.layer._registry.mailboxes


@pytest.mark.parametrize(
    ("denied", "method", "arguments"),
    [
        (("read", "index"), "read", {"group": "index"}),
        (("read", "index"), "group_add", {"group": "index", "channel": "other"}),
        (("write", "other"), "group_add", {"group": "index", "channel": "other"}),
        (("read", "index"), "group_discard", {"group": "index", "channel": "work"}),
        (("write", "work"), "group_discard", {"group": "index", "channel": "work"}),
        (("read", "index"), "group_channels", {"group": "index"}),
        (("read", "index"), "group_statistics", {"group": "index"}),
        (("write", "index"), "clear", {"group": "index"}),
        (("write", "specific.a!b"), "close_channel", {"channel": "specific.a!b"}),
        (("write", ""), "flush", {}),
    ],
)
async def test_a_refusal_has_no_effect(denied, method, arguments):
    rig = Rig()
    await rig.connect("owner", channels=["specific.a!b"])
    await rig.layer.group_add("index", "work")
    rig.layer.submit("group", "index", Encoded(JSON, b"{}"))

    async def state():
        facts = await rig.layer.group_statistics("index")
        names = await rig.layer.names()
        return facts, names, await rig.layer.group_channels("index"), await rig.layer.statistics()

    rig.policy.denied = {denied}
    before = await state()
    entries, answer = await ask(method, rig, **arguments)
    assert (entries, answer["error"]["code"]) == ([], "forbidden")
    assert await state() == before


async def test_who_may_not_write_still_joins_with_its_own_channel():
    rig = Rig()
    connected = await rig.connect(channels=["specific.a!b"])
    rig.policy.denied = {("write", "specific.a!b")}
    for method in ("group_add", "group_discard"):
        _, answer = await ask(method, rig, connected, group="index", channel="specific.a!b")
        assert answer["op"] == "result"


async def test_a_diagnosis_is_kept_with_its_client():
    rig = Rig()
    said = {"kind": "no-handler", "sentence": "add def tick", "subject": "Index", "count": 3}
    assert (await ask("report", rig, **said))[1]["value"] is None
    value = (await ask("diagnoses", rig))[1]["value"]
    (kept,) = value["diagnoses"]
    assert (kept["kind"], kept["client"], kept["where"], kept["count"]) == (
        "no-handler", "user:ada", "page", 3,
    )  # fmt: skip
    assert value["count"] == 1
    assert (await ask("report", rig, kind="a"))[1]["error"]["code"] == "bad_request"


async def test_diagnoses_need_a_right_and_fit_into_an_answer():
    rig = Rig()
    connected = await rig.connect()
    for n in range(90):
        said = {"kind": "long", "sentence": "\n" * 1000, "subject": str(n), "detail": "d" * 2000}
        await ask("report", rig, connected, **said)
    value = (await ask("diagnoses", rig))[1]["value"]
    assert value["count"] == 90
    assert [d["subject"] for d in value["diagnoses"][:2]] == ["89", "88"]
    assert 5 < len(value["diagnoses"]) < 20
    rig.policy.denied = {("read", "")}
    assert (await ask("diagnoses", rig))[1]["error"]["code"] == "forbidden"


async def test_all_consumers_that_the_caller_may_read():
    rig = Rig()
    connected = await rig.connect()
    for number, channel in enumerate(("work", "secret"), 1):
        consumer = {"number": number, "binding": {"channel": channel, "steps": []}}
        _, answer = await ask("consume", rig, connected, **consumer, function="job", on="thread")
        assert answer["op"] == "result"
    rig.policy.denied = {("read", "secret")}
    value = (await ask("consumers", rig, connected))[1]["value"]
    (consumer,) = value["consumers"]
    assert (consumer["channel"], consumer["function"], consumer["where"]) == (
        "work", "job", "page",
    )  # fmt: skip
    assert value["count"] == 1


async def test_dead_letters_with_and_without_their_contents():
    rig = Rig()
    for n in range(2):
        await rig.layer.send("work", {"n": n})
        await rig.layer.settle(await rig.layer.lease("work"), "fail", f"ValueError: {n}")
    entries, answer = await ask("dead_letters", rig)
    assert [(entry.kind, entry.sequence, bytes(entry.body)) for entry in entries] == [
        (ENTRY, 2, b'{"n":1}'),
        (ENTRY, 1, b'{"n":0}'),
    ]
    connected = await rig.connect("2")
    entries, bare = await ask("dead_letters", connected=connected, contents=False)
    assert entries == []
    assert bare["value"] == answer["value"]
    assert [(dead["number"], dead["error"]) for dead in bare["value"]] == [
        (2, "ValueError: 1"),
        (1, "ValueError: 0"),
    ]
