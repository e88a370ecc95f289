"""Reading a group's log: as an iterator in a cell, as an async iterator, by callback.

All three turn a cursor's items into `Message` objects. What is missing is never skipped in silence:
a `MessagesMissing` warning says how many, where, and why.
"""

import asyncio
import inspect
import threading
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from nbchannels.bridge import bridge, user_bridge
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Anchor, Cursor, Item, Missing, Start
from nbchannels.message import Message
from nbchannels.pending import note_unseen
from nbchannels.protocol.events import Last, Position

__all__ = ["MessagesMissing", "Subscription", "history", "listen", "messages"]

_WHY = {
    "trimmed": "they were no longer in the group's history",
    "conflated": "the reader had fallen behind and jumped to the newest",
    "tag": "the server's history went another way",
    "epoch": "the server was restarted, or the group was forgotten",
}


class MessagesMissing(UserWarning):
    """Messages of a group will not come; the sentence says how many and why."""


class _Translator:
    """Items of a cursor → messages; and warnings for what is missing."""

    def __init__(self, layer: BaseChannelLayer, cursor: Cursor) -> None:
        self.layer = layer
        self.group = cursor.group
        self._explain(cursor.anchor)

    def message(self, item: Item) -> Message | None:
        if isinstance(item, Missing):
            count = item.last - item.first + 1
            self._warn(f"{count} messages ({item.first} to {item.last})", item.reason)
            return None
        if isinstance(item, Anchor):
            self._explain(item)
            return None
        content = self.layer.decode(item)
        return Message(
            content, None, self.layer, group=self.group, offset=item.sequence, time=item.time
        )

    def _explain(self, anchor: Anchor) -> None:
        if not anchor.recovered and not anchor.cleared and anchor.reason is not None:
            lost = "messages" if anchor.lost is None else f"{anchor.lost} messages"
            self._warn(lost, anchor.reason)

    def _warn(self, what: str, reason: str) -> None:
        sentence = f"group {self.group!r}: {what} may be missing here: {_WHY[reason]}"
        warnings.warn(sentence, MessagesMissing, stacklevel=4)


def listen(
    layer: BaseChannelLayer, group: str, since: Start, timeout: float | None
) -> Iterator[Message]:
    """Messages as they come, on any thread but the connection's own.

    Args:
        layer: of the group.
        group: its name.
        since: where to begin.
        timeout: ends when nothing has come for so many seconds; ``None`` waits for ever.
    """
    news = threading.Event()
    cursor = bridge.run(layer.subscribe(group, since))
    cursor.on_change = news.set
    translator = _Translator(layer, cursor)
    try:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            news.clear()
            items = cursor.take()
            for item in items:
                message = translator.message(item)
                if message is not None:
                    yield message
            if items:
                deadline = None if timeout is None else time.monotonic() + timeout
                continue
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            news.wait(left)
    finally:
        cursor.close()


async def messages(
    layer: BaseChannelLayer, group: str, since: Start = "now"
) -> AsyncIterator[Message]:
    """Messages as they come, on any event loop."""
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def changed() -> None:
        try:
            loop.call_soon_threadsafe(news.set)
        except RuntimeError:  # the loop is closed: nobody reads any more
            cursor.close()

    cursor = await layer.subscribe(group, since)
    cursor.on_change = changed
    translator = _Translator(layer, cursor)
    try:
        while True:
            news.clear()
            items = cursor.take()
            for item in items:
                message = translator.message(item)
                if message is not None:
                    yield message
            if not items:
                await news.wait()
    finally:
        cursor.close()


async def history(layer: BaseChannelLayer, group: str, count: int) -> list[Message]:
    """The last ``count`` messages that are kept, oldest first."""
    start: Start = Last(count)
    found: list[Message] = []
    top: int | None = None
    while len(found) < count:
        page = await layer.read(group, start, min(count - len(found), 256))
        top = page.anchor.top if top is None else top
        for record in page.records:
            if record.sequence > top:
                return found
            found.append(
                Message(
                    layer.decode(record), None, layer,
                    group=group, offset=record.sequence, time=record.time,
                )
            )  # fmt: skip
        if not page.records or found[-1].offset == top:
            break
        last = page.records[-1]
        start = Position(page.anchor.epoch, last.sequence, last.tag)
    return found


class Subscription:
    """A callback that is called with each message; `close` ends it.

    A plain function runs on a thread of its own, one message at a time; a coroutine function on
    the loop for user code. An exception ends nothing: it is counted, kept and told at cell end.

    Attributes:
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
        self.group = group
        self.errors = 0
        self.last_error: str | None = None
        self._callback = callback
        self._layer = layer
        self._since = since
        self._task = user_bridge.start(self._run())

    async def _run(self) -> None:
        is_coroutine = inspect.iscoroutinefunction(self._callback)
        async for message in messages(self._layer, self.group, self._since):
            try:
                if is_coroutine:
                    await self._callback(message)
                else:
                    result = await asyncio.to_thread(self._callback, message)
                    if inspect.isawaitable(result):
                        await result
            except Exception as error:
                self.errors += 1
                self.last_error = traceback.format_exc()
                name = getattr(self._callback, "__name__", repr(self._callback))
                note_unseen(
                    f"{name}, subscribed to group {self.group!r}, raised "
                    f"{type(error).__name__}: {error} (offset {message.offset})"
                )

    def close(self) -> None:
        """No more calls begin. Idempotent."""
        self._task.cancel()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._task.done() else "open"
        return f"<subscription to group {self.group!r}, {state}, {self.errors} errors>"
