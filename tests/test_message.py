"""A message reads like the dict it holds."""

import numpy as np
import pytest

from nbchannels.arrays import Frame
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
