"""The columns in which ``ls`` and ``top`` show groups, channels, consumers and clients."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nbchannels.cli.panels import Row
from nbchannels.cli.terminal import (
    ago,
    count,
    escaped,
    padded,
    rate,
    size,
    span,
    sparkline,
    width,
)

__all__ = ["COLUMNS", "RATES", "Column", "laid_out"]

#: Columns of a sparkline, and the fewest that a column of text is cut to.
SPARK, LEAST = 20, 8


class Column(NamedTuple):
    """One column.

    Attributes:
        title: above it.
        key: what it shows; rows are sorted by it.
        show: the value as text; it must be escaped.
        right: whether it stands on the right, as numbers do.
        cuts: whether it is made narrower where there is no room.
    """

    title: str
    key: Callable[[Row], Any]
    show: Callable[[Any], str]
    right: bool = True
    cuts: bool = False


def _text(title: str, field: str) -> Column:
    return Column(title, lambda row: row[field] or "", escaped, right=False, cuts=True)


def _number(title: str, field: str, show: Callable[[Any], str] = count) -> Column:
    return Column(title, lambda row: row[field], show)


def _last(row: Row) -> float:
    return row["last_time"] or 0.0


def _ago(moment: float) -> str:
    return ago(moment, time.time()) if moment else ""


def _label(row: Row) -> str:
    """A notebook's path, a script's name, else who it is."""
    return str(row["label"] or row["user"])


def _user(row: Row) -> str:
    return "" if str(row["user"]).startswith("kernel:") else str(row["user"])


def _filtered(row: Row) -> str:
    steps = " ".join(f"{key}~{pattern}" for key, pattern in row["filters"])
    return f"{row['channel']} {steps}".rstrip()


def _in_flight(row: Row) -> tuple[int, int]:
    return row["held"], row["credit"]


COLUMNS: dict[str, tuple[Column, ...]] = {
    "groups": (
        _text("GROUP", "name"),
        _number("SENT", "offset"),
        _number("KEPT", "messages"),
        _number("BYTES", "bytes", size),
        _number("SUBSCRIBERS", "subscribers"),
        _number("MEMBERS", "members"),
        Column("LAST", _last, _ago),
    ),
    "channels": (
        _text("CHANNEL", "name"),
        _number("WAITING", "waiting"),
        _number("CAPACITY", "capacity"),
        _number("OLDEST", "oldest_seconds", lambda seconds: span(seconds) if seconds else ""),
        _number("RECEIVERS", "receivers"),
        _number("SENT", "sent"),
        _number("RECEIVED", "received"),
        _number("DROPPED", "dropped"),
        _number("EXPIRED", "expired"),
    ),
    "consumers": (
        Column("CHANNEL", _filtered, escaped, right=False, cuts=True),
        _text("FUNCTION", "function"),
        _text("CLIENT", "client"),
        Column("IN FLIGHT", _in_flight, lambda pair: f"{pair[0]}/{pair[1]}"),
        _number("TAKEN", "taken"),
        _number("FAILED", "failed"),
        _number("LATER", "later"),
        _number("SLOWEST", "slowest_seconds", span),
        _text("LAST ERROR", "error"),
    ),
    "clients": (
        _text("CLIENT", "key"),
        Column("LABEL", _label, escaped, right=False, cuts=True),
        Column("USER", _user, escaped, right=False, cuts=True),
        _number("GROUPS", "subscriptions"),
        _number("CONSUMERS", "consumers"),
        _number("LEASES", "leases"),
        _number("LAG", "lag"),
        _number("BUFFERED", "buffered_bytes", size),
        _number("SINCE", "since", _ago),
        Column("", lambda row: not row["connected"], lambda away: "away" if away else ""),
    ),
}


def _rates(is_unicode: bool) -> tuple[Column, ...]:
    return (
        _number("RATE/S", "rate", rate),
        Column(
            "", lambda row: row["rates"],
            lambda rates: sparkline(rates, SPARK, is_unicode=is_unicode), right=False,
        ),
    )  # fmt: skip


#: What ``top`` has beside it in the rows of groups, with and without Unicode.
RATES = {is_unicode: _rates(is_unicode) for is_unicode in (True, False)}


def laid_out(columns: Sequence[Column], rows: Sequence[Row], room: int | None) -> list[str]:
    """The titles and the rows, as lines.

    Args:
        columns: from left to right.
        rows: in their order.
        room: columns of the terminal; texts are cut to fit. ``None``: there is no end to it.
    """
    cells = [[column.show(column.key(row)) for column in columns] for row in rows]
    titles = [column.title for column in columns]
    widths = [
        max([width(title), *(width(line[n]) for line in cells)]) for n, title in enumerate(titles)
    ]
    if room is not None:
        _shrink(widths, columns, room - 2 * (len(columns) - 1))
    lines = [
        "  ".join(
            padded(cell, wide, right=column.right)
            for cell, wide, column in zip(line, widths, columns, strict=True)
        )
        for line in (titles, *cells)
    ]
    return [padded(line, room).rstrip() if room is not None else line.rstrip() for line in lines]


def _shrink(widths: list[int], columns: Sequence[Column], room: int) -> None:
    """Make the widest text narrower until all fit, or none is left that could be."""
    while sum(widths) > room:
        soft = [n for n, column in enumerate(columns) if column.cuts and widths[n] > LEAST]
        if not soft:
            return
        widest = max(soft, key=lambda n: widths[n])
        others = max([widths[n] for n in soft if n != widest], default=LEAST)
        least = max(LEAST, min(others, widths[widest] - 1))
        widths[widest] = max(least, widths[widest] - (sum(widths) - room))
