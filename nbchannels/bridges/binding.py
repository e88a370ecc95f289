"""``bind``: what a group is sent, in a widget, a picture or a function of this kernel."""

import contextvars
import inspect
import threading
import time
import traceback
from concurrent.futures import Future
from typing import Any

from nbchannels.bridge import user_bridge
from nbchannels.bridges.targets import ROLLOVER, Call, Target, target_of
from nbchannels.channel import Group
from nbchannels.diagnoses import report
from nbchannels.exceptions import shown
from nbchannels.layers.cursor import Start
from nbchannels.message import Message
from nbchannels.names import require_group_name
from nbchannels.pending import note_unseen
from nbchannels.places import is_async, main_loop
from nbchannels.protocol.events import Last
from nbchannels.reading import Listener

__all__ = ["Binding", "bind"]

#: Seconds between two updates of a target.
PACE = 1 / 30
#: Messages that one update takes in.
MOST_JOINED = 1_000
#: Seconds between two looks whether the loop that a target lives on is still there.
LOOK = 1.0
#: Kinds of errors that are told, each once.
MOST_TOLD = 20


class _Ready(Listener):
    """A listener that can be asked what is there."""

    def ready(self, limit: int) -> list[Message]:
        """The messages that are there now, without waiting, at most so many."""
        found: list[Message] = []
        while len(found) < limit:
            item = self._take()
            if item is None:
                break
            if isinstance(item, Message):
                found.append(item)
            else:
                note_unseen(item)
        return found


class Binding:
    """A group and what shows it; made by `bind`.

    Attributes:
        group: the name of the group.
        updates: how often the target was updated.
        messages: how many messages came.
        errors: how many updates have failed.
        last_error: the traceback of the last.
    """

    def __init__(self, group: Group, target: Target, start: Start, pace: float) -> None:
        self.group = group.name
        self.updates = self.messages = self.errors = 0
        self.last_error: str | None = None
        self._target = target
        self._pace = pace
        self._told: set[str] = set()
        self._stopped = threading.Event()
        self._context = contextvars.copy_context()
        is_call = isinstance(target, Call)
        self._is_async = isinstance(target, Call) and is_async(target.function)
        # What other libraries draw belongs to the main thread; a function runs beside the cells.
        self._loop = None if is_call else main_loop()
        self._listener = _Ready(group.channel_layer, group.name, start, tell=note_unseen)
        threading.Thread(
            target=contextvars.Context().run,
            args=(self._work,),
            name=f"nbchannels {group.name}",
            daemon=True,
        ).start()

    def _work(self) -> None:
        with self._listener:
            while not self._stopped.is_set():
                try:
                    found = self._wait()
                except Exception as error:
                    self._failed(error)
                    if self._listener._closed:
                        return
                    continue
                if not found:
                    return
                begun = time.monotonic()
                try:
                    self._update(found)
                except BaseException as error:  # an exit() in it ends nothing either
                    self._failed(error)
                self._stopped.wait(max(begun + self._pace - time.monotonic(), 0.0))

    def _wait(self) -> list[Message]:
        """The next messages; if only the newest counts, that. None at the end."""
        first = next(self._listener, None)
        if first is None:
            return []
        found = [first, *self._listener.ready(MOST_JOINED - 1)]
        self.messages += len(found)
        while not self._target.streams and (more := self._listener.ready(MOST_JOINED)):
            self.messages += len(more)
            found = more
        return found if self._target.streams else found[-1:]

    def _update(self, messages: list[Message]) -> None:
        result = self._run(messages)
        if inspect.isawaitable(result):
            user_bridge.run(_awaited(result))
        self.updates += 1

    def _run(self, messages: list[Message]) -> Any:
        loop = self._loop
        show = self._target.show
        if loop is None or loop.is_closed():
            return self._context.copy().run(show, messages)
        done: Future[Any] = Future()

        def run() -> None:
            if not done.set_running_or_notify_cancel() or self._stopped.is_set():
                return
            try:
                done.set_result(show(messages))
            except BaseException as error:
                done.set_exception(error)

        try:
            loop.call_soon_threadsafe(run, context=self._context.copy())
        except RuntimeError:  # it was closed in this very moment
            return self._context.copy().run(show, messages)
        while not self._stopped.is_set():
            try:
                return done.result(LOOK)
            except TimeoutError:
                if done.done():
                    raise
                if loop.is_closed() and done.cancel():
                    return self._context.copy().run(show, messages)
        done.cancel()
        return None

    def _failed(self, error: BaseException) -> None:
        self.errors += 1
        self.last_error = "".join(traceback.format_exception(error))
        sentence = f"{type(error).__name__}: {error}"
        if sentence in self._told or len(self._told) >= MOST_TOLD:
            return
        self._told.add(sentence)
        report(
            "binding-failed",
            f"{self._target.name}, bound to group {self.group!r}, failed: {sentence}",
            subject=f"group {self.group} → {self._target.name}: {sentence[:100]}",
            detail=self.last_error,
        )

    def stop(self) -> None:
        """End it: no more updates begin. Idempotent, from any thread."""
        self._stopped.set()
        self._listener.close()
        with _bindings.lock:
            key = self.group, self._target.key
            if _bindings.known.get(key) is self:
                del _bindings.known[key]

    @property
    def is_active(self) -> bool:
        """Whether it goes on."""
        return not self._stopped.is_set() and not self._listener._closed

    def __enter__(self) -> "Binding":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "active" if self.is_active else "stopped"
        return (
            f"<{self._target.name} bound to group {self.group!r}: {state}, {self.updates:,} "
            f"updates, {self.errors:,} errors>"
        )


