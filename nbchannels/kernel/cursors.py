"""Reading groups over the connection: one subscription per group, many cursors in this process.

A `Stream` keeps the newest items that came. A cursor that keeps up takes them from there; one that
begins earlier, or falls behind, reads the server's log page by page (``call read``) until it has
caught up. So a slow reader stalls nobody, and memory stays bounded.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.cursor import Anchor, Cursor, Item, Missing, Page, Start
from nbchannels.protocol.events import Position, Record

__all__ = ["Reader", "RemoteCursor", "Stream"]

#: Items and bytes that a stream keeps for its cursors.
KEPT, KEPT_BYTES = 1024, 4 * 2**20


class Reader(Protocol):
    """The connection, as cursors use it."""

    def fetch(self, group: str, start: Start, done: Callable[[Page | ChannelsError], None]) -> None:
        """Read a page of the log; ``done`` is called on the connection's thread."""

    def release(self, stream: "Stream") -> None:
        """The stream has no cursor any more."""


class Stream:
    """What comes of one group, for all its cursors in this process.

    Attributes:
        group: its name.
        position: after the newest item; ``None`` until the server has answered.
        error: why it ended.
        lock: guards it and its cursors.
    """

    def __init__(self, group: str, reader: Reader) -> None:
        self.group = group
        self.reader = reader
        self.position: Position | None = None
        self.top = 0
        self.error: ChannelsError | None = None
        self.lock = threading.Lock()
        self.cursors: set[RemoteCursor] = set()
        #: Items with the epoch they belong to; the first has the number ``first``.
        self.items: deque[tuple[str, Item]] = deque()
        self.first = 0
        self._bytes = 0

    @property
    def end(self) -> int:
        """The number that the next item will have."""
        return self.first + len(self.items)

    # What the connection tells, on its thread.

    def subscribed(self, anchor: Anchor) -> None:
        """The server answered, or answered anew after a reconnect or a new epoch."""
        with self.lock:
            known = self.position
            self.top = anchor.top
            self.position = Position(anchor.epoch, anchor.offset, anchor.tag)
            if known is not None and not anchor.recovered:
                if anchor.reason == "trimmed" and anchor.offset > known.offset:
                    self._keep(Missing(known.offset + 1, anchor.offset))
                elif anchor.reason != "trimmed":
                    self._keep(anchor)
        self.announce()

    def message(self, record: Record) -> None:
        """A message came."""
        with self.lock:
            if self.position is not None:
                epoch = self.position.epoch
                self.position = Position(epoch, record.sequence, record.tag)
                self._keep(record)

    def gap(self, missing: Missing) -> None:
        """These messages will not come."""
        with self.lock:
            if self.position is not None:
                self.position = Position(self.position.epoch, missing.last, 0)
                self._keep(missing)

    def ended(self, error: ChannelsError) -> None:
        """The server ended the subscription."""
        with self.lock:
            self.error = error
        self.announce()

    def announce(self) -> None:
        """Tell the cursors' readers to look."""
        for cursor in list(self.cursors):
            if cursor.on_change is not None:
                cursor.on_change()

    def _keep(self, item: Item) -> None:
        assert self.position is not None
        self.items.append((self.position.epoch, item))
        self._bytes += _size(item)
        while len(self.items) > 1 and (len(self.items) > KEPT or self._bytes > KEPT_BYTES):
            _, dropped = self.items.popleft()
            self.first += 1
            self._bytes -= _size(dropped)

    def number_after(self, epoch: str, offset: int) -> int | None:
        """The number of the item that follows this offset, if it is kept or is still to come."""
        position = self.position
        if position is not None and position.epoch == epoch and position.offset <= offset:
            return self.end  # a reader of pages may be ahead of the stream
        for number, (of, item) in enumerate(self.items, self.first):
            if of == epoch:
                if isinstance(item, Record) and item.sequence == offset + 1:
                    return number
                if isinstance(item, Missing) and item.first == offset + 1:
                    return number
            elif isinstance(item, Anchor) and self._ended_at(number, epoch, offset):
                return number
        return None

    def _ended_at(self, number: int, epoch: str, offset: int) -> bool:
        """Whether the item before this number was the last of that epoch, at that offset."""
        if number == self.first:
            return False
        of, item = self.items[number - 1 - self.first]
        last = item.sequence if isinstance(item, Record) else None
        last = item.last if isinstance(item, Missing) else last
        return of == epoch and last == offset


def _size(item: Item) -> int:
    return item.size if isinstance(item, Record) else 64


