"""A consumer's own channel: made when it starts, closed on every way out."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError

__all__ = ["CLOSING", "close_channel", "keep", "open_channel"]

#: Seconds that closing waits for the layer.
CLOSING = 5.0
_under_way: set["asyncio.Task[Any]"] = set()  # a task that nobody holds can vanish


async def open_channel(layer: Any) -> str:
    """Make a process-local channel on ``layer``.

    If the caller is cancelled meanwhile, what is being made is closed again.
    """
    making: asyncio.Task[str] = keep(layer.new_channel())
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:

        def close(made: "asyncio.Task[str]") -> None:
            if not made.cancelled() and made.exception() is None:
                keep(_close(layer, made.result()))

        making.add_done_callback(close)
        raise


async def close_channel(layer: Any, name: str) -> None:
    """Close a channel, to its end also if the caller is cancelled. Never raises an error."""
    await asyncio.shield(keep(_close(layer, name)))


async def _close(layer: Any, name: str) -> None:
    close = getattr(layer, "close_channel", None)
    if close is None:  # a class that has only Channels' specification: its channels just expire
        return
    try:
        async with asyncio.timeout(CLOSING):
            await close(name)
    except (ChannelsError, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        report("layer-failed", f"a consumer's channel {name!r} was not closed: {why}", subject=why)


def keep(awaitable: Awaitable[Any]) -> "asyncio.Task[Any]":
    """Run something to its end, whoever stops waiting for it."""
    task: asyncio.Task[Any] = asyncio.ensure_future(awaitable)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task
