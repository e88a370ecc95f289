"""The loader, and what to do when it is not built."""

import pytest

from nbchannels.widgets.assets import MissingAsset, loader


def test_the_loader_is_small_and_opens_nothing_by_itself():
    text = loader()
    assert len(text.encode()) < 5_000
    assert "render" in text
    assert "WebSocket" not in text


def test_a_clone_without_a_build_says_what_to_run(tmp_path):
    with pytest.raises(MissingAsset, match="make setup"):
        loader(tmp_path)
