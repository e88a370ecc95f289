"""``alert``: something is done when a condition on a group's rows begins to hold."""

import inspect
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbchannels.arrays import Frame
from nbchannels.bridges.conditions import Condition, NotThere, condition_of
from nbchannels.bridges.notices import NOTIFICATION, notify
from nbchannels.bridges.targets import key_of
from nbchannels.channel import Channel, Group
from nbchannels.diagnoses import report
from nbchannels.exceptions import shown
from nbchannels.message import Message
from nbchannels.names import require_group_name
from nbchannels.reading import Subscription

__all__ = ["Alert", "alert", "rows_of"]

#: The type of the message that ``send=`` sends.
ALERT = "nbchannels.alert"
#: Kinds of errors that are told, each once.
MOST_TOLD = 20

Action = Callable[[dict[str, Any]], Any]


class Alert:
    """A condition that is watched; made by `alert`.

    Attributes:
        group: the name of the group.
        is_raised: whether the condition holds now, as far as was told.
        count: how often it began to hold, and was told.
        errors: how often the condition or the action failed.
        last_error: the traceback of the last.
    """

    def __init__(
        self,
        group: Group,
        name: str,
        key: Any,
        when: Condition,
        until: Condition,
        action: Action,
        every: float,
    ) -> None:
        self.group = group.name
        self.name = name
        self._key = group.name, key
        self.is_raised = False
        self.count = self.errors = 0
        self.last_error: str | None = None
        self._when, self._until, self._action, self._every = when, until, action, every
        self._last = -float("inf")
        self._told: set[str] = set()
        self._subscription = Subscription(group.channel_layer, group.name, self._hear)

    def _hear(self, message: Message) -> Any:
        """On the subscription's thread; what this returns is awaited there."""
        if message.content.get("type") in (ALERT, NOTIFICATION):  # of ours: it would hear itself
            return None
        waiting = [found for row in rows_of(message) if (found := self._look(row)) is not None]
        return self._await_all(waiting) if waiting else None

    def _look(self, row: dict[str, Any]) -> Any:
        """See whether the condition begins, or ends, to hold; what has to be awaited."""
        try:
            if self.is_raised:
                self.is_raised = not self._until(row)
                return None
            if not self._when(row):
                return None
            self.is_raised = True
            now = time.monotonic()
            if now - self._last < self._every:
                return None
            self._last = now
            self.count += 1
            result = self._action(row)
            return result if inspect.isawaitable(result) else None
        except NotThere:
            return None  # a row without the field says nothing
        except BaseException as error:  # an exit() in it ends nothing
            self._failed(error)
            return None

    async def _await_all(self, waiting: list[Any]) -> None:
        for awaitable in waiting:
            try:
                await awaitable
            except Exception as error:
                self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self.errors += 1
        self.last_error = "".join(traceback.format_exception(error))
        sentence = f"{type(error).__name__}: {error}"
        if sentence in self._told or len(self._told) >= MOST_TOLD:
            return
        self._told.add(sentence)
        report(
            "alert-failed",
            f"alert {self.name} on group {self.group!r} failed: {sentence}",
            subject=f"group {self.group}, alert {self.name}: {sentence[:100]}",
            detail=self.last_error,
        )

    def stop(self) -> None:
        """End it. Idempotent, from any thread."""
        self._subscription.close()
        with _alerts.lock:
            if _alerts.known.get(self._key) is self:
                del _alerts.known[self._key]

    def __enter__(self) -> "Alert":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "raised" if self.is_raised else "quiet"
        return (
            f"<alert {self.name} on group {self.group!r}: {state}, raised {self.count:,} times, "
            f"{self.errors:,} errors>"
        )


class _Alerts:
    """Those of this process; a reload keeps them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[str, Any], Alert] = {}


_alerts: _Alerts = globals().get("_alerts") or _Alerts()


def rows_of(message: Message) -> Iterator[dict[str, Any]]:
    """The rows of a message: one, or those of a table, with plain values."""
    content: Mapping[str, Any] = message.content
    if not isinstance(content, Frame):
        yield {name: _plain(value) for name, value in content.items()}
        return
    columns = {n: v.tolist() if hasattr(v, "tolist") else list(v) for n, v in content.items()}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def alert(
    group: str | Group,
    when: str | Condition,
    *,
    call: Action | None = None,
    send: Channel | Group | None = None,
    until: str | Condition | None = None,
    every: float = 0.0,
) -> Alert:
    """Do something when a condition on a group's rows begins to hold.

    ::

        nb.alert("run", "loss > 3", until="loss < 2")
        nb.alert("run", lambda row: row["loss"] > 3, call=stop)

    It is looked at for each message from now on, and for each row of a table; a row without the
    field says nothing. When it begins to hold, the action is taken once; when it holds no more, it
    may begin again.

    Args:
        group: its name, or a `Group`.
        when: a function of the row, a dict; or a text: names of fields, numbers, comparisons,
            ``and``, ``or``, ``not``, ``+ - * / %``, ``abs``. No code is run in it.
        call: called with the row, on a thread of its own (a coroutine function on the loop for user
            code).
        send: where ``{"type": "nbchannels.alert", "group", "condition", "row"}`` is sent. With
            neither, those who watch the group are told, as by `notify`.
        until: what ends it, so that a value that wavers about its limit does not raise it again and
            again; without, ``when`` not holding.
        every: seconds in which it is not told again.

    Returns:
        What ends it: ``.stop()``, or a ``with``. The same condition on the same group again ends
        the earlier one.

    Raises:
        ValueError, TypeError: a condition that is not understood, an option that cannot be.
        ChannelsError: the group cannot be read.

    A condition or an action that fails ends nothing: each kind of error is told once, and counted.
    """
    found = group if isinstance(group, Group) else Group(require_group_name(group))
    if call is not None and send is not None:
        raise TypeError("alert takes call= or send=, not both; the function of call= can send")
    if not every >= 0:
        raise ValueError(f"every is {shown(every)}; it takes seconds from 0 on")
    begins = _condition(when)
    ends = _condition(until) if until is not None else lambda row: not begins(row)
    name = when if isinstance(when, str) else getattr(when, "__qualname__", type(when).__name__)
    key = when if isinstance(when, str) else key_of(when, name)
    made = Alert(found, name, key, begins, ends, _action(found, name, call, send), every)
    with _alerts.lock:
        earlier = _alerts.known.get((found.name, key))
        _alerts.known[found.name, key] = made
    if earlier is not None:
        earlier.stop()
    return made


def _condition(given: Any) -> Condition:
    if isinstance(given, str):
        return condition_of(given)
    if callable(given):
        condition: Condition = given
        return lambda row: _asked(condition, row)
    raise TypeError(f"a condition is a text such as 'loss > 3', or a function, not {shown(given)}")


def _asked(condition: Condition, row: Mapping[str, Any]) -> bool:
    try:
        return bool(condition(row))
    except KeyError as error:
        raise NotThere(str(error)) from error


def _action(group: Group, name: str, call: Action | None, send: Channel | Group | None) -> Action:
    if call is not None:
        return call
    if send is not None:
        target = send
        return lambda row: target.asend(
            {"type": ALERT, "group": group.name, "condition": name, "row": row}
        )

    def tell(row: Mapping[str, Any]) -> None:
        notify(group, f"{name}: {_shown_row(row)}", "warning")

    return tell


def _shown_row(row: Mapping[str, Any]) -> str:
    """The numbers of a row, short."""
    parts = [
        f"{key} {value:.6g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in row.items()
        if isinstance(value, (int, float, str)) and key not in ("time", "type")
    ]
    return ", ".join(parts)[:500]
