"""What is sent keeps its order, whatever the server and the connection do."""

import json

import pytest

from nbchannels.protocol.codec import MAX_RECORDS, decode_records
from nbchannels.protocol.events import RETRIED
from nbchannels.protocol.publisher import MAX_JOINED, Outgoing, Publisher


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def publish(publisher: Publisher, name: str = "index", body: bytes = b"{}") -> Outgoing:
    return publisher.publish("group", name, 1, body, False)


def written(publisher: Publisher) -> list[tuple[int, bool]]:
    found = []
    while (message := publisher.take()) is not None:
        assert isinstance(message, bytes)
        found += [(r.sequence, bool(r.flags & RETRIED)) for r in decode_records(message)]
    return found


def test_records_are_joined_up_to_their_number(publisher: Publisher) -> None:
    for _ in range(MAX_RECORDS + 1):
        publish(publisher)
    assert len(decode_records(publisher.take() or b"")) == MAX_RECORDS
    assert len(decode_records(publisher.take() or b"")) == 1
    assert publisher.take() is None


def test_records_are_joined_up_to_their_size_and_a_larger_one_travels_alone(
    publisher: Publisher,
) -> None:
    for size in (MAX_JOINED * 2, MAX_JOINED // 2, MAX_JOINED // 2 - 1000, 2000):
        publish(publisher, body=bytes(size))
    messages = []
    while (message := publisher.take()) is not None:
        messages.append(message)
    assert [len(decode_records(message)) for message in messages] == [1, 2, 1]
    assert len(messages[1]) <= MAX_JOINED


def test_the_bounds_count_what_has_no_answer(publisher: Publisher) -> None:
    first, second = publish(publisher, body=b"x" * 100), publish(publisher)
    assert publisher.unacknowledged == 2
    assert publisher.unacknowledged_bytes == first.size + second.size
    written(publisher)
    assert publisher.unacknowledged == 2
    assert [*publisher.accept("group", "index", 1)] == [first]
    assert (publisher.unacknowledged, publisher.unacknowledged_bytes) == (1, second.size)
    assert publisher.reject("group", "index", 2, None, 0.0) is second
    assert (publisher.unacknowledged, publisher.unacknowledged_bytes) == (0, 0)


def test_what_was_not_written_cannot_be_accepted(publisher: Publisher) -> None:
    publish(publisher)
    assert [*publisher.accept("group", "index", 1)] == []
    assert [*publisher.accept("group", "other", 1)] == []
    assert publisher.reject("group", "index", 1, None, 0.0) is None
    assert publisher.unacknowledged == 1


def test_a_call_stays_behind_what_was_published_before(publisher: Publisher) -> None:
    publish(publisher)
    publisher.follow("call")
    publish(publisher)
    taken = [publisher.take() for _ in range(4)]
    assert [isinstance(t, bytes) for t in taken] == [True, False, True, False]
    assert taken[1] == "call"


def test_a_lost_connection_repeats_the_unanswered_of_all_targets_in_order(
    publisher: Publisher,
) -> None:
    for name in "abab":
        publish(publisher, name)
    assert written(publisher) == [(1, False), (2, False), (3, False), (4, False)]
    assert len([*publisher.accept("group", "b", 2)]) == 1
    late = publish(publisher, "a")
    publisher.rewind()
    assert written(publisher) == [(1, True), (3, True), (4, True), (5, False)]
    assert not late.uncertain


def test_withdrawing_what_was_not_written_leaves_nothing(publisher: Publisher) -> None:
    first, second = publish(publisher), publish(publisher)
    assert publisher.withdraw(first)
    assert not publisher.withdraw(first)
    assert publisher.unwritten == 1
    assert written(publisher) == [(2, False)]
    assert not publisher.withdraw(second)
    assert json.loads(publisher.take() or "") == {
        "op": "withdraw", "kind": "group", "name": "index", "sequence": 2,
    }  # fmt: skip
    assert publisher.unacknowledged == 0


def test_a_refused_record_is_certainly_not_there(publisher: Publisher) -> None:
    outgoing = publish(publisher)
    written(publisher)
    assert not outgoing.withdrawable
    publisher.reject("group", "index", 1, 0.5, 0.0)
    assert outgoing.withdrawable
    assert publisher.withdraw(outgoing)
    assert publisher.deadline() is None


def test_after_a_lost_connection_a_refusal_proves_nothing(publisher: Publisher) -> None:
    outgoing = publish(publisher)
    written(publisher)
    publisher.rewind()
    assert outgoing.uncertain
    written(publisher)
    publisher.reject("group", "index", 1, 0.5, 0.0)
    assert not outgoing.withdrawable


def test_a_refusal_holds_the_target_and_no_other(publisher: Publisher) -> None:
    publish(publisher)
    written(publisher)
    publish(publisher)
    publisher.reject("group", "index", 1, 0.5, now=10.0)
    publish(publisher)
    publish(publisher, "other")
    assert written(publisher) == [(4, False)]
    assert publisher.deadline() == 10.5
    publisher.tick(10.4)
    assert written(publisher) == []
    publisher.tick(10.5)
    assert written(publisher) == [(1, True), (2, False), (3, False)]


def test_only_the_first_record_prolongs_the_wait(publisher: Publisher) -> None:
    for _ in range(2):
        publish(publisher)
    written(publisher)
    publisher.reject("group", "index", 1, 0.5, now=0.0)
    publisher.reject("group", "index", 2, 9.0, now=0.0)
    assert publisher.deadline() == 0.5
    publisher.tick(0.5)
    written(publisher)
    publisher.reject("group", "index", 1, 2.0, now=1.0)
    assert publisher.deadline() == 3.0


def test_a_late_refusal_of_the_first_copy_does_not_count(publisher: Publisher) -> None:
    _first, second = publish(publisher), publish(publisher)
    written(publisher)
    publisher.reject("group", "index", 1, 0.5, now=0.0)
    publisher.tick(0.5)
    assert written(publisher) == [(1, True), (2, True)]
    publisher.reject("group", "index", 2, 0.5, now=0.6)  # the answer to the first copy of it
    assert not second.withdrawable
    assert publisher.deadline() is None
    assert len([*publisher.accept("group", "index", 2)]) == 2


def test_a_lost_connection_ends_the_wait(publisher: Publisher) -> None:
    publish(publisher)
    written(publisher)
    publisher.reject("group", "index", 1, 60.0, now=0.0)
    publisher.rewind()
    assert publisher.deadline() is None
    assert written(publisher) == [(1, True)]


def test_many_refusals_are_no_quadratic_work(publisher: Publisher) -> None:
    count = 5_000
    for _ in range(count):
        publish(publisher)
    written(publisher)
    for sequence in range(1, count + 1):
        publisher.reject("group", "index", sequence, 0.5, now=0.0)
    publisher.tick(0.5)
    assert [sequence for sequence, _ in written(publisher)] == [*range(1, count + 1)]
