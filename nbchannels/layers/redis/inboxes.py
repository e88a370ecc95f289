"""Messages for process-local channels of other processes, and from them for those of this one.

Each process has one inbox, whatever the number of its channels: the word before the ``!`` of a
channel's name says whose it is. A server has those of the kernels and pages that it serves, too.
What comes is put into the mailboxes at once; a channel that is full is marked, so that its senders
are refused.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.exceptions import ChannelFull, EncodingError, LayerUnavailable
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.entries import inbox_of, pack_letter, unpack_inbox
from nbchannels.layers.redis.outbox import Parcel, overtaken
from nbchannels.layers.redis.process_scripts import FETCH, INBOX
from nbchannels.layers.registry import Registry
from nbchannels.receipt import Receipt

__all__ = ["Inboxes"]

#: Messages that wait in one inbox; that are read at once, and their bytes.
MOST, PAGE, PAGE_BYTES = 10_000, 256, 2**20
#: Seconds between two attempts, while Redis does not answer.
PAUSE = 0.2


class Layer(Protocol):
    """What the inboxes need of their layer."""

    backbone: Backbone
    registry: Registry

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function on the layer's loop, from any thread."""

    def sealed(self, parcel: Parcel) -> Any:
        """Its message, encrypted where that is wanted."""

    def opened_letter(self, letter: Letter) -> Letter:
        """Decrypted where it was encrypted."""

    def came(self, channel: str, letter: Letter) -> None:
        """Put a letter into a channel of this process."""

    def has_room(self, channel: str) -> bool:
        """Whether a channel of this process takes another letter."""


