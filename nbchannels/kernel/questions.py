"""What was asked of the server and has no answer yet: the open calls of a connection.

Lives on the bridge's thread.
"""

import asyncio
from typing import Any, NamedTuple

from nbchannels.exceptions import ChannelsError, from_wire
from nbchannels.protocol.events import Event, Record

__all__ = ["Answer", "ConnectionLost", "Questions"]


class ConnectionLost(Exception):
    """The connection ended before the answer came."""


class Answer(NamedTuple):
    """The value of a ``result``, and the ENTRY records that came before it."""

    value: Any
    entries: list[Record]


class Questions:
    """Open calls by their number."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[asyncio.Future[Answer], list[Record]]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, number: int) -> asyncio.Future[Answer]:
        """A call has this number; the future gets its answer, or raises what the server says."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[number] = future, []
        return future

    def take(self, event: Event) -> ChannelsError | None:
        """An ``entry``, ``result`` or ``error`` came.

        Returns:
            An error that is the answer to no call.
        """
        if event.name == "entry":
            assert event.record is not None
            found = self._open.get(event.record.id)
            if found is not None:
                found[1].append(event.record)
            return None
        control = event.control
        if control.id is None:
            return from_wire(control.error)
        future, entries = self._open.pop(control.id, (None, []))
        if future is not None and not future.done():
            if event.name == "result":
                future.set_result(Answer(control.value, entries))
            else:
                future.set_exception(from_wire(control.error))
        return None

    def lost(self) -> None:
        """The connection has ended: no answer will come."""
        for future, _ in self._open.values():
            if not future.done():
                future.set_exception(ConnectionLost())
        self._open.clear()
