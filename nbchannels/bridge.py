"""The one way from synchronous code into the async implementation.

Everything here is written once, as coroutines. A process has one daemon thread with an event loop,
`bridge`, on which the connection to the server lives; on any other thread, whether an event loop
runs there or not, `Bridge.run` hands a coroutine over and waits. A second one, `user_bridge`, runs
the users' own coroutines, so that theirs can never hold up the connection.

The threads start when they are first needed. They survive ``%autoreload`` (what lives is kept
outside of this module), are forgotten after ``os.fork`` (the child starts its own), and end at
exit.
"""

import asyncio
import atexit
import contextlib
import contextvars
import functools
import os
import sys
import threading
import time
import types
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, ParamSpec, TypeVar

from nbchannels.exceptions import WouldDeadlock

__all__ = ["AsyncToSync", "Bridge", "async_to_sync", "bridge", "user_bridge"]

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that an exit waits for what is under way.
EXIT_PATIENCE = 1.0
# A wait on a lock cannot be interrupted on Windows: it is taken in pieces there.
_SLICE = 0.2 if os.name == "nt" else threading.TIMEOUT_MAX


class _Runtime(types.ModuleType):
    """What lives: it stands in ``sys.modules``, where no reload touches it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.lock = threading.RLock()
        self.threads: dict[str, tuple[threading.Thread, asyncio.AbstractEventLoop]] = {}
        self.forked: list[Any] = []
        self.fork_listeners: weakref.WeakSet[Any] = weakref.WeakSet()
        self.exit_listeners: weakref.WeakSet[Any] = weakref.WeakSet()

    def forget(self) -> None:
        """In the child of a fork: the threads are not here, and their locks may be taken."""
        self.lock = threading.RLock()
        # Never closed here: that would take the parent's file descriptors out of its own epoll.
        self.forked.append(self.threads)
        self.threads = {}
        for listener in list(self.fork_listeners):
            listener.forked()

    def stop(self) -> None:
        """At exit: first the connections close, then the loops end."""
        for listener in list(self.exit_listeners):
            listener.exiting()
        for name in list(self.threads):
            self.end(name)

    def end(self, name: str) -> None:
        """End one loop: cancel its tasks, wait a little, stop."""
        with self.lock:
            thread, loop = self.threads.pop(name, (None, None))
        if thread is None or loop is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(_wind_up(loop)))
        thread.join(2 * EXIT_PATIENCE)


def _runtime() -> _Runtime:
    found = sys.modules.get("_nbchannels_runtime")
    if found is None:
        found = sys.modules["_nbchannels_runtime"] = _Runtime("_nbchannels_runtime")
        atexit.register(found.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=found.forget)
    return found  # type: ignore[return-value]


class Bridge:
    """One daemon thread with an event loop, and the way there.

    Args:
        name: of the thread.
        inherits: whether coroutines see the context variables of whoever hands them over; without,
            nothing of a cell (its output, its request) is kept alive by a connection.
    """

    def __init__(self, name: str, *, inherits: bool = False) -> None:
        self.name = name
        self._inherits = inherits

    def __repr__(self) -> str:
        state = "running" if self.name in _runtime().threads else "not started"
        return f"<Bridge {self.name!r}, {state}>"

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; its thread is started if it does not run."""
        runtime = _runtime()
        known = runtime.threads.get(self.name)
        if known is None:
            with runtime.lock:
                known = runtime.threads.get(self.name)
                if known is None:
                    known = runtime.threads[self.name] = self._launch()
        return known[1]

    def _launch(self) -> tuple[threading.Thread, asyncio.AbstractEventLoop]:
        # Not the Proactor loop on Windows, which ipykernel avoids as well.
        loop = asyncio.SelectorEventLoop()
        thread = threading.Thread(
            target=contextvars.Context().run, args=(_serve, loop), name=self.name, daemon=True
        )
        thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        thread.start()
        return thread, loop

    @property
    def here(self) -> bool:
        """Whether this is called on the bridge's own thread."""
        known = _runtime().threads.get(self.name)
        return known is not None and known[0] is threading.current_thread()

    # --- Handing over ---

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the bridge's thread, soon."""
        self.loop.call_soon_threadsafe(function, *args, context=self._context())

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the bridge's thread; cancelling the future cancels it."""
        future: Future[T] = Future()
        self._begin(coroutine, future)
        return future

    def _begin(self, coroutine: Coroutine[Any, Any, T], future: "Future[T]") -> None:
        context, loop = self._context(), self.loop

        def begin() -> None:
            if future.cancelled():
                coroutine.close()
                return
            task = loop.create_task(coroutine, context=context)
            task.add_done_callback(functools.partial(_hand_back, future))
            future.add_done_callback(functools.partial(_cancel_with, loop, task))

        loop.call_soon_threadsafe(begin, context=context)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the bridge's thread and wait for its result.

        Args:
            coroutine: ours; users' coroutines belong on `user_bridge`.
            timeout: seconds; ``None`` waits for ever.

        Raises:
            WouldDeadlock: this is the bridge's own thread.
            TimeoutError: it took longer, and was cancelled.
            KeyboardInterrupt: it was cancelled.
        """
        if self.here:
            name = getattr(coroutine, "__qualname__", "it")
            coroutine.close()
            raise WouldDeadlock(
                f"a synchronous call on the thread {self.name!r}, which would have to answer it; "
                f"in a coroutine: await {name}(...)"
            )
        future: Future[T] = Future()
        try:  # begun inside: an interrupt at any moment finds the future that it cancels
            self._begin(coroutine, future)
            return self.wait(future, timeout)
        except BaseException:
            future.cancel()
            raise

    def wait(self, future: "Future[T]", timeout: float | None = None) -> T:
        """Wait for a future that something on the bridge's thread will set.

        Args:
            future: it goes on if the waiting ends without it.
            timeout: seconds; ``None`` waits for ever.

        Raises:
            WouldDeadlock: this is the bridge's own thread.
            TimeoutError: it is still not set.
        """
        if not future.done():
            if self.here:
                raise WouldDeadlock(
                    f"a synchronous call on the thread {self.name!r}, which would have to answer "
                    "it; in a coroutine await the method of the same name with an 'a' in front: "
                    "await group.asend(...)"
                )
            _await_done(future, timeout)
        return future.result(0)

    # --- Living ---

    def listen(self, listener: Any) -> None:
        """Tell ``listener``, held weakly, of forks (``forked()``) and the exit (``exiting()``)."""
        _runtime().fork_listeners.add(listener)
        _runtime().exit_listeners.add(listener)

    def stop(self) -> None:
        """Cancel everything on this bridge and end its thread; the next use starts another."""
        _runtime().end(self.name)

    def _context(self) -> contextvars.Context:
        return contextvars.copy_context() if self._inherits else contextvars.Context()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """What the thread does."""
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            continue  # a coroutine raised it: its future has it, the loop goes on
        break
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """The last coroutine of a loop."""
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=EXIT_PATIENCE)
    loop.stop()


def _hand_back(future: "Future[T]", task: "asyncio.Task[T]") -> None:
    """The coroutine has ended: its result goes to whoever waits."""
    if task.cancelled():
        future.cancel()
    error = None if task.cancelled() else task.exception()
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


def _cancel_with(
    loop: asyncio.AbstractEventLoop, task: "asyncio.Task[T]", future: "Future[T]"
) -> None:
    """Whoever waits has gone: the coroutine is cancelled."""
    if future.cancelled() and not task.done():
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(task.cancel)


def _await_done(future: "Future[T]", timeout: float | None) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    while not future.done():
        left = _SLICE if deadline is None else min(deadline - time.monotonic(), _SLICE)
        try:
            future.exception(max(left, 0.0))
        except CancelledError:
            return
        except TimeoutError:
            if not future.done() and deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"no answer within {timeout:g} s") from None


class AsyncToSync(Generic[P, T]):
    """A coroutine function as a plain one; see `async_to_sync`."""

    def __init__(self, awaitable: Callable[P, Awaitable[T]], force_new_loop: bool = False) -> None:
        functools.update_wrapper(self, awaitable)
        self.awaitable = awaitable

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the coroutine function and wait for its result."""
        if bridge.here or user_bridge.here:
            name = getattr(self.awaitable, "__qualname__", repr(self.awaitable))
            raise WouldDeadlock(
                f"async_to_sync({name})(...) on the thread "
                f"{threading.current_thread().name!r}, which would have to answer it; "
                f"in a coroutine: await {name}(...)"
            )

        async def call() -> T:
            return await self.awaitable(*args, **kwargs)

        return user_bridge.run(call())

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method: bound to its instance."""
        return self if instance is None else types.MethodType(self, instance)


def async_to_sync(
    awaitable: Callable[P, Awaitable[T]] | None = None, *, force_new_loop: bool = False
) -> Any:
    """Make a coroutine function callable from synchronous code, also where a loop runs.

    The same shape as asgiref's, and it works in a cell: the coroutine runs on the thread
    ``nbchannels-user``, with the caller's context variables::

        async_to_sync(channel_layer.group_send)("index", {"type": "tick"})

    Args:
        awaitable: the coroutine function; without it, this is a decorator.
        force_new_loop: accepted for asgiref; the loop is never the caller's here.
    """
    if awaitable is None:
        return lambda function: AsyncToSync(function, force_new_loop)
    return AsyncToSync(awaitable, force_new_loop)


#: Where the connection lives.
bridge = Bridge("nbchannels")
#: Where users' coroutines run.
user_bridge = Bridge("nbchannels-user", inherits=True)
