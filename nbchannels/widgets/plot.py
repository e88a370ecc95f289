"""``LivePlot``: the numbers of a group as lines that move."""

import math
from typing import Any, ClassVar

import traitlets

from nbchannels.widgets.columns import (
    MOST_FIELDS,
    MOST_LABELS,
    columns_of,
    texts_of,
)
from nbchannels.widgets.durations import window_of
from nbchannels.widgets.view import LiveView, checked, short_text

__all__ = ["LivePlot"]


class LivePlot(LiveView):
    """A live plot of a group: ``LivePlot("index")`` and that is it.

    Numeric fields of the messages become series. Scalars append a point, arrays and lists replace
    their series, tables (``send(df)``) append their rows. What is not drawn is named in the legend.
    Options can be changed while it is shown: ``plot.window = "5 min"`` reaches every page.

    Args:
        group: whose messages it shows.
        x: the field that is x, or a list of labels. Default: a field ``t``, ``time``,
            ``timestamp`` or ``step``, else the message's time. x going backwards starts a new run;
            the old one pales.
        y: the field, or fields, to draw. Default: every numeric field.
        kind: ``"line"``, ``"step"``, ``"scatter"`` or ``"bar"``.
        window: the last so many of x, ``"5 min"``, or of points, ``500``. Default: everything.
        initial: values shown before the first message: a list (for a single ``y``), a dict of
            lists, or a DataFrame. Times count as seconds since 1970.
        mode: ``"append"`` or ``"replace"``, instead of what the values suggest.
        history: messages of the group's history to begin with. Default: all; 0: none.
        title: above the plot. Default: the group's name.
        x_label: below the x axis.
        y_label: beside the y axis.
        y_range: ``(lowest, highest)``. Default: what the values need.
        height: in pixels.
        paused: whether it stands still.
    """

    kind_of_view: ClassVar[str] = "plot"
    options: ClassVar[tuple[str, ...]] = (
        "x", "y", "kind", "window", "initial", "mode", "history",
        "title", "x_label", "y_label", "y_range", "height", "paused",
    )  # fmt: skip
    wire_names: ClassVar[dict[str, str]] = {"kind": "line"}

    x = traitlets.Any(None, allow_none=True)
    y = traitlets.Any(None, allow_none=True)
    kind = traitlets.Enum(["line", "step", "scatter", "bar"], "line")
    window = traitlets.Any(None, allow_none=True)
    initial = traitlets.Any(None, allow_none=True)
    mode = traitlets.Enum(["append", "replace"], None, allow_none=True)
    x_label = traitlets.Unicode(None, allow_none=True)
    y_label = traitlets.Unicode(None, allow_none=True)
    y_range = traitlets.Tuple(
        traitlets.Float(), traitlets.Float(), default_value=None, allow_none=True
    )

    @traitlets.validate("x")
    def _check_x(self, proposal: Any) -> Any:
        return checked(texts_of, proposal["value"], "x", MOST_LABELS)

    @traitlets.validate("y")
    def _check_y(self, proposal: Any) -> Any:
        names = checked(texts_of, proposal["value"], "y", MOST_FIELDS)
        if not hasattr(self.initial, "__next__"):  # its own check looks at it, and keeps it
            checked(columns_of, self.initial, names)
        return names

    @traitlets.validate("window")
    def _check_window(self, proposal: Any) -> Any:
        checked(window_of, proposal["value"])
        return proposal["value"]

    @traitlets.validate("initial")
    def _check_initial(self, proposal: Any) -> Any:
        value = proposal["value"]
        if hasattr(value, "__next__"):  # it can be looked at once only
            value = list(value)
        checked(columns_of, value, self.y)
        return value

    @traitlets.validate("x_label", "y_label")
    def _check_label(self, proposal: Any) -> Any:
        return short_text(proposal)

    @traitlets.validate("y_range")
    def _check_range(self, proposal: Any) -> Any:
        found = proposal["value"]
        if found is not None and not (
            found[0] < found[1] and math.isfinite(found[0]) and math.isfinite(found[1])
        ):
            raise traitlets.TraitError(
                f"y_range is {found!r}; it takes two numbers, the lowest first, "
                "or None for what the values need"
            )
        return found

    def _option(self, name: str) -> Any:
        """See `LiveView`: initial as plain lists, the window as a number."""
        value = getattr(self, name)
        if name == "window":
            return window_of(value)
        if name == "initial":
            return columns_of(value, self.y)
        if name == "y_range" and value is not None:
            return list(value)
        return value
