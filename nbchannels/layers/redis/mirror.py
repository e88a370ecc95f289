"""A group as this process follows it: its log, kept up with the one in Redis.

Everything that reads, reads here. The mirror begins at the newest entry, is told of each one that
comes, and goes back as far as somebody asks. After any doubt (a break, a hole, an epoch that it
does not know) it is compared with Redis entry by entry: what is missing is fetched, and what is
gone is announced.
"""

import asyncio
import logging
import struct
import threading
from collections.abc import Callable
from typing import Protocol

from nbchannels.encoding import Encoded
from nbchannels.exceptions import EncodingError, LayerUnavailable
from nbchannels.layers.groups import GroupState
from nbchannels.layers.log import Log
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.entries import Entry
from nbchannels.layers.redis.members import Members
from nbchannels.layers.redis.stored import PAGE, StoredLog
from nbchannels.layers.registry import Registry

__all__ = ["Mirror", "Surroundings"]

#: Seconds between two attempts to compare with a Redis that does not answer.
PAUSE = 0.5

log = logging.getLogger("nbchannels")


class Surroundings(Protocol):
    """The layer that a mirror is part of."""

    backbone: Backbone
    registry: Registry
    lock: threading.Lock
    group_expiry: float

    def new_log(self, epoch: str, before: tuple[str, ...], top: int = 0, edge: int = 0) -> Log:
        """An empty log with a number of its own."""

    def tell(self, boxes: list[Mailbox]) -> None:
        """There is news in these mailboxes."""

    def opened(self, entry: Entry) -> Encoded:
        """The message of an entry, decrypted where it was encrypted."""


