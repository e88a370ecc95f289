"""Section "Group" of the Reference."""

import inspect

import pytest

import nbchannels
from nbchannels import Channel, Group, channel_layers
from nbchannels.bridge import bridge
from nbchannels.layers.memory import InMemoryChannelLayer

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def waiting(layer, name):
    return bridge.run(layer.channel_statistics(name))["waiting"]


def as_object(name):
    return Channel(name)


FORMS = pytest.mark.parametrize("form", [as_object, str], ids=["Channel", "str"])


def test_the_constructor(layer):
    """Group 1: name, alias and channel_layer, in this order and with these defaults."""
    parameters = inspect.signature(Group).parameters
    assert list(parameters) == ["name", "alias", "channel_layer"]
    assert parameters["alias"].default == nbchannels.DEFAULT_CHANNEL_LAYER
    assert parameters["channel_layer"].default is None
    assert Group("index").channel_layer is layer
    assert Group("index", "default", layer).channel_layer is layer


def test_another_layer(two_layers):
    """Group 2: by alias, or by the layer itself, the message goes there and only there."""
    own = InMemoryChannelLayer()
    Group("index", alias="other").send({"n": 1})
    Group("index", channel_layer=own).send({"n": 2})
    assert [m["n"] for m in Group("index", alias="other").history()] == [1]
    assert [m["n"] for m in Group("index", channel_layer=own).history()] == [2]
    assert Group("index").history() == []


def test_name(layer):
    """Group 3: a str, also where the name was given as bytes."""
    assert Group("index").name == str(Group("index")) == "index"
    assert type(Group(b"index").name) is str


def test_channel_layer(two_layers):
    """Group 4: the object that sends."""
    assert Group("index").channel_layer is channel_layers["default"]
    assert Group("index", alias="other").channel_layer is channel_layers["other"]


def test_send(layer):
    """Group 5: each member gets the dict, others do not."""
    for name in ("a", "b", "c"):
        Group("index").add(name)
    receipt = Group("index").send({"n": 1})
    assert receipt.members == 3
    assert [Channel(name).receive(timeout=5).content for name in "abc"] == [{"n": 1}] * 3
    assert waiting(layer, "d") == 0


@pytest.mark.parametrize("content", [None, "text", ["a"]])
def test_what_no_message_is(layer, content):
    """Group 5: anything but a dict is refused, as in 1.x with a ValueError."""
    Group("index").add("a")
    with pytest.raises(ValueError, match="a message is a dict"):
        Group("index").send(content)
    assert waiting(layer, "a") == 0


@FORMS
def test_add(layer, form):
    """Group 6: as an object or by its name, it gets what is sent from then on."""
    Group("index").send({"n": 0})
    Group("index").add(form("a"))
    Group("index").send({"n": 1})
    assert Group("index").channels == ["a"]
    assert Channel("a").receive(timeout=5)["n"] == 1
    assert waiting(layer, "a") == 0


@FORMS
def test_add_twice(layer, form):
    """Group 7: the second time nothing happens; a message comes once."""
    for _ in range(2):
        Group("index").add(form("a"))
    assert Group("index").channels == ["a"]
    Group("index").send({"n": 1})
    assert Channel("a").receive(timeout=5)["n"] == 1
    assert waiting(layer, "a") == 0


@FORMS
def test_discard(layer, form):
    """Group 8: from then on it gets nothing, the others do."""
    for name in ("a", "b"):
        Group("index").add(name)
    Group("index").discard(form("a"))
    Group("index").send({"n": 1})
    assert Group("index").channels == ["b"]
    assert (waiting(layer, "a"), waiting(layer, "b")) == (0, 1)


@FORMS
def test_discard_what_is_no_member(layer, form):
    """Group 9: no error, and nothing changes; of a group that nobody knows neither."""
    Group("index").add("b")
    Group("index").discard(form("a"))
    Group("nothing").discard(form("a"))
    assert Group("index").channels == ["b"]
    assert Group("nothing").channels == []
