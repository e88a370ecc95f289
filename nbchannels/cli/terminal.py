"""Text for terminals: nothing of others controls it, columns stand below each other.

Pure functions; what is written where is the business of the commands.
"""

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal, TextIO

__all__ = [
    "Style",
    "ago",
    "count",
    "cut",
    "escaped",
    "has_colours",
    "is_unicode",
    "padded",
    "painted",
    "rate",
    "size",
    "sparkline",
    "span",
    "width",
]

Style = Literal["plain", "bold", "dim", "good", "warning", "bad", "cursor"]

_CODES: dict[Style, str] = {
    "plain": "", "bold": "1", "dim": "2", "good": "32", "warning": "33", "bad": "31",
    "cursor": "7",
}  # fmt: skip
_BARS = {True: "▁▂▃▄▅▆▇█", False: ".:-=+*#@"}
_PLAIN = re.compile(r"[ -~]*")


def escaped(text: str) -> str:
    """Text that others wrote, so that it cannot control the terminal.

    What is not printable (control characters, direction marks, halves of surrogate pairs) is
    shown by its number, as Python writes it.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """The columns that printable text takes."""
    if _PLAIN.fullmatch(text):
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """As much of a text as has room, with an ellipsis if that is not all."""
    if width(text) <= columns:
        return text
    kept, used = [], 1
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept) + "…" if columns > 0 else ""


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """A text with spaces to its width, cut if it is longer."""
    text = cut(text, columns)
    room = " " * (columns - width(text))
    return room + text if right else text + room


def painted(text: str, style: Style, is_coloured: bool) -> str:
    """A text in a style, where there are colours."""
    code = _CODES[style]
    return f"\x1b[{code}m{text}\x1b[0m" if is_coloured and code and text else text


def has_colours(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal with colours; ``NO_COLOR`` says that none are wanted."""
    if environment.get("NO_COLOR") or environment.get("TERM", "") in ("", "dumb"):
        return False
    return stream.isatty()


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream takes more than ASCII."""
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")


# Numbers.


def count(number: float) -> str:
    """A number of things: ``1,234``."""
    return f"{number:,.0f}"


def rate(number: float) -> str:
    """So many a second: ``0``, ``0.4``, ``12.5``, ``1,234``."""
    return f"{number:,.0f}" if number >= 100 or number == 0 else f"{number:.1f}"


def size(number: float) -> str:
    """Bytes: ``812 B``, ``1.5 MiB``."""
    if number < 1024:
        return f"{number:.0f} B"
    for unit in ("KiB", "MiB"):
        number /= 1024
        if number < 1024:
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} GiB"


def span(seconds: float) -> str:
    """A time: ``0.3 s``, ``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds else "0 s"
    for limit, one, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / one:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def ago(moment: float | None, now: float) -> str:
    """How long ago something was."""
    return "" if moment is None else span(now - moment)


def sparkline(values: Sequence[float], columns: int, *, is_unicode: bool = True) -> str:
    """The last values as bars, each as high as its share of the highest; nothing is a space."""
    shown = list(values)[-columns:]
    most, bars = max(shown, default=0.0), _BARS[is_unicode]
    drawn = [
        " " if value <= 0 else bars[min(len(bars) - 1, int(value / most * len(bars)))]
        for value in shown
    ]
    return "".join(drawn).rjust(columns)