class Mirror:
    """One group. Works on the loop of its layer.

    Args:
        layer: its surroundings.
        state: of the group; its log is replaced.
        now: seconds, monotonic.

    Attributes:
        members: of this process.
        used: when it was last wanted, monotonic.
        is_current: whether nothing is known that it does not have.
    """

    def __init__(self, layer: Surroundings, state: GroupState, now: float) -> None:
        self.state = state
        self.members = Members(layer, state)
        self.used = now
        self.is_current = False
        self.reported = (0, 0)
        self._layer = layer
        self._stored = StoredLog(layer.backbone, state.name, layer.group_expiry)
        self._live = layer.backbone.keys.group(state.name, "live")
        #: Called when the log has another epoch, and whether because it was cleared.
        self.reborn: Callable[[bool], None] | None = None
        self._is_filled = False
        self._missed = False
        self._comparing: asyncio.Task[None] | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._going_back = asyncio.Lock()
        self._is_closed = False

    # Living.

    async def open(self) -> None:
        """Follow the group from now on.

        Raises:
            LayerUnavailable: Redis does not answer.
        """
        backbone = self._layer.backbone
        heard = backbone.listen(self.state.name, self._live, self._told, self.doubt)
        try:
            async with asyncio.timeout(backbone.patience):
                await heard
            await self._compare()
        except TimeoutError:
            backbone.unlisten(self.state.name, self._live)
            raise LayerUnavailable(backbone.silence()) from None
        except BaseException:
            backbone.unlisten(self.state.name, self._live)
            raise

    def close(self) -> None:
        """Follow it no more."""
        self._is_closed = True
        self._layer.backbone.unlisten(self.state.name, self._live)
        if self._comparing is not None:
            self._comparing.cancel()
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    # What comes.

    def _told(self, data: bytes) -> None:
        """Redis tells: ``M`` an entry, ``C`` a new epoch."""
        epoch = data[1:17].decode("ascii", "replace")
        if data[:1] != b"M" or not self._is_filled or epoch != self.state.log.epoch:
            self.doubt()
            return
        (offset,) = struct.unpack_from("<Q", data, 17)
        top = self.state.log.top
        if offset <= top:
            return
        if offset > top + 1 or self._comparing is not None:
            self.doubt()
            return
        try:
            entry = Entry.unpack(offset, data[25:])
        except EncodingError as error:
            log.error("nbchannels: group %r in Redis: %s", self.state.name, error)
            return
        self._adopt([entry])

    def sent(self, epoch: str, entry: Entry) -> "asyncio.Future[None] | None":
        """This process has sent an entry; the future is done when the mirror has it."""
        if not self._is_filled or self.state.log.epoch != epoch:
            return None
        if entry.offset == self.state.log.top + 1 and self._comparing is None:
            self._adopt([entry])
            return None
        if entry.offset <= self.state.log.top:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry.offset, future))
        return future

    def _adopt(self, entries: list[Entry]) -> None:
        """The next entries, in order."""
        layer, state = self._layer, self.state
        woken: list[Mailbox] = []
        with layer.lock:
            kept, before = state.log, state.log.bytes
            for entry in entries:
                sender = self._sender(entry)
                encoded = layer.opened(entry)
                kept.append(
                    encoded, now=entry.time, tag=entry.tag, sender=sender, flags=entry.flags
                )
                if state.members:
                    woken += self.members.feed(
                        kept.epoch, encoded, entry.offset, entry.time, sender
                    )
            layer.registry.log_grew(kept, kept.bytes - before)
        state.announce()
        if woken:
            layer.tell(woken)
        if self._waiting:
            self._have(kept.top)

    def _sender(self, entry: Entry) -> int:
        """The number of a connection means something in the process that gave it."""
        return entry.sender if entry.process == self._layer.backbone.process else 0

    def _have(self, top: int) -> None:
        still: list[tuple[int, asyncio.Future[None]]] = []
        for offset, future in self._waiting:
            if offset > top:
                still.append((offset, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still

    # Doubts.

    def doubt(self) -> None:
        """Something may have been missed: compare with Redis, soon."""
        self._missed = True
        self.is_current = False
        if self._is_filled and self._comparing is None and not self._is_closed:
            self._comparing = asyncio.get_running_loop().create_task(self._keep_comparing())

    async def settled(self) -> None:
        """Wait until it has been compared.

        Raises:
            LayerUnavailable: Redis does not answer.
        """
        if self._comparing is not None:
            backbone = self._layer.backbone
            _, late = await asyncio.wait([self._comparing], timeout=backbone.patience)
            if late:
                raise LayerUnavailable(backbone.silence())

    async def _keep_comparing(self) -> None:
        try:
            while not self._is_closed:
                try:
                    await self._compare()
                    return
                except LayerUnavailable:
                    await asyncio.sleep(PAUSE)
        finally:
            self._comparing = None
            if self._missed and not self._is_closed:
                self.doubt()

    async def _compare(self) -> None:
        """Take over what Redis has, until nothing was told meanwhile that is not here."""
        while True:
            self._missed = False
            state, known = self.state, self.state.log
            if not self._is_filled:
                await self._fill("")
            else:
                answer = await self._stored.page(known.top, PAGE)
                epoch, top, _, _, first, entries = answer
                if state.log is not known:
                    continue
                tag = entries[0].tag if entries and entries[0].offset == known.top else None
                if epoch != known.epoch:
                    await self._fill("all")
                elif top < known.top or (tag is not None and tag != known.tag_at(known.top)):
                    await self._part(known)
                elif tag is None and first > known.top + 1:
                    await self._fill("all")  # what is between was trimmed there
                else:
                    fresh = [entry for entry in entries if entry.offset > known.top]
                    if fresh:
                        self._adopt(fresh)
                    if self.state.log.top < top:
                        continue
            if not self._missed:
                self.is_current = True
                if self._waiting:
                    self._have(self.state.log.top)
                return

    async def _fill(self, how: str, shared: int | None = None) -> None:
        """Begin a new log: at the newest entry; or (``all``, ``part``) with all that Redis keeps.

        Args:
            how: ``part``: it is another history of the same epoch.
            shared: the newest offset that both have.
        """
        state, layer = self.state, self._layer
        nobody = self._is_filled and not state.cursors and not state.members
        from_top = not how or nobody  # nobody reads: there is nothing to tell
        epoch, top, tag, before, first, page = await self._stored.page(
            None if from_top else 0, 0 if from_top else PAGE
        )
        fresh = layer.new_log(epoch, before, top, tag)
        entries: list[Entry] = []
        if not from_top and first <= top:
            fresh = layer.new_log(epoch, before, first - 1)
            while page:
                if page[0].offset != fresh.top + 1:  # trimmed while it is read
                    fresh, entries = layer.new_log(epoch, before, page[0].offset - 1), []
                for entry in page:
                    fresh.append(
                        layer.opened(entry), now=entry.time, tag=entry.tag,
                        sender=self._sender(entry), flags=entry.flags,
                    )  # fmt: skip
                entries += page
                if fresh.top >= top:
                    break
                its, top, _, _, _, page = await self._stored.page(fresh.top + 1, PAGE)
                if its != epoch:
                    self._missed = True
                    break
        fresh.shared = shared
        with layer.lock:
            old = state.log
            state.log = fresh
            layer.registry.log_grew(fresh, fresh.bytes - old.bytes)
            was_filled, self._is_filled = self._is_filled, True
            is_reborn = was_filled and old.epoch != epoch
            woken: list[Mailbox] = []
            if how == "part":
                self.members.parted(epoch, shared or 0)
            if was_filled and state.members:
                for entry in entries:
                    if shared is None or entry.offset > shared:
                        woken += self.members.feed(
                            epoch, layer.opened(entry), entry.offset, entry.time,
                            self._sender(entry),
                        )  # fmt: skip
        state.announce()
        if woken:
            layer.tell(woken)
        self._have(2**63)
        if is_reborn and self.reborn is not None:
            self.reborn(old.epoch in before)

    async def _part(self, known: Log) -> None:
        """Redis has another history in this epoch: a failover lost what had been acknowledged."""
        shared: int | None = None
        at = known.first - 1
        while at <= known.top:
            _, top, _, _, _, page = await self._stored.page(max(at, 1), PAGE)
            for entry in page:
                if known.tag_at(entry.offset) == entry.tag:
                    shared = entry.offset
            if not page or page[-1].offset >= min(top, known.top):
                break
            at = page[-1].offset + 1
        log.warning(
            "nbchannels: group %r: Redis has lost entries after offset %s of %s (a failover?); "
            "subscribers are told",
            self.state.name, shared, known.top,
        )  # fmt: skip
        await self._fill("part", shared)

    # The past.

    async def go_back(self, offset: int) -> None:
        """Have the entries after ``offset``, as far as Redis keeps them, and the tag there."""
        async with self._going_back:
            while True:
                known = self.state.log
                if known.first - 1 <= offset or known.first <= 1:
                    return
                want = min(known.first - 1 - offset + 1, PAGE)
                entries = await self._stored.older(known.epoch, known.first, want)
                if self.state.log is not known:
                    continue
                if not entries or not self._prepend(known, entries, offset):
                    return

    def _prepend(self, known: Log, entries: list[Entry], offset: int) -> bool:
        """Put entries in front, the newest of them first; whether there is more to fetch."""
        layer = self._layer
        with layer.lock:
            before = known.bytes
            for entry in entries:
                if entry.offset != known.first - 1:
                    break
                if entry.offset <= offset:  # only its tag is wanted
                    known.begin_after(entry.tag)
                    break
                if len(known) >= known.max_messages or known.bytes >= known.max_bytes:
                    known.begin_after(entry.tag)
                    layer.registry.log_grew(known, known.bytes - before)
                    return False
                known.prepend(
                    layer.opened(entry), time=entry.time, tag=entry.tag,
                    sender=self._sender(entry), flags=entry.flags,
                )  # fmt: skip
                known.begin_after(0)
            layer.registry.log_grew(known, known.bytes - before)
        return known.first - 1 > offset

    def on_left(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called, on any thread, when somebody has stopped reading."""
        self.state.left = lambda _: callback()