class RemoteCursor(Cursor):
    """A cursor on a log in the server.

    Args:
        stream: of its group.
        anchor: where it begins.
        page: what was read already, if it begins before the stream's end.
    """

    def __init__(self, stream: Stream, anchor: Anchor, page: Page | None = None) -> None:
        self.group = stream.group
        self.anchor = anchor
        self._stream = stream
        self._pending: deque[Item] = deque()
        self._resume = Position(anchor.epoch, anchor.offset, anchor.tag)
        #: What was taken last, and what was fetched last: epoch and offset, gaps included.
        self._taken = (anchor.epoch, anchor.offset)
        self._fetched = (anchor.epoch, anchor.offset)
        self._fetched_position = self._resume
        #: The number of the stream's item that comes next; ``None`` while it reads pages.
        self._next: int | None = None
        self._fetching = False
        self._closed = False
        with stream.lock:
            stream.cursors.add(self)
            if page is not None:  # what its anchor says, `anchor` says already
                self._add(page._replace(anchor=page.anchor._replace(reason=None)))
            self._join()

    @property
    def position(self) -> Position:
        """See `Cursor.position`."""
        return self._resume

    def take(self, limit: int = 256) -> list[Item]:
        """See `Cursor.take`."""
        with self._stream.lock:
            if self._closed:
                return []
            found: list[Item] = []
            while self._pending and len(found) < limit:
                found.append(self._pending.popleft())
            if not self._pending and len(found) < limit:
                if self._next is not None and self._next < self._stream.first:
                    self._next = None  # fallen behind: read on from the server's log
                    self._fetched, self._fetched_position = self._taken, self._resume
                    if found:
                        self._note(found)
                        self._fetched, self._fetched_position = self._taken, self._resume
                while self._next is not None and len(found) < limit:
                    start = self._next - self._stream.first
                    stop = start + limit - len(found)
                    fresh = [*itertools.islice(self._stream.items, start, stop)]
                    if not fresh:
                        break
                    self._next += len(fresh)
                    found += [item for epoch, item in fresh if not self._has(epoch, item)]
            self._note(found)
            fetch = self._next is None and not self._fetching and len(self._pending) < 128
            self._fetching = self._fetching or fetch
            error = self._stream.error
        if fetch:
            self._stream.reader.fetch(self.group, self._fetched_position, self._arrived)
        if not found and error is not None:
            raise error
        return found

    def _has(self, epoch: str, item: Item) -> bool:
        """Whether a page had this item already, which the stream brings now."""
        if epoch != self._fetched[0] or isinstance(item, Anchor):
            return False
        last = item.sequence if isinstance(item, Record) else item.last
        return last <= self._fetched[1]

    def _note(self, items: list[Item]) -> None:
        for item in items:
            if isinstance(item, Record):
                self._taken = (self._taken[0], item.sequence)
                self._resume = Position(self._taken[0], item.sequence, item.tag)
            elif isinstance(item, Missing):
                self._taken = (self._taken[0], item.last)
            else:
                self._taken = (item.epoch, item.offset)
                self._resume = Position(item.epoch, item.offset, item.tag)

    def _arrived(self, page: Page | ChannelsError) -> None:
        """A page came, on the connection's thread."""
        with self._stream.lock:
            self._fetching = False
            if self._closed:
                return
            if isinstance(page, Page):
                self._add(page)
                self._join()
            elif not page.temporary:
                self._stream.error = page
        if self.on_change is not None:
            self.on_change()

    def _add(self, page: Page) -> None:
        """Put a page behind what is pending, with what is missing before it."""
        anchor = page.anchor
        epoch, offset = self._fetched
        if anchor.epoch != epoch or anchor.reason == "tag":
            self._pending.append(anchor)
            offset = anchor.offset
        elif anchor.offset > offset:
            self._pending.append(Missing(offset + 1, anchor.offset))
            offset = anchor.offset
        records = [record for record in page.records if record.sequence > offset]
        self._pending.extend(records)
        if records:
            offset = records[-1].sequence
            self._fetched_position = Position(anchor.epoch, offset, records[-1].tag)
        else:
            self._fetched_position = Position(anchor.epoch, anchor.offset, anchor.tag)
        self._fetched = (anchor.epoch, offset)

    def _join(self) -> None:
        """Go over to the stream, if it has what comes next."""
        self._next = self._stream.number_after(*self._fetched)

    def close(self) -> None:
        """See `Cursor.close`."""
        with self._stream.lock:
            if self._closed:
                return
            self._closed = True
            self._stream.cursors.discard(self)
            last = not self._stream.cursors
            self._pending.clear()
        if last:
            self._stream.reader.release(self._stream)
