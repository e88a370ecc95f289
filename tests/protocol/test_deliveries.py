"""What a client has in hand, over its connections."""

from msgspec import UNSET

from nbchannels.protocol.client import ClientSession
from nbchannels.protocol.codec import decode_client_control, encode_control
from nbchannels.protocol.deliveries import MOST_SETTLED, Deliveries
from nbchannels.protocol.events import (
    DELIVERY,
    Call,
    Credit,
    Hello,
    Record,
    Settle,
    Welcome,
)


def delivery(lease: int, channel: str = "work", consumer: int = 0) -> Record:
    return Record(DELIVERY, 1, 0, channel, consumer, 0, lease, 0.0, 0, b"{}")


def test_credit_is_said_again_as_far_as_it_is_open():
    mine = Deliveries()
    assert mine.credit("a", 2) == Credit("a", 2)
    mine.credit("b", 1)
    mine.credit("c", 3)
    mine.delivered(delivery(1, "a"))
    mine.delivered(delivery(2, "b"))
    mine.credit("c", 0)
    assert mine.credits() == [Credit("a", 1)]


def test_deliveries_for_consumers_take_no_credit():
    mine = Deliveries()
    mine.credit("work", 1)
    mine.delivered(delivery(1, "work", consumer=7))
    assert mine.credits() == [Credit("work", 1)]
    assert list(mine.leases) == [1]


def test_a_delivery_without_credit_does_no_harm():
    mine = Deliveries()
    mine.delivered(delivery(1))
    assert mine.credits() == []


def test_settling_tells_and_remembers():
    mine = Deliveries()
    for lease in (1, 2, 3):
        mine.delivered(delivery(lease))
    assert mine.settle([(1, "done"), (2, "fail")], {2: {"error": "no"}, 9: {"error": "x"}}) == (
        Settle([(1, "done"), (2, "fail")], [(2, {"error": "no"})])
    )
    assert (list(mine.leases), list(mine.settled)) == ([3], [(1, "done"), (2, "fail")])
    assert mine.settle([(3, "later")], {}) == Settle([(3, "later")], UNSET)


def test_what_is_not_held_is_not_settled_a_second_time():
    mine = Deliveries()
    mine.delivered(delivery(1))
    assert mine.settle([(1, "done"), (1, "fail")], {}) == Settle([(1, "done")], UNSET)
    assert mine.settle([(1, "return"), (5, "done")], {}) is None
    assert list(mine.settled) == [(1, "done")]


def test_settlements_that_are_told_again_are_bounded():
    mine = Deliveries()
    for lease in range(MOST_SETTLED + 10):
        mine.delivered(delivery(lease))
        mine.settle([(lease, "done")], {})
    assert len(mine.settled) == MOST_SETTLED
    assert mine.settled[-1] == (MOST_SETTLED + 9, "done")
    mine.forget_leases()
    assert (len(mine.leases), len(mine.settled)) == (0, 0)


class Wire:
    """A client session, and what it says."""

    def __init__(self):
        self.session = ClientSession("script", "0.1.0", "p" * 32)

    def said(self):
        texts = iter(self.session.take, None)
        return [decode_client_control(text) for text in texts if isinstance(text, str)]

    def connect(self, server="one"):
        self.session.connected(0.0)
        said = self.said()
        self.session.receive(encode_control(Welcome(server, "0.1.0", 1)), 0.0)
        return said + self.said()


def consumer(number, size=0):
    return {"number": number, "binding": {"channel": "work"}, "function": "f" * size}


def test_what_another_server_gave_is_not_settled_with_this_one():
    wire = Wire()
    wire.connect("one")
    wire.session.deliveries.delivered(delivery(7))
    wire.session.disconnected()
    (hello,) = wire.connect("another")
    assert isinstance(hello, Hello)
    assert hello.leases == [7]
    wire.session.settle([(7, "done")])
    assert wire.said() == [], "its number may be another message's there"


def test_a_settlement_without_a_connection_is_told_with_the_next():
    wire = Wire()
    wire.connect()
    wire.session.deliveries.delivered(delivery(7))
    wire.session.disconnected()
    wire.session.settle([(7, "later")])
    (hello,) = wire.connect()
    assert (hello.leases, hello.settled) == (UNSET, [(7, "later")])


def test_consumers_that_have_no_room_in_hello_follow_it():
    wire = Wire()
    for number in range(1, 100):
        wire.session.deliveries.consumers[number] = consumer(number, 1000)
    wire.session.connected(0.0)
    (hello,) = wire.said()
    told = [one["number"] for one in hello.consumers]
    assert 0 < len(told) < 99
    # One that was told ends before the server answers: the others are told all the same.
    del wire.session.deliveries.consumers[told[0]]
    wire.session.receive(encode_control(Welcome("one", "0.1.0", 1)), 0.0)
    calls = [call.arguments["number"] for call in wire.said() if isinstance(call, Call)]
    assert sorted(told + calls) == list(range(1, 100))
