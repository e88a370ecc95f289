"""Presence, the tail, the layer and the end of a client over HTTP."""

import time

from nbchannels.server.clients import Client
from nbchannels.server.host import Host
from nbchannels.server.policy import Policy
from tests.server.conftest import Call


async def test_who_is_in_a_group(call: Call, host: Host):
    await host.layer.group_add("index", "work")
    client = host.hub.clients.arrive(Client("p", "kernel:1", "kernel", "kernel:1", "a.ipynb"))
    client.left_groups, client.away_since = frozenset({"index"}), time.monotonic()
    found = (await call("GET", "api/groups/index/presence")).value
    assert found["group"] == "index"
    kernel, member = found["presence"]
    assert (kernel["kind"], kernel["label"], kernel["as"]) == ("kernel", "a.ipynb", "subscriber")
    assert (member["kind"], member["channel"], member["as"]) == ("channel", "work", "member")
    assert await host.layer.presence("index") == found["presence"]  # also to consumers here
    host.policy = Policy(rights={"index": "write"})
    assert (await call("GET", "api/groups/index/presence")).status == 403
    near = await call("GET", "api/groups/idnex/presence")
    assert (near.status, "did you mean 'index'?" in near.error["message"]) == (404, True)


async def test_the_tail_goes_on_where_it_was(call: Call, host: Host):
    first = (await call("GET", "api/tail")).value
    assert first == {"top": 0, "missed": 0, "messages": []}
    for n in range(60):
        await host.layer.group_send("index", {"n": n})
    await host.layer.send("work", {"n": 60})
    newest = (await call("GET", "api/tail?after=0")).value
    assert [m["message"]["n"] for m in newest["messages"]] == list(range(11, 61))
    assert (newest["top"], newest["missed"]) == (61, 11)
    seen, after = [], 0
    for _ in range(2):
        found = (await call("GET", f"api/tail?after={after}&order=oldest")).value
        assert found["missed"] == 0
        seen += [m["message"]["n"] for m in found["messages"]]
        after = found["top"]
    assert (seen, after) == (list(range(61)), 61)


async def test_the_tail_is_filtered(call: Call, host: Host):
    await call("GET", "api/tail")
    await host.layer.group_send("sensor.a", {"y": 1})
    await host.layer.group_send("sensor.b", {"y": 22})
    await host.layer.send("work", {"y": 1})

    async def names(query: str) -> list[str]:
        return [m["name"] for m in (await call("GET", f"api/tail?{query}")).value["messages"]]

    assert await names("name=sensor.*") == ["sensor.a", "sensor.b"]
    assert await names("kind=channel") == ["work"]
    assert await names("text=22") == ["sensor.b"]
    assert await names("least=8") == ["sensor.b"]
    assert await names("sender=7") == []
    host.policy = Policy(rights={"sensor.*": "write"})
    assert await names("") == ["work"]


async def test_one_message_whole(call: Call, host: Host):
    await call("GET", "api/tail")
    await host.layer.group_send("index", {"text": "x" * 1_000})
    assert (await call("GET", "api/tail")).value["messages"][0]["message"]["text"].endswith("…")
    whole = (await call("GET", "api/tail/1")).value
    assert whole["message"] == {"text": "x" * 1_000}
    host.policy = Policy(rights={"index": "write"})
    assert (await call("GET", "api/tail/1")).status == 403


async def test_the_layer(call: Call, host: Host):
    await host.layer.group_send("index", {})
    found = (await call("GET", "api/layer")).value
    assert found["statistics"]["group_sent"] == 1
    assert found["capacity"]["history"] == 10_000
    assert found["version"] == host.version != ""


async def test_a_client_is_sent_away(call: Call, host: Host):
    client = host.hub.clients.arrive(Client("p", "user:ada", "page", "Ada"))
    (found,) = (await call("GET", "api/clients")).value["clients"]
    assert (found["key"], found["connected"]) == (client.key, False)
    assert (await call("DELETE", f"api/clients/{client.key}")).value == {"disconnected": client.key}
