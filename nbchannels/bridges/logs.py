"""``log``: a row of values to a group, from a loop, for about a microsecond."""

import itertools
import math
import threading
import time
from collections import deque
from typing import Any

from nbchannels.arrays import Frame
from nbchannels.bridges.outlets import Outlet, Parcel
from nbchannels.bridges.rows import Columns, Row, checked, fields_of, step_of
from nbchannels.channel import Group
from nbchannels.exceptions import InvalidMessage, SendTimeout
from nbchannels.names import require_group_name
from nbchannels.pending import SEND_TIMEOUT

__all__ = ["MOST_ROWS", "Rows", "flush", "log"]

#: Rows of one group that wait to be sent, and of them in one message.
MOST_ROWS, MOST_JOINED = 100_000, 10_000
#: Characters of text in the rows of one group that wait.
MOST_TEXT = 16 * 2**20
#: Groups whose steps are remembered.
MOST_GROUPS = 1_000

_LEAST, _MOST = -(2**63), 2**63 - 1
_KNOWN = frozenset({float, bool, type(None)})


class Rows(Outlet):
    """The rows that wait to be sent to one group."""

    word = "row"

    def begin_anew(self) -> None:
        """No row waits, and the steps are counted from 0."""
        super().begin_anew()
        self._rows: deque[Row] = deque()
        self._columns = Columns()
        self._step: float = 0
        self._text = 0
        self.dropped = 0
        self._newest_lost: Row | None = None

    def add(self, fields: dict[str, Any]) -> None:
        """Take a row; see `log`."""
        if self.error is not None:
            self.raise_error()
        now = time.time()
        text = 0
        for name, value in fields.items():
            kind = type(value)
            if kind not in _KNOWN and not (kind is int and _LEAST <= value <= _MOST):
                fields[name] = value = checked(name, value, self.group.name)
                if type(value) is str:
                    text += len(value)
        step = fields.pop("step", None) if "step" in fields else None
        if "time" in fields:
            now = self._time_of(fields.pop("time"))
        if not fields:
            raise InvalidMessage(
                f"log({self.group.name!r}) has no fields; log({self.group.name!r}, loss=0.3)"
            )
        if step is not None:
            step = step_of(self.group.name, step)
        with self.lock:
            rows = self._rows
            if step is None:
                step = self._step
            self._step = step + 1 if type(step) is int else math.floor(step) + 1
            rows.append((step, now, fields))
            if text:
                self._text += text
            lost = self._drop() if len(rows) > MOST_ROWS or self._text > MOST_TEXT else None
            is_announced = self.is_announced
        if lost is not None:
            self._tell_dropped(lost)
        if not is_announced:
            self.announce()

    def _time_of(self, given: Any) -> float:
        """Seconds since 1970, of a number or a datetime."""
        seconds = given.timestamp() if hasattr(given, "timestamp") else given
        if isinstance(seconds, (int, float)) and math.isfinite(seconds):
            return float(seconds)
        raise InvalidMessage(
            f"log({self.group.name!r}): time is {given!r}; it takes seconds since 1970, or a "
            "datetime; without it, the row has the time of the call"
        )

    def _drop(self) -> Row:
        """Make room: the oldest row goes. With the lock."""
        lost = self._rows.popleft()
        self._text -= _text_of(lost)
        while self._text > MOST_TEXT and len(self._rows) > 1:
            lost = self._rows.popleft()
            self._text -= _text_of(lost)
            self.dropped += 1
        self.dropped += 1
        return lost

    def _tell_dropped(self, lost: Row) -> None:
        self._newest_lost = lost
        self.tell(
            "dropped",
            f"more is logged than can be sent: the oldest rows are dropped, from step {lost[0]:g} "
            f"on; {len(self._rows):,} rows wait, the limit is {MOST_ROWS:,}; {self.waiting}. "
            "%channels doctor says what is wrong with the way to the server",
        )

    def _tell_all_dropped(self) -> None:
        """It goes on: say what is missing, now that it is known."""
        with self.lock:
            lost, count, self._newest_lost = self._newest_lost, self.dropped, None
        if lost is not None:
            self.tell(
                "dropped",
                f"{count:,} rows were dropped, up to step {lost[0]:g}; from there on all is sent",
                subject=f"group {self.group.name}, {count} rows dropped",
            )

    # For `Outlet`.

    @property
    def is_empty(self) -> bool:
        """Whether no row waits."""
        return not self._rows

    def take(self) -> list[Parcel]:
        """See `Outlet.take`."""
        with self.lock:  # not while they are joined: callers would wait
            rows, self._rows, self._text = list(self._rows), deque(), 0
        if self._newest_lost is not None:
            self._tell_all_dropped()
        return [
            Parcel(table, len(table["time"]))
            for first in range(0, len(rows), MOST_JOINED)
            for table in self._columns.join(rows[first : first + MOST_JOINED])
        ]

    def halves(self, parcel: Parcel) -> list[Parcel]:
        """See `Outlet.halves`."""
        middle = parcel.amount // 2
        if not middle:
            return []
        first = {name: column[:middle] for name, column in parcel.content.items()}
        second = {name: column[middle:] for name, column in parcel.content.items()}
        return [Parcel(Frame(first), middle), Parcel(Frame(second), parcel.amount - middle)]


