"""While the layer does not answer: clients are told, and what they want of it is done when it does.

A subscriber keeps its socket, and the subscription that it asked for meanwhile is made as soon as
the layer is back; nobody has to ask a second time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, NamedTuple, Protocol

from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.layers.hosted import HostedLayer
from nbchannels.protocol.events import Control, LayerState

__all__ = ["Outage"]

#: Attempts that fail though the layer seems to answer.
MOST_TRIES = 5

log = logging.getLogger("nbchannels")


class Connection(Protocol):
    """An open connection."""

    number: int
    trouble: str | None

    def tell(self, control: Control) -> None:
        """Send a control record."""


class _Wish(NamedTuple):
    action: Callable[[], Awaitable[None]]
    failed: Callable[[ChannelsError], None]
    tries: int


class Outage:
    """What is told and kept while the layer of a server does not answer. On the server's loop.

    Args:
        layer: that may not answer.
        connections: that are told, by their numbers.
    """

    def __init__(self, layer: HostedLayer, connections: dict[int, Any]) -> None:
        self._layer = layer
        self._connections = connections
        self._wishes: dict[tuple[int, Hashable], _Wish] = {}
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """To be called some times a second: whoever knows it otherwise is told how the layer is."""
        trouble = self._layer.trouble or None
        for connection in list(self._connections.values()):
            if connection.trouble != trouble:
                connection.trouble = trouble
                connection.tell(LayerState(trouble))
        if trouble is None and self._wishes and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._fulfil())

    async def attempt(
        self,
        connection: Connection,
        key: Hashable,
        action: Callable[[], Awaitable[None]],
        failed: Callable[[ChannelsError], None],
    ) -> None:
        """Do something for a connection, now, or when the layer is back.

        Args:
            connection: whose wish it is; when it is closed, the wish ends.
            key: of the wish, within its connection; a newer one takes its place.
            action: raises `LayerUnavailable` if it has to wait; other errors are the caller's.
            failed: told why it cannot be done, though the layer answers.
        """
        self.forget(connection, key)
        try:
            if self._layer.trouble:  # known already: nobody waits for that in vain
                raise LayerUnavailable(self._layer.trouble)
            await action()
        except LayerUnavailable:
            self._wishes[connection.number, key] = _Wish(action, failed, 1)

    def forget(self, connection: Connection, key: Hashable) -> None:
        """It is not wished any more."""
        self._wishes.pop((connection.number, key), None)

    async def _fulfil(self) -> None:
        try:
            for place, wish in list(self._wishes.items()):
                if self._wishes.get(place) is not wish:  # meanwhile it was taken back
                    continue
                if place[0] not in self._connections:
                    del self._wishes[place]
                    continue
                try:
                    await wish.action()
                except LayerUnavailable as error:
                    if not self._layer.trouble and wish.tries >= MOST_TRIES:
                        self._end(place, wish, error)
                    elif self._wishes.get(place) is wish:
                        self._wishes[place] = wish._replace(tries=wish.tries + 1)
                    continue
                except ChannelsError as error:
                    self._end(place, wish, error)
                    continue
                if self._wishes.get(place) is wish:
                    del self._wishes[place]
        except Exception:
            log.exception("what waited for the layer could not be done")
        finally:
            self._task = None

    def _end(self, place: tuple[int, Hashable], wish: _Wish, error: ChannelsError) -> None:
        if self._wishes.get(place) is wish:
            del self._wishes[place]
            wish.failed(error)
