"""The specification, its ways to a page, and settings for every page."""

import json
import re
import time

import ipywidgets
import pytest
from traitlets import TraitError

from nbchannels.channel import Group
from nbchannels.exceptions import InvalidName, ServerNotFound
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.widgets.plot import LivePlot
from nbchannels.widgets.view import MIME_TYPE


@pytest.fixture
def layer():
    before = channel_layers.set("default", InMemoryChannelLayer())
    yield channel_layers["default"]
    channel_layers.set("default", before)


def test_the_specification_is_plain_json_and_small():
    plot = LivePlot("index")
    specification = json.loads(json.dumps(plot.specification))
    assert (specification["version"], specification["group"], specification["kind"]) == (
        1,
        "index",
        "plot",
    )
    assert re.fullmatch("[0-9a-f]{16}", specification["id"])
    assert len(json.dumps(specification)) < 400
    assert LivePlot("index").specification["id"] != specification["id"]


def test_the_output_carries_the_specification_and_text():
    plot = LivePlot("index", window="5 min")
    data, metadata = plot._repr_mimebundle_()
    assert data[MIME_TYPE] == plot.specification
    assert data["text/plain"] == "LivePlot('index', window='5 min')"
    assert metadata == {}


def test_a_setting_reaches_every_page_with_all_changes_so_far(layer):
    plot = LivePlot("index")
    settings = Group(f"nbchannels.view.{plot.specification['id']}")
    plot.kind = "bar"
    plot.window = "1 min"
    assert plot.specification["options"]["window"] == {"seconds": 60}
    sent = [message.content for message in settings.history()]
    assert sent == [
        {"options": {"line": "bar"}},
        {"options": {"line": "bar", "window": {"seconds": 60}}},
    ]


def test_a_group_can_be_given_as_itself():
    assert LivePlot(Group("index")).group == Group("index")


def test_bad_names_and_options_are_told():
    with pytest.raises(InvalidName, match="'a b' has ' '"):
        LivePlot("a b")
    with pytest.raises(TypeError, match="no option 'colour'; its options are x, y, kind"):
        LivePlot("index", colour="red")
    with pytest.raises(TraitError, match="kind"):
        LivePlot("index", kind="pie")
    with pytest.raises(TraitError, match="'5 min'"):
        LivePlot("index", window="soon")


def test_it_lives_in_boxes():
    plot = LivePlot("index")
    assert ipywidgets.VBox([plot]).children == (plot,)


@pytest.fixture
def no_server(monkeypatch, tmp_path):
    """A kernel's or script's default layer, and no server anywhere."""
    for name in ("NBCHANNELS_URL", "NBCHANNELS_TOKEN", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    before = channel_layers.set("default", None)
    yield
    channel_layers.set("default", before)


def test_without_a_server_it_is_made_and_displayed_at_once(no_server):
    started = time.perf_counter()
    plot = LivePlot("index", window="5 min")
    assert MIME_TYPE in plot._repr_mimebundle_()[0]
    assert time.perf_counter() - started < 3
    assert "default" not in channel_layers.backends  # nothing was even looked for


def test_without_a_server_a_setting_says_so_and_is_kept(no_server):
    plot = LivePlot("index")
    with pytest.raises(ServerNotFound, match="jupyter lab"):
        plot.title = "T"
    assert plot.specification["options"]["title"] == "T"


def test_nothing_is_sent_before_something_changes(layer):
    plot = LivePlot("index", title="T")
    plot.title = "T"
    assert Group(f"nbchannels.view.{plot.specification['id']}").history() == []


def test_settings_are_sent_without_a_word_about_who_listens(layer, recwarn):
    LivePlot("index").title = "T"
    Group("index").send({})
    assert not recwarn.list


def test_every_option_can_be_changed_and_reaches_the_page_as_json(layer):
    plot = LivePlot("index")
    changes = {
        "x": ["a", "b"], "y": "y", "kind": "step", "window": "5 min", "initial": [1, None],
        "mode": "append", "history": 5, "title": "T", "x_label": "X", "y_label": "Y",
        "y_range": (0, 1), "height": 200, "paused": True,
    }  # fmt: skip
    assert set(changes) == set(LivePlot.options)
    for name, value in changes.items():
        setattr(plot, name, value)
    settings = Group(f"nbchannels.view.{plot.specification['id']}")
    newest = settings.history(1)[0].content["options"]
    assert newest == json.loads(json.dumps(plot.specification["options"]))
    assert len(settings.history()) == len(changes)


def test_in_a_box_it_is_an_ordinary_widget():
    plot = LivePlot("index")
    box = ipywidgets.HBox([plot, plot])
    assert box.get_state()["children"] == [f"IPY_MODEL_{plot.model_id}"] * 2
    state = plot.get_state()
    assert (state["_view_module"], state["specification"]) == ("anywidget", plot.specification)


def test_the_first_of_the_output_is_the_view_and_the_widget_stands_beside_it():
    plot = LivePlot("index")
    data, _ = plot._repr_mimebundle_(include=None, exclude=None)
    widget = "application/vnd.jupyter.widget-view+json"
    assert set(data) == {MIME_TYPE, widget, "text/plain"}
    assert data[widget]["model_id"] == plot.model_id
    assert MIME_TYPE == "application/vnd.nbchannels.view.v1+json"


def test_a_layout_is_no_option_and_is_taken():
    assert LivePlot("index", layout={"width": "50%"}).layout.width == "50%"
