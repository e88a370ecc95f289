"""What ``top`` shows, without a terminal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.cli.panels import FIELDS, PANELS, Look
from nbchannels.cli.screen import Viewed, columns_of, header, page_of, plain, screen
from nbchannels.cli.terminal import width

LAYER = {
    "alias": "default", "backend": "InMemoryChannelLayer", "uptime": 300.0, "connections": 1,
    "clients": 1, "loop_delay": 0.002,
    "statistics": {
        "history_bytes": 2048, "waiting_bytes": 10, "dropped": 1, "expired": 2, "refused": 3,
        "dead": 1,
    },
}  # fmt: skip


def row(panel: str, **values: Any) -> dict[str, Any]:
    texts = {"key", "channel", "function", "client", "where", "on", "kind", "user", "label", "name"}
    found: dict[str, Any] = {
        field: "" if field in texts | {"error", "epoch", "client_key"} else 0
        for field in FIELDS[panel]
    }
    extra = {"filters": [], "groups": [], "connected": True, "last_time": None}
    found |= {key: value for key, value in extra.items() if key in found}
    return found | ({"rate": 0.0, "rates": []} if panel == "groups" else {}) | values


def look(groups: int = 3, **rows: list[dict[str, Any]]) -> Look:
    found = {
        "groups": [
            row("groups", name=f"g{n:02}", offset=n, rate=float(n), rates=[float(n)])
            for n in range(groups)
        ],
        "channels": [row("channels", name="work", waiting=7, capacity=10)],
        "consumers": [row("consumers", key="1", channel="work", function="job", held=1, credit=2)],
        "clients": [row("clients", key="page-1", label="a.ipynb")],
    }
    return Look(1_000.0, LAYER, found | rows, 12.5)


def texts(seen: Look | None, viewed: Viewed, columns: int = 120, height: int = 40) -> list[str]:
    return [line.text for line in screen(seen, viewed, "0.1.0 http://x/", "", columns, height)]


def test_everything_is_on_one_screen():
    lines = texts(look(), Viewed(), columns=140)
    shown = "\n".join(lines)
    assert lines[0].startswith("nbchannels  0.1.0 http://x/  layer default (InMemoryChannelLayer)")
    assert "12.5 messages/s  1 connection  loop 2 ms late  history 2.0 KiB" in lines[1]
    assert "waiting 10 B  1 dropped  2 expired  3 refused  1 dead letter" in lines[1]
    titles = ("1 groups 3  by rate/s", "2 channels 1", "3 consumers 1", "4 clients 1")
    for title in titles:
        assert title in shown
    assert shown.index("g02") < shown.index("g01") < shown.index("g00")
    assert "1/2" in shown
    assert "a.ipynb" in shown
    assert lines[-1].startswith("q quit")


@given(
    st.integers(1, 200), st.integers(1, 60), st.integers(0, 80),
    st.lists(st.sampled_from(["tab", "j", "G", "l", "r", "page down", "3", "p", "home"])),
)  # fmt: skip
def test_no_size_and_no_key_breaks_it(columns: int, height: int, groups: int, keys: list[str]):
    viewed, seen = Viewed(), look(groups)
    for key in keys:
        counts = {panel: len(rows) for panel, rows in seen.rows.items()}
        assert viewed.press(key, counts, page_of(seen, viewed, height))
        lines = texts(seen, viewed, columns, height)
        assert len(lines) == height
        assert all(width(line) <= columns for line in lines)
    assert len(texts(None, viewed, columns, height)) == height


def test_before_the_first_answer_and_when_none_comes():
    assert "connecting …" in texts(None, Viewed())[1]
    lines = screen(look(), Viewed(), "", "no answer yet: lost\x1b", 120, 40)
    assert (lines[1].text, lines[1].style) == (r"no answer yet: lost\x1b", "warning")


def test_q_ends_and_other_keys_do_not():
    viewed = Viewed()
    assert not viewed.press("q", {}, 1)
    assert viewed.press("x", {}, 1)


def test_scrolling_ends_at_the_ends():
    viewed, seen = Viewed(), look(50)
    counts = {panel: len(rows) for panel, rows in seen.rows.items()}
    page = page_of(seen, viewed, 30)
    for key, first in (
        ("k", 0), ("j", 1), ("down", 2), ("up", 1), ("page down", 1 + page), ("G", 50 - page),
        ("j", 50 - page), ("home", 0),
    ):  # fmt: skip
        viewed.press(key, counts, page)
        assert viewed.first["groups"] == first
    viewed.press("end", counts, page)
    shown = texts(seen, viewed, height=30)
    assert any(line.startswith("g00") for line in shown)  # the lowest rate is the last
    assert f"{50 - page + 1}-50" in "\n".join(shown)


def test_sections_and_sorting():
    viewed = Viewed()
    for key, chosen in (("tab", "channels"), ("4", "clients"), ("tab", "groups")):
        viewed.press(key, {}, 1)
        assert viewed.chosen == chosen
    viewed.press("back tab", {}, 1)
    assert viewed.chosen == "clients"
    viewed = Viewed()
    rows = look().rows["groups"]
    viewed.press("left", {}, 1)  # by name: from a to z
    assert [found["name"] for found in viewed.ordered("groups", rows)] == ["g00", "g01", "g02"]
    viewed.press("r", {}, 1)
    assert [found["name"] for found in viewed.ordered("groups", rows)] == ["g02", "g01", "g00"]


@pytest.mark.parametrize("panel", PANELS)
def test_every_column_sorts(panel: str):
    seen = look(clients=[row("clients", key="a", label=None), row("clients", key="b", label="x")])
    viewed = Viewed(chosen=panel)
    for _ in columns_of(panel, True):
        viewed.press("right", {}, 1)
        assert len(viewed.ordered(panel, seen.rows[panel])) == len(seen.rows[panel])


def test_pausing_is_told():
    viewed = Viewed()
    viewed.press("p", {}, 1)
    assert viewed.is_paused
    assert texts(look(), viewed)[0].startswith("PAUSED")
    viewed.press("p", {}, 1)
    assert not viewed.is_paused


def test_what_needs_a_look_stands_out():
    seen = look(
        channels=[
            row("channels", name="full", waiting=10, capacity=10, receivers=1),
            row("channels", name="alone", waiting=1, capacity=10),
            row("channels", name="well", waiting=1, capacity=10, receivers=1),
        ],
        consumers=[row("consumers", key="1", channel="c", failed=1)],
        clients=[row("clients", key="k", connected=False)],
    )
    styles = {line.text.split()[0]: line.style for line in screen(seen, Viewed(), "", "", 120, 50)
              if line.text.strip()}  # fmt: skip
    assert [styles[name] for name in ("full", "alone", "well", "c", "k")] == [
        "bad",
        "warning",
        "plain",
        "bad",
        "dim",
    ]


def test_as_a_table_without_an_end():
    lines = plain(look(50), Viewed(), "0.1.0 http://x/")
    assert sum(line.startswith("g") and line[1:3].isdecimal() for line in lines) == 50
    assert "groups 50" in lines
    assert header(None, "x", "") == ["nbchannels  x", "connecting …"]


def test_ascii_terminals():
    viewed = Viewed(is_unicode=False)
    seen = look(groups=2)
    assert all(line.isascii() for line in texts(seen, viewed, columns=200))
