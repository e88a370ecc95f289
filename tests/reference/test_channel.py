"""Section "Channel" of the Reference."""

import inspect

import pytest

import nbchannels
from nbchannels import Channel, channel_layers
from nbchannels.bridge import bridge
from nbchannels.layers.memory import InMemoryChannelLayer

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def waiting(layer, name):
    return bridge.run(layer.channel_statistics(name))["waiting"]


def test_a_channel_is_its_name(layer):
    """Channel 1: two objects of one name are one channel; another name is another one."""
    Channel("my.channel").send({"n": 1})
    assert Channel("my.channel").receive(timeout=5)["n"] == 1
    Channel("my.channel2").send({"n": 2})
    assert waiting(layer, "my.channel") == 0
    assert waiting(layer, "my.channel2") == 1


def test_the_constructor(layer):
    """Channel 2: name, alias and channel_layer, in this order and with these defaults."""
    parameters = inspect.signature(Channel).parameters
    assert list(parameters) == ["name", "alias", "channel_layer"]
    assert parameters["name"].default is inspect.Parameter.empty
    assert parameters["alias"].default == nbchannels.DEFAULT_CHANNEL_LAYER == "default"
    assert parameters["channel_layer"].default is None
    assert Channel("work", "default", layer).channel_layer is layer
    assert Channel("work", channel_layer=layer, alias="none of it").channel_layer is layer


def test_a_name_is_enough(layer):
    """Channel 3: with a name alone it is the default layer that gets what is sent."""
    Channel("my.channel.name").send({"n": 1})
    assert Channel("my.channel.name").channel_layer is layer
    assert bridge.run(layer.receive("my.channel.name")) == {"n": 1}


def test_an_alias(two_layers):
    """Channel 4: the message is on the layer of that alias, and not on the default one."""
    Channel("work", alias="other").send({"n": 1})
    assert waiting(channel_layers["other"], "work") == 1
    assert waiting(channel_layers["default"], "work") == 0
    with pytest.raises(ValueError, match="'othre' is not configured.*did you mean 'other'"):
        Channel("work", alias="othre").send({"n": 1})


def test_a_layer_object(layer):
    """Channel 5: a layer that no alias knows does too."""
    own = InMemoryChannelLayer()
    Channel("work", channel_layer=own).send({"n": 1})
    assert waiting(own, "work") == 1
    assert waiting(layer, "work") == 0


def test_name(layer):
    """Channel 6: a str, also where the name was given as bytes."""
    assert Channel("work").name == "work"
    assert type(Channel(b"work").name) is str
    assert str(Channel("work")) == "work"


def test_channel_layer(two_layers):
    """Channel 7: the object that sends, by alias or as it was given."""
    assert Channel("work").channel_layer is channel_layers["default"]
    assert Channel("work", alias="other").channel_layer is channel_layers["other"]
    assert Channel("work").channel_layer.alias == "default"


def test_send(layer):
    """Channel 8: the dict arrives, once, after those that were sent before; and it is a copy."""
    content = {"n": [0]}
    for n in range(5):
        content["n"][0] = n
        receipt = Channel("work").send(content)
        assert (receipt.kind, receipt.name) == ("channel", "work")
    assert [Channel("work").receive(timeout=5)["n"] for _ in range(5)] == [[n] for n in range(5)]
    assert waiting(layer, "work") == 0


@pytest.mark.parametrize("content", [None, "text", 3, ["a"], ("a", 1), {1: "no name"}])
def test_what_no_message_is(layer, content):
    """Channel 9: anything but a dict with names is refused, as in 1.x with a TypeError."""
    with pytest.raises(TypeError, match="dict|key"):
        Channel("work").send(content)
    assert waiting(layer, "work") == 0
