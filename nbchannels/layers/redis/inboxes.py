"""Messages for process-local channels of other processes, and from them for those of this one.

Each process has one inbox, whatever the number of its channels: the word before the ``!`` of a
channel's name says whose it is. A server has those of the kernels and pages that it serves, too.
What comes is put into the mailboxes at once; a channel that is full is marked, so that its senders
are refused.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.exceptions import ChannelFull, EncodingError, LayerUnavailable
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.entries import inbox_of, pack_letter, unpack_inbox
from nbchannels.layers.redis.outbox import Parcel, overtaken
from nbchannels.layers.redis.process_scripts import INBOX
from nbchannels.layers.registry import Registry
from nbchannels.receipt import Receipt

__all__ = ["Inboxes"]

#: Messages that wait in one inbox; that are read at once.
MOST, PAGE = 10_000, 256


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

    def came(self, channel: str, letter: Letter) -> bool:
        """Put a letter into a channel of this process; whether there is room for another."""


class Inboxes:
    """The inboxes. Works on the loop of the layer."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        #: Open channels, by the word that says whose they are.
        self._channels: Counter[str] = Counter()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._news: set[str] = set()
        self._full: set[str] = set()
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
        self._channels[token] += 1
        if self._channels[token] == 1:
            self._layer.soon(lambda: self._serve(token))

    def closed(self, channel: str) -> None:
        """It is closed."""
        token = inbox_of(channel)
        self._channels[token] -= 1
        if self._channels[token] <= 0:
            del self._channels[token]
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
        """The connection was broken: look into all."""
        for token in list(self._channels):
            self._told(token)

    def _told(self, token: str) -> None:
        self._news.add(token)
        if token not in self._reading and not self._is_closed:
            self._reading[token] = asyncio.get_running_loop().create_task(self._read(token))

    async def _read(self, token: str) -> None:
        """Fetch what is in an inbox; it is taken out when it is here."""
        (inbox,) = self._keys(token, "inbox")
        backbone = self._layer.backbone
        try:
            while token in self._news and not self._is_closed:
                self._news.discard(token)
                try:
                    found = await backbone.command(inbox, "LRANGE", 0, PAGE - 1)
                    if not found:
                        continue
                    await backbone.command(inbox, "LPOP", len(found))
                except LayerUnavailable:
                    self._news.add(token)
                    await asyncio.sleep(0.2)
                    continue
                for data in found:
                    self._came(data)
                if len(found) == PAGE:
                    self._news.add(token)
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
        if not layer.came(channel, letter) and channel not in self._full:
            self._full.add(channel)
            (full,) = self._keys(inbox_of(channel), "full")
            self._run(layer.backbone.command(full, "SADD", channel))
            self._run(layer.backbone.command(full, "EXPIRE", 86_400))

    def is_full(self, channel: str) -> bool:
        """Whether its senders are refused."""
        return channel in self._full

    def has_room(self, channel: str) -> None:
        """A channel that was full is not any more. From any thread."""
        if channel in self._full:
            self._full.discard(channel)
            (full,) = self._keys(inbox_of(channel), "full")
            self._layer.soon(lambda: self._run(self._layer.backbone.command(full, "SREM", channel)))

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