class _Bindings:
    """Those of this process, which would otherwise be collected; a reload keeps them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[str, Any], Binding] = {}


_bindings: _Bindings = globals().get("_bindings") or _Bindings()


async def _awaited(result: Any) -> Any:
    return await result


def bind(
    group: str | Group,
    target: Any,
    field: str | list[str] | None = None,
    *,
    x: str | None = None,
    rollover: int | None = ROLLOVER,
    history: int | None = None,
    every: float = PACE,
) -> Binding:
    """Have a widget, a picture or a function follow a group, until it is stopped.

    ::

        nb.bind("lr", slider)                       # its value
        nb.bind("run", (label, "value"), field="loss")
        nb.bind("run", figure)                      # Plotly, Bokeh, Matplotlib
        nb.bind("run", show)                        # show(message)

    Args:
        group: its name, or a `Group`.
        target: a function, called with the newest `Message`, on a thread of its own (a coroutine
            function on the loop for user code; `Group.subscribe` calls with every message); a
            widget, whose ``value`` is set, or ``(widget, "trait")``; a ``FigureWidget`` of Plotly,
            a ``ColumnDataSource`` of Bokeh, a figure, axes, line or image of Matplotlib. Widgets
            and pictures are updated on the main thread, between cells.
        field: of the message, or several for a picture. Without, a widget takes the field that is
            called as its trait, or the only one; a picture takes all numbers.
        x: the field that is x in a picture. Without, as `LivePlot`.
        rollover: points that a picture keeps; ``None``: all.
        history: messages to begin with. Without: the newest, and all of them for pictures.
        every: seconds between two updates. Functions, widgets and images then show the newest
            message; pictures of points lose none.

    Returns:
        What ends it: ``.stop()``, or a ``with``. Binding the same target to the same group again,
        also by running its cell again, ends the earlier one.

    Raises:
        InvalidName, TypeError, ValueError: the group, the target or an option cannot be.
        ChannelsError: the group cannot be read.

    An update that fails ends nothing: each kind of error is told once, and counted.
    """
    found = group if isinstance(group, Group) else Group(require_group_name(group))
    if rollover is not None and rollover < 1:
        raise ValueError(f"rollover is {shown(rollover)}; it takes a number of points, or None")
    if history is not None and history < 0:
        raise ValueError(f"history is {shown(history)}; it takes a number of messages from 0 on")
    if not every > 0:
        raise ValueError(f"every is {shown(every)}; it takes seconds above 0")
    known = target_of(target, field, x, rollover)
    start: Start = "earliest" if known.streams else Last(1)
    if history is not None:
        start = Last(history) if history else "now"
    with _bindings.lock:
        earlier = _bindings.known.get((found.name, known.key))
    if earlier is not None:
        earlier.stop()
    made = Binding(found, known, start, every)
    with _bindings.lock:
        _bindings.known[found.name, known.key] = made
    return made
