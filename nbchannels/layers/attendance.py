"""Groups that live elsewhere, attended with one channel each: what comes back is heard here."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.layers.pulls import Backoff, end

__all__ = ["Attendance", "Foreign"]

#: Seconds without anybody that listens after which a group is left.
LINGER = 600.0
#: Seconds between two looks at the groups, at most; each is joined again then, as the server
#: behind the class may have forgotten it.
LOOK = 30.0


class Foreign(Protocol):
    """The class that has only the specification."""

    async def new_channel(self) -> str:
        """A channel of this process."""

    async def receive(self, channel: str) -> Any:
        """The next message."""

    async def group_add(self, group: str, channel: str) -> None:
        """Join; again and again, without harm."""

    async def group_discard(self, group: str, channel: str) -> None:
        """Leave."""


class Listener(Protocol):
    """Who hears of the groups; all of it is called on the loop."""

    def is_heard(self, group: str) -> bool:
        """Whether anybody here listens to a group."""

    def heard(self, group: str, message: Any) -> None:
        """A message has come back."""

    def begins(self, group: str) -> None:
        """From now on it is heard; what was sent before is not known."""

    def failed(self, error: Exception) -> None:
        """It could not be asked for, or joined."""

    def answered(self) -> None:
        """It could."""


class _Seat:
    """One group that is attended."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.channel = ""
        self.used = time.monotonic()
        self.tried = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Attendance:
    """The groups that this process listens to. For one loop.

    Args:
        foreign: the class.
        listener: hears what comes back.
        expiry: seconds after which a membership ends by itself.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        foreign: Foreign,
        listener: Listener,
        expiry: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._foreign = foreign
        self._listener = listener
        self._pause = min(LOOK, expiry / 3)
        self._clock = clock
        self._seats: dict[str, _Seat] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._looks = asyncio.Event()

    def __contains__(self, group: str) -> bool:
        return group in self._seats

    async def attend(self, group: str) -> None:
        """Listen to a group from now on; returns when it was joined, or could not be at first."""
        seat = self._seats.get(group)
        if seat is None:
            self._listener.begins(group)
            seat = self._seats[group] = _Seat(group)
            seat.task = asyncio.get_running_loop().create_task(self._listen(seat))
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
        seat.used = self._clock()
        await seat.tried.wait()

    def look(self) -> None:
        """Join all groups again, soon."""
        self._looks.set()

    async def _listen(self, seat: _Seat) -> None:
        backoff = Backoff()
        while True:
            try:
                if not seat.channel:
                    channel = await self._foreign.new_channel()
                    await self._foreign.group_add(seat.group, channel)
                    seat.channel = channel
                    self._listener.answered()
                    seat.tried.set()
                message = await self._foreign.receive(seat.channel)
            except Exception as error:
                self._listener.failed(error)
                seat.tried.set()
                await backoff.pause()
                with contextlib.suppress(Exception):  # it fails again above, and is told
                    if seat.channel:
                        await self._foreign.group_add(seat.group, seat.channel)
            else:
                backoff.reset()
                self._listener.heard(seat.group, message)

    async def _keep(self) -> None:
        """Join again before memberships end; leave what nobody listens to."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._looks.wait()
            self._looks.clear()
            now = self._clock()
            for seat in list(self._seats.values()):
                if self._listener.is_heard(seat.group):
                    seat.used = now
                if now - seat.used > LINGER:
                    await self._leave(seat)
                elif seat.channel:
                    await self._rejoin(seat)

    async def _rejoin(self, seat: _Seat) -> None:
        try:
            await self._foreign.group_add(seat.group, seat.channel)
        except Exception as error:
            self._listener.failed(error)
        else:
            self._listener.answered()

    async def _leave(self, seat: _Seat) -> None:
        self._seats.pop(seat.group, None)
        with contextlib.suppress(Exception):  # the membership ends by itself
            if seat.channel:
                await self._foreign.group_discard(seat.group, seat.channel)
        if seat.task is not None:
            await end({seat.task})

    async def begin_anew(self) -> None:
        """All memberships are gone, and the channels too: make them again."""
        for seat in list(self._seats.values()):
            group = seat.group
            if seat.task is not None:
                await end({seat.task})
            del self._seats[group]
            if self._listener.is_heard(group):
                await self.attend(group)

    async def end(self) -> None:
        """Leave all groups."""
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None
        for seat in list(self._seats.values()):
            await self._leave(seat)
