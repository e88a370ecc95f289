"""``LivePlot``: the numbers of a group as lines that move."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets

from nbchannels.arrays import recognise
from nbchannels.widgets.durations import window_of
from nbchannels.widgets.view import LiveView

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
            lists, or a DataFrame.
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

    x = traitlets.Union(
        [traitlets.Unicode(), traitlets.List(traitlets.Unicode())],
        default_value=None,
        allow_none=True,
    )
    y = traitlets.Union(
        [traitlets.Unicode(), traitlets.List(traitlets.Unicode())],
        default_value=None,
        allow_none=True,
    )
    kind = traitlets.Enum(["line", "step", "scatter", "bar"], "line")
    window = traitlets.Any(None, allow_none=True)
    initial = traitlets.Any(None, allow_none=True)
    mode = traitlets.Enum(["append", "replace"], None, allow_none=True)
    history = traitlets.Int(None, min=0, allow_none=True)
    title = traitlets.Unicode(None, allow_none=True)
    x_label = traitlets.Unicode(None, allow_none=True)
    y_label = traitlets.Unicode(None, allow_none=True)
    y_range = traitlets.Tuple(
        traitlets.Float(), traitlets.Float(), default_value=None, allow_none=True
    )
    height = traitlets.Int(300, min=80, max=4000)
    paused = traitlets.Bool(False)

    @traitlets.validate("window")
    def _check_window(self, proposal: Any) -> Any:
        try:
            window_of(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error
        return proposal["value"]

    @traitlets.validate("initial")
    def _check_initial(self, proposal: Any) -> Any:
        _columns(proposal["value"], self.y)
        return proposal["value"]

    def _option(self, name: str) -> Any:
        """See `LiveView`: x, y and initial as plain lists, the window as a number."""
        value = getattr(self, name)
        if name == "window":
            return window_of(value)
        if name == "initial":
            return _columns(value, self.y)
        if name == "y_range" and value is not None:
            return list(value)
        return value


def _columns(value: Any, y: Any) -> dict[str, list[Any]] | None:
    """Starting values as lists of numbers by field; a missing number is None."""
    if value is None:
        return None
    table = value if isinstance(value, Mapping) else recognise(value, "initial")
    if not isinstance(table, Mapping):
        names = [y] if isinstance(y, str) else list(y or ["y"])
        if len(names) != 1:
            raise traitlets.TraitError(
                f"initial is one list, but y names {len(names)} fields; give a dict of lists"
            )
        table = {names[0]: value}
    return {str(name): _numbers(column, str(name)) for name, column in table.items()}


def _numbers(column: Any, name: str) -> list[float | int | None]:
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    wrong = next((v for v in values if not isinstance(v, (int, float, type(None)))), None)
    if wrong is not None:
        raise traitlets.TraitError(
            f"initial[{name!r}] holds {wrong!r}, a {type(wrong).__name__}; numbers are drawn"
        )
    return [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]
