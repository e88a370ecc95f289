"""The server's session: the handshake, acceptance, order after a refusal for a time."""

import json

import pytest

from nbchannels.exceptions import ChannelFull, LayerUnavailable, RemoteProtocolError
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import (
    MESSAGE,
    PUBLISH,
    RECEIPT_WANTED,
    SEND,
    Hello,
    KernelProof,
    Record,
)
from nbchannels.protocol.server import RECEIPTS, ServerSession, State
from nbchannels.receipt import Receipt

HELLO = json.dumps({"op": "hello", "client": "page", "version": "1", "producer": "p"})
PROOF = json.dumps({"op": "proof", "kernel": "k", "nonce": "n", "mac": "m"})


def publish(sequence, name="index", flags=0, kind=PUBLISH):
    return Record(kind, 1, flags, name, 0, 0, sequence, 0.0, 0, b"{}")


def opened() -> ServerSession:
    session = ServerSession(kernel=False, max_message=1000)
    session.receive_text(HELLO)
    session.state = State.OPEN
    return session


def answers(session):
    return [json.loads(text) for text in session.answers()]


def test_a_page_says_hello_first():
    session = ServerSession(kernel=False, max_message=1000)
    with pytest.raises(RemoteProtocolError) as caught:
        session.receive_text('{"op": "heartbeat"}')
    assert caught.value.close_code == 4502
    with pytest.raises(RemoteProtocolError) as caught:
        session.receive_bytes(encode_record(publish(1)))
    assert caught.value.close_code == 4502
    assert isinstance(session.receive_text(HELLO), Hello)


def test_a_kernel_proves_itself_first():
    session = ServerSession(kernel=True, max_message=1000)
    for attempt in (lambda: session.receive_text(HELLO), lambda: session.receive_bytes(b"x")):
        with pytest.raises(RemoteProtocolError) as caught:
            attempt()
        assert caught.value.close_code == 4500
    assert isinstance(session.receive_text(PROOF), KernelProof)


@pytest.mark.parametrize("text", [HELLO, PROOF])
def test_hello_comes_once(text):
    with pytest.raises(RemoteProtocolError) as caught:
        opened().receive_text(text)
    assert caught.value.close_code == 4501


def test_a_client_sends_no_messages_of_logs():
    record = Record(MESSAGE, 1, 0, "", 1, 1, 1, 0.0, 0, b"{}")
    with pytest.raises(RemoteProtocolError, match="kind 3"):
        opened().receive_bytes(encode_record(record))


def test_a_body_over_the_limit():
    record = Record(PUBLISH, 1, 0, "index", 0, 0, 1, 0.0, 0, b" " * 1001)
    with pytest.raises(RemoteProtocolError) as caught:
        opened().receive_bytes(encode_record(record))
    assert caught.value.close_code == 1009


def test_acceptance_is_cumulative_and_receipts_come_on_request():
    session = opened()
    for record in (publish(1), publish(2), publish(3, flags=RECEIPT_WANTED), publish(4, "b")):
        session.accepted(record, Receipt("group", record.name, offset=record.sequence))
    (accepted,) = answers(session)
    assert accepted["targets"] == [["group", "index", 3], ["group", "b", 4]]
    (receipt,) = accepted["receipts"]
    assert (receipt["name"], receipt["sequence"], receipt["offset"]) == ("index", 3, 3)
    assert answers(session) == []


def test_many_receipts_are_split_and_acceptance_comes_last():
    session = opened()
    for n in range(RECEIPTS * 2 + 10):
        session.accepted(publish(n, flags=RECEIPT_WANTED), Receipt("group", "index", offset=n))
    records = answers(session)
    assert [len(r["receipts"]) for r in records] == [RECEIPTS, RECEIPTS, 10]
    assert [len(r["targets"]) for r in records] == [0, 0, 1]
    assert all(len(json.dumps(r)) < 65536 for r in records)


def test_a_final_refusal_holds_nobody_up():
    session = opened()
    first, second = publish(1, "work", kind=SEND), publish(2, "work", kind=SEND)
    session.rejected(first, ChannelFull(channel="work", capacity=1))
    assert session.waits_for(second) is None
    session.accepted(second, Receipt("channel", "work"))
    rejected, accepted = answers(session)
    assert (rejected["error"]["code"], rejected["error"]["capacity"]) == ("full", 1)
    assert rejected["retry"] is None
    assert accepted["targets"] == [["channel", "work", 2]]


def test_after_a_refusal_for_a_time_the_later_ones_wait():
    session = opened()
    session.rejected(publish(1), LayerUnavailable("away"))
    later = session.waits_for(publish(2))
    assert later is not None
    assert (later.code, later.temporary) == ("out_of_order", True)
    session.rejected(publish(2), later)
    assert session.waits_for(publish(3, "other")) is None
    # The first comes again: from here on they go through.
    assert session.waits_for(publish(1)) is None
    assert session.waits_for(publish(2)) is None
    assert [r["retry"] for r in answers(session)] == [0.5, 0.5]


def test_a_withdrawn_record_holds_nobody_up():
    session = opened()
    session.rejected(publish(1), LayerUnavailable("away"))
    session.receive_text('{"op": "withdraw", "kind": "group", "name": "index", "sequence": 1}')
    assert session.waits_for(publish(2)) is None


def test_after_a_withdrawal_the_next_refused_one_is_waited_for():
    """A later record that is under way already must not overtake it."""
    session = opened()
    one, two, three = publish(1), publish(2), publish(3)
    session.rejected(one, LayerUnavailable("gone for a moment"))
    session.rejected(two, session.waits_for(two))
    session.receive_text('{"op": "withdraw", "kind": "group", "name": "index", "sequence": 1}')
    assert session.waits_for(three) is not None
    assert session.waits_for(two) is None
    assert session.waits_for(three) is None
