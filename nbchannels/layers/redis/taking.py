"""The receiving side of a layer on Redis: what is fetched for whom, and what became of it."""

import asyncio
import contextlib
from typing import Any, TypeVar

from nbchannels.encoding import encode
from nbchannels.exceptions import EncodingError, LayerUnavailable
from nbchannels.layers.deadletters import DeadLetter, Reason
from nbchannels.layers.leases import MOST_RETURNS
from nbchannels.layers.mailbox import Letter, Mailbox
from nbchannels.layers.receiving import no_dead
from nbchannels.layers.redis.entries import pack_letter
from nbchannels.layers.redis.graveyard import Graveyard
from nbchannels.layers.redis.queues import Queues
from nbchannels.layers.redis.running import RunningLayer
from nbchannels.layers.redis.sealing import Seal
from nbchannels.layers.scouts import Scout
from nbchannels.layers.serving import Waiter
from nbchannels.names import is_process_local, new_channel_name, require_channel_name
from nbchannels.receipt import Receipt

__all__ = ["TakingLayer"]

T = TypeVar("T")


class TakingLayer(RunningLayer):
    """How messages come out of Redis. The parts are made by `RedisChannelLayer`."""

    seal: Seal
    graveyard: Graveyard
    _queues: Queues

    # Taking.

    def take(self, channel: str, waiter: Waiter | None, *, front: bool = False) -> Letter | None:
        """See `ReceivingLayer.take`; what is not here is fetched."""
        letter = super().take(channel, waiter, front=front)
        if letter is not None:
            if self._inboxes.is_full(channel):
                self._inboxes.has_room(channel)
        elif is_process_local(channel):
            box = self._registry.mailboxes.get(channel)
            is_open = box is not None and box.kept  # then its inbox is read
            if waiter is not None and not is_open and not self._inboxes.is_here(channel):
                self._inboxes.opened(channel)
        elif waiter is not None:
            self._upkeep.used("channel", channel)
            self._queues.demand(channel)
        return letter

    def take_for(self, scout: Scout, channel: str) -> tuple[Letter | None, bool]:
        """See `ServingLayer.take_for`; what is not here is fetched."""
        letter, again = super().take_for(scout, channel)
        if letter is None and not is_process_local(channel):
            self._queues.demand(channel)
        return letter, again

    def wanted(self, channel: str) -> tuple[int, bool]:
        """How many messages of a channel would be taken here now; whether by a receiver."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            waiting = len(box.waiters) if box is not None else 0
            here = len(box.letters) if box is not None else 0
            scouts = self._registry.scouts.plan(channel).scouts
        return waiting + sum(scout.wants for scout in scouts) - here, waiting > 0

    def serving(self, channel: str) -> int:
        """How many receive from a channel here, or serve it, also while they are busy."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            waiting = len(box.waiters) if box is not None else 0
            return waiting + len(self._registry.scouts.plan(channel).scouts)

    def arrived(self, channel: str, letters: list[Letter]) -> None:
        """Hand out what was taken."""
        if not letters:
            return
        with self._lock:
            box = self._registry.mailbox(channel)
            box.letters.extend(letters)
            self._registry.waiting_bytes += sum(len(letter.encoded.body) for letter in letters)
            woken = self._woken([box] * len(letters))
        self._tell(woken)

    def unwanted(self, channel: str) -> list[Letter]:
        """What was taken and nobody here has wanted; it is given back."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            if box is None:
                return []
            found = [letter for letter in box.letters if letter.posted is not None]
            for letter in found:
                box.letters.remove(letter)
                self._registry.waiting_bytes -= len(letter.encoded.body)
            self._registry.release(box)
        return found

    def ring(self, channel: str) -> None:
        """There is news in a channel: tell those that serve it."""
        with self._lock:
            scouts = self._registry.scouts.plan(channel).scouts
        for scout in scouts:
            scout.notify(channel)

    def tell(self, boxes: list[Mailbox]) -> None:
        """There is news in these mailboxes."""
        with self._lock:
            woken = self._woken(boxes)
        self._tell(woken)

    def came(self, channel: str, letter: Letter) -> None:
        """Put a letter into a channel of this process."""
        with self._lock:
            box = self._registry.mailbox(channel, self._clock())
            box.letters.append(letter)
            self._registry.waiting_bytes += len(letter.encoded.body)
            woken = self._woken([box])
        self._tell(woken)

    def has_room(self, channel: str) -> bool:
        """Whether a channel of this process takes another letter."""
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            return box is None or len(box.letters) < box.capacity

    def enlist(
        self, scout: Scout, capacity: int | None = None, expiry: float | None = None
    ) -> None:
        """See `ServingLayer.enlist`; the channels of its binding are looked into."""
        super().enlist(scout, capacity, expiry)
        self._upkeep.serve(scout.binding.channel, capacity, expiry)

    def wants_more(self, scout: Scout) -> None:
        """See `ServingLayer.wants_more`: its channels are looked into again."""
        self._queues.look_again(scout.binding.channel)

    # What became of them.

    def _settled(self, channel: str, letter: Letter) -> None:
        if letter.posted is not None:
            self._queues.settlements.add(channel, letter.posted.id, "done", letter.posted.size)

    def _come_back(self, channel: str, letter: Letter, *, later: bool) -> None:
        posted = letter.posted
        if posted is None:
            super()._come_back(channel, letter, later=later)
        elif later:
            data = pack_letter(self.seal.seal(letter.encoded), letter.sender, letter.retries + 1)
            self._queues.settlements.add(channel, posted.id, "back", posted.size, 0, data)
        else:
            self._queues.settlements.add(channel, posted.id, "front", posted.size, letter.returns)

    def too_late(self, channel: str, letter: Letter) -> None:
        """It has waited too long, or too many have died with it."""
        reason: Reason = "expired"
        sentence = f"nobody took it from channel {channel!r} in time"
        if letter.returns > MOST_RETURNS:
            reason, sentence = "returns", f"{letter.returns} holders died with it"
        else:
            with self._lock:
                self._registry.counters["expired"] += 1
        self._bury(channel, letter, reason, sentence, "", "")

    def _bury(
        self,
        channel: str,
        letter: Letter,
        reason: Reason,
        error: str,
        traceback: str,
        consumer: str,
    ) -> None:
        letter = letter._replace(encoded=self.seal.seal(letter.encoded))
        self.soon(
            lambda: self._upkeep.run(
                self._bury_there(channel, letter, reason, error, traceback, consumer)
            )
        )

    async def _bury_there(self, channel: str, letter: Letter, *about: Any) -> None:
        reason, error, traceback, consumer = about
        while True:
            with contextlib.suppress(LayerUnavailable):
                await self.graveyard.bury(
                    channel, letter, reason, self._clock(), error, traceback, consumer
                )
                break
            await asyncio.sleep(0.5)
        self._settled(channel, letter)
        if self.witness is not None:
            self.witness("dead", {"channel": channel, "reason": reason})

    async def dead(self, limit: int, channel: str | None = None) -> list[DeadLetter]:
        """See `ReceivingLayer.dead`; of all that share this Redis."""
        found = await self._on_loop(self.graveyard.newest(limit, channel))
        return [dead._replace(letter=self._readable(dead.letter)) for dead in found]

    def _readable(self, letter: Letter) -> Letter:
        try:
            return letter._replace(encoded=self.seal.open(letter.encoded))
        except EncodingError as error:  # one of them must not hide the others
            unreadable = {"type": "nbchannels.unreadable", "error": str(error)}
            return letter._replace(encoded=encode(unreadable))

    async def dead_letter(self, number: Any) -> DeadLetter:
        """See `ReceivingLayer.dead_letter`."""
        dead = None
        if type(number) is int:
            dead = await self._on_loop(self.graveyard.get(number))
        if dead is None:
            raise no_dead(number)
        return dead._replace(letter=self._readable(dead.letter))

    async def resend(self, number: int) -> Receipt:
        """See `BaseChannelLayer.resend`."""
        taken = await self._on_loop(self.graveyard.take(number))
        if taken is None:
            raise no_dead(number)
        dead, data = taken
        try:
            encoded = self.seal.open(dead.letter.encoded)
            return await self._done(self.submit("channel", dead.channel, encoded))
        except BaseException:
            await asyncio.shield(self._on_loop(self.graveyard.put_back(number, data)))
            raise

    async def discard(self, number: int) -> None:
        """See `BaseChannelLayer.discard`."""
        if await self._on_loop(self.graveyard.take(number)) is None:
            raise no_dead(number)

    # Channels.

    async def new_channel(self, prefix: str = "specific") -> str:
        """See `BaseChannelLayer.new_channel`; its inbox is this layer's own."""
        name = new_channel_name(prefix, self.backbone.token)
        self.open_channel(name)
        return name

    def open_channel(self, name: str) -> None:
        """See `ReceivingLayer.open_channel`; its inbox is read."""
        with self._lock:
            box = self._registry.mailbox(name, self._clock())
            was_kept, box.kept = box.kept, True
        if not was_kept and is_process_local(name):
            self._inboxes.opened(name)

    async def close_channel(self, channel: str) -> None:
        """See `BaseChannelLayer.close_channel`."""
        require_channel_name(channel)
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            groups = sorted(box.groups) if box is not None else []
            was_kept = box is not None and box.kept
        await super().close_channel(channel)
        if was_kept and is_process_local(channel):
            self._inboxes.closed(channel)
        for group in groups:
            await self._on_loop(self._upkeep.leave(group, channel))

    async def drain(self, channel: str) -> int:
        """See `ReceivingLayer.drain`; what others have in hand stays with them."""
        here = await super().drain(channel)
        if is_process_local(channel):
            return here
        return here + await self._on_loop(self._queues.drain(channel))

    async def channel_statistics(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.channel_statistics`; of all that share this Redis."""
        if is_process_local(require_channel_name(channel)):
            return await super().channel_statistics(channel)
        return await self._on_loop(self._queues.statistics(channel))
