"""The groups of a layer on Redis: sending to them, following them, who is in them."""

import asyncio
import functools
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.cursor import Start
from nbchannels.layers.groups import GroupState, LogCursor
from nbchannels.layers.hints import nobody_listens
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.redis.entries import Entry, pack_entry
from nbchannels.layers.redis.errands import Errand
from nbchannels.layers.redis.group_scripts import CLEAR, JOIN, LEAVE, MEMBERS, PUBLISH, WATCH
from nbchannels.layers.redis.mirror import Mirror, Surroundings
from nbchannels.layers.redis.outbox import Parcel
from nbchannels.protocol.events import Last, Position
from nbchannels.receipt import Receipt

__all__ = ["Groups"]

# What the script says of a send, and of each message.
_SENT, _POSITION = struct.Struct("<dII"), struct.Struct("<QII")
#: Seconds after which a mirror is compared, though nothing was told; after which it is given up,
#: when nobody reads.
COMPARE, LINGER = 10.0, 60.0
#: Seconds that a send waits until this process has read what it sent.
OWN = 2.0
#: Seconds between two attempts, while Redis does not answer.
AGAIN = 0.5


class Layer(Surroundings, Protocol):
    """What the groups need of their layer."""

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function on the layer's loop, from any thread."""

    def random_tag(self) -> int:
        """32 random bits."""

    def sealed(self, parcel: Parcel) -> Any:
        """Its message, encrypted where that is wanted."""

    def presence_changed(self, group: str) -> None:
        """Others are in a group through this process, or may be."""

    async def put_copies(
        self, group: str, epoch: str, channels: list[str], copies: list[tuple[int, Parcel]]
    ) -> int:
        """Put what was sent to a group into named channels; return how many were full."""


