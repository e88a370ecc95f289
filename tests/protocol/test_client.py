"""What the transcripts of the client session leave open."""

import json
from typing import Any

import pytest

from nbchannels.exceptions import LocalProtocolError
from nbchannels.protocol.client import SILENCE, ClientSession, KernelIdentity
from nbchannels.protocol.codec import encode_control, encode_record
from nbchannels.protocol.events import (
    DELIVERY,
    ENTRY,
    MESSAGE,
    PUBLISH,
    Accepted,
    Challenge,
    Control,
    Failure,
    Gap,
    Record,
    Rejected,
    Result,
    ServerProof,
    Subscribed,
    Unsubscribed,
    Welcome,
)
from nbchannels.protocol.proof import server_mac

WELCOME = Welcome("s1", "0.1.0", 5, limits={"window": 512, "window_bytes": 2**20})


def receive(session: ClientSession, *controls: Control, now: float = 0.0) -> list[str]:
    return [e.name for c in controls for e in session.receive(encode_control(c), now)]


def taken(session: ClientSession) -> list[Any]:
    found: list[Any] = []
    while (message := session.take()) is not None:
        found.append(json.loads(message) if isinstance(message, str) else message)
    return found


@pytest.fixture
def session() -> ClientSession:
    found = ClientSession("script", "0.1.0", "0" * 32)
    found.connected(0.0)
    taken(found)
    assert receive(found, WELCOME) == ["welcomed"]
    return found


def test_a_kernel_proves_itself_before_it_says_hello() -> None:
    session = ClientSession(
        "kernel", "0.1.0", "0" * 32, identity=KernelIdentity("k-1", b"key", lambda: "1" * 32)
    )
    session.subscribe("index")
    session.connected(0.0)
    assert taken(session) == []
    receive(session, Challenge("s1", "0" * 32))
    assert [record["op"] for record in taken(session)] == ["proof"]
    receive(session, ServerProof(server_mac(b"key", "s1", "k-1", "0" * 32, "1" * 32)))
    (hello,) = taken(session)
    assert (hello["op"], hello["client"]) == ("hello", "kernel")
    assert [s["group"] for s in hello["subscriptions"]] == ["index"]


def test_a_kernel_leaves_a_server_that_cannot_prove_itself() -> None:
    session = ClientSession("kernel", "0.1.0", "0" * 32, identity=KernelIdentity("k", b"key"))
    session.connected(0.0)
    assert receive(session, WELCOME) == ["close"]
    session.connected(1.0)
    receive(session, Challenge("s1", "0" * 32))
    events = session.receive(encode_control(ServerProof("0" * 64)), 1.0)
    assert events[0].detail[0] == 4500
    assert session.state == "CLOSED"


@pytest.mark.parametrize(
    "control",
    [
        Subscribed("index", 7, "aa", 0, 0, 0, True),
        Unsubscribed("index"),
        Gap(1, 1, 1, "trimmed"),
        Accepted([]),
        Rejected("group", "index", 1, {"code": "full"}),
        Result(1),
    ],
)
def test_before_welcome_nothing_else_may_come(control: Control) -> None:
    session = ClientSession("script", "0.1.0", "0" * 32)
    session.connected(0.0)
    (event,) = session.receive(encode_control(control), 0.0)
    assert (event.name, event.detail[0]) == ("close", 4501)


def test_a_second_welcome_is_an_error(session: ClientSession) -> None:
    assert receive(session, WELCOME) == ["close"]


def test_a_record_for_servers_is_an_error(session: ClientSession) -> None:
    data = encode_record(Record(PUBLISH, 1, 0, "index", 0, 0, 1, 0.0, 0, b"{}"))
    assert [e.detail[0] for e in session.receive(data, 0.0)] == [4501]


def test_after_close_everything_is_ignored_until_the_next_connection(
    session: ClientSession,
) -> None:
    assert [e.name for e in session.receive("no JSON", 0.0)] == ["close"]
    assert session.receive(encode_control(WELCOME), 0.0) == []
    assert session.tick(1000.0) == []
    assert session.disconnected() == []
    assert session.take() is None
    session.connected(1001.0)
    assert session.state == "CONNECTING"


def test_connected_twice_is_our_own_mistake(session: ClientSession) -> None:
    with pytest.raises(LocalProtocolError):
        session.connected(0.0)


def test_a_server_that_never_says_welcome_is_left(session: ClientSession) -> None:
    session.disconnected()
    session.connected(100.0)
    assert session.deadline() == 100.0 + SILENCE
    assert [e.detail[0] for e in session.tick(100.0 + SILENCE)] == [4003]


