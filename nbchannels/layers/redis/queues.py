"""The named channels of a layer on Redis: taking from them, and what they hold.

This process takes what somebody here wants now, and no more: what it has in hand others cannot
have. A message that was taken stands in a mailbox until its receiver has it, and is pending in
Redis until it is settled.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.exceptions import EncodingError, LayerUnavailable
from nbchannels.layers.bindings import compiled_glob, is_glob
from nbchannels.layers.leases import MOST_RETURNS
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.mailboxes import RECENT
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.calls import Unanswered
from nbchannels.layers.redis.entries import unpack_letter
from nbchannels.layers.redis.errands import Errand
from nbchannels.layers.redis.group_scripts import WATCH
from nbchannels.layers.redis.process_scripts import ALIVE
from nbchannels.layers.redis.queue_scripts import (
    CLAIM,
    DROP,
    MINE,
    OVERDUE,
    SURVEY,
    TAKE,
)
from nbchannels.layers.redis.settling import Settlements
from nbchannels.layers.registry import Registry

__all__ = ["Queues"]

#: Messages of one take at most, and their bytes.
MOST, MOST_BYTES = 32, 2**20
#: Seconds that a channel nobody wants is still heard; after which a taken message goes back if
#: nobody wants it any more; between two looks without news.
LINGER, UNWANTED, LOOK = 60.0, 1.0, 5.0
#: Messages looked at for those that have waited too long.
OLD = 200
#: Seconds that it is known from which channels a process took: longer than any of them is kept.
REMEMBERED = 30 * 86_400


class Layer(Protocol):
    """What the queues need of their layer."""

    backbone: Backbone
    registry: Registry
    lock: Any

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function on the layer's loop, from any thread."""

    def opened_letter(self, letter: Letter) -> Letter:
        """Decrypted where it was encrypted."""

    def wanted(self, channel: str) -> tuple[int, bool]:
        """How many messages of a channel would be taken here now; whether by a receiver."""

    def serving(self, channel: str) -> int:
        """How many receive from a channel here, or serve it, also while they are busy."""

    def arrived(self, channel: str, letters: list[Letter]) -> None:
        """Hand out what was taken."""

    def unwanted(self, channel: str) -> list[Letter]:
        """What was taken and nobody here wants any more; it is given back."""

    def ring(self, channel: str) -> None:
        """There is news in a channel: tell those that serve it."""

    def too_late(self, channel: str, letter: Letter) -> None:
        """It has waited too long."""


class _Puller:
    """One channel that somebody here wants to take from."""

    def __init__(self, channel: str, now: float) -> None:
        self.channel = channel
        self.used = now
        self.again = False
        self.is_unsure = False
        self.heard: asyncio.Future[None] | None = None
        self.is_busy = False
        self.errand: Errand | None = None
        self.reported = 0
        self.is_registered = False
        self.held: set[bytes] = set()


