"""``ls`` and ``who``."""

import json

from nbchannels.bridge import bridge
from nbchannels.cli.listing import in_order, list_all, who
from nbchannels.cli.panels import PANELS
from nbchannels.kernel.layer import KernelChannelLayer
from tests.cli.conftest import Written


def test_all_as_a_table(layer: KernelChannelLayer, out: Written):
    for name in ("0b", "0a", "nbchannels.view.x"):
        bridge.run(layer.group_send(name, {"y": 1}))
    bridge.run(layer.send("work", {"n": 1}))
    list_all(layer, out, PANELS)
    blocks = [block.splitlines() for block in out.text.split("\n\n")]
    assert [line.split()[0] for line in blocks[0]][:3] == ["GROUP", "0a", "0b"]
    assert "nbchannels.view.x" not in out.text
    assert blocks[1][1].split()[:3] == ["work", "1", "10,000"]
    assert blocks[2] == ["no consumers"]
    assert "a test" in "".join(blocks[3])
    assert out.text.isascii()


def test_as_json(layer: KernelChannelLayer, out: Written):
    bridge.run(layer.group_send("json.index", {"y": 1}))
    bridge.run(layer.group_send("nbchannels.view.json", {"y": 1}))
    list_all(layer, out, ["groups", "channels"], json=True)
    found = json.loads(out.text)
    offsets = {row["name"]: row["offset"] for row in found["groups"]}
    assert offsets["json.index"] == 1
    assert not any(name.startswith("nbchannels.") for name in offsets)
    assert found["channels"] == []
    every = Written()
    list_all(layer, every, ["groups"], json=True, show_all=True)
    assert "nbchannels.view.json" in [row["name"] for row in json.loads(every.text)["groups"]]


def test_a_narrow_terminal(layer: KernelChannelLayer, out: Written):
    bridge.run(layer.group_send("x" * 90, {"y": 1}))
    list_all(layer, out, ["groups"], room=80)
    assert all(len(line) <= 80 for line in out.text.splitlines())
    assert "…" in out.text


def test_who(layer: KernelChannelLayer, out: Written):
    bridge.run(layer.subscribe("index"), 10)
    bridge.run(layer.group_add("index", "work"), 10)
    who(layer, out, "index")
    script, member = out.text.splitlines()
    assert script.split()[:3] == ["script", "a", "test"]
    assert script.endswith("subscriber")
    assert member.split() == ["channel", "work", "member"]
    machine = Written()
    who(layer, machine, "index", json=True)
    assert [found["kind"] for found in json.loads(machine.text)] == ["script", "channel"]
    nobody = Written()
    who(layer, nobody, "idnex")
    assert nobody.text == "nobody is in group 'idnex'; did you mean 'index'?\n"


def test_the_order_is_that_of_the_first_column():
    rows = [{"name": "b"}, {"name": "a"}, {"name": "c"}]
    assert [row["name"] for row in in_order("groups", rows)] == ["a", "b", "c"]