def test_the_deadline_is_the_next_thing_to_do(session: ClientSession) -> None:
    session.subscribe("index")
    receive(session, Subscribed("index", 7, "aa", 0, 0, 0, True), now=2.0)
    assert session.deadline() == 2.0 + SILENCE
    session.receive(encode_record(Record(MESSAGE, 1, 0, "", 7, 1, 1, 0.0, 0, b"{}")), 3.0)
    assert session.deadline() == 4.0
    outgoing = session.publish("group", "index", 1, b"{}")
    taken(session)
    error = {"code": "unavailable", "temporary": True}
    receive(session, Rejected("group", "index", outgoing.sequence, error, 0.25), now=3.0)
    assert session.deadline() == 3.25
    session.tick(3.25)
    session.tick(4.0)
    assert taken(session)[-1] != []
    assert session.deadline() == 3.0 + SILENCE
    session.disconnected()
    assert session.deadline() is None


def test_a_temporary_rejection_without_a_pause_gets_one(session: ClientSession) -> None:
    session.publish("group", "index", 1, b"{}")
    taken(session)
    receive(session, Rejected("group", "index", 1, {"code": "full", "temporary": True}), now=1.0)
    assert session.deadline() == 1.25


def test_what_is_subscribed_while_connecting_follows_hello() -> None:
    session = ClientSession("script", "0.1.0", "0" * 32)
    session.subscribe("a")
    session.connected(0.0)
    session.subscribe("b")
    session.unsubscribe("a")
    assert [record["op"] for record in taken(session)] == ["hello", "subscribe", "unsubscribe"]


def test_unsubscribing_without_a_connection_leaves_no_trace() -> None:
    session = ClientSession("script", "0.1.0", "0" * 32)
    session.subscribe("a")
    session.unsubscribe("a")
    session.connected(0.0)
    assert taken(session)[0]["subscriptions"] == []


def test_a_call_needs_a_connection() -> None:
    session = ClientSession("script", "0.1.0", "0" * 32)
    with pytest.raises(LocalProtocolError, match="CLOSED"):
        session.call("flush", {})


def test_a_call_too_long_for_a_control_record_is_our_own_mistake(session: ClientSession) -> None:
    with pytest.raises(LocalProtocolError, match="bytes"):
        session.call("read", {"group": "x" * 70_000})


def test_call_numbers_begin_again_with_each_connection(session: ClientSession) -> None:
    assert [session.call("flush", {}), session.call("flush", {})] == [1, 2]
    assert [e.name for e in session.disconnected()] == ["error", "error"]
    session.connected(1.0)
    receive(session, WELCOME)
    assert session.call("flush", {}) == 1


def test_answers_to_calls_nobody_made_are_ignored(session: ClientSession) -> None:
    assert receive(session, Result(7), Failure(7, {"code": "x"})) == []
    entry = encode_record(Record(ENTRY, 1, 0, "", 7, 1, 1, 0.0, 0, b"{}"))
    assert session.receive(entry, 0.0) == []
    assert receive(session, Failure(None, {"code": "unknown_op"})) == ["error"]


def test_deliveries_take_from_the_credit(session: ClientSession) -> None:
    session.credit("work", 3)
    session.credit("rest", 1)
    for channel in ("work", "rest"):
        delivery = Record(DELIVERY, 1, 0, channel, 0, 0, 1, 0.0, 0, b"{}")
        assert [e.name for e in session.receive(encode_record(delivery), 0.0)] == ["delivery"]
    session.disconnected()
    session.connected(1.0)
    taken(session)
    receive(session, WELCOME)
    assert taken(session) == [{"op": "credit", "channel": "work", "credit": 2}]
    session.credit("work", 0)
    assert taken(session) == [{"op": "credit", "channel": "work", "credit": 0}]


def test_channels_and_memberships_are_announced_again(session: ClientSession) -> None:
    session.introduction.channels["specific.a!b"] = None
    session.introduction.memberships["index", "specific.a!b"] = None
    session.disconnected()
    session.connected(1.0)
    (hello,) = taken(session)
    assert hello["channels"] == ["specific.a!b"]
    assert hello["memberships"] == [["index", "specific.a!b"]]


def test_a_receipt_may_come_before_its_acceptance(session: ClientSession) -> None:
    for _ in range(2):
        session.publish("group", "index", 1, b"{}", receipt=True)
    taken(session)
    receipts = [{"kind": "group", "name": "index", "sequence": n, "offset": n} for n in (1, 2)]
    assert receive(session, Accepted([], receipts[:1])) == []
    events = session.receive(encode_control(Accepted([("group", "index", 2)], receipts[1:])), 0.0)
    assert [event.detail["offset"] for event in events] == [1, 2]
