"""What a client asks is done, or answered by an error; nothing beside."""

import asyncio

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import RemoteProtocolError
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server import connection as module
from tests.server.rig import Rig, publish, say, send, turn, until

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


async def test_subscribing_again_gives_a_new_window():
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "index"}])
    for _ in range(600):
        rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    await turn()
    assert len(transport.take()) == 2 + 512  # welcome, subscribed, a window
    feed = connection.feeds["index"]
    await say(connection, op="ack", logs=[[feed.log.number, 10]])
    assert len(transport.take()) == 10
    await say(connection, op="subscribe", group="index", since={"last": 520})
    await turn()
    subscribed, *records = transport.take()
    assert (subscribed["offset"], len(records)) == (80, 512)
    assert connection.feeds["index"] is not feed
    # What is acknowledged of the subscription before does not count beyond what was sent now.
    await say(connection, op="ack", logs=[[feed.log.number, 600]])
    assert len(transport.take()) == 8


async def test_latest_jumps_and_says_so():
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "v", "mode": "latest"}])
    for _ in range(1000):
        rig.layer.submit("group", "v", Encoded(JSON, b"{}"))
    await turn()
    transport.take()
    await say(connection, op="ack", logs=[[connection.feeds["v"].log.number, 512]])
    gap, record = transport.take()
    assert (gap["from"], gap["to"], gap["reason"]) == (513, 999, "conflated")
    assert record.sequence == 1000


async def test_a_right_that_was_taken_away_ends_within_a_minute(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect()
    await publish(connection, "index", 1)
    rig.policy.denied = {("write", "index")}
    await publish(connection, "index", 2)
    now = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 61)
    transport.take()
    await publish(connection, "index", 3)
    (rejected,) = transport.take()
    assert (rejected["sequence"], rejected["error"]["code"]) == (3, "forbidden")
    assert rig.layer._registry.groups["index"].log.top == 2


@pytest.mark.parametrize(
    ("denied", "hello", "code"),
    [
        ({("read", "g")}, {"memberships": [["g", "specific.a!b"]]}, "forbidden"),
        ({("write", "work")}, {"memberships": [["g", "work"]]}, "forbidden"),
        (set(), {"memberships": [["g", "a/b"]]}, "bad_name"),
        (set(), {"memberships": [["a b", "specific.a!b"]]}, "bad_name"),
        (set(), {"channels": ["a/b"]}, "bad_name"),
        (set(), {"subscriptions": [{"group": "a b"}]}, "bad_name"),
        (set(), {"subscriptions": [{"group": "\ud800"}]}, "bad_name"),
        ({("read", "g")}, {"subscriptions": [{"group": "g"}]}, "forbidden"),
    ],
)
async def test_one_refusal_in_hello_does_not_refuse_the_rest(denied, hello, code):
    rig = Rig()
    rig.policy.denied = denied
    hello = {"channels": ["specific.a!b"]} | hello
    hello["subscriptions"] = [*hello.get("subscriptions", []), {"group": "index"}]
    connection, transport = await rig.connect(**hello)
    welcome, refused, subscribed = transport.take()
    assert (welcome["op"], refused["error"]["code"], subscribed["group"]) == (
        "welcome",
        code,
        "index",
    )
    assert list(connection.feeds) == ["index"]
    assert all(not state.members for state in rig.layer._registry.groups.values())


async def test_only_process_local_channels_are_kept_for_a_client():
    rig = Rig()
    connection, _ = await rig.connect(channels=["work", "specific.a!b"])
    assert connection.client.channels == {"specific.a!b"}
    assert "work" not in rig.layer._registry.mailboxes


async def test_what_is_allowed_after_the_end_begins_nothing():
    rig = Rig()
    connection, transport = await rig.connect()
    rig.policy.slow = asyncio.Event()
    asked = [
        asyncio.ensure_future(say(connection, op="subscribe", group="index")),
        asyncio.ensure_future(say(connection, op="credit", channel="work", credit=3)),
    ]
    await turn()
    connection.left()
    transport.take()
    rig.policy.slow.set()
    await asyncio.gather(*asked)
    assert (connection.feeds, connection.deliveries.taps, transport.take()) == ({}, {}, [])
    assert not rig.hub._feeds
    assert "index" not in rig.layer._registry.groups
    assert "work" not in rig.layer._registry.mailboxes


async def test_a_connection_that_is_being_closed_has_nothing_any_more():
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "index"}])
    await say(connection, op="credit", channel="work", credit=3)
    transport.take()
    connection.close(4501, "bad")  # its socket stays until the client has answered
    rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    rig.layer.submit("channel", "work", Encoded(JSON, b"{}"))
    await turn()
    assert transport.take() == []
    assert len(rig.layer._registry.mailboxes["work"].letters) == 1
    assert not rig.hub.connections
    connection.left()
    assert connection.client.connection is None


