"""The loader, and what to do when it is not built."""

import json

import pytest

from nbchannels.widgets.assets import MissingAsset, loader
from nbchannels.widgets.plot import LivePlot


def test_the_loader_is_small_and_opens_nothing_by_itself():
    text = loader()
    assert len(text.encode()) < 5_000
    assert "render" in text
    assert "WebSocket" not in text


def test_a_clone_without_a_build_says_what_to_run(tmp_path):
    with pytest.raises(MissingAsset, match="make setup"):
        loader(tmp_path)


def test_the_loader_comes_with_the_view_and_not_the_bundle():
    state = LivePlot("index").get_state()
    assert state["_esm"] == loader()
    assert len(json.dumps(state, default=str)) < 8_000
