"""Many subscriptions on one connection; what was taken back stays silent."""

import pytest

from nbchannels.protocol.events import (
    MESSAGE,
    Ack,
    Gap,
    Heartbeat,
    Record,
    Subscribed,
    Unsubscribed,
    Welcome,
)
from nbchannels.protocol.subscriber import Subscriber


def message(log_id: int, offset: int) -> Record:
    return Record(MESSAGE, 1, 0, "", log_id, offset, offset, 0.0, 0, b"{}", 48)


def subscribed(group: str, log_id: int, epoch: str = "aa") -> Subscribed:
    return Subscribed(group, log_id, epoch, 0, 0, 0, True)


@pytest.fixture
def subscriber() -> Subscriber:
    found = Subscriber()
    found.welcomed(Welcome("s", "0.1.0", 1, limits={"window": 2}))
    for log_id, group in enumerate("ab", 1):
        found.ask(found.subscribe(group, "log", "now", None))
        found.subscribed(subscribed(group, log_id))
    return found


def test_messages_find_their_group(subscriber: Subscriber) -> None:
    assert subscriber.message(message(1, 1), 0.0) is subscriber.groups["a"]
    assert subscriber.message(message(2, 1), 0.0) is subscriber.groups["b"]
    assert subscriber.message(message(3, 1), 0.0) is None


def test_acknowledgements_are_joined(subscriber: Subscriber) -> None:
    subscriber.message(message(1, 1), 0.0)
    subscriber.message(message(2, 1), 0.0)
    subscriber.message(message(1, 2), 0.0)
    assert subscriber.acknowledge() == Ack([(1, 2), (2, 1)])
    assert subscriber.acknowledge() is None


def test_the_deadline_is_that_of_the_oldest_message() -> None:
    subscriber = Subscriber()
    for log_id, group in enumerate("ab", 1):
        subscriber.subscribe(group, "log", "now", None)
        subscriber.subscribed(subscribed(group, log_id))
    assert subscriber.deadline() is None
    subscriber.message(message(1, 1), 5.0)
    subscriber.message(message(2, 1), 5.5)
    assert subscriber.deadline() == 6.0
    subscriber.tick(6.0)
    assert subscriber.acknowledge() == Ack([(1, 1)])
    assert subscriber.deadline() == 6.5


def test_nothing_comes_after_unsubscribe(subscriber: Subscriber) -> None:
    assert subscriber.unsubscribe("a", said=True) is not None
    assert subscriber.message(message(1, 1), 0.0) is None
    assert subscriber.gap(Gap(1, 1, 2, "trimmed")) is None
    assert subscriber.unsubscribed(Unsubscribed("a"))
    assert not subscriber.unsubscribed(Unsubscribed("a"))
    assert subscriber.unsubscribe("a", said=True) is None


def test_an_answer_to_an_older_request_is_not_taken_for_the_newest(subscriber: Subscriber) -> None:
    subscriber.unsubscribe("a", said=True)
    state = subscriber.subscribe("a", "log", "earliest", None)
    subscriber.ask(state)
    assert subscriber.subscribed(subscribed("a", 1, "old")) is None
    assert subscriber.message(message(1, 1), 0.0) is None
    assert subscriber.unsubscribed(Unsubscribed("a"))
    assert subscriber.subscribed(subscribed("a", 1)) is state
    assert subscriber.message(message(1, 1), 0.0) is state


def test_the_server_ends_a_subscription(subscriber: Subscriber) -> None:
    assert subscriber.unsubscribed(Unsubscribed("b", {"code": "forbidden"}))
    assert "b" not in subscriber.groups
    assert not subscriber.unsubscribed(Unsubscribed("b", {"code": "forbidden"}))


def test_another_log_takes_the_place_of_the_first(subscriber: Subscriber) -> None:
    subscriber.message(message(1, 1), 0.0)
    subscriber.subscribed(subscribed("a", 9, "bb"))
    assert subscriber.message(message(1, 2), 0.0) is None
    assert subscriber.message(message(9, 1), 0.0) is subscriber.groups["a"]


def test_a_heartbeat_of_a_log_that_is_gone_is_no_loss(subscriber: Subscriber) -> None:
    subscriber.heartbeat(Heartbeat(0.0, [(99, 5, 5), (1, 0, 7)]))
    assert subscriber.groups["a"].lag == 7