async def test_the_old_socket_of_a_client_swallows_nothing():
    rig = Rig()
    first, old = await rig.connect("p")
    await say(first, op="credit", channel="work", credit=5)
    second, new = await rig.connect("p")
    await say(second, op="credit", channel="work", credit=5)
    for transport in (old, new):
        transport.take()
    for n in range(3):
        await send(second, "work", n + 1)
    await turn()
    assert [item for item in old.take() if not isinstance(item, dict)] == []
    assert len([item for item in new.take() if not isinstance(item, dict)]) == 3
    first.left()  # its socket is gone at last: nothing of the new one ends
    assert len(second.client.leases) == 3
    assert rig.hub.connections == {second.number: second}


async def test_leases_of_a_client_that_comes_again_are_delivered_again():
    rig = Rig()
    first, old = await rig.connect("p")
    await send(first, "work", 1)
    await say(first, op="credit", channel="work", credit=1)
    (lease,) = first.client.leases
    second, new = await rig.connect("p")
    new.take()
    await say(second, op="credit", channel="work", credit=1)
    (again,) = new.take()
    assert (again.sequence != lease, again.flags) == (True, 1)
    await say(second, op="settle", leases=[[lease, "done"], [again.sequence, "done"]])
    assert not second.client.leases


async def test_a_rejection_for_a_time_holds_back_what_comes_after_it():
    rig = Rig(max_groups=1)
    connection, transport = await rig.connect(subscriptions=[{"group": "only"}])
    transport.take()
    await publish(connection, "index", 1)  # there is no room for another group
    await publish(connection, "index", 2)
    codes = [r["error"]["code"] for r in transport.controls("rejected")]
    assert codes == ["unavailable", "out_of_order"]
    await say(connection, op="unsubscribe", group="only")
    await publish(connection, "index", 2)
    assert transport.controls("rejected")[0]["error"]["code"] == "out_of_order"
    await publish(connection, "index", 1)
    await publish(connection, "index", 2)
    told = [a["targets"] for a in transport.controls("accepted")]
    assert told == [[["group", "index", 1]], [["group", "index", 2]]]


@pytest.mark.parametrize("number", [0, -1, 2**32, 2**70])
async def test_the_id_of_a_call(number):
    rig = Rig()
    connection, _ = await rig.connect()
    with pytest.raises(RemoteProtocolError):
        await say(connection, op="call", id=number, method="names")


async def test_a_description_names_groups_and_lag():
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "b"}, {"group": "a"}])
    transport.writable = False
    rig.layer.submit("group", "a", Encoded(JSON, b"{}"))
    await turn()
    assert rig.hub.describe() == [
        {
            "key": connection.client.key,
            "kind": "page",
            "user": "Ada",
            "label": None,
            "connection": connection.number,
            "connected": True,
            "since": connection.client.since,
            "channels": 0,
            "leases": 0,
            "consumers": 0,
            "groups": ["a", "b"],
            "lag": 1,
            "buffered": 0,
        }
    ]
    connection.left()
    (away,) = rig.hub.describe()
    assert (away["connected"], away["connection"], away["groups"]) == (False, None, [])


class Slow(InMemoryChannelLayer):
    """Its logs are elsewhere: subscriptions come one by one, as they are let."""

    def __init__(self):
        super().__init__()
        self.asked = []

    async def subscribe(self, group, start="now"):
        gate = asyncio.get_running_loop().create_future()
        self.asked.append(gate)
        await gate
        return self.cursor(group, start)


async def subscribing(rig, connection, **asked):
    before = len(rig.layer.asked)
    task = asyncio.ensure_future(say(connection, op="subscribe", group="index", **asked))
    await until(lambda: len(rig.layer.asked) > before)
    return task


async def test_a_cursor_that_comes_after_the_end_is_closed():
    rig = Rig(Slow())
    connection, transport = await rig.connect()
    task = await subscribing(rig, connection)
    connection.left()
    transport.take()
    rig.layer.asked[0].set_result(None)
    await task
    assert (connection.feeds, transport.take()) == ({}, [])
    assert not rig.layer._registry.groups["index"].cursors


async def test_of_two_subscriptions_at_once_the_second_counts():
    rig = Rig(Slow())
    for _ in range(3):
        rig.layer.submit("group", "index", Encoded(JSON, b"{}"))
    connection, transport = await rig.connect()
    first = await subscribing(rig, connection, since="earliest")
    second = asyncio.ensure_future(say(connection, op="subscribe", group="index", since="now"))
    gone = asyncio.ensure_future(say(connection, op="unsubscribe", group="index"))
    await turn()
    assert len(rig.layer.asked) == 1, "one after the other"
    rig.layer.asked[0].set_result(None)
    await first
    await until(lambda: len(rig.layer.asked) == 2)
    rig.layer.asked[1].set_result(None)
    await asyncio.gather(second, gone)
    controls = [item for item in transport.take() if isinstance(item, dict)]
    told = [(item["op"], item.get("offset")) for item in controls if item["op"] != "welcome"]
    assert told == [("subscribed", 0), ("subscribed", 3), ("unsubscribed", None)]
    assert not rig.layer._registry.groups["index"].cursors
