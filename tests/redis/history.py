"""What was done and what was seen, in the order in which it happened: what `checker` judges.

    history = History()
    sent = history.send("producer-1", "orders")
    sent.acknowledged(await layer.group_send("orders", sent.message))
    seen = history.subscriber("kernel-1", "orders")
    seen.anchored(cursor.anchor)
    seen.take(cursor.take(), layer.decode)
    check(history)

Recording is thread-safe. A message tells in itself who sent it as which: see `Send.message`.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nbchannels.exceptions import ChannelsError, DeliveryUnknown
from nbchannels.layers.cursor import Anchor, Item, Missing
from nbchannels.layers.leases import Lease
from nbchannels.protocol.events import RETRIED, Position, Record
from nbchannels.receipt import Receipt

__all__ = ["Event", "History", "Identity", "Send", "Subscriber", "Worker", "identity"]

What = Literal[
    "started", "acknowledged", "failed", "unknown",
    "anchored", "delivered", "gap", "left",
    "done", "given up",
]  # fmt: skip
#: Who sent a message, and its number there: the same for ever, however often it is sent.
Identity = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; what does not belong to its kind is None.

    Attributes:
        number: of the event: the order in which they happened.
        time: seconds since the history began.
        who: the producer, the subscriber or the worker.
        target: the group or the channel.
        message: which one.
        position: acknowledged or delivered there; or where a subscriber was put.
        last: a gap goes from ``position.offset`` to this.
        marked: ``redelivered`` or ``retried``.
        recovered, reason: of an anchor; ``reason`` also why there is a gap or an error.
    """

    number: int
    time: float
    what: What
    who: str
    target: str
    message: Identity | None = None
    position: Position | None = None
    last: int | None = None
    marked: bool = False
    recovered: bool = True
    reason: str | None = None

    def __str__(self) -> str:
        words = [f"#{self.number:<5} {self.time:8.3f} s  {self.who} {self.what}"]
        if self.message:
            words.append(f"{self.message[1]} of {self.message[0]}")
        words.append(f"in {self.target}")
        if self.what == "gap" and self.position:
            words.append(
                f"from {self.position.offset} to {self.last} in epoch {self.position.epoch}"
            )
        elif self.position:
            words.append("at {}:{} (tag {})".format(*self.position))
        if self.what == "anchored":
            words.append("recovered" if self.recovered else "not recovered")
        if self.marked:
            words.append("marked")
        if self.reason:
            words.append(f"because: {self.reason}")
        return " ".join(words)


def identity(message: Mapping[str, Any]) -> Identity:
    """Which message this is; it was made by `Send.message`."""
    return str(message["producer"]), int(message["number"])


@dataclass
class History:
    """All events so far.

    Attributes:
        events: in order, only ever added to.
    """

    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._numbers: dict[tuple[str, str], itertools.count[int]] = {}

    def record(self, what: What, who: str, target: str, **more: Any) -> Event:
        """Add an event."""
        with self._lock:
            event = Event(
                len(self.events), time.monotonic() - self._begin, what, who, target, **more
            )
            self.events.append(event)
            return event

    def send(self, producer: str, target: str, number: int | None = None) -> "Send":
        """A producer begins to send: its next message to this target, or the one of that number."""
        if number is None:
            with self._lock:
                count = self._numbers.setdefault((producer, target), itertools.count(1))
                number = next(count)
        return Send(self, producer, target, number)

    def subscriber(self, name: str, group: str) -> "Subscriber":
        """A subscriber of a group; tell it first where its cursor stands: `Subscriber.anchored`."""
        return Subscriber(self, name, group)

    def worker(self, name: str, channel: str) -> "Worker":
        """One who does what comes in a channel."""
        return Worker(self, name, channel)


class Send:
    """One attempt to send one message; say what became of it.

    Attributes:
        message: what to send.
    """

    def __init__(self, history: History, producer: str, target: str, number: int) -> None:
        self._history, self._producer, self._target = history, producer, target
        self._which = (producer, number)
        self.message: dict[str, Any] = {"type": "a.test", "producer": producer, "number": number}
        self._record("started")

    def _record(self, what: What, **more: Any) -> None:
        self._history.record(what, self._producer, self._target, message=self._which, **more)

    def acknowledged(self, receipt: Receipt | Position | None = None) -> None:
        """It is in the log, or in the channel."""
        position = receipt if isinstance(receipt, Position) else None
        if isinstance(receipt, Receipt) and receipt.kind == "group" and receipt.epoch is not None:
            assert receipt.offset is not None, receipt
            position = Position(receipt.epoch, receipt.offset, receipt.tag or 0)
        self._record("acknowledged", position=position)

    def failed(self, reason: object) -> None:
        """It was refused or withdrawn: it must not arrive."""
        self._record("failed", reason=str(reason))

    def unknown(self, reason: object) -> None:
        """Nobody said: it may arrive."""
        self._record("unknown", reason=str(reason))

    def raised(self, error: BaseException) -> None:
        """As the error says: `failed` if it is one of ours that is certain, else `unknown`."""
        certain = isinstance(error, ChannelsError) and not isinstance(error, DeliveryUnknown)
        told = f"{type(error).__name__}: {error}"
        (self.failed if certain else self.unknown)(told)


class Subscriber:
    """What one subscriber of a group is told."""

    def __init__(self, history: History, name: str, group: str) -> None:
        self._history, self._name, self._group = history, name, group
        self._epoch = ""

    def _record(self, what: What, **more: Any) -> None:
        self._history.record(what, self._name, self._group, **more)

    def anchored(self, anchor: Anchor) -> None:
        """It was put somewhere: at first, after a reconnect, or because the log was born anew."""
        self._epoch = anchor.epoch
        self._record(
            "anchored",
            position=Position(anchor.epoch, anchor.offset, anchor.tag),
            recovered=anchor.recovered,
            reason=anchor.reason,
        )

    def delivered(self, offset: int, tag: int, message: Identity, *, retried: bool = False) -> None:
        """An entry of the log."""
        position = Position(self._epoch, offset, tag)
        self._record("delivered", message=message, position=position, marked=retried)

    def gap(self, first: int, last: int, reason: str) -> None:
        """It was told that these offsets will not come."""
        self._record("gap", position=Position(self._epoch, first, 0), last=last, reason=reason)

    def left(self) -> None:
        """It wants no more."""
        self._record("left")

    def take(self, items: Iterable[Item], decode: Callable[[Record], Mapping[str, Any]]) -> int:
        """What a cursor gave; return how many of it were messages."""
        count = 0
        for item in items:
            if isinstance(item, Anchor):
                self.anchored(item)
            elif isinstance(item, Missing):
                self.gap(*item)
            else:
                retried = bool(item.flags & RETRIED)
                self.delivered(item.sequence, item.tag, identity(decode(item)), retried=retried)
                count += 1
        return count


class Worker:
    """What one worker did."""

    def __init__(self, history: History, name: str, channel: str) -> None:
        self._history, self._name, self._channel = history, name, channel

    def did(self, lease: Lease) -> None:
        """It did what the message of this lease says."""
        marked = lease.redelivered or lease.retries > 0
        self.done(identity(lease.message), marked=marked)

    def done(self, message: Identity, *, marked: bool = False) -> None:
        """It did what a message says, which came with the mark ``redelivered`` or without."""
        self._history.record("done", self._name, self._channel, message=message, marked=marked)

    def given_up(self, message: Identity, reason: str) -> None:
        """It stands with the dead letters, or was announced as expired."""
        self._history.record("given up", self._name, self._channel, message=message, reason=reason)
