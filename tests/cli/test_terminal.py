"""Text for terminals."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.cli.terminal import (
    ago,
    count,
    cut,
    escaped,
    has_colours,
    is_unicode,
    padded,
    painted,
    rate,
    size,
    span,
    sparkline,
    width,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 数", "plain ä 数"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\r\t", r"a\nb\r\t"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\u202eevil\u2028", r"\u202eevil\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_controls_is_escaped(text: str, shown: str):
    assert escaped(text) == shown


@given(st.text())
def test_nothing_of_others_controls_the_terminal(text: str):
    assert escaped(text).isprintable()


@given(st.text(st.sampled_from("ab数é\u0301")), st.integers(1, 12))
def test_padded_has_its_width(text: str, columns: int):
    shown = padded(text, columns)
    assert width(shown) == columns
    assert width(cut(text, columns)) <= columns


def test_widths():
    assert width("abc") == 3
    assert width("数据") == 4
    assert width("e\u0301") == 1
    assert cut("abcdef", 4) == "abc…"
    assert cut("abc", 3) == "abc"
    assert padded("7", 3, right=True) == "  7"


def test_numbers():
    assert [count(1_234_567), count(0)] == ["1,234,567", "0"]
    assert [rate(0), rate(0.44), rate(12.345), rate(1234.5)] == ["0", "0.4", "12.3", "1,234"]
    assert [size(0), size(1023), size(1536), size(2**20), size(5 * 2**30)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "1.0 MiB",
        "5.0 GiB",
    ]
    assert [span(s) for s in (0, 0.34, 12, 300, 7_200, 200_000, -3)] == [
        "0 s",
        "0.3 s",
        "12 s",
        "5 min",
        "2 h",
        "2 d",
        "0 s",
    ]
    assert ago(None, 5) == ""
    assert ago(90.0, 102.0) == "12 s"


def test_sparklines():
    assert sparkline([0, 1, 4, 8], 4) == " ▂▅█"
    assert sparkline([1, 1], 4) == "  ██"
    assert sparkline(range(100), 3) == "███"
    assert sparkline([], 3) == "   "
    assert sparkline([0, 8], 2, is_unicode=False) == " @"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them():
    assert has_colours(Terminal(), {"TERM": "xterm"})
    assert not has_colours(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert not has_colours(Terminal(), {"TERM": "dumb"})
    assert not has_colours(Terminal(), {})
    assert not has_colours(io.StringIO(), {"TERM": "xterm"})
    assert painted("a", "bad", True) == "\x1b[31ma\x1b[0m"
    assert painted("a", "bad", False) == painted("a", "plain", True) == "a"


def test_encodings():
    assert is_unicode(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert not is_unicode(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert not is_unicode(io.StringIO())
