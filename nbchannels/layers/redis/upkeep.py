"""What a process does on Redis now and then: signs of life, names in use, what others left."""

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from redis.exceptions import RedisError

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.bindings import compiled_glob, is_glob
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.check import tell
from nbchannels.layers.redis.groups import Groups
from nbchannels.layers.redis.inboxes import Inboxes
from nbchannels.layers.redis.presence import Presence
from nbchannels.layers.redis.process_scripts import ALIVE, COMMONS, INDEX
from nbchannels.layers.redis.queues import Queues
from nbchannels.names import is_process_local
from nbchannels.typing import Kind

__all__ = ["Upkeep"]

#: Seconds between two looks for late ones.
LATE = 5.0
#: Seconds after which a name in use is told again; names that are remembered as told.
TOLD, MOST_TOLD = 600.0, 10_000
#: Names that one answer has; channels that are looked into at once.
MOST_NAMES, SOME = 500, 50

log = logging.getLogger("nbchannels")
_chance = secrets.SystemRandom()


class Layer(Protocol):
    """What the upkeep needs of its layer."""

    group_expiry: float

    def soon(self, function: Any) -> None:
        """Call a function on the layer's loop, from any thread."""

    def ring(self, channel: str) -> None:
        """There is news in a channel."""

    def too_late(self, channel: str, letter: Letter) -> None:
        """It has waited too long."""


