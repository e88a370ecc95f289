"""``LiveLog``: the messages of a group as lines of text."""

from typing import Any, ClassVar

import traitlets

from nbchannels.widgets.view import LiveView, checked

__all__ = ["LiveLog"]

LEVELS = ("debug", "info", "warning", "error", "critical")
LEAST_LINES, MOST_LINES = 10, 100_000


class LiveLog(LiveView):
    """The messages of a group as lines, the newest at the end: ``LiveLog("app")`` and that is it.

    A log record, ``{"level": "info", "message": "…", "logger": "…", "time": …}``, shows as one; of
    any other message its fields are the line, of a table its rows. The reader filters by words and
    level. The end is followed until one scrolls up; then it says how many lines have come.

    Args:
        group: whose messages it shows.
        level: lines below this level are not shown, until the reader chooses another:
            ``"debug"``, ``"info"``, ``"warning"``, ``"error"`` or ``"critical"``. Default: all.
        wrap: whether long lines go on below.
        lines: how many lines are kept, 10 to 100,000; how many older ones were dropped is told.
        history: messages of the group's history to begin with. Default: all; 0: none.
        title: above the lines. Default: the group's name.
        height: in pixels.
        paused: whether it stands still.
    """

    kind_of_view: ClassVar[str] = "log"
    options: ClassVar[tuple[str, ...]] = (
        "level", "wrap", "lines", "history", "title", "height", "paused",
    )  # fmt: skip

    level = traitlets.Any(None, allow_none=True)
    wrap = traitlets.Bool(False)
    lines = traitlets.Any(10_000)

    @traitlets.validate("level")
    def _check_level(self, proposal: Any) -> Any:
        return checked(_level_of, proposal["value"])

    @traitlets.validate("lines")
    def _check_lines(self, proposal: Any) -> Any:
        return checked(_lines_of, proposal["value"])


def _level_of(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and value.lower() in LEVELS:
        return value.lower()
    raise ValueError(f"level is {value!r}; it takes one of {', '.join(LEVELS)}, or None for all")


def _lines_of(value: Any) -> int:
    if isinstance(value, int) and value is not True and LEAST_LINES <= value <= MOST_LINES:
        return value
    raise ValueError(
        f"lines is {value!r}; it takes a whole number from {LEAST_LINES} to {MOST_LINES:,}"
    )
