"""Where a consumer runs: on the loop for user code, or on the loop of the main thread.

A consumer that raises what ends a program (``SystemExit``, ``KeyboardInterrupt``) has failed; the
loop that it runs on goes on.
"""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from typing import Any, Literal, TypeAlias

__all__ = ["Place", "is_async", "main_loop", "on_loop", "on_own_loop"]

#: Where a consumer runs: on the thread for consumers, or on the loop of the main thread.
Place: TypeAlias = Literal["thread", "main"]
#: Seconds between two looks whether the loop that a consumer runs on is still there.
LOOK = 5.0


def is_async(consumer: Any) -> bool:
    """Whether calling this makes a coroutine."""
    return inspect.iscoroutinefunction(consumer) or inspect.iscoroutinefunction(
        getattr(consumer, "__call__", None)  # noqa: B004 - an object with a coroutine method
    )


def main_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on the main thread, if this is called there: of a notebook's cell."""
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def on_own_loop(context: contextvars.Context, awaitable: Any) -> Any:
    """Run a coroutine on this loop, in a context; what it raises is raised here."""
    task = asyncio.get_running_loop().create_task(_caught(awaitable), context=context)
    return _released(await task)


async def _caught(awaitable: Any) -> tuple[Any, BaseException | None]:
    """The result, or the error. What a task raises to end a program would end the loop, too."""
    try:
        return await awaitable, None
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return None, error


def _released(caught: tuple[Any, BaseException | None]) -> Any:
    result, error = caught
    if error is not None:
        raise error
    return result


async def on_loop(
    loop: asyncio.AbstractEventLoop, context: contextvars.Context, coroutine: Any
) -> Any:
    """Run a coroutine on another loop, and wait here.

    Raises:
        RuntimeError: the loop has ended, or the coroutine was cancelled.
        BaseException: what the coroutine raises.
    """
    here = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = here.create_future()

    def settle(task: "asyncio.Task[Any]") -> None:
        if not answer.done():
            cancelled = (None, RuntimeError("the consumer was cancelled"))
            answer.set_result(cancelled if task.cancelled() else task.result())

    def finish(task: "asyncio.Task[Any]") -> None:
        with contextlib.suppress(RuntimeError):  # our loop is closed: nobody waits
            here.call_soon_threadsafe(settle, task)

    running: list[asyncio.Task[Any]] = []

    def end() -> None:
        for task in running:
            task.cancel()

    def begin() -> None:
        task = loop.create_task(_caught(coroutine), context=context)
        running.append(task)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        task.add_done_callback(finish)

    try:
        loop.call_soon_threadsafe(begin)
    except RuntimeError:
        coroutine.close()
        raise
    try:
        while not answer.done():
            await asyncio.wait({answer}, timeout=LOOK)
            if not answer.done() and loop.is_closed():
                raise RuntimeError("the event loop that it ran on has ended")
    except asyncio.CancelledError:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(end)
        raise
    return _released(answer.result())


_tasks: set["asyncio.Task[Any]"] = set()  # a task that nobody holds can vanish
