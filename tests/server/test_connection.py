"""What a client asks is done, or answered by an error; nothing beside."""

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import RemoteProtocolError
from tests.server.rig import Rig, publish, say, send, turn

pytestmark = pytest.mark.asyncio


async def test_subscribe_replay_and_live():
    rig = Rig()
    for _ in range(3):
        rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    connection, transport = await rig.connect()
    await say(connection, op="subscribe", group="index", since={"last": 2}, mode="log")
    await turn()
    welcome, subscribed, *records = transport.take()
    assert (subscribed["offset"], subscribed["top"], subscribed["recovered"]) == (1, 3, True)
    assert [r.sequence for r in records] == [2, 3]
    # Again, from the beginning: the feed is replaced, the window is new.
    await say(connection, op="subscribe", group="index", since="earliest")
    await turn()
    _, *records = transport.take()
    assert [r.sequence for r in records] == [1, 2, 3]
    assert len(rig.layer._registry.groups["index"].cursors) == 1
    await say(connection, op="unsubscribe", group="index")
    assert transport.controls("unsubscribed") == [
        {"op": "unsubscribed", "group": "index", "error": None}
    ]
    assert not rig.layer._registry.groups["index"].cursors


async def test_resume_in_hello():
    rig = Rig()
    receipt = rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    position = {"epoch": receipt.epoch, "offset": 1, "tag": receipt.tag}
    _, transport = await rig.connect(subscriptions=[{"group": "index", "position": position}])
    await turn()
    _, subscribed, record = transport.take()
    assert (subscribed["recovered"], record.sequence) == (True, 2)


async def test_publish_is_accepted_with_its_receipt_and_a_retry_is_known():
    rig = Rig()
    connection, transport = await rig.connect()
    transport.take()
    for _ in range(2):
        await publish(connection, "index", 1)
    first, again = transport.controls("accepted")
    assert first["targets"] == [["group", "index", 1]]
    assert (first["receipts"][0]["offset"], first["receipts"][0]["duplicate"]) == (1, False)
    assert (again["receipts"][0]["offset"], again["receipts"][0]["duplicate"]) == (1, True)


async def test_a_full_channel_is_rejected_and_the_neighbours_live():
    rig = Rig(capacity=1)
    connection, transport = await rig.connect()
    transport.take()
    await send(connection, "work", 1)
    await send(connection, "work", 2)
    await send(connection, "other", 3)
    accepted, rejected, other = transport.take()
    assert accepted["targets"] == [["channel", "work", 1]]
    assert (rejected["sequence"], rejected["error"]["code"]) == (2, "full")
    assert other["targets"] == [["channel", "other", 3]]


async def test_rights_are_checked_and_nothing_happens_without():
    rig = Rig()
    rig.policy.denied = {("write", "index"), ("read", "index")}
    connection, transport = await rig.connect()
    transport.take()
    await publish(connection, "index", 1)
    await say(connection, op="subscribe", group="index")
    await say(connection, op="call", id=1, method="clear", arguments={"group": "index"})
    await say(connection, op="call", id=2, method="read", arguments={"group": "index"})
    rejected, unsubscribed, *errors = transport.take()
    codes = [item["error"]["code"] for item in (rejected, unsubscribed, *errors)]
    assert codes == ["forbidden"] * 4
    assert "index" not in rig.layer._registry.groups


async def test_what_was_allowed_is_not_asked_for_each_message():
    rig = Rig()
    connection, _ = await rig.connect()
    for n in range(50):
        await publish(connection, "index", n + 1)
    assert rig.policy.asked == [("write", "group", "index")]


async def test_too_many_subscriptions():
    rig = Rig()
    connection, transport = await rig.connect()
    for name in "abcd":
        await say(connection, op="subscribe", group=name)
    (refused,) = transport.controls("unsubscribed")
    assert (refused["group"], refused["error"]["code"]) == ("d", "too_many")
    assert "the limit is 3" in refused["error"]["message"]


async def test_what_is_not_known_is_answered():
    rig = Rig()
    connection, transport = await rig.connect()
    transport.take()
    await say(connection, op="sparkle")
    await say(connection, op="call", id=4, method="sparkle")
    unknown_op, unknown_method = transport.take()
    assert (unknown_op["id"], unknown_op["error"]["code"]) == (None, "unknown_op")
    assert (unknown_method["id"], unknown_method["error"]["code"]) == (4, "unknown_method")
    with pytest.raises(RemoteProtocolError):
        await connection.receive_bytes(b"nonsense")


async def test_a_client_that_connects_again_takes_its_place():
    rig = Rig()
    first, old = await rig.connect("p", subscriptions=[{"group": "index"}])
    second, _ = await rig.connect("p")
    assert old.closed[0] == 4000
    assert second.client is first.client
    assert second.client.connection == second.number
    first.left()
    assert second.client.connection == second.number
    stranger, _ = await rig.connect("p", "user:eve")
    assert stranger.client is not second.client


async def test_channels_and_memberships_are_told_again():
    rig = Rig()
    await rig.connect(channels=["specific.a!b"], memberships=[["index", "specific.a!b"]])
    assert await rig.layer.group_channels("index") == ["specific.a!b"]
