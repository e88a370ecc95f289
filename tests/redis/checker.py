"""Judge a history: what every test with a fault in it ends with.

For a group:

* ``lost``: acknowledged, and a subscriber neither got it nor was told that it would not come (a
  gap, or a cursor put elsewhere and saying so: another epoch, trimmed, a tag that does not match);
* ``hole``: offsets are not contiguous, and nobody said so;
* ``duplicate``: the same message twice within an epoch; ``unmarked``: again in another one, and
  without ``retried``;
* ``order``: two subscribers have different entries at one place, or a sender's messages come in
  another order than it sent them;
* ``position``: delivered elsewhere than acknowledged, or two acknowledged at one place;
* ``phantom``: delivered, and nobody had sent it, or the sender was told that it was refused;
* ``false recovery``: a cursor says «recovered» at another place than the subscriber had reached,
  or «not recovered» without a reason.

For a channel: ``undone`` (acknowledged, and neither done nor announced as given up), ``done twice``
(again without the mark ``redelivered``), ``order`` (where one worker does all), ``phantom``.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tests.redis.following import Followed, Held, Sent, Violation
from tests.redis.history import Event, History, Identity

__all__ = ["HistoryError", "Violation", "check", "violations"]


class HistoryError(AssertionError):
    """A history in which a promise is broken; it shows the smallest excerpt that proves it.

    Attributes:
        violations: all of them.
    """

    def __init__(self, found: list[Violation]) -> None:
        self.violations = found
        counts = Counter(violation.kind for violation in found)
        told = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        smallest = min(found, key=lambda violation: (len(violation.events), len(str(violation))))
        super().__init__(f"promises broken: {told}; the smallest:\n{smallest}")


def check(history: History) -> None:
    """Every promise was kept, and every subscriber that has not left has got all.

    Raises:
        HistoryError: else.
    """
    found = list(violations(history))
    if found:
        raise HistoryError(found)


def violations(history: History) -> Iterator[Violation]:
    """What is wrong with a history."""
    targets: dict[str, list[Event]] = defaultdict(list)
    for event in list(history.events):
        targets[event.target].append(event)
    for events in targets.values():
        told = any(event.what in ("anchored", "delivered", "gap") for event in events)
        if told or any(event.what == "acknowledged" and event.position for event in events):
            yield from _group(events)
        else:
            yield from _channel(events)


def _sent(events: Iterable[Event]) -> dict[Identity, Sent]:
    sent: dict[Identity, Sent] = {}
    for event in events:
        if event.message is None:
            continue
        if event.what in ("started", "acknowledged", "failed"):
            one = sent.setdefault(event.message, Sent(event.message))
            getattr(one, event.what).append(event)
    return sent


def _phantoms(sent: dict[Identity, Sent], arrived: Iterable[Event]) -> Iterator[Violation]:
    for event in arrived:
        assert event.message is not None
        one = sent.get(event.message)
        if one is None or one.started[0].number > event.number:
            yield Violation("phantom", f"nobody had sent what {event.who} got", (event,))
        elif one.is_refused:
            sentence = f"it was refused, and {event.who} got it"
            yield Violation("phantom", sentence, (*one.started, *one.failed, event))


# --- groups ---------------------------------------------------------------------------------------


def _group(events: list[Event]) -> Iterator[Violation]:
    sent = _sent(events)
    followed: dict[str, Followed] = {}
    for event in events:
        if event.what in ("anchored", "delivered", "gap", "left"):
            followed.setdefault(event.who, Followed(event.who)).follow(event)
    standing: set[Held] = {
        (event.message, event.position)
        for each in followed.values()
        if each.left is None
        for event in each.delivered
        if event.number not in each.revoked
    }
    rewritten = [number for each in followed.values() for number in each.rewritten]
    for each in followed.values():
        if each.stretches:
            came = each.stretches[0].begin.number
            each.rewritten += [number for number in rewritten if number < came]
        yield from each.found
        yield from _senders_order(each)
        yield from _phantoms(sent, each.delivered)
        yield from each.lost(sent.values(), standing)
    yield from _agreement(followed.values())
    yield from _places(sent, followed.values())


def _senders_order(each: Followed) -> Iterator[Violation]:
    for stretch in each.stretches:
        newest: dict[str, Event] = {}
        for event in stretch.delivered:
            assert event.message is not None
            producer, number = event.message
            before = newest.get(producer)
            if before is not None and before.message is not None and number < before.message[1]:
                sentence = f"{each.name} got the messages of {producer} in another order"
                yield Violation("order", sentence, (before, event))
            newest[producer] = event


def _agreement(followed: Iterable[Followed]) -> Iterator[Violation]:
    """At one place of a log all who hold on to it have the same."""
    holds: dict[tuple[str, int], tuple[Followed, Event]] = {}
    for each in followed:
        for event in each.delivered:
            assert event.position is not None
            if event.number in each.revoked:
                continue
            other, theirs = holds.setdefault(event.position[:2], (each, event))
            if (theirs.message, theirs.position) == (event.message, event.position):
                continue
            # Who has left cannot be told that the log has changed since.
            if other.present_at(event) and each.present_at(theirs):
                epoch, offset, _ = event.position
                sentence = (
                    f"{other.name} and {each.name} have different entries at {epoch}:{offset}"
                )
                yield Violation("order", sentence, (theirs, event))


def _places(sent: dict[Identity, Sent], followed: Iterable[Followed]) -> Iterator[Violation]:
    """What is acknowledged at a place stands there, and nothing else does."""
    taken: dict[object, Event] = {}
    at: dict[tuple[Identity, str], Event] = {}
    for one in sent.values():
        for event in one.acknowledged:
            if event.position is None:
                continue
            at[one.message, event.position.epoch] = event
            other = taken.setdefault(event.position, event)
            if other.message != event.message:
                yield Violation("position", "two have the same place", (other, event))
    for each in followed:
        for event in each.delivered:
            assert event.message is not None
            assert event.position is not None
            told = at.get((event.message, event.position.epoch))
            if told is None or event.number in each.revoked:
                continue
            if told.position != event.position:
                sentence = f"acknowledged there, and {each.name} got it elsewhere"
                yield Violation("position", sentence, (told, event))


# --- channels -------------------------------------------------------------------------------------


def _channel(events: list[Event]) -> Iterator[Violation]:
    sent = _sent(events)
    runs: dict[Identity, list[Event]] = defaultdict(list)
    ends = [event for event in events if event.what in ("done", "given up")]
    for event in ends:
        assert event.message is not None
        runs[event.message].append(event)
    for one in sent.values():
        if one.acknowledged and not runs[one.message]:
            yield Violation(
                "undone", "nobody did it or gave it up", (*one.started, *one.acknowledged)
            )
    for done in runs.values():
        unmarked = [event for event in done if event.what == "done" and not event.marked]
        if len(unmarked) > 1:
            yield Violation("done twice", "and not marked as redelivered", tuple(unmarked[:2]))
    yield from _phantoms(sent, ends)
    if len({event.who for event in ends}) == 1:
        newest: dict[str, Event] = {}
        for event in ends:
            assert event.message is not None
            if event.what != "done" or event.marked:
                continue
            before = newest.get(event.message[0])
            if before is not None and before.message is not None and event.message < before.message:
                sentence = f"{event.who} got what {event.message[0]} sent in another order"
                yield Violation("order", sentence, (before, event))
            newest[event.message[0]] = event
