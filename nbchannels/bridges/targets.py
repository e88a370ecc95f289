"""What a group can be bound to: widgets and pictures of other libraries, known by what they can do.

None of the libraries is imported: whoever hands in one of their objects has loaded them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nbchannels.bridges.points import Points, newest, points_of
from nbchannels.exceptions import shown
from nbchannels.message import Message

__all__ = ["Drawing", "Target", "Trait", "key_of", "target_of"]

#: Points that a picture keeps, if nothing else is said.
ROLLOVER = 10_000


class Target:
    """Something that shows messages.

    Attributes:
        name: for sentences.
        key: what is bound; binding it again replaces.
        streams: whether each message counts; else only the newest does.
    """

    streams = False

    def __init__(self, name: str, key: Any) -> None:
        self.name, self.key = name, key

    def show(self, messages: list[Message]) -> None:
        """Take messages in, oldest first; one at least."""
        raise NotImplementedError


class Trait(Target):
    """A trait of a widget: the newest value."""

    def __init__(self, widget: Any, trait: str, field: str | None) -> None:
        if not widget.has_trait(trait):
            has = ", ".join(sorted(n for n in widget.trait_names() if not n.startswith("_"))[:20])
            raise ValueError(f"{type(widget).__name__} has no trait {trait!r}; it has {has}")
        super().__init__(f"{type(widget).__name__}.{trait}", (id(widget), trait))
        self._widget, self._trait, self._field = widget, trait, field

    def show(self, messages: list[Message]) -> None:
        """Set the trait."""
        setattr(self._widget, self._trait, newest(messages[-1].content, self._field, self._trait))


class Drawing(Target):
    """A picture: points are appended, arrays replace."""

    streams = True

    def __init__(
        self, target: Any, x: str | None, fields: list[str] | None, rollover: int | None
    ) -> None:
        super().__init__(type(target).__name__, (id(target), tuple(fields or ())))
        self._target, self._x, self._fields, self._rollover = target, x, fields, rollover

    def show(self, messages: list[Message]) -> None:
        """Draw the points of all messages at once."""
        read = [points_of(m.content, m.time, self._x, self._fields) for m in messages]
        self._draw(_joined(read))

    def _draw(self, parts: "list[Points]") -> None:
        raise NotImplementedError

    def _kept(self, old: Any, new: list[Any], replaces: bool) -> list[Any]:
        values = new if replaces or old is None else [*old, *new]
        return values if self._rollover is None else values[-self._rollover :]


class PlotlyFigure(Drawing):
    """A ``FigureWidget``: a trace for each field, found by its name."""

    def _draw(self, parts: list[Points]) -> None:
        figure = self._target
        with figure.batch_update():
            for replaces, x, columns in parts:
                for name, values in columns.items():
                    trace = next((t for t in figure.data if t.name == name), None)
                    if trace is None:
                        figure.add_scatter(x=x, y=values, name=name, mode="lines")
                    else:
                        trace.x = self._kept(trace.x, x, replaces)
                        trace.y = self._kept(trace.y, values, replaces)


class BokehSource(Drawing):
    """A ``ColumnDataSource``: rows are streamed, arrays replace its data.

    Its columns are the fields and x; what a row does not have is NaN there, fields without a
    column are left out. An empty source gets the columns of the first message.
    """

    def _draw(self, parts: list[Points]) -> None:
        source = self._target
        for replaces, x, columns in parts:
            names = list(source.data)
            rows = {self._x_name(names, columns): x, **columns}
            if replaces or not names:
                source.data = rows
                continue
            missing = [float("nan")] * len(x)
            if not set(columns) & set(names):
                raise ValueError(
                    f"the source has the columns {', '.join(names)}, and the message the fields "
                    f"{', '.join(columns) or 'none'}"
                )
            source.stream({name: rows.get(name, missing) for name in names}, self._rollover)

    def _x_name(self, names: list[str], columns: Mapping[str, Any]) -> str:
        if self._x is not None:
            return self._x
        rest = [name for name in names if name not in columns]
        return "x" if "x" in rest or not rest else rest[0]


class Lines(Drawing):
    """Lines of Matplotlib: one that was given, or one for each field in axes or a figure."""

    def _draw(self, parts: list[Points]) -> None:
        for replaces, x, columns in parts:
            for name, values in columns.items():
                line = self._line(name)
                old_x, old_y = line.get_data()
                line.set_data(
                    self._kept(list(old_x), x, replaces), self._kept(list(old_y), values, replaces)
                )
                axes = line.axes
                axes.relim()
                axes.autoscale_view()
                axes.figure.canvas.draw_idle()

    def _line(self, name: str) -> Any:
        target = self._target
        if hasattr(target, "set_data"):
            return target
        axes = target if hasattr(target, "get_lines") else target.gca()
        found = next((line for line in axes.get_lines() if line.get_label() == name), None)
        if found is None:
            (found,) = axes.plot([], [], label=name)
            axes.legend()
        return found


class Image(Target):
    """An image of Matplotlib: the newest array of two or three dimensions."""

    def __init__(self, image: Any, field: str | None) -> None:
        super().__init__(type(image).__name__, (id(image), field))
        self._image, self._field = image, field

    def show(self, messages: list[Message]) -> None:
        """Show the array, and its range."""
        content = messages[-1].content
        fields = [n for n, v in content.items() if getattr(v, "ndim", 0) in (2, 3)]
        name = self._field or next(iter(fields), None)
        if name not in fields:
            raise ValueError(
                f"the message has no array of 2 or 3 dimensions{f' named {name!r}' if name else ''}"
            )
        self._image.set_data(content[name])
        self._image.autoscale()
        self._image.axes.figure.canvas.draw_idle()


class Call(Target):
    """A function, called with the newest message."""

    def __init__(self, function: Callable[[Message], Any]) -> None:
        name = getattr(function, "__qualname__", None) or type(function).__qualname__
        super().__init__(name, key_of(function, name))
        self.function = function

    def show(self, messages: list[Message]) -> Any:
        """Call it; what it returns may be awaitable."""
        return self.function(messages[-1])


def key_of(function: Any, name: str) -> Any:
    """A function of a cell that is run again is the same."""
    code = getattr(function, "__code__", None)
    if code is None or getattr(function, "__self__", None) is not None:
        return id(getattr(function, "__self__", function)), name
    if "<" in name:  # a lambda, or one made in a function
        return code.co_filename, code
    return getattr(function, "__module__", ""), name


def target_of(
    target: Any, field: str | list[str] | None, x: str | None, rollover: int | None
) -> Target:
    """What this is.

    Raises:
        TypeError: nothing that is known.
        ValueError: a widget without this trait.
    """
    one = field if isinstance(field, str) or field is None else field[0]
    many = [field] if isinstance(field, str) else field
    if isinstance(target, tuple) and len(target) == 2 and hasattr(target[0], "has_trait"):
        return Trait(target[0], target[1], one)
    known = _known(target)
    if known is not None:
        return known(target, x, many, rollover)
    if hasattr(target, "set_data") and hasattr(target, "autoscale"):
        return Image(target, one)
    if hasattr(target, "has_trait") and hasattr(target, "set_trait"):
        return Trait(target, "value", one)
    if callable(target):
        return Call(target)
    raise TypeError(
        f"bind takes a function, a widget, (widget, trait), a FigureWidget of Plotly, a "
        f"ColumnDataSource of Bokeh, or a figure, axes, line or image of Matplotlib, "
        f"not {shown(target)}"
    )


def _known(target: Any) -> type[Drawing] | None:
    if hasattr(target, "batch_update") and hasattr(target, "add_scatter"):
        return PlotlyFigure
    if hasattr(target, "stream") and hasattr(target, "column_names"):
        return BokehSource
    is_line = hasattr(target, "set_data") and hasattr(target, "get_xdata")
    if is_line or (hasattr(target, "get_lines") and hasattr(target, "autoscale_view")):
        return Lines
    return Lines if hasattr(target, "add_subplot") and hasattr(target, "canvas") else None


def _joined(parts: list[Points]) -> list[Points]:
    """Points that can be drawn at once, joined: of what is replaced, the newest."""
    found: list[Points] = []
    for part in parts:
        last = found[-1] if found else None
        if last is None or last.columns.keys() != part.columns.keys():
            found.append(part)
        elif part.replaces:
            found[-1] = part
        else:
            columns = {name: [*last.columns[name], *part.columns[name]] for name in part.columns}
            found[-1] = Points(last.replaces, [*last.x, *part.x], columns)
    return found
