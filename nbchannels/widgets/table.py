"""``LiveTable``: the messages of a group as rows."""

from typing import Any, ClassVar

import traitlets

from nbchannels.widgets.columns import MOST_FIELDS, texts_of
from nbchannels.widgets.perfield import number_format, per_field
from nbchannels.widgets.view import LiveView, checked, short_text

__all__ = ["LiveTable"]

LEAST_ROWS, MOST_ROWS = 10, 1_000_000


class LiveTable(LiveView):
    """The messages of a group as rows, the newest at the end: ``LiveTable("trades")``.

    A message is a row, its fields are columns. Tables (``send(df)``) append their rows; arrays and
    lists of one length replace them all. With ``key`` a message changes the row with the same
    value there, and what has changed flashes. The reader sorts by a click on a header and filters.

    Args:
        group: whose messages it shows.
        key: the field that tells the rows apart. Default: none, each message is a row of its own.
        columns: the field, or fields, to show, in this order. Default: all.
        format: a number format such as ``".2f"`` for all columns, or a dict by column.
        mode: ``"append"`` or ``"replace"``, instead of what the values suggest.
        rows: how many rows are kept, 10 to 1,000,000; how many older ones were dropped is told.
        history: messages of the group's history to begin with. Default: all; 0: none.
        title: above the table. Default: the group's name.
        height: in pixels.
        paused: whether it stands still.
    """

    kind_of_view: ClassVar[str] = "table"
    options: ClassVar[tuple[str, ...]] = (
        "key", "columns", "format", "mode", "rows", "history", "title", "height", "paused",
    )  # fmt: skip

    key = traitlets.Unicode(None, allow_none=True)
    columns = traitlets.Any(None, allow_none=True)
    format = traitlets.Any(None, allow_none=True)
    mode = traitlets.Enum(["append", "replace"], None, allow_none=True)
    rows = traitlets.Any(100_000)
    height = traitlets.Int(360, min=80, max=4000)

    @traitlets.validate("key")
    def _check_key(self, proposal: Any) -> Any:
        return short_text(proposal)

    @traitlets.validate("columns")
    def _check_columns(self, proposal: Any) -> Any:
        return checked(texts_of, proposal["value"], "columns", MOST_FIELDS)

    @traitlets.validate("format")
    def _check_format(self, proposal: Any) -> Any:
        return checked(per_field, proposal["value"], "format", number_format)

    @traitlets.validate("rows")
    def _check_rows(self, proposal: Any) -> Any:
        return checked(_rows_of, proposal["value"])


def _rows_of(value: Any) -> int:
    if isinstance(value, int) and value is not True and LEAST_ROWS <= value <= MOST_ROWS:
        return value
    raise ValueError(
        f"rows is {value!r}; it takes a whole number from {LEAST_ROWS} to {MOST_ROWS:,}"
    )
