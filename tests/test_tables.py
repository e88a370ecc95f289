"""Messages as a table: a row for each, at its time."""

import datetime
import sys

import numpy as np
import pandas as pd
import pytest

from nbchannels.arrays import Frame
from nbchannels.exceptions import ChannelsError
from nbchannels.message import Message
from nbchannels.tables import to_dataframe

START = 1_700_000_000.25


def table(*contents):
    return to_dataframe(
        Message(content, group="index", offset=n, time=START + n)
        for n, content in enumerate(contents)
    )


def rows(frame, name):
    """The values of a column, a missing one as None."""
    column = frame[name]
    return [None if gone is True else v for v, gone in zip(column, column.isna(), strict=True)]


def test_scalars_are_rows_and_missing_fields_are_missing():
    frame = table({"y": 1, "s": "a"}, {"y": 2.5}, {"z": True, "s": None})
    assert list(frame) == ["y", "s", "z"]
    assert rows(frame, "y") == [1, 2.5, None]
    assert rows(frame, "s") == ["a", None, None]
    assert rows(frame, "z") == [None, None, True]
    assert frame["y"].dtype == "f8"


def test_the_index_is_the_time_in_utc():
    frame = table({"y": 1}, {"x": [1, 2]}, {"y": 2})
    assert frame.index.name == "time"
    assert str(frame.index.tz) == "UTC"
    seconds = [moment.timestamp() for moment in frame.index]
    assert seconds == [START, START + 1, START + 1, START + 2]


def test_arrays_give_a_row_for_each_element():
    frame = table({"x": np.arange(3), "s": "k"}, {"x": np.arange(2)}, {"y": 5})
    assert rows(frame, "x") == [0, 1, 2, 0, 1, None]
    assert rows(frame, "s") == ["k", "k", "k", None, None, None]
    assert rows(frame, "y") == [None] * 5 + [5]


def test_arrays_of_one_kind_stay_what_they_are():
    frame = table({"x": np.arange(2, dtype="i4"), "f": np.ones(2, "f4")}, {"x": [], "f": []})
    assert frame.dtypes.to_dict() == {"x": np.dtype("i8"), "f": np.dtype("f8")}
    frame = table({"f": np.ones(2, "f4")}, {"f": np.zeros(1, "f4")})
    assert frame["f"].dtype == np.dtype("f4")
    assert rows(frame, "f") == [1, 1, 0]


def test_lists_and_arrays_of_different_lengths():
    frame = table({"a": [1, 2, 3], "b": np.array([5.5]), "c": 0})
    assert rows(frame, "a") == [1, 2, 3]
    assert rows(frame, "b") == [5.5, None, None]
    assert rows(frame, "c") == [0, 0, 0]


def test_frames_give_their_rows():
    frame = table(Frame(x=np.arange(2), s=["a", None]), {"x": 7}, Frame(x=[], s=[]), Frame())
    assert rows(frame, "x") == [0, 1, 7]
    assert rows(frame, "s") == ["a", None, None]


def test_matrices_give_their_rows():
    frame = table({"m": np.arange(6).reshape(2, 3)}, {"m": 1})
    assert [np.asarray(value).tolist() for value in frame["m"]] == [[0, 1, 2], [3, 4, 5], 1]


def test_times_as_values():
    moment = datetime.datetime(2020, 1, 1)
    aware = moment.replace(tzinfo=datetime.UTC)
    times = np.array(["2020-01-01T00:00:00.000000001", "NaT"], "M8[ns]")
    frame = table({"t": moment, "z": aware}, {"t": times}, {"d": datetime.timedelta(1)})
    assert rows(frame, "t") == [pd.Timestamp(moment), pd.Timestamp(times[0]), None, None]
    assert rows(frame, "z") == [pd.Timestamp(aware), None, None, None]
    assert rows(frame, "d") == [None, None, None, pd.Timedelta(days=1)]
    assert rows(table({"t": times}, {"t": times[:1]}), "t") == [times[0], None, times[0]]


def test_other_values_stay_as_they_are():
    frame = table({"v": {"k": 1}}, {"v": b"x"}, {"v": True}, {"v": 2**70})
    assert rows(frame, "v") == [{"k": 1}, b"x", True, 2**70]


@pytest.mark.parametrize(("contents", "shape"), [
    ((), (0, 0)),
    (({}, {}), (2, 0)),
    (({"x": []},), (0, 1)),
    (({"x": np.array([])}, {}), (1, 1)),
    ((Frame(),), (0, 0)),
])  # fmt: skip
def test_nothing(contents, shape):
    frame = table(*contents)
    assert frame.shape == shape
    assert str(frame.index.tz) == "UTC"


def test_a_message_without_a_time():
    frame = to_dataframe([Message({"y": 1}, "work")])
    assert frame.index[0] == pd.Timestamp(0, tz="UTC")


def test_a_million_rows():
    values = np.random.default_rng(0).standard_normal(500_000)
    frame = table({"x": values}, {"x": values})
    assert frame.shape == (1_000_000, 1)
    assert frame["x"].to_numpy().tolist() == [*values, *values]


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ChannelsError, match=r"needs pandas: pip install pandas"):
        to_dataframe([])
