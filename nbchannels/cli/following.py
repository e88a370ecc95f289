"""``nbchannels tail``: messages as they go by."""

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from nbchannels.cli.reaching import ask
from nbchannels.cli.terminal import escaped, padded, size
from nbchannels.cli.writing import Output
from nbchannels.exceptions import LayerUnavailable
from nbchannels.kernel.layer import KernelChannelLayer

__all__ = ["Filters", "follow", "told"]

#: Seconds between two questions, when nothing more waits.
PAUSE = 0.5
#: What a row says, in its order.
FIELDS = (
    "number", "kind", "name", "time", "sender", "bytes", "codec", "offset", "message", "omitted",
)  # fmt: skip


class Filters(NamedTuple):
    """Which messages are shown.

    Attributes:
        name: a glob of groups and channels.
        text: that the encoded message has in it.
        kind: ``group`` or ``channel``.
    """

    name: str | None = None
    text: str | None = None
    kind: str | None = None


def follow(
    layer: KernelChannelLayer,
    out: Output,
    filters: Filters,
    *,
    json: bool = False,
    most: int | None = None,
    pause: float = PAUSE,
) -> None:
    """Print messages from now on, until Ctrl-C; what was missed is said at its place.

    Args:
        layer: of the server.
        out: where to.
        filters: which.
        json: an object for each, in a line.
        most: end after so many; ``None``: never.
        pause: seconds between two questions.
    """
    shown = 0
    for row in _rows(layer, out, filters, pause):
        if isinstance(row, str):
            if json:
                out.json({"missed": row})
            out.complain(row)
            continue
        told_row = dict(zip(FIELDS, row, strict=False))
        if json:
            out.json(told_row)
        else:
            out.line(told(told_row, out))
        shown += 1
        if most is not None and shown >= most:
            return


def _rows(
    layer: KernelChannelLayer, out: Output, filters: Filters, pause: float
) -> Iterator[list[Any] | str]:
    """The rows, and sentences about those that are missing."""
    connection = layer.connection
    after: int = ask(connection.call("tail", {"on": True}))["top"]
    reconnects, is_away = connection.reconnects, False
    if out.is_terminal:
        out.complain("messages from now on; Ctrl-C ends")
    while True:
        asked = {"after": after, "limit": 50, "oldest_first": True} | filters._asdict()
        try:
            found = ask(connection.call("tail_read", asked))
        except (LayerUnavailable, TimeoutError) as error:
            if isinstance(error, LayerUnavailable) and not error.temporary:
                raise
            if not is_away:
                is_away = True
                out.complain(f"{error}; waiting")
            time.sleep(pause)
            continue
        is_away = False
        if connection.reconnects != reconnects:
            reconnects = connection.reconnects
            yield "the connection was lost; what was sent meanwhile may be missing here"
        if found["top"] < after:  # another process: it counts anew
            after = 0
            continue
        if found["missed"]:
            yield f"{found['missed']:,} messages went by too fast and are missing here"
        yield from found["rows"]
        is_behind = found["top"] > after and len(found["rows"]) > 1
        after = found["top"]
        if not is_behind:
            time.sleep(pause)


def told(row: dict[str, Any], out: Output) -> str:
    """A message in a line: when, what, where, how large, and what is in it."""
    moment = time.strftime("%H:%M:%S", time.localtime(row["time"]))
    thousandths = int(row["time"] % 1 * 1000)
    name = escaped(str(row["name"]))
    place = name if row["offset"] is None else f"{name} #{row['offset']}"
    return "  ".join(
        [
            out.paint(f"{moment}.{thousandths:03}", "dim"),
            padded(escaped(str(row["kind"])), 7),
            out.paint(padded(place, max(24, len(place))), "bold"),
            padded(size(row["bytes"]), 9, right=True),
            _content(row),
        ]
    )


def _content(row: dict[str, Any]) -> str:
    if row["message"] is None:
        return f"({escaped(str(row['omitted'] or 'not shown'))})"
    return escaped(_compact(row["message"]))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
