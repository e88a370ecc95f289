"""Receiving from channels in memory: leases, dead letters, channels of one's own.

Who waits, and how they are woken, is in `nbchannels.layers.waiting`.
"""

import itertools
from collections.abc import Callable
from typing import Any

from nbchannels.decoding import decode
from nbchannels.exceptions import ChannelClosed, EncodingError, NotFound
from nbchannels.layers.deadletters import DeadLetter, Reason
from nbchannels.layers.leases import MOST_RETRIES, MOST_RETURNS, Lease, Outcome
from nbchannels.layers.mailbox import Letter, Mailbox
from nbchannels.layers.waiting import Receiver, WaitingLayer
from nbchannels.names import new_channel_name, require_channel_name
from nbchannels.receipt import Receipt

__all__ = ["ReceivingLayer", "no_dead"]


class ReceivingLayer(WaitingLayer):
    """What a layer in memory does with the messages in its channels."""

    #: Told of what happens seldom, on any thread and without the lock: ``witness("failed", {…})``,
    #: a consumer raised; ``"cleared"``, a group; ``"flushed"``. Names only, never contents.
    witness: Callable[[str, dict[str, str]], None] | None = None
    #: The consumers of this process; `nbchannels.consuming.services_of` sets it.
    services: Any = None

    def __init__(self, *options: Any) -> None:
        super().__init__(*options)
        self._numbers = itertools.count(1)
        #: What `lease` gave and nobody has settled.
        self._held: dict[int, tuple[str, Letter]] = {}

    # Receiving.

    async def receive(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.receive`."""
        # As `_receive`, without a coroutine more: this is what a member of a group does most.
        letter = self._at_hand(channel) or await self._wait(channel)
        if letter.dialogue is not None:
            letter.dialogue.taken(None)
        content = self._content(channel, letter)
        self._settled(channel, letter)
        return content

    async def lease(self, channel: str) -> Lease:
        """See `BaseChannelLayer.lease`."""
        letter = await self._receive(channel)
        content = self._content(channel, letter)
        with self._lock:
            number = next(self._numbers)
            self._held[number] = channel, letter
        return Lease(channel, number, content, letter.time, letter.redelivered, letter.retries)

    def _content(self, channel: str, letter: Letter) -> dict[str, Any]:
        """The message in a letter that was taken; one that cannot be read goes to the dead."""
        try:
            return decode(*letter.encoded)
        except EncodingError as error:
            self.finish(channel, letter, "fail", str(error))
            raise

    async def settle(
        self, lease: Lease, outcome: Outcome = "done", error: str = "", traceback: str = ""
    ) -> None:
        """See `BaseChannelLayer.settle`."""
        with self._lock:
            held = self._held.pop(lease.number, None)
        if held is not None:
            self.finish(*held, outcome, error, traceback)

    # What became of a message.

    def give_back(self, channel: str, letter: Letter) -> None:
        """A taken message comes back to the front of its channel."""
        self._come_back(channel, letter, later=False)

    def _come_back(self, channel: str, letter: Letter, *, later: bool) -> None:
        if letter.dialogue is not None and letter.dialogue.returned(channel, letter, later=later):
            return
        with self._lock:
            self._registry.come_back(channel, letter, self._clock(), later=later)
        self.pass_on(channel)

    def finish(
        self,
        channel: str,
        letter: Letter,
        outcome: Outcome,
        error: str = "",
        traceback: str = "",
        consumer: str = "",
    ) -> None:
        """A taken message was settled.

        Args:
            channel: it came from.
            letter: that `take` gave.
            outcome: see `settle`.
            error: see `settle`.
            traceback: see `settle`.
            consumer: who had it, for the dead letters.
        """
        too_often = outcome == "later" and letter.retries >= MOST_RETRIES
        if too_often:
            error = f"its consumer raised ConsumeLater {letter.retries + 1} times"
        if outcome == "done":
            self._settled(channel, letter)
        elif outcome != "fail" and not too_often:
            self._come_back(channel, letter, later=outcome == "later")
        else:
            self._failed(channel, letter, too_often, error, traceback, consumer)

    def _settled(self, channel: str, letter: Letter) -> None:
        """A letter that was taken has been worked on."""
        if letter.dialogue is not None:
            letter.dialogue.settled()

    def _failed(
        self,
        channel: str,
        letter: Letter,
        too_often: bool,
        error: str,
        traceback: str,
        consumer: str,
    ) -> None:
        with self._lock:
            self._registry.counters["failed"] += 1
        if self.witness is not None:
            self.witness("failed", {"channel": channel, "consumer": consumer})
        if letter.dialogue is not None:
            letter.dialogue.lost("failed", error)
        else:
            reason: Reason = "retries" if too_often else "failed"
            self._bury(channel, letter, reason, error, traceback, consumer)

    def holder_died(self, channel: str, letter: Letter, consumer: str = "") -> None:
        """Whoever had this message is gone: somebody else gets it, but not for ever."""
        if letter.dialogue is not None:
            letter.dialogue.lost("died", f"{consumer or 'its consumer'} is gone")
        elif letter.returns >= MOST_RETURNS:
            sentence = f"{letter.returns + 1} holders died with it"
            self._bury(channel, letter, "returns", sentence, "", consumer)
        else:
            self.give_back(channel, letter._replace(returns=letter.returns + 1))

    def _bury(
        self,
        channel: str,
        letter: Letter,
        reason: Reason,
        error: str,
        traceback: str,
        consumer: str,
    ) -> None:
        with self._lock:
            now = self._clock()
            self._registry.dead.bury(channel, letter, reason, now, error, traceback, consumer)

    async def dead_letters(
        self, limit: int = 100, channel: str | None = None
    ) -> list[dict[str, Any]]:
        """See `BaseChannelLayer.dead_letters`."""
        found = await self.dead(limit, channel)
        return [dead.describe() | {"content": dead.content()} for dead in found]

    async def dead(self, limit: int, channel: str | None = None) -> list[DeadLetter]:
        """`dead_letters`, as they are kept."""
        return self.newest_dead(limit, channel)

    def newest_dead(self, limit: int, channel: str | None = None) -> list[DeadLetter]:
        """Those that this process has buried, newest first, without asking elsewhere."""
        with self._lock:
            return self._registry.dead.newest(limit, channel)

    async def channel_of_dead(self, number: Any) -> str:
        """Where the dead letter of this number came from.

        Raises:
            NotFound: there is none.
        """
        return (await self.dead_letter(number)).channel

    async def dead_letter(self, number: Any) -> DeadLetter:
        """The dead letter of this number.

        Raises:
            NotFound: there is none.
        """
        with self._lock:
            dead = self._registry.dead.get(number)
        if dead is None:
            raise no_dead(number)
        return dead

    async def resend(self, number: int) -> Receipt:
        """See `BaseChannelLayer.resend`."""
        dead = self._take_dead(number)
        try:
            return await self._done(self.submit("channel", dead.channel, dead.letter.encoded))
        except BaseException:
            with self._lock:
                self._registry.dead.put_back(dead)
            raise

    async def discard(self, number: int) -> None:
        """See `BaseChannelLayer.discard`."""
        self._take_dead(number)

    def _take_dead(self, number: int) -> DeadLetter:
        with self._lock:
            dead = self._registry.dead.take(number)
        if dead is None:
            raise no_dead(number)
        return dead

    # Channels.

    async def new_channel(self, prefix: str = "specific") -> str:
        """See `BaseChannelLayer.new_channel`."""
        name = new_channel_name(prefix)
        self.open_channel(name)
        return name

    def open_channel(self, name: str) -> None:
        """Keep the channel, also while it is empty, until it is closed."""
        with self._lock:
            self._registry.mailbox(name, self._clock()).kept = True

    async def close_channel(self, channel: str) -> None:
        """See `BaseChannelLayer.close_channel`; waiting receivers get `ChannelClosed`."""
        require_channel_name(channel)
        with self._lock:
            box = self._registry.close_channel(channel)
            waiters = list(box.waiters) if box is not None else []
        closed = ChannelClosed(f"channel {channel!r} was closed while someone waited to receive")
        for waiter in waiters:
            if isinstance(waiter, Receiver):
                waiter.fail(closed)
            else:
                waiter.wake()
        self.tell_lost()

    async def drain(self, channel: str) -> int:
        """Drop what waits in a channel, and count it as dropped.

        Returns:
            How many messages.
        """
        require_channel_name(channel)
        with self._lock:
            box = self._registry.mailboxes.get(channel)
            if box is None:
                return 0
            self._registry.expire(box, self._clock())
            waited = len(box.letters)
            self._registry.empty(box, f"channel {channel!r} was emptied")
            self._registry.release(box)
        self.tell_lost()
        return waited

    async def channel_statistics(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.channel_statistics`."""
        require_channel_name(channel)
        with self._lock:
            now = self._clock()
            box = self._registry.mailboxes.get(channel)
            if box is None:
                box = Mailbox(channel, self.get_capacity(channel), self._expiries.of(channel))
            letters = box.letters
            return {
                "waiting": len(letters),
                "bytes": sum(len(letter.encoded.body) for letter in letters),
                "oldest": max(0.0, now - letters[0].time) if letters else 0.0,
                "capacity": box.capacity,
                "expiry": box.expiry,
                "receivers": len(box.waiters) + len(self._registry.scouts.plan(channel).scouts),
                "recent": self._registry.is_recent(channel, now),
                "sent": box.sent,
                "received": box.received,
                "dropped": box.dropped,
                "expired": box.expired,
            }


def no_dead(number: Any) -> NotFound:
    """The error of a number that no dead letter has."""
    return NotFound(f"there is no dead letter {number!r}; dead_letters() lists what there is")
