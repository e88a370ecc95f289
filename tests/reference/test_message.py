"""Section "Message" of the Reference."""

import pytest

from nbchannels import Channel, Group, Message, channel_layers, consume
from nbchannels.bridge import bridge

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def test_a_message_is_the_dict_and_more(layer, taken):
    """Message 1: the object holds what was sent, and can be asked as the dict can."""
    consume("work", channel_layer=layer)(taken)
    Channel("work").send({"n": 1, "name": "ada"})
    message = taken.next()
    assert type(message) is Message
    assert not isinstance(message, dict)
    assert (message["n"], "name" in message, message.get("none")) == (1, True, None)
    assert dict(message.items()) == {"n": 1, "name": "ada"}


def test_content(layer, taken):
    """Message 2: the very content, with the types that were sent."""
    content = {"text": "ä", "data": b"\x00\xff", "list": [1, 2.5, None], "deep": {"a": True}}
    consume("work", channel_layer=layer)(taken)
    Channel("work").send(content)
    got = taken.next().content
    assert got == content
    assert type(got) is dict
    assert isinstance(got["data"], bytes)


def test_channel(layer, taken):
    """Message 3: one consumer on two channels is told which, as a Channel of that name."""
    consume(["work", "play"], channel_layer=layer)(taken)
    Channel("work").send({"n": 1})
    first = taken.next()
    Channel("play").send({"n": 2})
    second = taken.next()
    assert isinstance(first.channel, Channel)
    assert (first.channel.name, second.channel.name) == ("work", "play")
    # It can be sent to.
    second.channel.send({"n": 3})
    assert taken.next().channel.name == "play"


def test_reply_channel(layer, taken):
    """Message 4: a Channel; what is sent there reaches whoever asked, and nobody else."""

    def answer(message):
        taken(message)
        message.reply_channel.send({"squared": message["x"] ** 2})

    consume("square", channel_layer=layer)(answer)
    assert Channel("square").ask({"x": 3})["squared"] == 9
    assert Channel("square").ask({"x": 4})["squared"] == 16
    first, second = taken.next(), taken.next()
    assert isinstance(first.reply_channel, Channel)
    assert first.reply_channel.name == first["reply_channel"]
    assert first.reply_channel != second.reply_channel


def test_a_reply_channel_is_of_one_message_only(layer, taken):
    """Message 4: what answers twice, or fails after its answer, answers no other question."""

    def twice(message):
        message.reply_channel.send({"answer": message["x"]})
        message.reply_channel.send({"answer": "again"})
        raise ValueError("after the answer")

    consume("twice", channel_layer=layer)(twice)
    consume("once", reply=True, channel_layer=layer)(lambda message: {"answer": message["x"]})
    for x in range(3):
        assert Channel("twice").ask({"x": x})["answer"] == x
        assert Channel("once").ask({"x": x + 10})["answer"] == x + 10


@pytest.mark.parametrize("content", [{}, {"reply_channel": None}, {"reply_channel": ""}])
def test_no_reply_channel(layer, taken, content):
    """Message 5: a message that wants no answer has None there."""
    consume("work", channel_layer=layer)(taken)
    Channel("work").send(content)
    assert taken.next().reply_channel is None


def test_channel_layer(layer, taken):
    """Message 6: the layer that it was received on."""
    consume("work", channel_layer=layer)(taken)
    Channel("work").send({"n": 1})
    message = taken.next()
    assert message.channel_layer is layer
    assert message.channel_layer is channel_layers["default"]


def test_several_layers(two_layers, taken):
    """Message 6, Message 7: with its layer a consumer sends on where the message came from."""
    default, other = channel_layers["default"], channel_layers["other"]

    def relay(message):
        Channel("done", channel_layer=message.channel_layer).send({"n": message["n"]})
        Group("all", channel_layer=message.channel_layer).send({"n": message["n"]})
        message.reply_channel.send({"n": message["n"]})
        taken(message)

    consume("work", alias="other")(relay)
    Channel("work", alias="other").send({"n": 1, "reply_channel": "answers"})
    assert taken.next().channel_layer is other
    for name in ("done", "answers"):
        assert Channel(name, alias="other").receive(timeout=5)["n"] == 1
    assert [m["n"] for m in Group("all", alias="other").history()] == [1]
    assert bridge.run(default.names()) == {"groups": [], "channels": []}
