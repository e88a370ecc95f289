"""The group side of a layer on Redis: who is in them, and what is read of them."""

import functools
import time
from typing import Any, TypeVar

from nbchannels.layers.cursor import Page, Start
from nbchannels.layers.groups import LogCursor
from nbchannels.layers.hosted import PAGE, PAGE_BYTES
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.presence import joined
from nbchannels.layers.redis.groups import Groups
from nbchannels.layers.redis.presence import Presence, of_itself, this_script
from nbchannels.layers.redis.running import RunningLayer
from nbchannels.names import (
    PROBLEMS,
    require_channel_name,
    require_group_name,
)

__all__ = ["FollowingLayer"]

T = TypeVar("T")
#: When this process was first seen here.
BEGAN = time.time()


class FollowingLayer(RunningLayer):
    """The groups, as users call them. The parts are made by `RedisChannelLayer`."""

    _groups: Groups
    _presence: Presence

    # Members.

    async def group_add(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_add`."""
        require_group_name(group)
        require_channel_name(channel)
        box: Mailbox | None = None
        if self._is_here(channel):
            with self._lock:
                box = self._registry.mailbox(channel, self._clock())
        self._upkeep.used("group", group)
        await self._on_loop(self._groups.join(group, channel, box))

    async def group_discard(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_discard`."""
        require_group_name(group)
        require_channel_name(channel)
        await self._on_loop(self._groups.leave(group, channel))

    async def group_channels(self, group: str) -> list[str]:
        """See `BaseChannelLayer.group_channels`; of processes that died, none after a minute."""
        return await self._on_loop(self._groups.channels(require_group_name(group)))

    async def presence(self, group: str) -> list[dict[str, Any]]:
        """See `BaseChannelLayer.presence`; of all that share this Redis, as of a second ago."""
        members = await self.group_channels(group)
        others = await self._on_loop(self._presence.elsewhere(group))
        return joined([*self.people(group), *others], members)

    def people(self, group: str) -> list[dict[str, Any]]:
        """Who is in a group through this process: clients of its host, or itself."""
        subscribers, members = self._groups.here(group)
        if self.present is not None:
            return self.present(group, members)
        return of_itself(self.identity or this_script(), BEGAN, subscribers > 0, members)

    def presence_changed(self, group: str) -> None:
        """See `HostedLayer.presence_changed`."""
        self.soon(functools.partial(self._presence.changed, group))

    async def subscribe(self, group: str, start: Start = "now") -> LogCursor:
        """See `BaseChannelLayer.subscribe`; the cursor reads the mirror in this process."""
        if require_group_name(group) == PROBLEMS:  # what a server says of itself stays there
            return self._cursor(group, start)
        self._upkeep.used("group", group)
        return await self._on_loop(self._groups.subscribe(group, start))

    async def read(self, group: str, start: Start = "earliest", limit: int = PAGE) -> Page:
        """See `BaseChannelLayer.read`; at most 256 entries and 1 MiB."""
        cursor = await self.subscribe(group, start)
        try:
            with self._lock:
                log = cursor.log
                entries = log.after(cursor.anchor.offset, min(limit, PAGE), PAGE_BYTES)
            return Page(cursor.anchor, [entry.record() for entry in entries])
        finally:
            cursor.close()

    async def clear(self, group: str) -> None:
        """See `BaseChannelLayer.clear`; for all that share this Redis."""
        await self._on_loop(self._groups.clear(require_group_name(group)))
        if self.witness is not None:
            self.witness("cleared", {"group": group})

    async def group_statistics(self, group: str) -> dict[str, Any]:
        """See `BaseChannelLayer.group_statistics`."""
        return await self._on_loop(self._groups.statistics(require_group_name(group)))
