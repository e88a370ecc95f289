"""Columns below each other."""

import pytest

from nbchannels.cli.columns import COLUMNS, RATES, laid_out
from nbchannels.cli.panels import FIELDS
from nbchannels.cli.terminal import width

GROUP = dict(zip(FIELDS["groups"], ("sensors", 1_234, 1_000, 2_048, 2, 0, None, "e"), strict=True))
CONSUMER = {
    "key": "1", "channel": "work", "function": "job", "client": "a\x1b[2J.ipynb", "where": "kernel",
    "on": "thread", "filters": [["path", "^/x"]], "connected": True, "held": 2, "credit": 4,
    "taken": 10, "done": 7, "failed": 1, "later": 0, "slowest_seconds": 1.5,
    "error": "ValueError: \u202eno", "client_key": "kernel-1",
}  # fmt: skip


def test_titles_and_rows():
    titles, row = laid_out(COLUMNS["groups"], [GROUP], None)
    assert titles.split() == ["GROUP", "SENT", "KEPT", "BYTES", "SUBSCRIBERS", "MEMBERS", "LAST"]
    assert row.split() == ["sensors", "1,234", "1,000", "2.0", "KiB", "2", "0"]
    assert titles.index("SENT") + len("SENT") == row.index("1,234") + len("1,234")


def test_texts_of_others_are_escaped():
    (_, row) = laid_out(COLUMNS["consumers"], [CONSUMER], None)
    assert row.isprintable()
    assert r"\x1b[2J" in row
    assert r"\u202eno" in row
    assert "work path~^/x" in row
    assert "2/4" in row


@pytest.mark.parametrize("room", [200, 90, 70, 40, 10])
def test_texts_are_cut_to_the_terminal_and_numbers_are_not(room: int):
    long = CONSUMER | {"error": "e" * 300, "client": "数" * 60}
    lines = laid_out(COLUMNS["consumers"], [long, CONSUMER], room)
    assert all(width(line) <= room for line in lines)
    if room >= 90:
        assert all("2/4" in line and "1.5 s" in line for line in lines[1:])


def test_rates_have_a_sparkline():
    row = GROUP | {"rate": 12.5, "rates": [0, 6.25, 12.5]}
    assert laid_out(RATES[True], [row], None)[1].split() == ["12.5", "▅█"]
    assert laid_out(RATES[False], [row], None)[1].split() == ["12.5", "+@"]


def test_who_is_away_is_told():
    client = dict.fromkeys(FIELDS["clients"], 0) | {
        "key": "kernel-1", "kind": "kernel", "user": "kernel:1", "label": None, "connected": False,
    }  # fmt: skip
    (_, row) = laid_out(COLUMNS["clients"], [client], None)
    assert row.startswith("kernel-1")
    assert "kernel:1" in row
    assert row.endswith("away")
