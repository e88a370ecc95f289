"""The hub of all connections: feeds them from the logs, once per loop turn, and keeps their time.

There is no task per connection. Groups with news stand in one table; one callback per turn of the
loop pumps their feeds. A frame is made once and written to every socket that stands at its place.
"""

import asyncio
import contextlib
import functools
import itertools
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.layers.feed import Batch, Feed
from nbchannels.layers.groups import GroupState
from nbchannels.layers.hosted import HostedLayer
from nbchannels.protocol.events import Control, GoAway, Heartbeat
from nbchannels.server.clients import Client, Clients
from nbchannels.server.diagnoses import Collection
from nbchannels.server.outage import Outage
from nbchannels.server.presence import SHORT, present
from nbchannels.server.tail import Tail

__all__ = ["Connected", "Hub"]

#: Seconds without a word after which a client is closed (4003); a kernel may hold the GIL long.
SILENCE = {"page": 60.0, "script": 60.0, "kernel": 120.0}
#: Seconds that a connection may leave waiting data unread before it is closed (4002).
STALL = 60.0
#: Logs told in one heartbeat.
BEAT_LOGS = 256

log = logging.getLogger("nbchannels")


class Connected(Protocol):
    """What the hub needs of an open connection."""

    number: int
    client: Client
    heard: float
    beaten: float
    feeds: dict[str, Feed]
    deliveries: Any

    @property
    def stalled_since(self) -> float | None:
        """Since when it takes no more."""

    def tell(self, control: Control) -> None:
        """Send a control record."""

    def close(self, code: int, reason: str) -> None:
        """Close the socket."""

    def describe(self) -> dict[str, Any]:
        """For the inspector and REST."""


