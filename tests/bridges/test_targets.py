"""Widgets and pictures that show messages; those of other libraries where they are installed."""

import importlib.util
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest

from nbchannels.arrays import Frame
from nbchannels.bridges.targets import Call, Drawing, Trait, target_of
from nbchannels.message import Message


def messages(*contents):
    return [Message(content, group="run", time=100.0 + i) for i, content in enumerate(contents)]


def show(target, *contents, field=None, x=None, rollover=None):
    target_of(target, field, x, rollover).show(messages(*contents))


# Widgets.


def test_a_widget():
    slider = ipywidgets.FloatSlider()
    show(slider, {"lr": 0.1}, {"lr": 0.5})
    assert slider.value == 0.5


def test_a_trait_of_a_widget():
    slider = ipywidgets.FloatSlider()
    show((slider, "max"), {"most": 7.5})
    assert slider.max == 7.5
    with pytest.raises(ValueError, match="FloatSlider has no trait 'maximum'; it has behavior"):
        target_of((slider, "maximum"), None, None, None)


def test_a_widget_and_a_field():
    label = ipywidgets.FloatText()
    show(label, {"loss": 1.0, "acc": 0.25}, field="acc")
    assert label.value == 0.25


# Functions.


def test_a_function():
    seen = []
    show(seen.append, {"a": 1}, {"a": 2})
    assert [dict(message.content) for message in seen] == [{"a": 2}]


def test_the_keys_of_functions():
    def key(function):
        return target_of(function, None, None, None).key

    def make(n):
        return lambda message: n

    class Shown:
        def show(self, message): ...

    one, other = Shown(), Shown()
    assert key(make(1)) == key(make(2))
    assert key(lambda message: 1) != key(lambda message: 2)
    assert key(one.show) == key(one.show) != key(other.show)
    assert key(print) != key(len)


# Pictures: stand-ins with what the libraries' own documentation says.


class Figure:
    """As Plotly's ``FigureWidget``."""

    def __init__(self):
        self.data = []
        self.updates = 0

    def batch_update(self):
        self.updates += 1
        return self

    def __enter__(self): ...

    def __exit__(self, *exc): ...

    def add_scatter(self, x, y, name, mode):
        self.data.append(SimpleNamespace(x=tuple(x), y=tuple(y), name=name))


def test_plotly():
    figure = Figure()
    show(figure, {"step": 0, "a": 1, "b": 5}, {"step": 1, "a": 2, "b": 6}, {"step": 2, "a": 3})
    show(figure, {"step": 3, "a": 4})
    a, b = figure.data
    assert (a.name, list(a.x), list(a.y)) == ("a", [0, 1, 2, 3], [1, 2, 3, 4])
    assert (b.name, list(b.x), list(b.y)) == ("b", [0, 1], [5, 6])
    assert figure.updates == 2
    show(figure, {"a": [7, 8]})
    assert list(a.y) == [7, 8]


def test_what_a_picture_keeps():
    figure = Figure()
    for _ in range(2):
        show(figure, Frame(step=list(range(5)), a=list(range(5))), rollover=6)
    assert list(figure.data[0].y) == [4, 0, 1, 2, 3, 4]


class Source:
    """As Bokeh's ``ColumnDataSource``."""

    def __init__(self, **data):
        self.data = data

    @property
    def column_names(self):
        return list(self.data)

    def stream(self, new, rollover=None):
        assert set(new) == set(self.data)
        for name, values in new.items():
            self.data[name] = [*self.data[name], *values][-(rollover or 0) :]


def test_bokeh():
    source = Source(x=[], a=[], b=[])
    show(source, {"step": 0, "a": 1.0, "b": 2.0}, {"step": 1, "a": 3.0})
    assert source.data["x"] == [0, 1]
    assert source.data["a"] == [1.0, 3.0]
    assert source.data["b"][0] == 2.0
    assert np.isnan(source.data["b"][1])
    show(source, {"a": [5.0, 6.0]})
    assert source.data == {"x": [0, 1], "a": [5.0, 6.0]}


def test_a_source_that_is_empty_or_has_other_columns():
    source = Source()
    show(source, {"step": 4, "a": 1.0})
    assert source.data == {"x": [4], "a": [1.0]}
    with pytest.raises(ValueError, match="the source has the columns x, q, and the message the f"):
        show(Source(x=[], q=[]), {"z": 1.0})


def test_what_is_no_target():
    with pytest.raises(TypeError, match="bind takes a function, a widget, .* not an int: 5"):
        target_of(5, None, None, None)


def test_kinds():
    assert isinstance(target_of(Figure(), None, None, None), Drawing)
    assert isinstance(target_of(print, None, None, None), Call)
    assert isinstance(target_of(ipywidgets.Text(), None, None, None), Trait)


# The real libraries.


def needs(name):
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"no {name}")


@needs("plotly")
def test_real_plotly():
    import plotly.graph_objects as go  # noqa: PLC0415

    figure = go.FigureWidget()
    show(figure, {"step": 0, "a": 1}, {"step": 1, "a": 2})
    show(figure, {"step": 2, "a": 3})
    assert list(figure.data[0].y) == [1, 2, 3]


@needs("bokeh")
def test_real_bokeh():
    from bokeh.models import ColumnDataSource  # noqa: PLC0415

    source = ColumnDataSource({"x": [], "a": []})
    show(source, {"step": 0, "a": 1}, {"step": 1, "a": 2}, rollover=1)
    assert list(source.data["a"]) == [2]


@needs("matplotlib")
def test_real_matplotlib():
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots()
    show(figure, {"step": 0, "a": 1}, {"step": 1, "a": 2})
    show(axes, {"step": 2, "a": 3})
    (line,) = axes.get_lines()
    assert list(line.get_ydata()) == [1, 2, 3]
    show(line, {"step": 3, "a": 4})
    assert list(line.get_xdata()) == [0, 1, 2, 3]
    assert axes.get_ylim()[1] > 4
    image = axes.imshow(np.zeros((2, 2)))
    show(image, {"picture": np.full((2, 2), 7.0)})
    assert image.get_array().max() == 7.0
    with pytest.raises(ValueError, match="no array of 2 or 3 dimensions"):
        show(image, {"a": 1})
    plt.close(figure)
