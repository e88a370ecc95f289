"""The shapes that cursors yield."""

import pytest

from nbchannels.layers.cursor import Anchor, Cursor, Missing


def test_a_cursor_must_be_complete():
    with pytest.raises(TypeError, match="abstract"):
        Cursor()  # type: ignore[abstract]


def test_an_anchor_is_recovered_unless_it_says_otherwise():
    anchor = Anchor("e", 3, 4, 5)
    assert (anchor.recovered, anchor.reason, anchor.lost) == (True, None, None)
    assert Missing(1, 2).reason == "trimmed"