def _text_of(row: Row) -> int:
    return sum(len(value) for value in row[2].values() if type(value) is str)


class _Known:
    """The rows of each group; a reload of this module keeps them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        #: By the name, for groups of the default layer, and by what a `Group` is otherwise.
        self.rows: dict[Any, Rows] = {}

    def of(self, group: Any) -> Rows:
        """The rows of a group; they begin with the first call."""
        if isinstance(group, Group):
            layer = group._layer
            key: Any = group.name
            if layer is not None or group._alias != "default":
                key = (group.name, group._alias, layer)
        else:
            group = Group(require_group_name(group))
            key = group.name
        with self.lock:
            found = self.rows.get(key)
            if found is None:
                if len(self.rows) >= MOST_GROUPS:
                    self._forget()
                found = self.rows[key] = Rows(group)
        return found

    def _forget(self) -> None:
        """The oldest group without rows that wait is begun anew with its next row."""
        idle = (key for key, rows in self.rows.items() if rows.is_idle)
        for key in list(itertools.islice(idle, 1)):
            del self.rows[key]


_known: _Known = globals().get("_known") or _Known()


def log(group: str | Group, /, values: Any = None, **fields: Any) -> None:
    """Log a row of values to a group; it returns at once.

    ::

        for batch in batches:
            nb.log("run", loss=step(batch))

    Every `LivePlot` of the group draws it, from here and from other notebooks. Rows are joined into
    tables with the columns ``step``, ``time`` and the fields, and sent up to 60 times a second;
    what is still there goes out when the cell or the process ends, and with `flush`. A field that
    is not in every row is sent in a table of its own.

    Args:
        group: its name, or a `Group`.
        values: a dict of fields, beside the keywords or instead of them.
        fields: numbers, texts, times, ``None`` (a value that is missing); numpy's and pandas'
            scalars, and what has an ``item()``, such as a loss of torch. ``step=`` is the row's
            number: without, the rows of this process are counted from 0, on from the last one that
            was given. ``time=`` is in seconds since 1970; without, it is now.

    Raises:
        EncodingError: a field does not travel; the row was not taken.
        InvalidMessage: there are no fields; the row was not taken.
        ChannelsError: what an earlier row of the group could not be sent with (it was told, too),
            and, of the first row, this one; the next call goes on.

    If more is logged than can be sent, the oldest of 100,000 rows is dropped, and that is told: a
    training must not end because a server is away.
    """
    rows = _known.rows.get(group) if type(group) is str else None
    if rows is None:
        rows = _known.of(group)
    if values is not None:
        fields = fields_of(rows.group.name, values, fields)
    rows.add(fields)


def flush(group: str | Group | None = None, timeout: float = SEND_TIMEOUT) -> None:
    """Wait until what was logged has arrived.

    Args:
        group: whose rows; without, those of all groups.
        timeout: seconds to wait for each group.

    Raises:
        SendTimeout: not all was acknowledged in time; it stays on its way.
        ChannelsError: what sending has failed with.
        WouldDeadlock: this is the bridge's own thread.
    """
    wanted = list(_known.rows.values()) if group is None else [_known.of(group)]
    late = [rows for rows in wanted if not rows.flush(timeout, seen=True)]
    for rows in wanted:
        rows.raise_error()
    if late:
        raise SendTimeout(
            f"group {late[0].group.name!r}: not all rows were acknowledged within {timeout:g} s "
            f"({late[0].waiting}); they stay on their way: flush() again, or log on"
        )