class Hub:
    """All connections of this server.

    Args:
        layer: that the groups live in.
        heartbeat: seconds between two heartbeats.
        version: of nbchannels, for who looks.
    """

    def __init__(self, layer: HostedLayer, heartbeat: float = 20.0, version: str = "") -> None:
        self.layer = layer
        layer.present = functools.partial(present, self)
        self.heartbeat = heartbeat
        self.version = version
        self.connections: dict[int, Connected] = {}
        self.outage = Outage(layer, self.connections)
        self.clients = Clients()
        self.diagnoses = Collection()
        # A client may settle what another server gave it: its numbers must mean nothing here.
        self.leases = itertools.count(secrets.randbits(48) + 1)
        self._numbers = itertools.count(1)
        self._feeds: dict[GroupState, dict[Feed, None]] = {}
        self._lock = threading.Lock()
        self._dirty: dict[GroupState, None] = {}
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._principals: Counter[str] = Counter()
        self.started = time.time()
        #: The newest messages, while somebody watches them.
        self.tail = Tail()
        #: Seconds that the server's loop was late, the last time it was looked at.
        self.delay = 0.0
        self._ticked = 0.0
        self._parting: set[asyncio.Task[None]] = set()
        #: Told of who comes and goes: ``notice("client", "connected", client=…, …)``.
        self.notice: Callable[..., None] | None = None
        self.counters = {"connected": 0, "refused": 0, "protocol_errors": 0, "stalled": 0}

    # Connections.

    def number(self) -> int:
        """The next connection's number; never used again while the server lives."""
        return next(self._numbers)

    def enter(self, connection: Connected) -> None:
        """A connection has said hello."""
        self._loop = asyncio.get_running_loop()
        self.connections[connection.number] = connection
        self._principals[connection.client.principal] += 1
        self.counters["connected"] += 1
        self._note(connection.client, "connected")

    def note(self, kind: str, action: str, /, **data: str | int) -> None:
        """Something happened; see `nbchannels.server.events`."""
        if self.notice is not None:
            self.notice(kind, action, **data)

    def _note(self, client: Client, action: str) -> None:
        self.note(
            "client", action, client=client.key, kind=client.kind, user=client.user,
            label=client.label or "",
        )  # fmt: skip

    def count_beside(self, client: Client) -> tuple[int, int]:
        """Connections of all, and of the client's principal, but the one it would replace."""
        known = self.clients.find(client)
        replaced = known is not None and known.connection is not None
        everyone, mine = len(self.connections), self._principals[client.principal]
        return everyone - replaced, mine - replaced

    def leave(self, connection: Connected) -> None:
        """A connection is closed: its feeds end; its client has some time to come back."""
        if self.connections.pop(connection.number, None) is not None:
            principal = connection.client.principal
            self._principals[principal] -= 1
            if not self._principals[principal]:
                del self._principals[principal]
            self._note(connection.client, "disconnected")
        for feed in connection.feeds.values():
            self.end(feed)
        client = connection.client
        client.left_groups = frozenset(connection.feeds)
        connection.feeds.clear()
        if client.connection == connection.number:
            client.connection = None
            client.away_since = time.monotonic()
            if client.left_groups and self._loop is not None:
                self._loop.call_later(SHORT + 0.1, self.absent, client)

    def absent(self, client: Client) -> None:
        """A client did not come back soon: it is not present any more."""
        if client.connection is None:
            for group in client.left_groups:
                self.layer.presence_changed(group)

    def part(self, client: Client) -> None:
        """A client has said that it does not come back."""
        if client.connection is None:
            task = asyncio.get_running_loop().create_task(self.dismiss(client))
            self._parting.add(task)
            task.add_done_callback(self._parting.discard)

    def look(self) -> None:
        """Somebody watches the messages go by: they are recorded for some more seconds."""
        self.tail.look()
        self.layer.observer = self.tail.note

    def connection_of(self, client: Client) -> Any:
        """See `Post.connection_of`."""
        connection = self.connections.get(client.connection or 0)
        return None if connection is None else connection.deliveries

    def soon(self, function: Callable[[], None]) -> None:
        """See `Post.soon`."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends
            self._loop.call_soon_threadsafe(function)

    async def dismiss(self, client: Client) -> None:
        """A client is gone for good: its consumers and process-local channels end.

        What it had in hand goes back to the front of its channels, in its order.
        """
        self.clients.dismiss(client)
        self.absent(client)
        for consumer in client.consumers.values():
            consumer.end()
        client.consumers.clear()
        for channel, letter, consumer, _ in reversed(client.leases.values()):
            self.layer.holder_died(channel, letter, consumer.shown if consumer is not None else "")
        client.leases.clear()
        for dialogue in list(client.dialogues):
            dialogue.lost("died", f"{client.label or client.principal} is gone")
        for channel in client.channels:
            await self.layer.close_channel(channel)
        client.channels.clear()

    # Feeds.

    def begin(self, feed: Feed) -> None:
        """Start feeding."""
        state = feed.cursor.state
        self._feeds.setdefault(state, {})[feed] = None
        feed.cursor.listen(self.mark)
        self.mark(state)
        self.layer.presence_changed(state.name)

    def end(self, feed: Feed) -> None:
        """Stop feeding."""
        feed.cursor.close()
        self.layer.presence_changed(feed.cursor.state.name)
        feeds = self._feeds.get(feed.cursor.state)
        if feeds is not None:
            feeds.pop(feed, None)
            if not feeds:
                del self._feeds[feed.cursor.state]

    def mark(self, state: GroupState) -> None:
        """There is news in a group: called from any thread, once per append."""
        with self._lock:
            self._dirty[state] = None
            if self._scheduled or self._loop is None:
                return
            self._scheduled = True
        if asyncio._get_running_loop() is self._loop:
            self._loop.call_soon(self._flush)
        else:
            try:
                self._loop.call_soon_threadsafe(self._flush)
            except RuntimeError:  # the server's loop is closed: nobody is left to tell
                log.debug("news of group %s after the end", state.name)

    def _flush(self) -> None:
        with self._lock:
            self._scheduled = False
            dirty, self._dirty = self._dirty, {}
        for state in dirty:
            feeds = self._feeds.get(state)
            if feeds:
                batches: dict[int, Batch] = {}
                for feed in list(feeds):
                    feed.pump(batches)

    # Time.

    async def tick(self) -> None:
        """To be called each second: heartbeats, silence, stalls, clients that did not come back."""
        now = time.monotonic()
        self.delay = max(0.0, now - self._ticked - 1.0) if self._ticked else 0.0
        self._ticked = now
        self.outage.look()
        if self.layer.observer is not None and not self.tail.is_on:
            self.layer.observer = None
            self.tail.stop()
        for connection in list(self.connections.values()):
            if now - connection.heard > SILENCE[connection.client.kind]:
                connection.close(4003, "nothing heard")
            elif connection.stalled_since is not None and now - connection.stalled_since > STALL:
                self.counters["stalled"] += 1
                connection.close(4002, "data waited unread")
            elif now - connection.beaten >= self.heartbeat:
                connection.beaten = now
                self._beat(connection)
        for client in self.clients.gone(now):
            await self.dismiss(client)

    @staticmethod
    def _beat(connection: Connected) -> None:
        logs = [(f.log.number, f.sent, f.log.top) for f in connection.feeds.values()]
        for start in range(0, max(len(logs), 1), BEAT_LOGS):
            connection.tell(Heartbeat(time.time(), logs[start : start + BEAT_LOGS]))

    async def revoke_kernel(self, kernel: str) -> None:
        """A kernel is gone: its connections are closed and what belonged to it ends."""
        principal = f"kernel:{kernel}"
        for connection in list(self.connections.values()):
            if connection.client.principal == principal:
                connection.close(4506, "the kernel is gone")
        for client in self.clients:
            if client.principal == principal:
                await self.dismiss(client)

    async def forget_process(self, kernel: str) -> None:
        """A kernel was restarted: what belonged to the process it was before ends."""
        principal = f"kernel:{kernel}"
        for client in self.clients:
            if client.principal == principal and client.connection is None:
                await self.dismiss(client)

    def shut_down(self, reason: str = "the server is shutting down") -> None:
        """Tell everyone, then close."""
        for connection in list(self.connections.values()):
            connection.tell(GoAway(reason, 2.0))
            connection.close(4000, reason)

    def describe(self) -> list[dict[str, Any]]:
        """The clients, also those that are away for a moment, for REST."""
        here = [self.connections.get(client.connection or 0) for client in self.clients]
        away = {"groups": [], "lag": 0, "buffered": 0}
        return [
            client.describe() | away if connection is None else connection.describe()
            for client, connection in zip(self.clients, here, strict=True)
        ]