class _Full:
    """A channel of this process that was full, and what Redis was told."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        #: None: it is not known what it knows.
        self.said: bool | None = None


class Inboxes:
    """The inboxes. Works on the loop of the layer."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._lock = threading.Lock()
        #: Open channels, by the word that says whose they are.
        self._channels: Counter[str] = Counter()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._news: set[str] = set()
        self._full: dict[str, _Full] = {}
        # What has come from an inbox and is not taken out of it, by its id.
        self._arrived: dict[str, set[bytes]] = {}
        self._tasks: set[asyncio.Future[Any]] = set()
        self._is_closed = False

    def _keys(self, token: str, *parts: str) -> list[str]:
        return [self._layer.backbone.keys.inbox(token, part) for part in parts]

    # Sending.

    async def put(self, channel: str, parcels: list[Parcel]) -> None:
        """Send messages to a process-local channel of another process; each gets its receipt."""
        layer = self._layer
        token = inbox_of(channel)
        producers: dict[str, int] = {}
        arguments: list[Any] = [*self._keys(token, "wake"), layer.backbone.publish, token, MOST]
        for parcel in parcels:
            place = producers.setdefault(parcel.producer.id, len(producers) + 1)
            data = pack_letter(layer.sealed(parcel), parcel.sender)
            arguments += (place, parcel.producer.sequence, channel, data)
        keys = self._keys(token, "inbox", "full", "owner")
        keys += self._keys(token, *(f"by:{producer}" for producer in producers))
        is_there, *results = await layer.backbone.run(INBOX, keys, arguments)
        hint = None
        if not is_there:
            hint = (
                f"the process of channel {channel!r} is not there; the message waits for it for "
                "two minutes"
            )
        for parcel, result in zip(parcels, results, strict=True):
            if result == -3 and not parcel.is_own:
                parcel.failed(overtaken(("channel", channel)))
            elif result < 0:
                capacity = layer.registry.capacity_of(channel)
                parcel.failed(ChannelFull(channel=channel, capacity=capacity))
            else:
                parcel.done(
                    Receipt(
                        "channel", channel, None if is_there else 0, meaning="primary",
                        duplicate=not result, hint=hint,
                    )
                )  # fmt: skip

    # Receiving.

    def is_here(self, channel: str) -> bool:
        """Whether this process has the inbox of a channel."""
        return inbox_of(channel) in self._channels

    def opened(self, channel: str) -> None:
        """A channel of this process is open: its messages are fetched. From any thread."""
        token = inbox_of(channel)
        with self._lock:
            self._channels[token] += 1
            is_first = self._channels[token] == 1
        if is_first:
            self._layer.soon(lambda: self._serve(token))

    def closed(self, channel: str) -> None:
        """It is closed."""
        token = inbox_of(channel)
        with self._lock:
            self._channels[token] -= 1
            is_last = self._channels[token] <= 0
            if is_last:
                del self._channels[token]
        if is_last:
            self._layer.soon(lambda: self._leave(token))
        self.has_room(channel)

    def _serve(self, token: str) -> None:
        if self._is_closed or token not in self._channels:
            return
        (wake,) = self._keys(token, "wake")
        self._layer.backbone.listen(
            token, wake, lambda _: self._told(token), lambda: self._told(token)
        )
        self._run(self._live(token))

    def _leave(self, token: str) -> None:
        if token not in self._channels:
            (wake, owner) = self._keys(token, "wake", "owner")
            self._layer.backbone.unlisten(token, wake)
            self._run(self._layer.backbone.command(owner, "DEL"))

    async def _live(self, token: str) -> None:
        (owner,) = self._keys(token, "owner")
        backbone = self._layer.backbone
        await backbone.command(owner, "SET", backbone.name, "PX", int(backbone.lease * 1000))

    def renew(self) -> None:
        """Signs of life."""
        for token in list(self._channels):
            self._run(self._live(token))

    def doubt_all(self) -> None:
        """The connection was broken: look into all, say all again."""
        for full in self._full.values():
            full.said = None
            full.changed.set()
        for token in list(self._channels):
            self._told(token)

    def _told(self, token: str) -> None:
        self._news.add(token)
        if token not in self._reading and not self._is_closed:
            self._reading[token] = asyncio.get_running_loop().create_task(self._read(token))

    async def _read(self, token: str) -> None:
        """Fetch what is in an inbox; it is taken out when it is here."""
        (inbox,) = self._keys(token, "inbox")
        arrived = self._arrived.setdefault(token, set())
        try:
            while (token in self._news or arrived) and not self._is_closed:
                self._news.discard(token)
                known = sorted(arrived)
                try:
                    found = await self._layer.backbone.run(
                        FETCH, [inbox], (PAGE, PAGE_BYTES, *known)
                    )
                except LayerUnavailable:
                    self._news.add(token)
                    await asyncio.sleep(PAUSE)
                    continue
                arrived.difference_update(known)
                for id_, data in zip(found[::2], found[1::2], strict=True):
                    arrived.add(id_)
                    self._came(data)
        finally:
            self._reading.pop(token, None)
            if token in self._news and not self._is_closed:
                self._told(token)

    def _came(self, data: bytes) -> None:
        layer = self._layer
        try:
            channel, letter = unpack_inbox(data, 0)
            expiry = layer.registry.expiry_of(channel)
            letter = layer.opened_letter(letter._replace(expires=time.time() + expiry))
        except EncodingError as error:
            layer.backbone.lose(f"a letter in Redis: {error}", "inbox")
            return
        layer.came(channel, letter)
        self._look(channel)

    # Full channels.

    def is_full(self, channel: str) -> bool:
        """Whether its senders are refused, or will be."""
        return channel in self._full

    def has_room(self, channel: str) -> None:
        """A channel that was full may not be any more. From any thread."""
        if channel in self._full:
            self._layer.soon(lambda: self._look(channel))

    def _look(self, channel: str) -> None:
        """Have the senders of a channel refused, or not any more."""
        full = self._full.get(channel)
        if full is not None:
            full.changed.set()
        elif not self._layer.has_room(channel):
            full = self._full[channel] = _Full()
            self._run(self._say(channel, full))

    async def _say(self, channel: str, full: "_Full") -> None:
        """Until there is room, and Redis knows: a mark that stays would refuse for ever."""
        (marks,) = self._keys(inbox_of(channel), "full")
        backbone = self._layer.backbone
        while True:
            full.changed.clear()
            is_full = not self._layer.has_room(channel)
            if is_full == full.said:
                if not is_full:
                    del self._full[channel]
                    return
                await full.changed.wait()
                continue
            full.said = None
            try:
                await backbone.command(marks, "SADD" if is_full else "SREM", channel)
                await backbone.command(marks, "EXPIRE", 86_400)
            except LayerUnavailable:
                await asyncio.sleep(PAUSE)
            else:
                full.said = is_full

    def _run(self, awaitable: Any) -> None:
        task = asyncio.ensure_future(awaitable)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(task.exception(), LayerUnavailable):
            return  # it is said again

    def close(self) -> None:
        """Read nothing more."""
        self._is_closed = True
        for task in (*self._reading.values(), *self._tasks):
            task.cancel()
