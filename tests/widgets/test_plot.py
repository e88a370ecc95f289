"""The options of a plot, as the page takes them."""

import numpy as np
import pandas as pd
import pytest
from traitlets import TraitError

from nbchannels.widgets.plot import LivePlot

DEFAULTS = {
    "x": None, "y": None, "line": "line", "window": None, "initial": None, "mode": None,
    "history": None, "title": None, "x_label": None, "y_label": None, "y_range": None,
    "height": 300, "paused": False,
}  # fmt: skip


def options(**given):
    return LivePlot("index", **given).specification["options"]


def test_without_options():
    assert options() == DEFAULTS


def test_all_options():
    assert options(
        x=["Mon", "Tue"], y="text", kind="bar", window=500, initial=[1, 2], mode="replace",
        history=0, title="T", x_label="day", y_label="n", y_range=(0, 10), height=200, paused=True,
    ) == {
        "x": ["Mon", "Tue"], "y": "text", "line": "bar", "window": {"points": 500},
        "initial": {"text": [1, 2]}, "mode": "replace", "history": 0, "title": "T",
        "x_label": "day", "y_label": "n", "y_range": [0.0, 10.0], "height": 200, "paused": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("initial", "y", "columns"),
    [
        ([1, 2.5], None, {"y": [1, 2.5]}),
        ([1, 2], "a", {"a": [1, 2]}),
        ({"a": [1], "b": [2]}, None, {"a": [1], "b": [2]}),
        (np.array([1.0, np.nan, np.inf]), "a", {"a": [1.0, None, None]}),
        ({"a": np.arange(2)}, None, {"a": [0, 1]}),
        (pd.DataFrame({"a": [1, 2]}), None, {"a": [1, 2]}),
    ],
)
def test_initial_values(initial, y, columns):
    assert options(initial=initial, y=y)["initial"] == columns


def test_initial_values_that_cannot_be_are_told():
    with pytest.raises(TraitError, match="y names 2 fields; give a dict of lists"):
        LivePlot("index", y=["a", "b"], initial=[1])
    with pytest.raises(TraitError, match=r"initial\['a'\] holds 'x', a str"):
        LivePlot("index", initial={"a": ["x"]})
