"""A group: its log, its members, and the cursors that read the log.

Pure state: the layer's lock guards it. Whoever appends calls `GroupState.announce` after the lock
is released; listeners then look for themselves.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from nbchannels.layers.cursor import Anchor, Cursor, Item, Missing
from nbchannels.layers.log import Log
from nbchannels.layers.mailbox import Mailbox
from nbchannels.protocol.events import Position

__all__ = ["GroupState", "LogCursor"]


class GroupState:
    """What a layer keeps of one group.

    Attributes:
        log: of the present epoch.
        members: mailboxes by channel name, in the order in which they came.
        cursors: that read the log.
        listeners: called with this group after each append or new epoch, and how many cursors
            share the call: a thousand sockets cost one.
        used: when it was last sent to or subscribed.
        left: called with this group when a cursor was closed, from any thread.
    """

    __slots__ = ("cursors", "left", "listeners", "log", "members", "name", "used")

    def __init__(self, name: str, log: Log, now: float) -> None:
        self.name = name
        self.log = log
        self.members: dict[str, Mailbox] = {}
        self.cursors: set[LogCursor] = set()
        self.listeners: dict[Callable[[GroupState], None], int] = {}
        self.used = now
        self.left: Callable[[GroupState], None] | None = None

    def announce(self) -> None:
        """Tell everyone that reads the log that there may be news; without the lock held."""
        if self.listeners:
            for listener in list(self.listeners):
                listener(self)


class LogCursor(Cursor):
    """A cursor on a log in this process.

    Args:
        state: the group.
        anchor: where it stands, from `Log.locate`.
        lock: the layer's.
    """

    def __init__(
        self, state: GroupState, anchor: Anchor, lock: AbstractContextManager[object]
    ) -> None:
        self.group = state.name
        self.state = state
        self.anchor = anchor
        self.log = state.log
        self.lock = lock
        self._offset = anchor.offset
        self._tag = anchor.tag
        self._closed = False
        self._listener: Callable[[GroupState], None] | None = None
        state.cursors.add(self)
        self.listen(lambda _: self.on_change() if self.on_change else None)

    def listen(self, listener: Callable[[GroupState], None]) -> None:
        """Have ``listener`` called with the group instead of ``on_change``; it may be shared."""
        listeners = self.state.listeners
        if self._listener is not None:
            listeners[self._listener] -= 1
            if not listeners[self._listener]:
                del listeners[self._listener]
        self._listener = listener
        listeners[listener] = listeners.get(listener, 0) + 1

    def take(self, limit: int = 256) -> list[Item]:
        """See `Cursor.take`."""
        with self.lock:
            items: list[Item] = []
            if self._closed:
                return items
            moved = self.move()
            if moved is not None:
                items.append(moved)
            missing = self.skip_trimmed()
            if missing is not None:
                items.append(missing)
            entries = self.log.after(self._offset, limit - len(items), 2**20)
            if entries:
                self._offset, self._tag = entries[-1].offset, entries[-1].tag
                items.extend(entry.record() for entry in entries)
            return items

    def move(self) -> Anchor | None:
        """With the lock held: go over to the group's new log, if there is one."""
        log = self.state.log
        if log is self.log:
            return None
        asked = Position(self.log.epoch, self._offset, self._tag)
        self.log = log
        anchor = log.locate(asked)
        self._offset, self._tag = anchor.offset, anchor.tag
        return anchor

    def skip_trimmed(self) -> Missing | None:
        """With the lock held: go over what is no longer kept."""
        first = self.log.first
        if self._offset + 1 >= first:
            return None
        missing = Missing(self._offset + 1, first - 1)
        anchor = self.log.locate("earliest")
        self._offset, self._tag = anchor.offset, anchor.tag
        return missing

    @property
    def position(self) -> Position:
        """See `Cursor.position`."""
        return Position(self.log.epoch, self._offset, self._tag)

    def close(self) -> None:
        """See `Cursor.close`."""
        with self.lock:
            if not self._closed:
                self._closed = True
                self.state.cursors.discard(self)
                if self._listener is not None:
                    listeners = self.state.listeners
                    listeners[self._listener] -= 1
                    if not listeners[self._listener]:
                        del listeners[self._listener]
                    self._listener = None
        if self.state.left is not None:
            self.state.left(self.state)
