"""What ``nbchannels top`` shows, as lines: a pure function of a look, a view and a size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nbchannels.cli.columns import COLUMNS, RATES, Column, laid_out
from nbchannels.cli.panels import PANELS, Look, Row
from nbchannels.cli.terminal import Style, count, cut, escaped, padded, rate, size, span

__all__ = ["Line", "Viewed", "columns_of", "header", "page_of", "plain", "screen"]

_KEYS = "q quit  tab section  ↑↓ scroll  ←→ sort  r reverse  p pause"
_PLAIN_KEYS = "q quit  tab section  j/k scroll  h/l sort  r reverse  p pause"
#: Rows that a section has which is not chosen.
FEW = 3
#: By which column a panel is sorted at first, and whether the highest comes first.
SORTED = {"groups": 1, "channels": 1, "consumers": 3, "clients": 0}


class Line(NamedTuple):
    """One line of the screen."""

    text: str
    style: Style = "plain"


@dataclass
class Viewed:
    """What the user has chosen.

    Attributes:
        chosen: the panel that has the room and the keys.
        first: of each panel the first row that is shown.
        sort: of each panel the column by which it is sorted.
        is_reversed: of each panel whether the order is turned round.
        is_paused: nothing new is shown.
        is_unicode: whether the terminal has more than ASCII.
    """

    chosen: str = "groups"
    first: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PANELS, 0))
    sort: dict[str, int] = field(default_factory=lambda: dict(SORTED))
    is_reversed: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PANELS, False))
    is_paused: bool = False
    is_unicode: bool = True

    def press(self, key: str, rows: dict[str, int], page: int) -> bool:
        """A key; whether the user stays.

        Args:
            key: its name.
            rows: how many there are, by panel.
            page: rows of the chosen panel on the screen.
        """
        panel, last = self.chosen, max(0, rows.get(self.chosen, 0) - page)
        first = min(self.first[panel], last)
        steps = {
            "up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page,
            " ": page, "home": -last, "g": -last, "end": last, "G": last,
        }  # fmt: skip
        columns = len(columns_of(panel, self.is_unicode))
        match key:
            case "q" | "Q":
                return False
            case "p":
                self.is_paused = not self.is_paused
            case "r":
                self.is_reversed[panel] = not self.is_reversed[panel]
            case "tab" | "back tab":
                step = 1 if key == "tab" else -1
                self.chosen = PANELS[(PANELS.index(panel) + step) % len(PANELS)]
            case "1" | "2" | "3" | "4":
                self.chosen = PANELS[int(key) - 1]
            case "left" | "h":
                self.sort[panel] = (self.sort[panel] - 1) % columns
            case "right" | "l":
                self.sort[panel] = (self.sort[panel] + 1) % columns
            case _ if key in steps:
                first += steps[key]
        self.first[panel] = max(0, min(first, last))
        return True

    def ordered(self, panel: str, rows: Sequence[Row]) -> list[Row]:
        """Rows in the order that the user wants: of numbers the highest first."""
        column = columns_of(panel, self.is_unicode)[self.sort[panel]]
        ordered = sorted(rows, key=lambda row: str(row.get("name", row.get("key"))))
        highest_first = column.right != self.is_reversed[panel]
        return sorted(ordered, key=column.key, reverse=highest_first)


def columns_of(panel: str, is_unicode: bool) -> tuple[Column, ...]:
    """The columns of a panel, with those that change."""
    columns = COLUMNS[panel]
    if panel != "groups":
        return columns
    return (columns[0], *RATES[is_unicode], *columns[1:])


def header(look: Look | None, server: str, detail: str, *, is_paused: bool = False) -> list[str]:
    """Two lines: which server, and how it is.

    Args:
        look: ``None`` before the first.
        server: its address and version.
        detail: how the connection is, if it is not as it should be; else empty.
        is_paused: whether the user has stopped the picture.
    """
    paused = "PAUSED  " if is_paused else ""
    if look is None:
        return [escaped(f"{paused}nbchannels  {server}"), escaped(detail or "connecting …")]
    layer, statistics = look.layer, look.layer["statistics"]
    title = (
        f"{paused}nbchannels  {server}  layer {layer['alias']} ({layer['backend']})  "
        f"up {span(layer['uptime'])}"
    )
    if detail:
        return [escaped(title), escaped(detail)]
    told = [
        "" if look.rate is None else f"{rate(look.rate)} messages/s",
        _several(layer["connections"], "connection"),
        f"loop {layer['loop_delay'] * 1000:.0f} ms late",
        f"history {size(statistics['history_bytes'])}",
        f"waiting {size(statistics['waiting_bytes'])}",
        *(
            f"{count(statistics[word])} {word}"
            for word in ("dropped", "expired", "refused")
            if statistics[word]
        ),
        _several(statistics["dead"], "dead letter") if statistics["dead"] else "",
    ]
    return [escaped(title), escaped("  ".join(filter(None, told)))]


def _several(number: int, word: str) -> str:
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def page_of(look: Look | None, viewed: Viewed, height: int) -> int:
    """How many rows of the chosen panel a screen shows."""
    return _shares(look, viewed, height).get(viewed.chosen, 1)


def _shares(look: Look | None, viewed: Viewed, height: int) -> dict[str, int]:
    """Rows of each panel that is shown: some of each, and the rest for the chosen one."""
    room = height - 3  # the header and the keys
    others = {
        panel: min(FEW, len(look.rows[panel]) if look is not None else 0)
        for panel in PANELS
        if panel != viewed.chosen
    }
    left = room - 2 - sum(rows + 2 for rows in others.values())
    if left >= FEW:
        return others | {viewed.chosen: left}
    return {viewed.chosen: max(1, room - 2)}


def screen(
    look: Look | None, viewed: Viewed, server: str, detail: str, columns: int, height: int
) -> list[Line]:
    """All lines of a terminal of this size, each of at most its width."""
    top = header(look, server, detail, is_paused=viewed.is_paused)
    styles: tuple[Style, Style] = ("bold", "warning" if detail else "plain")
    lines = [Line(cut(text, columns), style) for text, style in zip(top, styles, strict=True)]
    shares = _shares(look, viewed, height)
    for number, panel in enumerate(PANELS, 1):
        if panel in shares:
            rows = look.rows[panel] if look is not None else []
            lines += _section(number, panel, rows, viewed, columns, shares[panel])
    keys = cut(_KEYS if viewed.is_unicode else _PLAIN_KEYS, columns)
    lines = lines[: height - 1]
    lines += [Line("")] * (height - 1 - len(lines))
    return [*lines, Line(keys, "dim")][:height]


def _section(
    number: int, panel: str, rows: Sequence[Row], viewed: Viewed, columns: int, share: int
) -> list[Line]:
    is_chosen = panel == viewed.chosen
    shown = columns_of(panel, viewed.is_unicode)
    first = min(viewed.first[panel], max(0, len(rows) - share))
    part = viewed.ordered(panel, rows)[first : first + share]
    by = shown[viewed.sort[panel]].title.lower() or "last"
    title = f"{number} {panel} {count(len(rows))}  by {by}"
    if first or first + share < len(rows):
        title += f"  {first + 1}-{first + len(part)}"
    titles, *lines = laid_out(shown, part, columns)
    body = [
        Line(cut(text, columns), _urgency(panel, row))
        for text, row in zip(lines, part, strict=True)
    ]
    empty = [Line("")] * (share - len(part)) if is_chosen else []
    return [
        Line(padded(title, columns), "cursor" if is_chosen else "bold"),
        Line(cut(titles, columns), "dim"),
        *body,
        *empty,
    ]


def _urgency(panel: str, row: Row) -> Style:
    """What stands out: full channels, consumers that failed, clients that lag or are away."""
    if panel == "channels" and row["waiting"] >= row["capacity"]:
        return "bad"
    if panel == "channels" and row["waiting"] and not row["receivers"]:
        return "warning"
    if panel == "consumers" and row["failed"]:
        return "bad"
    if panel == "clients" and not row["connected"]:
        return "dim"
    return "plain"


def plain(look: Look, viewed: Viewed, server: str, room: int | None = None) -> list[str]:
    """The same as one table, for files and pipes: all rows, in their order."""
    lines = header(look, server, "")
    for panel in PANELS:
        rows: list[Any] = viewed.ordered(panel, look.rows[panel])
        lines += ["", f"{panel} {count(len(rows))}"]
        lines += laid_out(columns_of(panel, viewed.is_unicode), rows, room) if rows else []
    return lines
