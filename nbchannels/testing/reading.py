"""Waiting for what a channel or a cursor gives, in tests."""

import asyncio
from typing import Any

from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Cursor, Item
from nbchannels.protocol.events import Record

__all__ = ["PATIENCE", "contents", "drain", "next_items", "receive"]

#: Seconds that anything may take.
PATIENCE = 10.0


async def receive(layer: BaseChannelLayer, channel: str) -> Any:
    """The next message of a channel; a layer that has lost it fails, and does not hang."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await layer.receive(channel)
    except TimeoutError:
        raise AssertionError(f"nothing came from channel {channel!r} in {PATIENCE:g} s") from None


async def next_items(cursor: Cursor, count: int) -> list[Item]:
    """Wait until the cursor has given ``count`` items, and return them."""
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def changed() -> None:
        loop.call_soon_threadsafe(news.set)

    cursor.on_change = changed
    items: list[Item] = []
    async with asyncio.timeout(PATIENCE):
        while len(items) < count:
            news.clear()
            items += cursor.take(count - len(items))
            if len(items) < count:
                await news.wait()
    return items


async def drain(cursor: Cursor, offset: int) -> list[Item]:
    """Everything up to the record with this offset."""
    items: list[Item] = []
    while not items or not isinstance(items[-1], Record) or items[-1].sequence < offset:
        items += await next_items(cursor, 1)
    return items


def contents(layer: BaseChannelLayer, items: list[Item]) -> list[Any]:
    """The messages among the items."""
    return [layer.decode(item) for item in items if isinstance(item, Record)]
