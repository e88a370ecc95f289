"""All groups and channels of one layer, and the rules of sending to them.

Pure state, without a lock, a clock or randomness of its own: the memory layer guards it, hands
``now`` in, and wakes whom a send returns. What it holds is bounded: bytes in logs, bytes in
mailboxes, and how many names there are.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelFull, LayerUnavailable
from nbchannels.layers.groups import GroupState
from nbchannels.layers.hints import group_hint, no_receiver
from nbchannels.layers.log import Log
from nbchannels.layers.mailbox import Dialogue, Letter, Mailbox
from nbchannels.layers.mailboxes import RECENT, Mailboxes
from nbchannels.layers.producers import Producer, Producers
from nbchannels.names import PROBLEMS
from nbchannels.receipt import Receipt

__all__ = ["Bounds", "Registry", "Sent"]


class Bounds(NamedTuple):
    """What a layer holds at most.

    Attributes:
        history: messages kept in the log of one group.
        history_bytes: of them together.
        total_history_bytes: of all logs; the idlest log shrinks first.
        mailbox_bytes: of all messages waiting in channels.
        groups: how many groups there may be.
        channels: how many channels there may be.
    """

    history: int = 10_000
    history_bytes: int = 16 * 2**20
    total_history_bytes: int = 256 * 2**20
    mailbox_bytes: int = 256 * 2**20
    groups: int = 10_000
    channels: int = 100_000


class Sent(NamedTuple):
    """What a send did: the receipt, the group with news, the mailboxes with news."""

    receipt: Receipt
    group: GroupState | None
    woken: list[Mailbox]


class Registry(Mailboxes):
    """The groups and channels.

    Args:
        capacity: of a channel, by its name.
        expiry: seconds that a message waits in a channel, by its name.
        bits: random bits: ``bits(32)``.
        bounds: what is held at most.
        group_expiry: seconds after its last use that a group is forgotten.
    """

    def __init__(
        self,
        capacity: Callable[[str], int],
        expiry: Callable[[str], float],
        bits: Callable[[int], int],
        bounds: Bounds,
        group_expiry: float,
    ) -> None:
        super().__init__(capacity, expiry, bounds.channels)
        self.groups: dict[str, GroupState] = {}
        self.bounds = bounds
        self.log_bytes = 0
        self._bits = bits
        self._group_expiry = group_expiry
        self._logs = 0

    # Names.

    def group(self, name: str, now: float) -> GroupState:
        """The group of this name; it begins to exist now if it did not.

        Raises:
            LayerUnavailable: there are too many groups.
        """
        state = self.groups.get(name)
        if state is None:
            if len(self.groups) >= self.bounds.groups:
                self.forget(now)
                if len(self.groups) >= self.bounds.groups and not self._forget_idlest():
                    raise LayerUnavailable(
                        f"there are {len(self.groups):,} groups, the limit is "
                        f"{self.bounds.groups:,}, and all have members or subscribers; "
                        "use fewer names, with the rest as a field of the message"
                    )
            state = self.groups[name] = GroupState(name, self._new_log(), now)
        state.used = now
        return state

    def new_log(self, epoch: str, before: tuple[str, ...] = (), top: int = 0, edge: int = 0) -> Log:
        """An empty log with a number of its own; see `Log`."""
        self._logs += 1
        bounds = self.bounds
        return Log(self._logs, epoch, bounds.history, bounds.history_bytes, before, top, edge)

    def _new_log(self, before: tuple[str, ...] = ()) -> Log:
        return self.new_log(f"{self._bits(64):016x}", before)

    # Sending.

    def append(
        self,
        name: str,
        encoded: Encoded,
        now: float,
        producer: Producer | None = None,
        sender: int = 0,
        flags: int = 0,
    ) -> Sent:
        """Send to a group: into its log, and into the mailboxes of its members."""
        state = self.group(name, now)
        log = state.log
        if producer is not None:
            seen = log.producers.seen(producer, now)
            if seen is not None:
                offset, tag = seen
                receipt = self._group_receipt(state, 0, offset, tag, duplicate=True)
                return Sent(receipt, None, [])
        tag = self._bits(32)
        before = log.bytes
        entry = log.append(encoded, now=now, tag=tag, sender=sender, flags=flags)
        self.log_grew(log, log.bytes - before)
        if producer is not None:
            log.producers.note(producer, entry.offset, tag, now)
        dropped = 0
        woken: list[Mailbox] = []
        if state.members:
            dropped, woken = self.into_members(state.members.values(), encoded, now, sender)
        self.counters["group_sent"] += 1
        return Sent(self._group_receipt(state, dropped, entry.offset, tag), state, woken)

    def log_grew(self, log: Log, size: int) -> None:
        """A log has so many bytes more; all of them together stay under their limit."""
        self.log_bytes += size
        if self.log_bytes > self.bounds.total_history_bytes:
            self._shrink_logs(log)

    def into_members(
        self, boxes: Iterable[Mailbox], encoded: Encoded, now: float, sender: int
    ) -> tuple[int, list[Mailbox]]:
        """Put a message of a group into mailboxes; return how many were full, and who has news."""
        dropped, size = 0, len(encoded.body)
        woken: list[Mailbox] = []
        letters: dict[float, Letter] = {}
        waiting, limit = self.waiting_bytes, self.bounds.mailbox_bytes
        has_scouts = bool(self.scouts)
        for box in boxes:
            letter = letters.get(box.expiry)
            if letter is None:
                letter = letters[box.expiry] = Letter(encoded, now, now + box.expiry, sender)
            if len(box.letters) >= box.capacity or waiting + size > limit:
                self.waiting_bytes = waiting
                fits = self._make_room(box, now)
                waiting = self.waiting_bytes
                if not fits or waiting + size > limit:
                    dropped += 1
                    box.dropped += 1
                    continue
            box.letters.append(letter)
            waiting += size
            if has_scouts or box.waiters:
                woken.append(box)
        self.waiting_bytes = waiting
        self.counters["dropped"] += dropped
        return dropped, woken

    def _make_room(self, box: Mailbox, now: float) -> bool:
        self.expire(box, now)
        return len(box.letters) < box.capacity

    def put(
        self,
        name: str,
        encoded: Encoded,
        now: float,
        producer: Producer | None = None,
        sender: int = 0,
        dialogue: Dialogue | None = None,
    ) -> Sent:
        """Send to a channel.

        Raises:
            ChannelFull: the message was not stored.
        """
        box = self.mailbox(name, now)
        if producer is not None:
            if box.producers is None:
                box.producers = Producers()
            if box.producers.seen(producer, now) is not None:
                return Sent(Receipt("channel", name, duplicate=True), None, [])
        size = len(encoded.body)
        if self.waiting_bytes + size > self.bounds.mailbox_bytes:
            self.expire_all(now)
            if self.waiting_bytes + size > self.bounds.mailbox_bytes:
                self.counters["refused"] += 1
                self.release(box)
                raise ChannelFull(
                    f"channel {name!r} cannot take {size:,} bytes: messages of "
                    f"{self.waiting_bytes:,} bytes wait in all channels, the limit is "
                    f"{self.bounds.mailbox_bytes:,}; receive them, or send less",
                    channel=name,
                    capacity=box.capacity,
                )
        if len(box.letters) >= box.capacity and not self._make_room(box, now):
            box.dropped += 1
            self.counters["refused"] += 1
            raise ChannelFull(channel=name, capacity=box.capacity)
        letter = Letter(encoded, now, now + box.expiry, sender, dialogue=dialogue)
        box.letters.append(letter)
        box.sent += 1
        self.waiting_bytes += size
        self.counters["sent"] += 1
        if producer is not None and box.producers is not None:
            box.producers.note(producer, box.sent, 0, now)
        receivers = len(box.waiters)
        if self.scouts:
            receivers += len(self.scouts.plan(name).scouts)
        hint = None if receivers or now - box.used < RECENT else no_receiver(self, box)
        receipt = Receipt("channel", name, members=receivers, offset=box.sent, hint=hint)
        return Sent(receipt, None, [box] if receivers else [])

    def _group_receipt(
        self,
        state: GroupState,
        dropped: int,
        offset: int | None,
        tag: int | None,
        duplicate: bool = False,
    ) -> Receipt:
        members, subscribers = len(state.members), len(state.cursors)
        hint = group_hint(self, state, dropped)
        return Receipt(
            "group", state.name, members, subscribers, dropped, state.log.epoch, offset, tag,
            duplicate=duplicate, hint=hint,
        )  # fmt: skip

    # Forgetting.

    def close_channel(self, name: str) -> Mailbox | None:
        """Forget a channel: out of its groups, its messages dropped."""
        box = super().close_channel(name)
        if box is not None:
            for group in box.groups:
                self.groups[group].members.pop(name, None)
            box.groups.clear()
        return box

    def clear(self, name: str, now: float) -> GroupState:
        """Start a new epoch of the group."""
        state = self.group(name, now)
        self.log_bytes -= state.log.bytes
        # A reader may have slept through several clears; sixteen are remembered.
        state.log = self._new_log((*state.log.before[-15:], state.log.epoch))
        return state

    def flush(self, now: float) -> list[GroupState]:
        """Forget all but who listens and waits; return the groups, which have new epochs."""
        states = [self.clear(name, now) for name in self.groups]
        for name, box in list(self.mailboxes.items()):
            if box.waiters:
                self.empty(box, "everything was flushed")
                box.groups.clear()
            else:
                self.close_channel(name)
        for state in states:
            state.members.clear()
        self.dead.clear()
        return states

    def forget(self, now: float) -> None:
        """Forget groups that nobody has used for ``group_expiry``."""
        for state in list(self.groups.values()):
            unused = not state.cursors and not state.members
            if unused and now - state.used >= self._group_expiry:
                self.drop(state)

    def _forget_idlest(self) -> bool:
        idle = [g for g in self.groups.values() if not g.cursors and not g.members]
        if idle:
            self.drop(min(idle, key=lambda state: state.used))
        return bool(idle)

    def drop(self, state: GroupState) -> None:
        """Forget a group."""
        self.log_bytes -= state.log.bytes
        del self.groups[state.name]

    def _shrink_logs(self, newest: Log) -> None:
        """Bring the logs under their common limit: the idlest loses half until it is enough."""
        for state in sorted(self.groups.values(), key=lambda state: state.used):
            while self.log_bytes > self.bounds.total_history_bytes and len(state.log) > 1:
                freed = state.log.trim(max(1, len(state.log) // 2), state.log.bytes)
                self.log_bytes -= freed
            if self.log_bytes <= self.bounds.total_history_bytes:
                return

    def statistics(self) -> dict[str, Any]:
        """The counters, and what is held now."""
        return {
            **self.counters,
            "groups": len(self.groups) - (PROBLEMS in self.groups),
            "channels": len(self.mailboxes),
            "history_bytes": self.log_bytes,
            "waiting_bytes": self.waiting_bytes,
            "dead": len(self.dead),
        }
