"""Senders and followers of groups while something happens to Redis, and what it came to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.redis import RedisChannelLayer
from tests.redis.checker import check
from tests.redis.history import History

__all__ = ["Traffic", "eventually"]

#: Seconds that anything may take.
PATIENCE = 40.0


async def eventually(true: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Wait until ``true()``."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not true():
        if asyncio.get_running_loop().time() >= deadline:
            raise AssertionError(f"not within {PATIENCE:g} s: {what() if callable(what) else what}")
        await asyncio.sleep(0.02)


class Traffic:
    """One layer sends to groups without a pause, another one follows them.

    Args:
        sender: sends.
        follower: follows.
        groups: their names.

    Attributes:
        history: of both.
        acknowledged: by group, how many messages.
    """

    def __init__(
        self, sender: RedisChannelLayer, follower: RedisChannelLayer, groups: Sequence[str]
    ) -> None:
        self.history = History()
        self.acknowledged = dict.fromkeys(groups, 0)
        self.refused = 0
        self._sender, self._follower = sender, follower
        self._ends = asyncio.Event()

    async def _send(self, group: str) -> None:
        while not self._ends.is_set():
            await self._send_one(group)

    async def _send_one(self, group: str) -> bool:
        sent = self.history.send("sender", group)
        try:
            sent.acknowledged(await self._sender.group_send(group, sent.message))
        except ChannelsError as error:
            sent.raised(error)
            self.refused += 1
            await asyncio.sleep(0.1)
            return False
        self.acknowledged[group] += 1
        await asyncio.sleep(0.01)
        return True

    async def goes_on(self, count: int = 10) -> None:
        """Wait until that many more were acknowledged in each group."""
        goal = {group: number + count for group, number in self.acknowledged.items()}
        await eventually(
            lambda: all(self.acknowledged[group] >= goal[group] for group in goal),
            lambda: f"{count} more in each group: {self.acknowledged}, {self._sender.trouble}",
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Traffic"]:
        """Send and follow while this lasts; at the end every promise was kept."""
        following = []
        for group in self.acknowledged:
            cursor = await self._follower.subscribe(group, "now")
            seen = self.history.subscriber("follower", group)
            seen.anchored(cursor.anchor)
            following.append((group, cursor, seen))
        senders = [asyncio.create_task(self._send(group)) for group in self.acknowledged]
        try:
            yield self
        finally:
            self._ends.set()
            await asyncio.gather(*senders)
        for group in self.acknowledged:  # the follower has all when it has this
            while not await self._send_one(group):
                pass
        for group, cursor, seen in following:
            last = self.history.events[-1].number
            goal = max(
                event.number
                for event in self.history.events
                if event.number <= last and event.what == "acknowledged" and event.target == group
            )
            position = self.history.events[goal].position

            def has_all(cursor=cursor, seen=seen, position=position) -> bool:
                seen.take(cursor.take(), self._follower.decode)
                here = cursor.position
                return here.epoch == position.epoch and here.offset >= position.offset

            await eventually(has_all, f"the follower of {group!r} has all up to {position}")
            cursor.close()
        check(self.history)
