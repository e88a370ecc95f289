"""``LiveValue``: the newest numbers of a group, to read from afar."""

from typing import Any, ClassVar

import traitlets

from nbchannels.widgets.columns import MOST_FIELDS, texts_of
from nbchannels.widgets.durations import window_of
from nbchannels.widgets.perfield import number_format, number_of, per_field, text_of
from nbchannels.widgets.view import LiveView, checked

__all__ = ["LiveValue"]

_PER_FIELD = {"unit": text_of, "format": number_format, "warn": number_of, "alarm": number_of}


class LiveValue(LiveView):
    """The newest values of a group: ``LiveValue("sensors")`` and that is it.

    A tile for each numeric field: the number, its change, and a small curve of how it came there.
    A value at a threshold is coloured, and marked with a sign and a word. ``unit``, ``format``,
    ``warn`` and ``alarm`` hold for all fields, or are dicts by field: ``unit={"cpu": "%"}``.

    Args:
        group: whose messages it shows.
        fields: the field, or fields, to show; texts and times are shown if named here. Default:
            every numeric field.
        unit: behind the number.
        format: a number format such as ``".2f"``, ``",d"``, ``".1%"``, as in Python. Default: what
            a reader takes in at a glance.
        since: what the change is counted from: ``"previous"`` value, ``"first"``, or a time ago,
            ``"5 min"``.
        warn: from here on the value is a warning.
        alarm: from here on it is an alarm. Lower than ``warn``: the lower the worse.
        window: what the curve shows: the last so many values, or ``"5 min"``. None: all that are
            kept, 5,000 for a field.
        history: messages of the group's history to begin with. Default: all; 0: none.
        title: above the values. Default: the group's name.
        height: in pixels, at least; more if the values need it.
        paused: whether it stands still.
    """

    kind_of_view: ClassVar[str] = "value"
    options: ClassVar[tuple[str, ...]] = (
        "fields", "unit", "format", "since", "warn", "alarm", "window",
        "history", "title", "height", "paused",
    )  # fmt: skip

    fields = traitlets.Any(None, allow_none=True)
    unit = traitlets.Any(None, allow_none=True)
    format = traitlets.Any(None, allow_none=True)
    since = traitlets.Any("previous")
    warn = traitlets.Any(None, allow_none=True)
    alarm = traitlets.Any(None, allow_none=True)
    window = traitlets.Any(300, allow_none=True)
    height = traitlets.Int(120, min=80, max=4000)

    @traitlets.validate("fields")
    def _check_fields(self, proposal: Any) -> Any:
        return checked(texts_of, proposal["value"], "fields", MOST_FIELDS)

    @traitlets.validate(*_PER_FIELD)
    def _check_per_field(self, proposal: Any) -> Any:
        name = proposal["trait"].name
        return checked(per_field, proposal["value"], name, _PER_FIELD[name])

    @traitlets.validate("since")
    def _check_since(self, proposal: Any) -> Any:
        checked(_since_of, proposal["value"])
        return proposal["value"]

    @traitlets.validate("window")
    def _check_window(self, proposal: Any) -> Any:
        checked(window_of, proposal["value"])
        return proposal["value"]

    def _option(self, name: str) -> Any:
        """See `LiveView`: times as seconds."""
        value = getattr(self, name)
        if name == "window":
            return window_of(value)
        return _since_of(value) if name == "since" else value


def _since_of(value: Any) -> Any:
    """What a change is counted from, as the specification has it."""
    if value in ("previous", "first"):
        return value
    try:
        found = window_of(value)
    except ValueError:
        found = None
    if found is None or "seconds" not in found:
        raise ValueError(
            f"since {value!r} is not understood; write 'previous', 'first', "
            "or a time ago such as '5 min'"
        )
    return found
