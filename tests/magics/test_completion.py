"""Where names are completed, and which."""

import pytest
from IPython.core.completer import CompletionContext

from nbchannels.channel import Group
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.magics.completion import NameCompletion, kind_and_prefix

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("%send wo", ("channels", "wo")),
        ("%group_send ", ("groups", "")),
        ("  %watch sens", ("groups", "sens")),
        ('nb.Group("in', ("groups", "in")),
        ("plot = LivePlot('sen", ("groups", "sen")),
        ("Channel('w", ("channels", "w")),
        ("%send work {", None),
        ("Group(name", None),
        ("x = 'in", None),
        ("%channels lo", None),
    ],
)
def test_places(line, place):
    assert kind_and_prefix(line) == place


def context(line):
    return CompletionContext(
        token=line.split()[-1], full_text=line, cursor_position=len(line), cursor_line=0, limit=None
    )


def test_names_of_the_layer_are_offered():
    before = channel_layers.set("default", InMemoryChannelLayer())
    try:
        for name in ("index", "inbox", "other"):
            Group(name).send({})
        result = NameCompletion()(context('nb.Group("in'))
        assert [c.text for c in result["completions"]] == ["inbox", "index"]
        assert result["matched_fragment"] == "in"
        assert NameCompletion()(context("import os"))["completions"] == []
    finally:
        channel_layers.set("default", before)
