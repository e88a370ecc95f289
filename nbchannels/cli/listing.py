"""``nbchannels ls`` and ``nbchannels who``: what there is now."""

from collections.abc import Sequence
from typing import Any

from nbchannels.cli.columns import COLUMNS, laid_out
from nbchannels.cli.panels import Looker, Row
from nbchannels.cli.reaching import ask
from nbchannels.cli.terminal import escaped
from nbchannels.cli.writing import Output
from nbchannels.kernel import reports
from nbchannels.kernel.layer import KernelChannelLayer

__all__ = ["in_order", "list_all", "who"]


def in_order(name: str, rows: Sequence[Row]) -> list[Row]:
    """Rows by the first of their columns."""
    first = COLUMNS[name][0].key
    return sorted(rows, key=lambda row: (first(row), str(row)))


def list_all(
    layer: KernelChannelLayer,
    out: Output,
    panels: Sequence[str],
    *,
    show_all: bool = False,
    json: bool = False,
    room: int | None = None,
) -> None:
    """Print groups, channels, consumers and clients.

    Args:
        layer: of the server.
        out: where to.
        panels: which of them.
        show_all: names that are nbchannels' own, too.
        json: one object, with a list for each.
        room: columns of the terminal; ``None``: nothing is cut.
    """
    found = ask(Looker(layer.connection, show_all=show_all).rows(panels))
    ordered = {name: in_order(name, rows) for name, rows in found.items()}
    if json:
        out.json(ordered)
        return
    lines: list[str] = []
    for name, rows in ordered.items():
        if lines:
            lines.append("")
        if rows:
            title, *others = laid_out(COLUMNS[name], rows, room)
            lines += [out.paint(title, "bold"), *others]
        else:
            lines.append(f"no {name}")
    out.lines(lines)


def who(layer: KernelChannelLayer, out: Output, group: str, *, json: bool = False) -> None:
    """Print who is in a group.

    Args:
        layer: of the server.
        out: where to.
        group: its name.
        json: a list of objects; see `BaseChannelLayer.presence`.
    """
    if json:
        found: list[dict[str, Any]] = ask(layer.presence(group))
        out.json(found)
    else:
        out.lines([escaped(line) for line in reports.who(group).splitlines()])
