"""Where names are completed, and which."""

import pytest
from IPython.core.completer import CompletionContext, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.channel import Group
from nbchannels.consuming import consume, unconsume
from nbchannels.exceptions import LayerUnavailable, ServerNotFound
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.magics import completion as module
from nbchannels.magics.channels import ChannelsMagics
from nbchannels.magics.completion import NameCompletion, kind_and_prefix
from nbchannels.magics.extension import load, unload

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
        ("%%consume wo", ("channels", "wo")),
        ("%channels dead w", ("channels", "w")),
        ("%channels stop w", ("served", "w")),
        ("%channels who in", ("groups", "in")),
        ("%channels ", ("words", "")),
        ("%channels log ", None),
        ("Group(name", None),
        ("x = 'in", None),
        ("%channels lo", ("words", "lo")),
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


def test_the_line_with_the_cursor_counts():
    before = channel_layers.set("default", InMemoryChannelLayer())
    try:
        Group("index").send({})
        text = 'import os\nnb.Group("in'
        here = CompletionContext(
            token="in", full_text=text, cursor_position=12, cursor_line=1, limit=None
        )
        assert [c.text for c in NameCompletion()(here)["completions"]] == ["index"]
        # The cursor stands before the quote: nothing of ours.
        there = CompletionContext(
            token="", full_text=text, cursor_position=3, cursor_line=1, limit=None
        )
        assert NameCompletion()(there)["completions"] == []
    finally:
        channel_layers.set("default", before)


def test_names_are_asked_for_every_two_seconds(monkeypatch):
    asked, now = [], 1000.0

    def known_names(timeout):
        asked.append(timeout)
        return {"groups": ["index"], "channels": ["work"]}

    monkeypatch.setattr(module, "known_names", known_names)
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    matcher = NameCompletion()
    for line in ("%watch i", "%watch in", "%send w"):
        assert len(matcher(context(line))["completions"]) == 1
    assert asked == [0.5]
    now += 2.1
    matcher(context("%watch i"))
    assert len(asked) == 2


@pytest.mark.parametrize("error", [ServerNotFound("none"), TimeoutError(), LayerUnavailable("no")])
def test_without_a_server_there_are_no_names_and_no_traceback(monkeypatch, error):
    def known_names(timeout):
        raise error

    monkeypatch.setattr(module, "known_names", known_names)
    assert NameCompletion()(context("%watch i"))["completions"] == []


def completed(shell, line):
    with provisionalcompleter():
        return [found.text for found in shell.Completer.completions(line, len(line))]


def test_a_shell_completes_names(monkeypatch):
    monkeypatch.setattr(
        module, "known_names", lambda timeout: {"groups": ["index"], "channels": ["work"]}
    )
    shell = InteractiveShell()
    try:
        load(shell)
        assert completed(shell, 'nb.Group("in') == ["index"]
        assert completed(shell, "%send w") == ["work"]
        unload(shell)
        assert "index" not in completed(shell, 'nb.Group("in')
    finally:
        shell.history_manager.end_session()


def test_words_and_the_channels_served_here():
    before = channel_layers.set("default", InMemoryChannelLayer())
    try:
        consume("work")(print)
        result = NameCompletion()(context("%channels do"))
        assert [c.text for c in result["completions"]] == ["doctor"]
        result = NameCompletion()(context("%channels stop w"))
        assert [c.text for c in result["completions"]] == ["work"]
    finally:
        unconsume()
        channel_layers.set("default", before)


def test_every_word_is_known_to_the_magic():
    said = ChannelsMagics.channels.__doc__
    assert all(f"%channels {word}" in said for word in module.WORDS)
    assert said.count("%channels ") == len(module.WORDS) + 1
