"""Fetches the messages of a channel that lives elsewhere, as long as somebody here wants them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from nbchannels.diagnoses import report

__all__ = ["LINGER", "Backoff", "Pull", "end"]

#: Seconds that a fetch goes on for nobody: who receives again and again does not begin anew.
LINGER = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]], patience: float = 10.0) -> None:
    """Cancel tasks and wait until they have ended.

    A library may swallow a cancellation that comes together with something else: it is asked again.
    One that does not end at all is left behind, and reported.
    """
    left = {task for task in tasks if not task.done()}
    deadline = asyncio.get_running_loop().time() + patience
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.2)
        if left and asyncio.get_running_loop().time() > deadline:
            report("task", f"{len(left)} tasks of a foreign layer do not end")
            return


class Backoff:
    """Longer and longer pauses between tries.

    Args:
        first: seconds.
        most: seconds.
    """

    def __init__(self, first: float = 0.1, most: float = 5.0) -> None:
        self._first, self._most = first, most
        self._next = first

    async def pause(self) -> None:
        """Wait before the next try."""
        await asyncio.sleep(self._next)
        self._next = min(2 * self._next, self._most)

    def reset(self) -> None:
        """It worked."""
        self._next = self._first


class Taker(Protocol):
    """Who gets the messages; all of it is called on the loop."""

    def wanted(self, channel: str) -> bool:
        """Whether somebody here would take one more message of this channel."""

    def arrived(self, channel: str, message: Any) -> None:
        """A message has come."""

    def failed(self, error: Exception) -> None:
        """It could not be asked for."""


class Pull:
    """One channel: one message at a time, and none that nobody wants. For one loop.

    Args:
        channel: its name.
        taker: gets the messages.
        receive: asks for one.
        ended: called at the end.
        linger: see `LINGER`.
    """

    def __init__(
        self,
        channel: str,
        taker: Taker,
        receive: Callable[[str], Awaitable[Any]],
        ended: Callable[[str], object],
        linger: float = LINGER,
    ) -> None:
        self._channel = channel
        self._taker = taker
        self._receive = receive
        self._ended = ended
        self._linger = linger
        self._poked = asyncio.Event()
        self._receiving: asyncio.Task[Any] | None = None
        self._backoff = Backoff()
        self.task = asyncio.get_running_loop().create_task(self._run())

    def poke(self) -> None:
        """Look again who wants something."""
        self._poked.set()

    async def _run(self) -> None:
        try:
            while await self._step():
                pass
        finally:
            self._ended(self._channel)
            if self._receiving is not None:
                await self._stop()

    async def _step(self) -> bool:
        """Wait for a message or a change; False when nobody has wanted anything for a while."""
        self._poked.clear()
        wanted = self._taker.wanted(self._channel)
        if wanted and self._receiving is None:
            self._receiving = asyncio.ensure_future(self._receive(self._channel))
        poked = asyncio.ensure_future(self._poked.wait())
        try:
            either = {poked} if self._receiving is None else {poked, self._receiving}
            done, _ = await asyncio.wait(
                either,
                timeout=None if wanted else self._linger,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            poked.cancel()
        if self._receiving in done:
            await self._take()
        return bool(done) or self._taker.wanted(self._channel)

    async def _take(self) -> None:
        receiving, self._receiving = self._receiving, None
        assert receiving is not None
        try:
            message = receiving.result()
        except asyncio.CancelledError:  # a class that cancels its own
            return
        except Exception as error:
            self._taker.failed(error)
            await self._backoff.pause()
        else:
            self._backoff.reset()
            self._taker.arrived(self._channel, message)

    async def _stop(self) -> None:
        """Ask no more. What has come at the last moment is taken: it would be lost."""
        receiving, self._receiving = self._receiving, None
        assert receiving is not None
        await end({receiving})
        if not receiving.done():
            return
        if not receiving.cancelled() and receiving.exception() is None:
            self._taker.arrived(self._channel, receiving.result())