class Queues:
    """The channels, as this process sees them. Works on the loop of the layer."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._pullers: dict[str, _Puller] = {}
        self.settlements = Settlements(layer, self._are_settled)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._is_closed = False

    def _keys(self, name: str, *parts: str) -> list[str]:
        return [self._layer.backbone.keys.channel(name, part) for part in parts]

    def _wake(self, name: str) -> tuple[str, str]:
        return self._layer.backbone.keys.channel(name, "wake"), self._layer.backbone.publish

    # Taking.

    def demand(self, channel: str) -> None:
        """Somebody here wants to take from a channel; from any thread."""
        self._layer.soon(lambda: self._want(channel))

    def look_again(self, pattern: str) -> None:
        """Whoever serves the channels of a pattern here would take more; from any thread."""
        if not is_glob(pattern):
            self.demand(pattern)
            return
        match = compiled_glob(pattern).match
        for channel in list(self._pullers):
            if match(channel):
                self.demand(channel)

    def _want(self, channel: str) -> None:
        if self._is_closed:
            return
        now = time.monotonic()
        puller = self._pullers.get(channel)
        if puller is None:
            puller = self._pullers[channel] = _Puller(channel, now)
            wake = self._layer.backbone.keys.channel(channel, "wake")
            puller.heard = self._layer.backbone.listen(
                channel, wake, lambda _: self._ring(channel), lambda: self._ring(channel)
            )
        puller.used = now
        puller.again = True
        if not puller.is_busy:
            puller.is_busy = True
            puller.errand = Errand(self._pull(puller))

    def news(self, channel: str) -> None:
        """This process has sent to a channel, of which it is not told by Redis."""
        if channel in self._pullers:
            self._ring(channel)

    def _ring(self, channel: str) -> None:
        self._layer.ring(channel)
        if self._layer.wanted(channel)[0] > 0:
            self._want(channel)

    async def _pull(self, puller: _Puller) -> None:
        try:
            while not self._is_closed:
                puller.again = False
                try:
                    more = await self._take(puller)
                except LayerUnavailable:
                    puller.is_unsure = True
                    await asyncio.sleep(0.2)
                    puller.again = True
                    continue
                if more or puller.again:
                    continue
                if puller.heard is not None:  # news may have come before it was listened to
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([puller.heard], timeout=LOOK)
                    puller.heard = None
                    continue
                return
        finally:
            puller.is_busy = False
            if puller.again and not self._is_closed:
                self._want(puller.channel)

    async def _take(self, puller: _Puller) -> bool:
        """Take what is wanted; whether there may be more that is."""
        layer, channel = self._layer, puller.channel
        if not puller.is_registered:
            try:
                await self._register(puller)
            except Unanswered:
                raise
            except LayerUnavailable:
                pass  # memory is short, for one: to take is what helps
        if puller.is_unsure:
            await self._reconcile(puller)
        # In this order: who sends after it has looked here tells of it.
        self._report(puller)
        want, receives = layer.wanted(channel)
        if want <= 0:
            return False
        asked = layer.backbone.run(
            TAKE,
            self._keys(channel, "queue", "meta", "back"),
            (layer.backbone.name, min(want, MOST), int(receives), MOST_BYTES),
            lambda: None,  # what an unanswered one took goes back first: order holds
        )
        self.settlements.flush()  # in the same turn
        stamp, waiting, *found = await asked
        if not found:
            return False
        now = float(stamp)
        letters: list[Letter] = []
        for place in range(0, len(found), 3):
            id_, data, back = found[place : place + 3]
            puller.held.add(id_)
            try:
                letter, expires = unpack_letter(id_, data, back)
                letter = layer.opened_letter(letter)
            except EncodingError as error:
                layer.backbone.lose(f"channel {channel!r} in Redis: {error}", channel)
                self.settlements.add(channel, id_, "done", 0)
                continue
            if expires <= now or letter.returns > MOST_RETURNS:
                layer.too_late(channel, letter)
            else:
                letters.append(letter)
        layer.arrived(channel, letters)
        if letters:
            asyncio.get_running_loop().call_later(UNWANTED, self._return_unwanted, channel)
        return bool(waiting)

    def _return_unwanted(self, channel: str) -> None:
        for letter in self._layer.unwanted(channel):
            self.settlements.add(
                channel, letter.posted.id, "unread", letter.posted.size, letter.returns
            )

    def _report(self, puller: _Puller, *, again: bool = False) -> None:
        """Tell Redis how many take from a channel here; it is asked for before this returns."""
        count = self._layer.serving(puller.channel)
        if count != puller.reported or (again and count):
            puller.reported = count
            backbone = self._layer.backbone
            keys = self._keys(puller.channel, "serve")
            self._run(backbone.run(WATCH, keys, (backbone.name, count, 0, backbone.lease)))

    async def _register(self, puller: _Puller) -> None:
        """Before anything is taken: whoever finds this process dead knows where to look."""
        backbone = self._layer.backbone
        await backbone.run(ALIVE, [backbone.keys.alive], (backbone.name, backbone.lease))
        channels = backbone.keys.process(backbone.name, "channels")
        await backbone.command(channels, "SADD", puller.channel)
        await backbone.command(channels, "EXPIRE", REMEMBERED)
        puller.is_registered = True

    async def _reconcile(self, puller: _Puller) -> None:
        """What Redis thinks is in hand here, and is not (an answer was lost), goes back."""
        backbone, channel = self._layer.backbone, puller.channel
        mine = await backbone.run(MINE, self._keys(channel, "queue"), (backbone.name,))
        lost = [id_ for id_ in mine if id_ not in puller.held]
        if lost:
            await self._claim(channel, backbone.name, 0, lost)
        puller.is_unsure = False

    def _are_settled(self, channel: str, ids: list[bytes]) -> None:
        puller = self._pullers.get(channel)
        if puller is not None:
            puller.held.difference_update(ids)

    async def _claim(self, channel: str, process: str, died: int, ids: list[bytes]) -> None:
        await self._layer.backbone.run(
            CLAIM,
            self._keys(channel, "queue", "meta", "back"),
            (process, *self._wake(channel), channel, self._layer.registry.expiry_of(channel),
             died, *ids),
        )  # fmt: skip

    # Time.

    def doubt_all(self) -> None:
        """The connection was broken: an answer may have been lost, and news."""
        for puller in list(self._pullers.values()):
            puller.is_unsure = True
            puller.is_registered = False
            puller.reported = -1
            self._want(puller.channel)

    def tick(self) -> None:
        """To be called each second or so: nothing is forgotten because news was lost."""
        now = time.monotonic()
        for channel, puller in list(self._pullers.items()):
            if self._layer.wanted(channel)[0] > 0:
                if now - puller.used >= LOOK:
                    self._want(channel)
            elif (
                now - puller.used > LINGER
                and not puller.is_busy
                and not puller.held
                and not self._layer.serving(channel)
            ):
                del self._pullers[channel]
                wake = self._layer.backbone.keys.channel(channel, "wake")
                self._layer.backbone.unlisten(channel, wake)
            elif now - puller.used > 1.0:  # one that receives now and then is not told each time
                self._report(puller)

    def renew(self) -> None:
        """Signs of life, to be given well within their time."""
        for puller in list(self._pullers.values()):
            self._report(puller, again=True)
            if puller.reported or puller.held:
                # A call that came late to Redis may have taken what nobody here knows of.
                puller.is_unsure = True
                puller.is_registered = False
                self._want(puller.channel)

    async def bury_late(self, channel: str) -> None:
        """What has waited too long in a channel goes to the dead letters."""
        keys = self._keys(channel, "queue", "meta", "back")
        found = await self._layer.backbone.run(OVERDUE, keys, (OLD,))
        ids: list[bytes] = []
        for place in range(0, len(found), 3):
            id_, data, back = found[place : place + 3]
            ids.append(id_)
            with contextlib.suppress(EncodingError):
                letter, _ = unpack_letter(id_, data, back)
                self._layer.too_late(channel, self._layer.opened_letter(letter))
        if ids:
            await self._layer.backbone.run(DROP, keys, ids)

    async def reclaim(self, process: str) -> None:
        """A process is dead: what it had in hand goes back, and others take it."""
        backbone = self._layer.backbone
        channels = backbone.keys.process(process, "channels")
        for channel in await backbone.command(channels, "SMEMBERS"):
            await self._claim(channel.decode(), process, 1, [])
        # Not forgotten at once: it may be back, and have said so a moment ago.
        await backbone.command(channels, "EXPIRE", int(2 * backbone.lease))

    # A channel as a whole.

    async def drain(self, channel: str) -> int:
        """Drop what waits in a channel; return how many."""
        keys = self._keys(channel, "queue", "meta", "back")
        return int(await self._layer.backbone.run(DROP, keys, ()))

    async def statistics(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.channel_statistics`."""
        registry = self._layer.registry
        (waiting, size, first, now, capacity, expiry, receivers, used, sent, received, refused,
         expired) = await self._layer.backbone.run(
            SURVEY, self._keys(channel, "queue", "meta", "serve"), ()
        )  # fmt: skip
        return {
            "waiting": waiting,
            "bytes": size,
            "oldest": max(0.0, float(now) - float(first)) if first and waiting else 0.0,
            "capacity": int(capacity) if capacity else registry.capacity_of(channel),
            "expiry": float(expiry) if expiry else registry.expiry_of(channel),
            "receivers": receivers,
            "recent": 0 <= used < RECENT,
            "sent": sent,
            "received": received,
            "dropped": refused,
            "expired": expired,
        }

    def _run(self, asked: "asyncio.Future[Any]") -> None:
        self._tasks.add(asked)
        asked.add_done_callback(self._done)

    def _done(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(task.exception(), LayerUnavailable):
            return  # signs of life are given again

    async def close(self) -> bool:
        """Take nothing more; what is in hand and not settled goes back: whether all did."""
        for channel in self._pullers:
            self._return_unwanted(channel)
        await asyncio.sleep(0)
        self._is_closed = True
        await self.settlements.close()
        for puller in self._pullers.values():
            if puller.errand is not None:
                puller.errand.cancel()
        for task in self._tasks:
            task.cancel()
        # What is leased, and what a call took whose answer nobody read.
        if self._pullers:
            try:
                await self.reclaim(self._layer.backbone.name)
            except LayerUnavailable:
                return False
        return True
