"""A message reads like the dict it holds."""

import subprocess
import sys

import numpy as np
import pytest

from nbchannels.arrays import Frame
from nbchannels.channel import Channel
from nbchannels.exceptions import InvalidName
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message


@pytest.fixture
def message():
    return Message({"y": 1, "x": [2]}, "work", "the layer", offset=7, time=5.0)


def test_it_reads_like_a_dict(message):
    assert message["y"] == 1
    assert "y" in message
    assert "z" not in message
    assert message.get("y") == 1
    assert message.get("z") is None
    assert message.get("z", 3) == 3
    assert list(message) == list(message.keys()) == ["y", "x"]
    assert list(message.values()) == [1, [2]]
    assert list(message.items()) == [("y", 1), ("x", [2])]
    assert len(message) == 2
    assert dict(message) == {**message} == {"y": 1, "x": [2]}
    with pytest.raises(KeyError, match="'z'"):
        message["z"]


def test_it_can_be_changed(message):
    message["z"] = 3
    assert message.content == {"y": 1, "x": [2], "z": 3}


def test_it_knows_where_it_came_from(message):
    assert (message.channel_layer, message.offset, message.time) == ("the layer", 7, 5.0)
    assert message.group is None
    assert Message({}, group="index").group == "index"


def test_it_is_true_and_equal_by_content(message):
    assert Message({})
    assert message == Message({"y": 1, "x": [2]}, "other")
    assert message == {"y": 1, "x": [2]}
    assert message != Message({"y": 2})
    assert message != 5
    with pytest.raises(TypeError, match="unhashable"):
        hash(message)


def test_a_copy_can_be_changed_alone(message):
    values = np.arange(3)
    values.flags.writeable = False
    message["a"] = values
    message["f"] = Frame(a=[1])
    again = message.copy()
    again["x"].append(3)
    again["a"][0] = 9
    again["f"]["a"][0] = 9
    assert message["x"] == [2]
    assert message["a"].tolist() == [0, 1, 2]
    assert message["f"] == {"a": [1]}
    assert type(again["f"]) is Frame
    assert (again.channel_layer, again.offset, again.time, again.group) == (
        "the layer",
        7,
        5.0,
        None,
    )
    assert repr(again).startswith("<Message channel 'work' offset 7 {")


@pytest.mark.parametrize(("message", "text"), [
    (Message({"y": 1}, "work"), "<Message channel 'work' {'y': 1}>"),
    (Message({"y": 1}, group="index", offset=0), "<Message group 'index' offset 0 {'y': 1}>"),
])  # fmt: skip
def test_repr(message, text):
    assert repr(message) == text


class TestChannels:
    def test_the_channel_it_came_from(self):
        layer = InMemoryChannelLayer()
        found = Message({}, "work", layer).channel
        assert found == Channel("work")
        assert found.channel_layer is layer
        assert Message({}, group="index").channel is None
        assert Message({}, "work").channel_name == "work"

    def test_the_channel_that_the_answer_goes_to(self):
        layer = InMemoryChannelLayer()
        found = Message({"reply_channel": "http.response!1"}, "work", layer).reply_channel
        assert found == Channel("http.response!1")
        assert found.channel_layer is layer
        assert Message({"reply_channel": b"answers"}, "work").reply_channel == Channel("answers")

    @pytest.mark.parametrize("content", [{}, {"reply_channel": None}, {"reply_channel": ""}])
    def test_no_answer_is_wanted(self, content):
        assert Message(content, "work").reply_channel is None

    def test_a_reply_channel_of_bad_form_is_told_when_it_is_used(self):
        found = Message({"reply_channel": "a b"}, "work")
        with pytest.raises(InvalidName, match="has ' '"):
            found.reply_channel  # noqa: B018

    def test_with_nothing_else_imported(self):
        code = (
            "from nbchannels.message import Message;"
            "print(Message({'reply_channel': 'a'}, 'b').reply_channel.send)"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
        )
        assert "Channel('a')" in done.stdout, done.stderr


def test_how_it_got_here():
    fresh = Message({}, "work")
    assert (fresh.retries, fresh.redelivered) == (0, False)
    again = Message({}, "work", retries=3, redelivered=True)
    assert (again.retries, again.redelivered) == (3, True)
    assert (again.copy().retries, again.copy().redelivered) == (3, True)