class Upkeep:
    """The housekeeping of one process. Works on the loop of its layer."""

    def __init__(
        self,
        backbone: Backbone,
        groups: Groups,
        queues: Queues,
        inboxes: Inboxes,
        presence: Presence,
        layer: Layer,
    ) -> None:
        self._backbone = backbone
        self._groups = groups
        self._queues = queues
        self._inboxes = inboxes
        self._presence = presence
        self._layer = layer
        self._told: dict[tuple[str, str], float] = {}
        self._fresh: dict[str, set[str]] = {"groups": set(), "channels": set()}
        self._globs: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clock: asyncio.Task[None] | None = None
        self._renewed = self._looked = 0.0
        self._is_closed = False
        self._is_checked = False
        #: That all know who share this Redis and this prefix.
        self.word: str | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Do something beside, to its end."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, LayerUnavailable):
            log.error("nbchannels: the upkeep of %s failed", self._backbone.where, exc_info=error)

    # Names.

    def used(self, kind: Kind, name: str) -> None:
        """A name is in use; it is told to all now and then. From any thread."""
        if is_process_local(name):
            return
        now = time.monotonic()
        key = kind, name
        told = self._told.get(key)
        if told is not None and now - told < TOLD:
            return
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told[key] = now
        self._layer.soon(lambda: self._note(kind, name))

    def _note(self, kind: Kind, name: str) -> None:
        fresh = self._fresh["groups" if kind == "group" else "channels"]
        fresh.add(name)
        if len(fresh) == 1:
            self.run(self._tell_names())

    async def _tell_names(self) -> None:
        await asyncio.sleep(0)  # others come in the same turn
        for kind, fresh in self._fresh.items():
            if fresh:
                names = sorted(fresh)
                fresh.clear()
                keep = int(self._layer.group_expiry)
                await self._backbone.run(INDEX, [self._backbone.keys.index(kind)], (keep, *names))
                if kind == "channels":
                    news = self._backbone.keys.index("news")
                    for name in names:
                        await self._backbone.command(news, self._backbone.publish, name)

    async def names(self) -> dict[str, list[str]]:
        """The newest names in use."""
        found = await asyncio.gather(
            *(
                self._backbone.command(
                    self._backbone.keys.index(kind), "ZREVRANGE", 0, MOST_NAMES - 1
                )
                for kind in ("groups", "channels")
            )
        )
        groups, channels = ([name.decode() for name in names] for names in found)
        return {"groups": groups, "channels": channels}

    async def totals(self) -> dict[str, int]:
        """How many groups, channels and dead letters there are."""
        keys = self._backbone.keys
        groups, channels, dead = await asyncio.gather(
            self._backbone.command(keys.index("groups"), "ZCARD"),
            self._backbone.command(keys.index("channels"), "ZCARD"),
            self._backbone.command(keys.dead[0], "ZCARD"),
        )
        return {"groups": groups, "channels": channels, "dead": dead}

    # Consumers.

    def serve(self, pattern: str, capacity: float | None, expiry: float | None) -> None:
        """Somebody here serves the channels of a pattern. From any thread."""
        self._layer.soon(lambda: self._serve(pattern, capacity, expiry))

    def _serve(self, pattern: str, capacity: float | None, expiry: float | None) -> None:
        if not is_glob(pattern):
            self.used("channel", pattern)
            limits = {"capacity": capacity, "expiry": expiry}
            said = [word for option in limits.items() if option[1] is not None for word in option]
            if said:
                meta = self._backbone.keys.channel(pattern, "meta")
                self.run(self._say(meta, said))
            self._layer.ring(pattern)
            self._queues.demand(pattern)
            return
        if not self._globs:
            news = self._backbone.keys.index("news")
            self._backbone.listen("index", news, self._named, self._look_for_names)
        self._globs.add(pattern)
        self._look_for_names()

    async def _say(self, meta: str, said: list[Any]) -> None:
        await self._backbone.command(meta, "HSET", *said)

    def _named(self, name: bytes) -> None:
        channel = name.decode("ascii", "replace")
        if any(compiled_glob(glob).match(channel) for glob in self._globs):
            self._layer.ring(channel)
            self._queues.demand(channel)

    def _look_for_names(self) -> None:
        self.run(self._look())

    async def _look(self) -> None:
        for name in (await self.names())["channels"]:
            self._named(name.encode())

    # Time.

    def open(self) -> None:
        """Say that this process lives, if it has not begun."""
        if self._clock is None and not self._is_closed:
            self.run(self._renew())

    def connected(self) -> None:
        """A connection was made."""
        self._renewed = 0.0
        self._told.clear()  # it may have begun anew, and know no names
        if not self._is_checked:
            self._is_checked = True
            self.run(self._check())
        if self._clock is None and not self._is_closed:
            self._clock = asyncio.get_running_loop().create_task(self._tick())

    async def _check(self) -> None:
        """Say what is wrong with this Redis; once."""
        try:
            await tell(await self._backbone.sites())
        except (RedisError, OSError, TimeoutError, EOFError):
            self._is_checked = False  # at the next connection

    async def _tick(self) -> None:
        while True:
            self._groups.tick()
            self._queues.tick()
            now = time.monotonic()
            if now - self._renewed >= self._backbone.renewal:
                self._renewed = now
                self._inboxes.renew()
                self._queues.renew()
                self._presence.renew()
                self.run(self._renew())
            if now - self._looked >= LATE * (0.8 + 0.4 * _chance.random()):
                self._looked = now
                self.run(self._bury_late())
            await asyncio.sleep(1.0)

    async def _renew(self) -> None:
        """Say that this process lives; take back what the dead had."""
        await self.commons()
        keys, lease = [self._backbone.keys.alive], self._backbone.lease
        for process in await self._backbone.run(ALIVE, keys, (self._backbone.name, lease)):
            name = process.decode()
            await self._queues.reclaim(name)
            await self._backbone.run(ALIVE, keys, (name, -1))

    async def commons(self) -> str:
        """The word that all know who share this Redis and this prefix; made by the first."""
        keys = [self._backbone.keys.index("commons")]
        word: bytes = await self._backbone.run(COMMONS, keys, (secrets.token_hex(8),))
        self.word = word.decode()
        return self.word

    async def _bury_late(self) -> None:
        """Look into some channels for what has waited too long."""
        names = (await self.names())["channels"]
        for name in _chance.sample(names, min(len(names), SOME)):
            await self._queues.bury_late(name)

    # All of it.

    async def leave(self, group: str, channel: str) -> None:
        """A channel leaves a group."""
        await self._groups.leave(group, channel)

    async def flush(self) -> None:
        """Forget everything under this prefix; whoever follows a group gets a new epoch."""
        keys = self._backbone.keys
        names = await self.names()
        followed = {state.name for state in self._groups.states()}
        for group in sorted({*names["groups"], *followed}):
            for part in ("order", "owners", "others"):
                await self._backbone.command(keys.group(group, part), "DEL")
            # Last, and all who follow the group look who is in it.
            await self._groups.clear(group)
        for channel in names["channels"]:
            for part in ("queue", "meta", "back"):
                await self._backbone.command(keys.channel(channel, part), "DEL")
        for key in (*keys.dead, keys.index("groups"), keys.index("channels")):
            await self._backbone.command(key, "DEL")
        self._told.clear()

    async def finish(self) -> None:
        """Wait a moment for what is done beside."""
        await asyncio.sleep(0)  # what was asked on other threads has begun
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=1.0)

    async def close(self, *, lives_on: bool) -> None:
        """End; this process lives no more.

        Args:
            lives_on: as far as others know: they find out, and take back what it could not return.
        """
        self._is_closed = True
        if self._clock is not None:
            self._clock.cancel()
        await self.finish()
        for task in self._tasks:
            task.cancel()
        if self._clock is not None and not lives_on:
            future = self._backbone.run(
                ALIVE, [self._backbone.keys.alive], (self._backbone.name, 0)
            )
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
