"""The specification, its ways to a page, and settings for every page."""

import json
import re

import ipywidgets
import pytest
from traitlets import TraitError

from nbchannels.channel import Group
from nbchannels.exceptions import InvalidName
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
