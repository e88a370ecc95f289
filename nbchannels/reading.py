"""Reading a group's log: as an iterator in a cell, as an async iterator, by callback.

All three turn a cursor's items into `Message` objects. What is missing is never skipped in silence:
a `MessagesMissing` warning says how many, where, and why.
"""

import asyncio
import contextlib
import contextvars
import inspect
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from nbchannels.bridge import bridge, user_bridge
from nbchannels.exceptions import EncodingError, shown
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Anchor, Cursor, Item, Missing, Start
from nbchannels.message import Message
from nbchannels.pending import note_unseen
from nbchannels.protocol.events import Last, Position, Record

__all__ = ["Listener", "MessagesMissing", "Stream", "Subscription", "history", "listen", "messages"]

_WHY = {
    "trimmed": "they were no longer in the group's history",
    "conflated": "the reader had fallen behind and jumped to the newest",
    "tag": "the server's history went another way",
    "epoch": "the server was restarted, or the group was forgotten",
}


class MessagesMissing(UserWarning):
    """Messages of a group will not come; the sentence says how many and why."""


class _Reader:
    """A cursor's items as messages, and sentences about what is missing between them.

    Args:
        layer: of the group.
        group: its name.
        wake: called from any thread when there may be something to take.
    """

    def __init__(self, layer: BaseChannelLayer, group: str, wake: Callable[[], None]) -> None:
        self.group = group
        self._layer = layer
        self._wake = wake
        self._cursor: Cursor | None = None
        self._closed = False
        self._items: deque[Item] = deque()

    def _attach(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._items.append(cursor.anchor)  # it may have a story to tell
        cursor.on_change = self._wake
        if self._closed:
            cursor.close()

    def _take(self) -> Message | str | None:
        """The next message, or what is missing before it; ``None`` if there is nothing now.

        Raises:
            ChannelsError: the subscription has ended.
            EncodingError: a message cannot be read; the next call goes on behind it.
        """
        cursor = self._cursor
        while cursor is not None and not self._closed:
            if not self._items:
                try:
                    self._items.extend(cursor.take())
                except Exception:
                    self.close()
                    raise
                if not self._items:
                    break
            item = self._items.popleft()
            if isinstance(item, Record):
                return _message(self._layer, self.group, item)
            story = _story(self.group, item)
            if story is not None:
                return story
        return None

    def close(self) -> None:
        """End the subscription, and the iteration. Idempotent, from any thread."""
        self._closed = True
        if self._cursor is not None:
            self._cursor.close()
        self._wake()

    def __del__(self) -> None:
        # Whoever collects garbage may hold the layer's lock: the cursor is closed elsewhere.
        cursor = getattr(self, "_cursor", None)
        if cursor is not None and not self._closed and not sys.is_finalizing():
            with contextlib.suppress(RuntimeError):
                bridge.call(cursor.close)


def _message(layer: BaseChannelLayer, group: str, record: Record) -> Message:
    try:
        content = layer.decode(record)
    except EncodingError as error:
        raise EncodingError(
            f"group {group!r}, offset {record.sequence}: {error}", error.path
        ) from error
    return Message(content, None, layer, group=group, offset=record.sequence, time=record.time)


def _story(group: str, item: Anchor | Missing) -> str | None:
    """What is missing at this place, in a sentence."""
    if isinstance(item, Missing):
        count = item.last - item.first + 1
        what = f"{_counted(count)} missing here (offset {item.first} to {item.last})"
    elif item.recovered or item.cleared or item.reason is None:
        return None
    elif item.lost is not None:
        what = f"{_counted(item.lost)} missing here"
    else:
        what = "messages may be missing here"
    return f"group {group!r}: {what}: {_WHY.get(item.reason or '', item.reason)}"


def _counted(count: int) -> str:
    return "1 message is" if count == 1 else f"{count:,} messages are"


def _require_start(since: Any) -> Start:
    if since in ("now", "earliest") or isinstance(since, (Last, Position)):
        return since  # type: ignore[no-any-return]
    raise ValueError(
        f"since is {shown(since)}; it takes 'now', 'earliest', Last(n), "
        "or a Position such as cursor.position"
    )


class Listener(_Reader, Iterator[Message]):
    """Messages as they come, for a ``for`` loop; made by `listen`, subscribed from then on.

    Args:
        layer: of the group.
        group: its name.
        since: where to begin.
        timeout: ends when nothing has come for so many seconds; ``None`` waits for ever.
        tell: takes the sentences about what is missing; without, they are warnings.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        group: str,
        since: Start = "now",
        timeout: float | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._news = threading.Event()
        self._timeout = timeout
        self._tell = tell
        super().__init__(layer, group, self._news.set)
        self._attach(bridge.run(layer.subscribe(group, _require_start(since))))

    def __iter__(self) -> "Listener":
        return self

    def __next__(self) -> Message:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while not self._closed:
            self._news.clear()
            found = self._take()
            if isinstance(found, Message):
                return found
            if found is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.close()
                elif not self._closed:
                    try:
                        self._news.wait(left)
                    except BaseException:
                        del self  # the traceback keeps this frame, and not the subscription
                        raise
            elif self._tell is not None:
                self._tell(found)
            else:
                warnings.warn(found, MessagesMissing, stacklevel=2)
        raise StopIteration

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _LoopNews:
    """A thread-safe event for one event loop: however often it is set, the loop is woken once."""

    def __init__(self) -> None:
        self.cursor: Cursor | None = None
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_its_way = False

    def set(self) -> None:
        if self._loop is None or self._on_its_way:
            return
        self._on_its_way = True
        try:
            self._loop.call_soon_threadsafe(self._arrive)
        except RuntimeError:  # the loop is closed: nobody reads any more
            if self.cursor is not None:
                self.cursor.close()

    def _arrive(self) -> None:
        self._on_its_way = False
        self._event.set()

    def clear(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._event.clear()

    async def wait(self) -> None:
        await self._event.wait()


class Stream(_Reader, AsyncIterator[Message]):
    """Messages as they come, for ``async for``, on any event loop; made by `messages`.

    Args:
        layer: of the group.
        group: its name.
        since: where to begin.
    """

    def __init__(self, layer: BaseChannelLayer, group: str, since: Start = "now") -> None:
        self._news = _LoopNews()
        self._since = _require_start(since)
        super().__init__(layer, group, self._news.set)

    def _attach(self, cursor: Cursor) -> None:
        self._news.cursor = cursor
        super()._attach(cursor)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Message:
        if self._cursor is None and not self._closed:
            self._attach(await self._layer.subscribe(self.group, self._since))
        while not self._closed:
            self._news.clear()
            found = self._take()
            if isinstance(found, Message):
                return found
            if found is None:
                if not self._closed:
                    try:
                        await self._news.wait()
                    except BaseException:
                        del self  # as in `Listener.__next__`
                        raise
            else:
                warnings.warn(found, MessagesMissing, stacklevel=2)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """`close`, as async generators have it."""
        self.close()


def listen(
    layer: BaseChannelLayer, group: str, since: Start = "now", timeout: float | None = None
) -> Listener:
    """Messages as they come, on any thread but the connection's own; see `Listener`."""
    return Listener(layer, group, since, timeout)


def messages(layer: BaseChannelLayer, group: str, since: Start = "now") -> Stream:
    """Messages as they come, on any event loop; see `Stream`."""
    return Stream(layer, group, since)


async def history(layer: BaseChannelLayer, group: str, count: int) -> list[Message]:
    """The last ``count`` messages that are kept, oldest first.

    What is appended meanwhile does not belong to it. If the log ends meanwhile (`clear`), what was
    read of it is returned.
    """
    start: Start = Last(count)
    found: list[Message] = []
    first: Anchor | None = None
    while len(found) < count:
        page = await layer.read(group, start, min(count - len(found), 256))
        first = first or page.anchor
        if page.anchor.epoch != first.epoch:
            break
        records = [record for record in page.records if record.sequence <= first.top]
        found.extend(_message(layer, group, record) for record in records)
        if not records or records[-1].sequence == first.top:
            break
        start = Position(first.epoch, records[-1].sequence, records[-1].tag)
    return found


class Subscription:
    """A callback that is called with each message; `close` ends it.

    It holds from the moment it is made. One message at a time: a plain function runs on a thread of
    its own, a coroutine function on the loop for user code. An exception ends nothing: it is
    counted, kept and told at cell end.

    Attributes:
        group: the name of the group.
        errors: how many calls have failed.
        last_error: the traceback of the last.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        group: str,
        callback: Callable[[Message], Any],
        since: Start = "now",
    ) -> None:
        if not callable(callback):
            raise TypeError(f"subscribe takes a function to call, not {shown(callback)}")
        self.group = group
        self.errors = 0
        self.last_error: str | None = None
        self._callback = callback
        self._listener = Listener(layer, group, since, tell=note_unseen)
        # In the context of whoever subscribes: what it prints goes to their cell.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._work,), name=f"nbchannels {group}", daemon=True
        ).start()

    def _work(self) -> None:
        with self._listener:
            while self._step():
                pass

    def _step(self) -> bool:
        try:
            message = next(self._listener, None)
        except Exception as error:
            self._failed(error, f"subscription to group {self.group!r}: {error}")
            return True
        if message is not None:
            try:
                result = self._callback(message)
                if inspect.isawaitable(result):
                    user_bridge.run(_awaited(result))
            except BaseException as error:  # an exit() in it ends nothing either
                name = getattr(self._callback, "__name__", repr(self._callback))
                self._failed(
                    error,
                    f"{name}, subscribed to group {self.group!r}, raised "
                    f"{type(error).__name__}: {error} (offset {message.offset})",
                )
        return message is not None

    def _failed(self, error: BaseException, sentence: str) -> None:
        self.errors += 1
        self.last_error = "".join(traceback.format_exception(error))
        note_unseen(sentence)

    def close(self) -> None:
        """No more calls begin; one that runs ends by itself. Idempotent, from any thread."""
        self._listener.close()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._listener._closed else "open"
        return f"<subscription to group {self.group!r}, {state}, {self.errors} errors>"


async def _awaited(result: Any) -> Any:
    return await result
