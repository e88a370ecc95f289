"""Senders and readers that go on whatever happens, and write down what they see."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Anchor, Start
from tests.redis.checker import check
from tests.redis.history import History, Identity
from tests.redis.servers import PATIENCE

__all__ = ["Reader", "Sender", "Traffic"]


class Sender:
    """Sends to a group, one message after the other.

    Attributes:
        acknowledged: how many were.
        errors: what the others raised.
    """

    def __init__(self, traffic: "Traffic", layer: BaseChannelLayer, name: str) -> None:
        self.acknowledged = 0
        self.errors: list[ChannelsError] = []
        self._traffic, self._layer, self._name = traffic, layer, name
        self._is_over = False
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not self._is_over:
            await self.send()
            await asyncio.sleep(0.002)

    async def send(self) -> Identity | None:
        """The next one; return which it was if it was acknowledged."""
        sent = self._traffic.history.send(self._name, self._traffic.group)
        try:
            receipt = await self._layer.group_send(self._traffic.group, sent.message)
        except ChannelsError as error:
            sent.raised(error)
            self.errors.append(error)
            self._traffic.changed()
            return None
        sent.acknowledged(receipt)
        self.acknowledged += 1
        self._traffic.changed()
        return self._name, sent.message["number"]

    async def more(self, count: int = 20) -> None:
        """Until so many more are acknowledged."""
        wanted = self.acknowledged + count
        await self._traffic.until(lambda: self.acknowledged >= wanted, f"{self._name} goes on")

    async def stop(self) -> None:
        """Not in the midst of one."""
        self._is_over = True
        await self._task


class Reader:
    """Reads a group.

    Attributes:
        anchors: where it was put, the first one included.
        got: which messages came, in order.
    """

    def __init__(self, traffic: "Traffic", layer: BaseChannelLayer, name: str) -> None:
        self.anchors: list[Anchor] = []
        self.got: list[Identity] = []
        self._traffic, self._layer = traffic, layer
        self._seen = traffic.history.subscriber(name, traffic.group)
        self._loop = asyncio.get_running_loop()

    async def open(self, start: Start = "earliest") -> "Reader":
        self.cursor = await self._layer.subscribe(self._traffic.group, start)
        self.anchors.append(self.cursor.anchor)
        self._seen.anchored(self.cursor.anchor)
        self.cursor.on_change = lambda: self._loop.call_soon_threadsafe(self._take)
        self._take()
        return self

    def _take(self) -> None:
        while items := self.cursor.take():
            self._seen.take(items, self._layer.decode)
            for item in items:
                if isinstance(item, Anchor):
                    self.anchors.append(item)
                elif hasattr(item, "body"):
                    content: Any = self._layer.decode(item)
                    self.got.append((content["producer"], content["number"]))
        self._traffic.changed()

    def close(self) -> None:
        """It wants no more."""
        self._seen.left()
        self.cursor.on_change = None
        self.cursor.close()


class Traffic:
    """What goes on in one group.

    Attributes:
        group: its name.
        history: all of it.
    """

    def __init__(self, group: str = "index") -> None:
        self.group = group
        self.history = History()
        self.senders: list[Sender] = []
        self.readers: list[Reader] = []
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Whoever waits looks again."""
        self._changed.set()

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: it is not after a long time.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE:g} s: {what}") from None

    def sender(self, layer: BaseChannelLayer, name: str) -> Sender:
        """One more that sends from now on."""
        self.senders.append(Sender(self, layer, name))
        return self.senders[-1]

    async def reader(self, layer: BaseChannelLayer, name: str, start: Start = "earliest") -> Reader:
        """One more that reads from now on."""
        reader = await Reader(self, layer, name).open(start)
        self.readers.append(reader)
        return reader

    async def all_go_on(self, count: int = 20) -> None:
        """Until each sender has had so many more acknowledged."""
        await asyncio.gather(*(sender.more(count) for sender in self.senders))

    async def end(self) -> None:
        """Stop sending; all who read get the last one; every promise was kept."""
        await asyncio.gather(*(sender.stop() for sender in self.senders))
        for sender in self.senders:
            async with asyncio.timeout(PATIENCE):
                while (last := await sender.send()) is None:
                    pass  # it waits itself until Redis answers
            for reader in self.readers:
                await self.until(
                    lambda reader=reader, last=last: last in reader.got,  # type: ignore[misc]
                    f"a reader got {last}",
                )
        for reader in self.readers:
            reader.close()
        check(self.history)


@contextlib.asynccontextmanager
async def closing(*layers: BaseChannelLayer) -> AsyncIterator[None]:
    """Close them at the end, also while Redis does not answer."""
    try:
        yield
    finally:
        for layer in layers:
            async with asyncio.timeout(PATIENCE):
                await layer.close()
