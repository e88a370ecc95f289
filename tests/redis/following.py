"""One subscriber of a group, event by event: where it stood, what it got, what it was told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nbchannels.protocol.events import Position
from tests.redis.history import Event, Identity

__all__ = ["Followed", "Held", "Sent", "Stretch", "Violation"]


#: A message, and where in a log it stands.
Held = tuple[Identity | None, Position | None]


class Violation(NamedTuple):
    """One promise that was not kept.

    Attributes:
        kind: as in the list above.
        sentence: what is wrong.
        events: which show it.
    """

    kind: str
    sentence: str
    events: tuple[Event, ...]

    def __str__(self) -> str:
        shown = sorted(set(self.events), key=lambda event: event.number)
        return "\n".join([f"{self.kind}: {self.sentence}", *(f"  {event}" for event in shown)])


@dataclass
class Sent:
    """One message, and what its sender was told at each attempt."""

    message: Identity
    started: list[Event] = field(default_factory=list)
    acknowledged: list[Event] = field(default_factory=list)
    failed: list[Event] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Every attempt was."""
        return len(self.failed) == len(self.started)


@dataclass
class Stretch:
    """From one anchor that was not recovered to the next.

    Attributes:
        epoch: of the log.
        begin: the anchor.
        first: the offset of the anchor.
        offset, tag: after what came last; the tag is 0 where it is not known.
        delivered, gaps: what came.
        end: the next anchor.
    """

    epoch: str
    begin: Event
    first: int
    offset: int
    tag: int
    delivered: list[Event] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    end: Event | None = None


@dataclass
class Followed:
    """A subscriber.

    Attributes:
        name: of it.
        stretches: in order.
        delivered: all it got.
        revoked: the numbers of those events that the log took back, and it was told.
        found: what was wrong on the way.
        left: when it did.
        rewritten: the numbers of the events that told, it or others before it came, that the log
            is not what it was (``tag``).
    """

    name: str
    stretches: list[Stretch] = field(default_factory=list)
    delivered: list[Event] = field(default_factory=list)
    revoked: set[int] = field(default_factory=set)
    found: list[Violation] = field(default_factory=list)
    left: Event | None = None
    rewritten: list[int] = field(default_factory=list)
    _last: Event | None = None
    _newest: dict[Identity, Event] = field(default_factory=dict)

    def follow(self, event: Event) -> None:
        """The next event of this subscriber."""
        if event.what == "left":
            self.left = event
        elif event.what == "anchored":
            self._anchored(event)
        elif not self.stretches:
            self._wrong("hole", "was never told where it begins", event)
        elif event.what == "delivered":
            self._delivered(event)
        else:
            self._gap(event)
        self._last = event

    def present_at(self, event: Event) -> bool:
        """Whether it had not left when that happened."""
        return self.left is None or event.number < self.left.number

    def lost(self, sent: Iterable[Sent], standing: set[Held]) -> Iterator[Violation]:
        """What was acknowledged, and neither came nor was announced as missing.

        Args:
            sent: by all producers.
            standing: what is in the log still, as others see.
        """
        for one in sent:
            if one.acknowledged and one.message not in self._newest and self.stretches:
                if not any(self._excused(one, event, standing) for event in one.acknowledged):
                    around = self._around(one.acknowledged[-1])
                    told = (one.started[-1], one.acknowledged[-1], *around)
                    producer, number = one.message
                    yield Violation("lost", f"{self.name} never got {number} of {producer}", told)

    def _wrong(self, kind: str, sentence: str, *events: Event | None) -> None:
        told = tuple(event for event in events if event is not None)
        self.found.append(Violation(kind, f"{self.name} {sentence}", told))

    def _anchored(self, event: Event) -> None:
        assert event.position is not None
        epoch, offset, tag = event.position
        if self.stretches:
            now = self.stretches[-1]
            if event.recovered:
                same_tag = now.tag == tag or 0 in (now.tag, tag)
                if (now.epoch, now.offset) == (epoch, offset) and same_tag:
                    return
                here = f"had reached {now.epoch}:{now.offset} (tag {now.tag})"
                self._wrong("false recovery", here, self._last, event)
            elif event.reason is None:
                self._wrong("false recovery", "is elsewhere without a reason", self._last, event)
            now.end = event
            if event.reason == "tag":  # what stood there stands there no more
                self.rewritten.append(event.number)
                kept = offset if epoch == now.epoch else -1
                for earlier in self.delivered:
                    at = earlier.position
                    if at is not None and at.epoch == now.epoch and at.offset > kept:
                        self.revoked.add(earlier.number)
        self.stretches.append(Stretch(epoch, event, offset, offset, tag))

    def _delivered(self, event: Event) -> None:
        assert event.position is not None
        assert event.message is not None
        now = self.stretches[-1]
        offset = event.position.offset
        earlier = self._newest.get(event.message)
        if earlier is not None and earlier.position is not None:
            again = earlier.position.epoch == now.epoch and earlier.number not in self.revoked
            if again:
                self._wrong("duplicate", f"got it twice in epoch {now.epoch}", earlier, event)
            elif not event.marked:
                self._wrong("unmarked", "got it again without 'retried'", earlier, event)
        if event.position.epoch != now.epoch:
            self._wrong("hole", "was not told of another epoch", now.begin, self._last, event)
        elif offset != now.offset + 1:
            sentence = f"stood at {now.offset}, and then came {offset}"
            self._wrong("hole", sentence, self._last, event)
        self._newest[event.message] = event
        now.offset, now.tag = offset, event.position.tag
        now.delivered.append(event)
        self.delivered.append(event)

    def _gap(self, event: Event) -> None:
        assert event.position is not None
        assert event.last is not None
        now, first = self.stretches[-1], event.position.offset
        if first != now.offset + 1 or event.last < first:
            sentence = f"stood at {now.offset}, and the gap is elsewhere"
            self._wrong("hole", sentence, self._last, event)
        now.gaps.append((first, event.last))
        now.offset, now.tag = event.last, 0

    def _excused(self, one: Sent, acknowledged: Event, standing: set[Held]) -> bool:
        """Whether it was told that this would not come, or it was not there at the time."""
        place = acknowledged.position
        here = [each for each in self.stretches if place and each.epoch == place.epoch]
        if place is None or not here:
            # It never saw that epoch: sent before its time or after it, or jumped over.
            now = self.stretches[-1]
            before = one.started[0].number < self.stretches[0].begin.number
            jumped = len(self.stretches) > 1 and one.started[0].number < now.begin.number
            return before or jumped or self.left is not None
        stands = (one.message, place) in standing
        if not stands and any(number > acknowledged.number for number in self.rewritten):
            return True
        after = [each for each in here if each.first < place.offset]
        if not after:
            return True
        stretch = after[-1]
        if any(first <= place.offset <= last for first, last in stretch.gaps):
            return True
        ended = stretch.end is not None or self.left is not None
        return place.offset > stretch.offset and ended

    def _around(self, acknowledged: Event) -> list[Event]:
        """What it got before that place and after it."""
        place = acknowledged.position
        near = [
            event
            for event in self.delivered
            if place and event.position and event.position.epoch == place.epoch
        ]
        before = [event for event in near if event.position < place]  # type: ignore[operator]
        after = [event for event in near if event.position > place]  # type: ignore[operator]
        begin = self.stretches[-1].begin
        return [before[-1] if before else begin, *after[:1]]
