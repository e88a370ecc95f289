"""The options of a plot, as the page takes them."""

import numpy as np
import pandas as pd
import pytest
from traitlets import TraitError

from nbchannels.widgets.plot import LivePlot
from tests.widgets.pages import defaults

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


def test_the_options_and_defaults_are_the_pages():
    assert options() == defaults("plot")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"height": 79}, "height"),
        ({"height": 4001}, "height"),
        ({"height": "tall"}, "expected an int"),
        ({"history": -1}, "history"),
        ({"history": 10_000_001}, "history"),
        ({"kind": "pie"}, "any of ['line', 'step', 'scatter', 'bar'], not the str 'pie'"),
        ({"mode": "both"}, "any of ['append', 'replace']"),
        ({"paused": "yes"}, "expected a boolean"),
        ({"window": "soon"}, "window 'soon' is not understood; write a time such as '5 min'"),
        ({"x": []}, "x has 0 texts; it takes 1 to 1,000"),
        ({"y": ["a"] * 65}, "y has 65 texts; it takes 1 to 64"),
        ({"title": "t" * 201}, "title is a text of 201 characters, the limit is 200"),
        ({"y_label": "t" * 201}, "y_label is a text of 201"),
        ({"x_label": 5}, "expected a unicode string"),
        ({"y_range": (1, 1)}, "y_range is (1.0, 1.0); it takes two numbers, the lowest first"),
        ({"y_range": (2, 1)}, "the lowest first"),
        ({"y_range": (0, float("inf"))}, "the lowest first"),
        ({"y_range": (0, float("nan"))}, "the lowest first"),
        ({"y_range": (1, 2, 3)}, "y_range"),
        ({"initial": 5}, "initial['y'] is an int: 5"),
    ],
)
def test_what_the_page_would_refuse_is_told_here(given, said):
    with pytest.raises(TraitError) as caught:
        LivePlot("index", **given)
    assert said in str(caught.value)


def test_labels_and_names_become_text():
    assert options(x=[2021, 2022])["x"] == ["2021", "2022"]
    assert options(y=pd.Index(["a", 7]))["y"] == ["a", "7"]


def test_a_refused_change_changes_nothing():
    plot = LivePlot("index", y="a", initial=[1, 2])
    before = plot.specification
    for name, value in [("window", "soon"), ("initial", 5), ("y", ["a", "b"]), ("y_range", (2, 1))]:
        with pytest.raises(TraitError):
            setattr(plot, name, value)
    assert plot.specification == before


def test_starting_values_that_can_be_read_once():
    assert options(initial=iter([1, 2]))["initial"] == {"y": [1, 2]}
    assert options(initial=(n for n in range(2)), y="a")["initial"] == {"a": [0, 1]}


@pytest.mark.parametrize(
    ("initial", "shown"),
    [
        ([1, 2], "[1, 2]"),
        (np.array([1.0, 2.0]), "array([1., 2.])"),
        (pd.DataFrame({"a": [1, 2]}), "a 0 1 1 2"),
        ({"a": [1]}, "{'a': [1]}"),
    ],
)
def test_it_is_displayed_with_any_starting_values(initial, shown):
    data, _ = LivePlot("index", initial=initial)._repr_mimebundle_()
    assert data["text/plain"] == f"LivePlot('index', initial={shown})"


def test_the_text_of_many_starting_values_is_short():
    assert len(repr(LivePlot("index", initial=list(range(100_000)), title="t" * 200))) < 200
