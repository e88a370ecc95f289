"""Users' synchronous code beside an event loop: threads to run it on, and the way back.

The threads are daemons and few; what they run never holds up a loop, and a function that never
returns does not keep the process from ending. After ``os.fork`` the child starts its own.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from nbchannels.bridge import bridge
from nbchannels.diagnoses import report
from nbchannels.exceptions import WouldDeadlock

__all__ = ["HomeLoop", "Threads", "threads"]

P = ParamSpec("P")
T = TypeVar("T")

#: Threads at most: so many handlers can block at one time.
MOST = 32
#: Seconds that an idle thread stays.
IDLE = 30.0
#: Seconds that a function waits for a thread before that is told.
PATIENCE = 5.0

_Job = Callable[[], None]


class Threads:
    """A bounded pool of daemon threads.

    Args:
        name: of the threads.
        most: threads at one time; further functions wait.
        patience: seconds that a function waits for a thread before that is told; ``None``: never.
    """

    def __init__(self, name: str, most: int = MOST, patience: float | None = PATIENCE) -> None:
        self.name, self.most, self.patience = name, most, patience
        self.forked()
        bridge.listen(self)

    def forked(self) -> None:
        """The threads are not here: start anew."""
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[_Job]] = []
        self._waiting: deque[_Job] = deque()
        self._count = 0

    def exiting(self) -> None:
        """Daemons end with the process."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function on one of the threads, with the caller's context variables.

        Cancelling stops the waiting, not the function: a thread cannot be interrupted.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()
        late = None if self.patience is None else loop.call_later(self.patience, self._tell)

        def job() -> None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits
                if late is not None:
                    loop.call_soon_threadsafe(late.cancel)
                if future.cancelled():
                    return
            result: T | None = None
            error: BaseException | None = None
            try:
                result = context.run(function, *args, **kwargs)
            except StopIteration as raised:  # which no future can hold
                error = RuntimeError(f"{function!r} raised StopIteration")
                error.__cause__ = raised
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future, result, error)

        self._submit(job)
        try:
            return await future
        finally:
            if late is not None:
                late.cancel()

    def _submit(self, job: _Job) -> None:
        with self._lock:
            if self._idle:
                self._idle.pop().put(job)
                return
            if self._count >= self.most:
                self._waiting.append(job)
                return
            self._count += 1
        thread = threading.Thread(
            target=contextvars.Context().run, args=(self._work, job), name=self.name, daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system has no more of them
            with self._lock:
                self._count -= 1
            raise

    def _work(self, job: _Job) -> None:
        own: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        while True:
            job()
            with self._lock:
                if self._waiting:
                    job = self._waiting.popleft()
                    continue
                self._idle.append(own)
            del job  # an idle thread keeps nothing alive
            try:
                job = own.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if own in self._idle:
                        self._idle.remove(own)
                        self._count -= 1
                        return
                job = own.get()

    def _tell(self) -> None:
        report(
            "threads-busy",
            f"all {self.most} threads for synchronous consumers have been busy for "
            f"{self.patience:g} s, further handlers wait; let handlers block less, or write them "
            "as async def on an AsyncConsumer",
            subject=self.name,
        )


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class HomeLoop:
    """The running loop, to be called from threads that it waits for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @property
    def here(self) -> bool:
        """Whether this is called on the loop's thread."""
        return threading.get_ident() == self._thread

    def call(self, coroutine: Coroutine[Any, Any, T], name: str) -> T:
        """Have the loop run a coroutine, and wait for its result.

        Args:
            coroutine: it is closed if it cannot be run.
            name: of what is called, for the sentence of an error.

        Raises:
            WouldDeadlock: this is the loop's own thread.
            RuntimeError: the loop has ended.
        """
        if self.here:
            coroutine.close()
            raise WouldDeadlock(
                f"{name}(...) waits for the event loop, and was called on its thread; call it in a "
                "plain def handler, or make the class an async consumer and await it"
            )
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise
        try:
            while not concurrent.futures.wait([future], timeout=1.0).done:
                if not self.loop.is_running():
                    raise RuntimeError(f"{name}(...): the event loop of this consumer has ended")
            return future.result()
        except BaseException:
            future.cancel()
            raise


#: Where the handlers of synchronous consumers run.
threads = Threads("nbchannels-consumer")
