"""What a message means to a picture."""

import datetime
import math

import numpy as np
import pytest

from nbchannels.arrays import Frame
from nbchannels.bridges.points import Points, newest, points_of


@pytest.mark.parametrize(
    ("content", "x", "fields", "points"),
    [
        ({"a": 1, "b": 2.5}, None, None, Points(False, [9.0], {"a": [1.0], "b": [2.5]})),
        ({"step": 3, "a": 1}, None, None, Points(False, [3], {"a": [1.0]})),
        ({"step": 3, "time": 5.0, "a": 1}, None, None, Points(False, [5.0], {"a": [1.0]})),
        ({"step": 3, "time": 5.0, "a": 1}, "step", None, Points(False, [3], {"a": [1.0]})),
        ({"day": "Mon", "a": 1}, "day", None, Points(False, ["Mon"], {"a": [1.0]})),
        ({"a": 1, "b": 2}, None, ["b"], Points(False, [9.0], {"b": [2.0]})),
        ({"a": True, "b": "text"}, None, None, Points(False, [9.0], {"a": [1.0]})),
        ({"a": [1, 2]}, None, None, Points(True, [0, 1], {"a": [1.0, 2.0]})),
        (
            {"t": np.arange(2), "a": np.array([0.5, 1.5]), "b": 7},
            None,
            None,
            Points(True, [0, 1], {"a": [0.5, 1.5]}),
        ),
        (Frame(step=[1, 2], a=np.arange(2)), None, None, Points(False, [1, 2], {"a": [0.0, 1.0]})),
        ({"a": np.eye(2)}, None, None, Points(True, [], {"a": []})),
    ],
    ids=str,
)
def test_how_a_message_is_read(content, x, fields, points):
    assert points_of(content, 9.0, x, fields) == points


def test_what_is_missing_is_nan():
    assert math.isnan(points_of({"a": None}, 9.0, None, None).columns["a"][0])
    assert points_of({"a": datetime.timedelta(seconds=2)}, None, None, None).columns["a"] == [2.0]


def test_a_message_without_x_is_told():
    with pytest.raises(ValueError, match="no field 'day' for x; it has a, b"):
        points_of({"a": 1, "b": 2}, 9.0, "day", None)


@pytest.mark.parametrize(
    ("content", "field", "value"),
    [
        ({"value": 3, "other": 4}, None, 3),
        ({"lr": 0.5}, None, 0.5),
        ({"step": 1, "time": 2.0, "lr": 0.5}, None, 0.5),
        ({"a": 1, "b": 2}, "b", 2),
        ({"a": np.array([1.5, 2.5])}, None, 2.5),
        ({"a": np.float32(0.5)}, None, 0.5),
        ({"a": ["x", "y"]}, "a", "y"),
        ({"a": "text"}, None, "text"),
    ],
)
def test_the_newest_value(content, field, value):
    assert newest(content, field, "value") == value


@pytest.mark.parametrize(
    ("content", "field", "said"),
    [
        ({"a": 1, "b": 2}, None, "fields a, b; say which one: field='a'"),
        ({"a": 1}, "b", "no field 'b'; it has a"),
        ({"a": []}, "a", "field 'a' is empty"),
        ({}, None, "the message has no fields"),
    ],
)
def test_no_value_is_told(content, field, said):
    with pytest.raises(ValueError, match=said):
        newest(content, field, "value")
