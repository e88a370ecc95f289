"""What a client sends and has not seen accepted yet.

Every record keeps its place in two lists. ``_queue`` is what has to be written, in the order it
was asked for. A target's ``pending`` is everything the server has not answered, in order, written
or not. An acceptance takes records from the front of ``pending``; a lost connection makes
``_queue`` anew from all ``pending``; a temporary rejection takes one target out of ``_queue`` until
its time is over, and then everything of it is written again from the rejected record on, so that
the order within a target always holds.
"""

import contextlib
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from typing import Any

from nbchannels.protocol.codec import MAX_RECORDS, encode_control, encode_record
from nbchannels.protocol.events import (
    PUBLISH,
    RECEIPT_WANTED,
    RETRIED,
    SEND,
    Accepted,
    Record,
    Withdraw,
)
from nbchannels.typing import Kind

__all__ = ["MAX_JOINED", "Outgoing", "Publisher"]

#: Bytes of records that are joined in one WebSocket message; a larger record travels alone.
MAX_JOINED = 256 * 1024
#: What a record costs beside its body: its header and its padded name, at most.
_OVERHEAD = 152


class Outgoing:
    """One record on its way to the server.

    Attributes:
        sequence: the producer's number of it.
        written: whether it was handed to a connection at least once.
        uncertain: whether a connection was lost between its writing and its answer: nobody knows
            whether the server has it.
        due: answers that are still to come: one for each time it was written.
        waiter: for the host, who may keep there who waits for the answer.
    """

    __slots__ = (
        "body",
        "codec",
        "due",
        "kind",
        "name",
        "receipt",
        "sequence",
        "target",
        "uncertain",
        "waiter",
        "written",
    )

    def __init__(
        self, target: "_Target", codec: int, body: bytes | memoryview, receipt: bool, sequence: int
    ) -> None:
        self.target = target
        self.kind: Kind = target.kind
        self.name = target.name
        self.codec = codec
        self.body = body
        self.receipt = receipt
        self.sequence = sequence
        self.written = False
        self.uncertain = False
        self.due = 0
        self.waiter: Any = None

    def __repr__(self) -> str:
        return f"<Outgoing {self.sequence} to {self.kind} {self.name!r}>"

    @property
    def withdrawable(self) -> bool:
        """Whether it is certain that the server does not have it: unwritten, or refused."""
        return not self.uncertain and not self.due

    @property
    def size(self) -> int:
        """Its share of the bound on unacknowledged bytes."""
        return len(self.body) + _OVERHEAD


class _Target:
    """A group or channel with what is unanswered towards it."""

    __slots__ = ("held_until", "kind", "name", "pending", "record_kind")

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind: Kind = kind
        self.name = name
        self.record_kind = PUBLISH if kind == "group" else SEND
        self.pending: deque[Outgoing] = deque()
        self.held_until: float | None = None


