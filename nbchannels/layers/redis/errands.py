"""Coroutines that lose no time: each goes on in the turn of the loop in which its answer is read.

A task begins in the next turn of its loop, and goes on in the next one after its future is set;
each turn asks the system whether there is news. Beside a Redis on the same machine that is as much
as the answer itself takes.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Answer", "Errand"]


class Answer(asyncio.Future[Any]):
    """The future of a call; one errand that waits for it goes on at once."""

    follower: Callable[[], None] | None = None

    def set_result(self, result: Any) -> None:
        """See `asyncio.Future.set_result`."""
        super().set_result(result)
        self._follow()

    def set_exception(self, exception: type | BaseException) -> None:
        """See `asyncio.Future.set_exception`."""
        super().set_exception(exception)
        self._follow()

    def cancel(self, msg: Any = None) -> bool:
        """See `asyncio.Future.cancel`."""
        is_cancelled = super().cancel(msg)
        if is_cancelled:
            self._follow()
        return is_cancelled

    def _follow(self) -> None:
        follower, self.follower = self.follower, None
        if follower is not None:
            follower()


class Errand:
    """A coroutine that runs at once, up to the first thing that it has to wait for.

    Like a task, but `asyncio.current_task` does not know it, so there can be no
    ``asyncio.timeout`` in it. To be begun and cancelled on its loop.

    Args:
        coroutine: what is to be done.
        ended: called when it has come to its end; what it raised is the loop's to report.
        forgiven: what it may raise without a word.

    Attributes:
        over: done when it is.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, None],
        ended: "Callable[[Errand], None] | None" = None,
        forgiven: type[Exception] | tuple[()] = (),
    ) -> None:
        self._coroutine = coroutine
        self._forgiven = forgiven
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._waits_for: asyncio.Future[Any] | None = None
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._go_on()

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self.over.done()

    def cancel(self) -> None:
        """Cancel what it waits for."""
        if self._waits_for is not None:
            self._waits_for.cancel()

    def _go_on(self, _: Any = None) -> None:
        self._waits_for = None
        try:
            future = self._coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            self._end(None)
        except Exception as error:
            self._end(error)
        else:
            self._wait(future)

    def _wait(self, future: Any) -> None:
        if future is None:  # it lets others go first
            self._loop.call_soon(self._go_on)
            return
        future._asyncio_future_blocking = False  # as a task says that it has seen it
        self._waits_for = future
        if isinstance(future, Answer) and future.follower is None:
            future.follower = self._go_on
        else:
            future.add_done_callback(self._go_on)

    def _end(self, error: Exception | None) -> None:
        self.over.set_result(None)
        if error is not None and not isinstance(error, self._forgiven):
            self._loop.call_exception_handler(
                {"message": f"{self._coroutine!r} failed", "exception": error}
            )
        if self._ended is not None:
            self._ended(self)