class Groups:
    """The groups, as this process sees them. Works on the loop of the layer."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._mirrors: dict[str, Mirror] = {}
        self._opening: dict[str, asyncio.Task[Mirror]] = {}
        self._errands: set[Errand] = set()
        self._renewed = self._compared = time.monotonic()
        # How often the connection was made anew.
        self._breaks = 0

    def _keys(self, name: str, *parts: str) -> list[str]:
        return [self._layer.backbone.keys.group(name, part) for part in parts]

    # Sending.

    async def publish(self, name: str, parcels: list[Parcel]) -> None:
        """Append messages to the log of a group, in one call; each gets its receipt."""
        layer = self._layer
        backbone = layer.backbone
        bounds = layer.registry.bounds
        producers: dict[str, int] = {}
        tags = [layer.random_tag() for _ in parcels]
        head = (
            backbone.keys.group(name, "live"), backbone.publish, backbone.random_epoch(),
            bounds.history, bounds.history_bytes, int(layer.group_expiry),
        )  # fmt: skip
        sealed = [layer.sealed(parcel) for parcel in parcels]
        for parcel in parcels:
            producers.setdefault(parcel.producer.id, len(producers) + 1)

        def arguments() -> list[Any]:
            found: list[Any] = list(head)
            for parcel, encoded, tag in zip(parcels, sealed, tags, strict=True):
                data = pack_entry(encoded, backbone.process, parcel.sender, parcel.flags)
                place = producers[parcel.producer.id]
                found += (place, parcel.producer.sequence, tag, data)
            return found

        def again() -> list[Any]:
            for parcel in parcels:
                parcel.repeat()
            return arguments()

        keys = self._keys(name, "log", "meta", "watch", "others")
        keys += self._keys(name, *(f"by:{producer}" for producer in producers))
        answer = await backbone.run(PUBLISH, keys, arguments(), again)
        told, others = answer
        epoch = told[:16].decode()
        when, subscribers, members = _SENT.unpack_from(told, 16)
        positions = list(_POSITION.iter_unpack(told[16 + _SENT.size :]))
        mirror = self._mirrors.get(name)
        late: asyncio.Future[None] | None = None
        fresh: list[tuple[int, Parcel]] = []
        for parcel, encoded, (offset, tag, known) in zip(parcels, sealed, positions, strict=True):
            if not known:
                fresh.append((offset, parcel))
                if mirror is not None:
                    entry = Entry(
                        offset, tag, when, backbone.process, parcel.sender, parcel.flags,
                        encoded,
                    )  # fmt: skip
                    late = mirror.sent(epoch, entry) or late
        dropped = 0
        if others and fresh:
            channels = [channel.decode() for channel in others]
            dropped = await layer.put_copies(name, epoch, channels, fresh)
        if late is not None:
            # What was sent is here when the send returns: whoever sends and then reads finds it.
            await asyncio.wait([late], timeout=OWN)
        hint = None
        if not subscribers and not members and not others:
            hint = nobody_listens(layer.registry, name)
        elif dropped:
            hint = f"{dropped} times a member channel of group {name!r} was full"
        for parcel, (offset, tag, known) in zip(parcels, positions, strict=True):
            parcel.done(
                Receipt(
                    "group", name, members + len(others), subscribers, dropped, epoch,
                    offset or None, tag if offset else None, "primary", bool(known), hint,
                )
            )  # fmt: skip

    # Following.

    async def mirror(self, name: str) -> Mirror:
        """The group as this process follows it.

        Raises:
            LayerUnavailable: Redis does not answer.
        """
        mirror = self._mirrors.get(name)
        if mirror is None:
            task = self._opening.get(name)
            if task is None:
                task = asyncio.get_running_loop().create_task(self._open(name))
                self._opening[name] = task
                task.add_done_callback(lambda _: self._opening.pop(name, None))
            # Whoever came first may give up: the others still wait for it.
            try:
                mirror = await asyncio.shield(task)
            except asyncio.CancelledError:
                if not task.cancelled():
                    raise
                where = self._layer.backbone.where
                raise LayerUnavailable(f"the layer at {where} is closed") from None
        mirror.used = time.monotonic()
        return mirror

    async def _open(self, name: str) -> Mirror:
        layer = self._layer
        with layer.lock:
            state = layer.registry.group(name, time.time())
        mirror = Mirror(layer, state, time.monotonic())
        await mirror.open()
        mirror.on_left(functools.partial(layer.soon, functools.partial(self._left, mirror)))
        mirror.reborn = lambda cleared: self._run(self._verify(mirror, cleared))
        self._mirrors[name] = mirror
        return mirror

    async def subscribe(self, name: str, start: Start) -> LogCursor:
        """A cursor on the mirror; what it wants of the past is fetched first."""
        layer = self._layer
        while True:
            mirror = await self.mirror(name)
            await mirror.settled()
            breaks, log = self._breaks, mirror.state.log
            if isinstance(start, Position):
                wanted = start.offset if start.epoch == log.epoch else 0
            elif isinstance(start, Last):
                wanted = max(log.top - max(start.last, 0), 0)
            else:
                wanted = log.top if start == "now" else 0
            await mirror.go_back(wanted)
            with layer.lock:
                if mirror.state.log is not log or self._mirrors.get(name) is not mirror:
                    continue
                state = mirror.state
                cursor = LogCursor(state, state.log.locate(start), layer.lock)
            try:
                await self._report(mirror)
            except BaseException:
                cursor.close()
                raise
            if breaks == self._breaks:
                return cursor
            # Redis answered on another connection: what it lost may be what was asked for.
            cursor.close()

    def _left(self, mirror: Mirror) -> None:
        self._run(self._report(mirror))

    def _run(self, coroutine: Any) -> None:
        # What is asked first is written first, also before what is sent after it.
        errand = Errand(coroutine, self._errands.discard, LayerUnavailable)
        if not errand.is_over:  # else it was told, or is told again with the next sign of life
            self._errands.add(errand)

    async def _report(self, mirror: Mirror, *, again: bool = False) -> None:
        """Tell Redis how many read a group here, and how many of its members are here."""
        layer = self._layer
        with layer.lock:
            now = len(mirror.state.cursors), len(mirror.state.members)
        if now == mirror.reported and not (again and any(now)):
            return
        mirror.reported = now
        layer.presence_changed(mirror.state.name)
        backbone = layer.backbone
        keys = self._keys(mirror.state.name, "watch")
        try:
            await backbone.run(WATCH, keys, (backbone.name, *now, backbone.lease))
        except LayerUnavailable:
            mirror.reported = (-1, -1)
            raise

    # Members.

    async def join(self, name: str, channel: str, box: Mailbox | None) -> None:
        """Make a channel a member; of this process, if its mailbox is given."""
        layer = self._layer
        mirror = await self.mirror(name) if box is not None else None
        owner = layer.backbone.name if box is not None else ""
        epoch, top = await self._enter(name, channel, owner)
        if mirror is not None and box is not None:
            mirror.members.admit(channel, box, epoch, top)
            await self._report(mirror)

    async def _verify(self, mirror: Mirror, cleared: bool) -> None:
        """The log began anew: Redis forgot the members of this process, or all were dismissed."""
        layer, name = self._layer, mirror.state.name
        with layer.lock:
            here = list(mirror.state.members)
        if not here:
            return
        try:
            if not cleared:
                for channel in here:
                    await self._enter(name, channel, layer.backbone.name)
                await self._report(mirror, again=True)
                return
            known = await self.channels(name)
            for channel in set(here) - set(known):
                mirror.members.dismiss(channel)
        except LayerUnavailable:
            await asyncio.sleep(AGAIN)
            if mirror is self._mirrors.get(name):
                self._run(self._verify(mirror, cleared))

    async def _enter(self, name: str, channel: str, owner: str) -> tuple[str, int]:
        layer = self._layer
        keys = self._keys(name, "log", "meta", "order", "owners", "others")
        epoch, top = await layer.backbone.run(
            JOIN, keys, (layer.backbone.random_epoch(), int(layer.group_expiry), channel, owner)
        )
        return epoch.decode(), top

    async def leave(self, name: str, channel: str) -> None:
        """End a membership."""
        layer = self._layer
        mirror = self._mirrors.get(name)
        if mirror is not None:
            mirror.members.dismiss(channel)
        await layer.backbone.run(LEAVE, self._keys(name, "order", "owners", "others"), (channel,))
        if mirror is not None:
            await self._report(mirror)

    async def channels(self, name: str) -> list[str]:
        """The members, in the order in which they came."""
        answer = await self._layer.backbone.run(
            MEMBERS, self._keys(name, "order", "owners", "watch"), ()
        )
        return [channel.decode() for channel in answer[::2]]

    # A group as a whole.

    async def clear(self, name: str) -> None:
        """Start a new epoch; all that follow the group are told."""
        backbone = self._layer.backbone
        live = backbone.keys.group(name, "live")
        await backbone.run(
            CLEAR,
            self._keys(name, "log", "meta"),
            (live, backbone.publish, backbone.random_epoch(), int(self._layer.group_expiry)),
        )
        mirror = self._mirrors.get(name)
        if mirror is not None:
            mirror.doubt()
            await mirror.settled()

    async def statistics(self, name: str) -> dict[str, Any]:
        """See `BaseChannelLayer.group_statistics`."""
        backbone = self._layer.backbone
        log, meta, watch, others = self._keys(name, "log", "meta", "watch", "others")
        length, state, watchers, named = await asyncio.gather(
            backbone.command(log, "XLEN"),
            backbone.command(meta, "HMGET", "epoch", "top", "bytes"),
            backbone.command(watch, "HVALS"),
            backbone.command(others, "SCARD"),
        )
        epoch, top, size = state
        counts = [watcher.split()[:2] for watcher in watchers]
        return {
            "members": named + sum(int(members) for _, members in counts),
            "subscribers": sum(int(subscribers) for subscribers, _ in counts),
            "messages": length,
            "bytes": int(size or 0),
            "epoch": epoch.decode() if epoch else None,
            "offset": int(top or 0),
        }

    # Time.

    def doubt_all(self) -> None:
        """The connection was broken: whatever is followed is compared."""
        self._renewed = -self._layer.backbone.renewal  # it may have begun anew, and know nobody
        self._breaks += 1
        for mirror in list(self._mirrors.values()):
            mirror.doubt()

    def tick(self) -> None:
        """To be called each second or so."""
        now = time.monotonic()
        if now - self._renewed >= self._layer.backbone.renewal:
            self._renewed = now
            for mirror in list(self._mirrors.values()):
                self._run(self._report(mirror, again=True))
        if now - self._compared >= COMPARE:
            self._compared = now
            for name, mirror in list(self._mirrors.items()):
                state = mirror.state
                if state.cursors or state.members:
                    mirror.used = now
                    mirror.doubt()
                elif now - mirror.used > LINGER:
                    self._forget(name, mirror)

    def _forget(self, name: str, mirror: Mirror) -> None:
        with self._layer.lock:
            if mirror.state.cursors or mirror.state.members:
                return
            del self._mirrors[name]
            if self._layer.registry.groups.get(name) is mirror.state:  # else it made room already
                self._layer.registry.drop(mirror.state)
        mirror.close()

    def here(self, name: str) -> tuple[int, list[str]]:
        """How many read a group in this process, and which of its members are here."""
        mirror = self._mirrors.get(name)
        if mirror is None:
            return 0, []
        with self._layer.lock:
            return len(mirror.state.cursors), list(mirror.state.members)

    def states(self) -> list[GroupState]:
        """The groups that this process follows."""
        return [mirror.state for mirror in self._mirrors.values()]

    def close(self) -> None:
        """Follow nothing more."""
        for mirror in self._mirrors.values():
            mirror.close()
        self._mirrors.clear()
        for task in self._opening.values():
            task.cancel()
        for errand in list(self._errands):
            errand.cancel()