class Publisher:
    """Numbers, queues, repeats and withdraws the records that a client sends.

    Attributes:
        unacknowledged: records without an answer, written or not.
        unacknowledged_bytes: of these.
        unwritten: entries that wait to be written.
    """

    def __init__(self) -> None:
        self.unacknowledged = 0
        self.unacknowledged_bytes = 0
        self._sequence = 0
        self._targets: dict[tuple[str, str], _Target] = {}
        self._held: set[_Target] = set()
        self._queue: deque[Outgoing | str] = deque()
        self._withdrawals: list[Withdraw] = []
        self._receipts: dict[tuple[Any, Any, Any], dict[str, Any]] = {}

    @property
    def unwritten(self) -> int:
        """Entries that wait to be written, calls among them."""
        return len(self._queue)

    def outstanding(self) -> list[Outgoing]:
        """Everything without an answer, in the order in which it was asked for."""
        unanswered = [o for target in self._targets.values() for o in target.pending]
        unanswered.sort(key=_sequence_of)
        return unanswered

    # --- What the user does ---

    def publish(
        self, kind: Kind, name: str, codec: int, body: bytes | memoryview, receipt: bool
    ) -> Outgoing:
        """Number a record and put it in the queue."""
        key = (kind, name)
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = _Target(kind, name)
        self._sequence += 1
        outgoing = Outgoing(target, codec, body, receipt, self._sequence)
        target.pending.append(outgoing)
        self.unacknowledged += 1
        self.unacknowledged_bytes += len(body) + _OVERHEAD
        if target.held_until is None:
            self._queue.append(outgoing)
        return outgoing

    def follow(self, text: str) -> None:
        """Put a control record behind everything in the queue: a call sees what was sent before."""
        self._queue.append(text)

    def withdraw(self, outgoing: Outgoing) -> bool:
        """Give a record up. Its answer, should one come, is no longer reported.

        Returns:
            Whether it is certain that the server does not have it.
        """
        target = outgoing.target
        if outgoing not in target.pending:
            return False
        target.pending.remove(outgoing)
        self._forget(outgoing)
        with contextlib.suppress(ValueError):
            self._queue.remove(outgoing)
        if outgoing.written:
            self._withdrawals.append(Withdraw(outgoing.kind, outgoing.name, outgoing.sequence))
        self._settle(target)
        return outgoing.withdrawable

    # --- What the server answers ---

    def accept(self, kind: Kind, name: str, upto: int) -> Iterator[Outgoing]:
        """Take the records to a target up to a number out of the list: they were accepted."""
        target = self._targets.get((kind, name))
        if target is None:
            return
        pending = target.pending
        while pending and pending[0].sequence <= upto and pending[0].due:
            outgoing = pending.popleft()
            self._forget(outgoing)
            yield outgoing
        self._settle(target)

    def accepted(self, control: Accepted) -> Iterator[tuple[Outgoing, dict[str, Any] | None]]:
        """The server has taken records: each with the receipt that it wanted."""
        receipts = self._receipts  # one may come before the acceptance that it belongs to
        for receipt in control.receipts:
            receipts[receipt.get("kind"), receipt.get("name"), receipt.get("sequence")] = receipt
        for kind, name, upto in control.targets:
            for outgoing in self.accept(kind, name, upto):
                found = receipts.pop((kind, name, outgoing.sequence), None) if receipts else None
                yield outgoing, found
        if not self.unacknowledged:
            receipts.clear()

    def reject(
        self, kind: Kind, name: str, sequence: int, retry: float | None, now: float
    ) -> Outgoing | None:
        """A record was not accepted. With ``retry`` it waits so many seconds and is written again.

        Returns:
            The record if the rejection is final.
        """
        target = self._targets.get((kind, name))
        if target is None:
            return None
        place = bisect_left(target.pending, sequence, key=_sequence_of)
        if place == len(target.pending) or target.pending[place].sequence != sequence:
            return None
        outgoing = target.pending[place]
        if not outgoing.due:
            return None
        if retry is None:
            del target.pending[place]
            self._forget(outgoing)
            self._settle(target)
            return outgoing
        outgoing.due -= 1
        if outgoing.due:
            return None  # it has been written again meanwhile: that answer counts
        if target.held_until is None:
            self._queue = deque(o for o in self._queue if not _is_to(o, target))
        if target.held_until is None or not place:
            target.held_until = now + max(retry, 0.0)
            self._held.add(target)
        return None

    # --- What the host does ---

    def rewind(self) -> None:
        """The connection is lost: whatever has no answer is written again, in order."""
        self._receipts.clear()
        for target in self._held:
            target.held_until = None
        self._held.clear()
        unanswered = self.outstanding()
        for outgoing in unanswered:
            if outgoing.due:
                outgoing.uncertain = True
                outgoing.due = 0
        self._queue = deque(unanswered)

    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        return min((t.held_until for t in self._held if t.held_until is not None), default=None)

    def tick(self, now: float) -> None:
        """Queue again what was refused and has waited long enough."""
        for target in [t for t in self._held if t.held_until is not None and t.held_until <= now]:
            target.held_until = None
            self._held.discard(target)
            self._queue.extend(target.pending)

    def take(self) -> str | bytes | None:
        """The next WebSocket message, or ``None``."""
        if self._withdrawals:
            return encode_control(self._withdrawals.pop(0))
        queue = self._queue
        parts: list[bytes] = []
        size = 0
        while queue and len(parts) < MAX_RECORDS:
            outgoing = queue[0]
            if isinstance(outgoing, str):
                if parts:
                    break
                queue.popleft()
                return outgoing
            if parts and size + len(outgoing.body) + _OVERHEAD > MAX_JOINED:
                break
            queue.popleft()
            data = self._encode(outgoing)
            parts.append(data)
            size += len(data)
        return b"".join(parts) or None

    def _encode(self, outgoing: Outgoing) -> bytes:
        flags = RETRIED if outgoing.written else 0
        if outgoing.receipt:
            flags |= RECEIPT_WANTED
        outgoing.written = True
        outgoing.due += 1
        return encode_record(
            Record(outgoing.target.record_kind, outgoing.codec, flags, outgoing.name,
                   0, 0, outgoing.sequence, 0.0, 0, outgoing.body)
        )  # fmt: skip

    def _forget(self, outgoing: Outgoing) -> None:
        self.unacknowledged -= 1
        self.unacknowledged_bytes -= len(outgoing.body) + _OVERHEAD

    def _settle(self, target: _Target) -> None:
        """Forget a target towards which nothing is pending."""
        if not target.pending:
            target.held_until = None
            self._held.discard(target)
            self._targets.pop((target.kind, target.name), None)


def _is_to(entry: Outgoing | str, target: _Target) -> bool:
    return isinstance(entry, Outgoing) and entry.target is target


def _sequence_of(outgoing: Outgoing) -> int:
    return outgoing.sequence
