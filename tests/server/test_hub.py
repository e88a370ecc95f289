"""One flush per turn of the loop, frames shared, time kept, nothing left behind."""

import asyncio
import threading

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.server import hub as module
from nbchannels.server.clients import Client
from tests.server.rig import Rig, say, send, turn

pytestmark = pytest.mark.asyncio
MESSAGE = Encoded(JSON, b'{"y": 1}')


async def test_one_flush_for_many_appends_and_one_frame_for_all():
    rig = Rig()
    tabs = [await rig.connect(f"p{n}", subscriptions=[{"group": "index"}]) for n in range(20)]
    await turn()
    for _, transport in tabs:
        transport.out.clear()
    for _ in range(10):
        rig.layer.submit("group", "index", MESSAGE)
    assert all(not transport.out for _, transport in tabs)
    await turn()
    frames = {id(transport.out[0]) for _, transport in tabs}
    assert len(frames) == 1
    assert all(len(transport.out) == 1 for _, transport in tabs)
    assert [r.sequence for r in tabs[0][1].take()] == list(range(1, 11))


async def test_news_from_other_threads_arrive():
    rig = Rig()
    _, transport = await rig.connect(subscriptions=[{"group": "index"}])
    await turn()
    transport.take()
    thread = threading.Thread(target=rig.layer.submit, args=("group", "index", MESSAGE))
    thread.start()
    thread.join()
    await turn()
    assert [r.sequence for r in transport.take()] == [1]


async def test_nothing_is_left_of_a_connection():
    rig = Rig()
    connection, _ = await rig.connect(subscriptions=[{"group": "index"}, {"group": "b"}])
    state = rig.layer._registry.groups["index"]
    assert len(state.cursors) == 1
    connection.left()
    assert not state.cursors
    assert not state.listeners
    assert not rig.hub.connections
    assert not rig.hub._feeds


async def test_heartbeats_tell_what_was_sent(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "index"}])
    rig.layer.submit("group", "index", MESSAGE)
    await turn()
    transport.writable = False
    rig.layer.submit("group", "index", MESSAGE)
    await turn()
    transport.take()
    now = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 21)
    await rig.hub.tick()
    (beat,) = transport.controls("heartbeat")
    assert beat["logs"] == [[connection.feeds["index"].log.number, 1, 2]]
    await rig.hub.tick()
    assert transport.controls("heartbeat") == []


@pytest.mark.parametrize(("kind", "seconds"), [("page", 60), ("script", 60), ("kernel", 120)])
async def test_silence_is_closed(monkeypatch, kind, seconds):
    rig = Rig()
    connection, transport = await rig.connect(kind=kind)
    now = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: now + seconds - 1)
    await rig.hub.tick()
    assert transport.closed is None
    monkeypatch.setattr(module.time, "monotonic", lambda: now + seconds + 1)
    await rig.hub.tick()
    assert transport.closed[0] == 4003


async def test_a_stalled_socket_is_closed(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect()
    transport.stalled_since = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: transport.stalled_since + 59)
    await rig.hub.tick()
    assert transport.closed is None
    connection.heard += 30
    monkeypatch.setattr(module.time, "monotonic", lambda: transport.stalled_since + 61)
    await rig.hub.tick()
    assert transport.closed[0] == 4002


async def test_process_local_channels_end_60_s_after_their_client(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect()
    await say(connection, op="call", id=1, method="new_channel", arguments={})
    (answer,) = transport.controls("result")
    name = answer["value"]
    connection.left()
    gone = connection.client.away_since
    monkeypatch.setattr(module.time, "monotonic", lambda: gone + 59)
    await rig.hub.tick()
    assert name in rig.layer._registry.mailboxes
    monkeypatch.setattr(module.time, "monotonic", lambda: gone + 61)
    await rig.hub.tick()
    assert name not in rig.layer._registry.mailboxes
    assert len(rig.hub.clients) == 0


async def test_a_kernel_that_is_gone_is_revoked():
    rig = Rig()
    _, kernel = await rig.connect("k", "kernel:1", "kernel")
    _, other = await rig.connect("o", "kernel:2", "kernel")
    await rig.hub.revoke_kernel("1")
    assert kernel.closed[0] == 4506
    assert other.closed is None


async def test_what_belonged_to_a_kernel_before_its_restart_ends():
    rig = Rig()
    old, transport = await rig.connect("old", "kernel:1", "kernel")
    await say(old, op="call", id=1, method="new_channel", arguments={})
    (answer,) = transport.controls("result")
    away, _ = await rig.connect("other", "kernel:2", "kernel")
    old.left()
    away.left()
    new, kernel = await rig.connect("new", "kernel:1", "kernel")
    await rig.hub.forget_process("1")
    assert answer["value"] not in rig.layer._registry.mailboxes
    assert {client.producer for client in rig.hub.clients} == {"other", "new"}
    assert kernel.closed is None
    assert new.number in rig.hub.connections


async def test_shutting_down_says_goodbye():
    rig = Rig()
    _, transport = await rig.connect()
    rig.hub.shut_down()
    assert transport.controls("goaway")[0]["spread"] > 0
    assert transport.closed[0] == 4000


async def test_a_thousand_feeds_share_one_frame(monkeypatch):
    rig = Rig()
    tabs = [await rig.connect(f"p{n}", subscriptions=[{"group": "index"}]) for n in range(1000)]
    await turn()
    flushes = []
    flush = rig.hub._flush
    monkeypatch.setattr(rig.hub, "_flush", lambda: flushes.append(flush()))
    for _, transport in tabs:
        transport.out.clear()
    for _ in range(100):
        rig.layer.submit("group", "index", MESSAGE)
    await turn()
    assert len(flushes) == 1
    assert len({id(batch) for _, transport in tabs for batch in transport.out}) == 1
    assert tabs[0][1].out[0].count == 100
    # One that stands elsewhere gets its own; the others still share.
    tabs[0][1].writable = False
    rig.layer.submit("group", "index", MESSAGE)
    await turn()
    tabs[0][1].writable = True
    rig.layer.submit("group", "index", MESSAGE)
    await turn()
    assert [r.sequence for r in tabs[0][1].take()] == list(range(1, 103))
    assert len({id(transport.out[-1]) for _, transport in tabs[1:]}) == 1


async def test_many_threads_lose_no_news():
    asyncio.get_running_loop().set_debug(True)  # it refuses what is not thread-safe
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "index"}])

    def submit():
        for _ in range(50):
            rig.layer.submit("group", "index", MESSAGE)

    await asyncio.gather(*(asyncio.to_thread(submit) for _ in range(8)))
    await turn()
    offsets = [r.sequence for r in transport.take() if not isinstance(r, dict)]
    assert offsets == list(range(1, 401))
    assert connection.feeds["index"].sent == 400


async def test_news_after_the_end_of_the_loop_are_no_error():
    rig = Rig()
    await rig.connect(subscriptions=[{"group": "index"}])
    await turn()
    loop = asyncio.new_event_loop()
    loop.close()
    rig.hub._loop = loop
    rig.layer.submit("group", "index", MESSAGE)


async def test_a_feed_that_is_replaced_or_ended_leaves_nothing():
    rig = Rig()
    connection, _ = await rig.connect()
    for _ in range(3):
        await say(connection, op="subscribe", group="index")
    state = rig.layer._registry.groups["index"]
    assert (len(state.cursors), list(state.listeners.values())) == (1, [1])
    assert len(rig.hub._feeds[state]) == 1
    await say(connection, op="unsubscribe", group="index")
    assert (len(state.cursors), state.listeners, rig.hub._feeds) == (0, {}, {})


async def test_heartbeats_tell_256_logs_each(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect()
    connection.limits = connection.limits | {"subscriptions": 1000}
    for n in range(300):
        await say(connection, op="subscribe", group=f"g{n}")
    await turn()
    transport.take()
    now = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 19.9)
    await rig.hub.tick()
    assert transport.controls("heartbeat") == []
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 20)
    await rig.hub.tick()
    first, second = transport.controls("heartbeat")
    assert (len(first["logs"]), len(second["logs"])) == (256, 44)
    assert len({log for log, _, _ in first["logs"] + second["logs"]}) == 300


async def test_a_client_without_subscriptions_hears_too(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect()
    now = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 20)
    await rig.hub.tick()
    assert [beat["logs"] for beat in transport.controls("heartbeat")] == [[]]


async def test_any_word_of_the_client_counts(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect()
    now = connection.heard
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 50)
    await say(connection, op="heartbeat")
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 100)
    await rig.hub.tick()
    assert transport.closed is None


async def test_who_is_closed_is_counted_once_and_gone_at_once(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect(subscriptions=[{"group": "index"}])
    transport.stalled_since = now = connection.heard
    connection.heard += 30
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 61)
    for _ in range(3):  # the socket takes its time
        await rig.hub.tick()
    assert rig.hub.counters["stalled"] == 1
    assert (rig.hub.connections, rig.hub._feeds) == ({}, {})


async def test_a_client_that_came_back_keeps_its_channels(monkeypatch):
    rig = Rig()
    connection, transport = await rig.connect(channels=["specific.a!b"])
    connection.left()
    gone = connection.client.away_since
    monkeypatch.setattr(module.time, "monotonic", lambda: gone + 59)
    again, _ = await rig.connect()
    monkeypatch.setattr(module.time, "monotonic", lambda: gone + 100)
    await rig.hub.tick()
    assert "specific.a!b" in rig.layer._registry.mailboxes
    assert again.client.channels == {"specific.a!b"}


async def test_what_belonged_to_a_kernel_ends_with_it():
    rig = Rig()
    kernel, _ = await rig.connect("k", "kernel:1", "kernel", channels=["specific.a!b"])
    away, _ = await rig.connect("a", "kernel:1", "kernel", channels=["specific.c!d"])
    other, out = await rig.connect("o")
    for n in range(2):
        await send(other, "work", n + 1)
    await say(kernel, op="credit", channel="work", credit=2)
    away.left()
    await rig.hub.revoke_kernel("1")
    assert set(rig.layer._registry.mailboxes) == {"work"}
    assert [letter.redelivered for letter in rig.layer._registry.mailboxes["work"].letters] == [
        True,
        True,
    ]
    kernel.left()
    assert [client.producer for client in rig.hub.clients] == ["o"]


async def test_a_restarted_kernel_keeps_what_its_new_process_has():
    rig = Rig()
    before, _ = await rig.connect("1", "kernel:1", "kernel", channels=["specific.a!b"])
    before.left()
    after, out = await rig.connect("2", "kernel:1", "kernel", channels=["specific.c!d"])
    await rig.hub.forget_process("1")
    assert set(rig.layer._registry.mailboxes) == {"specific.c!d"}
    assert out.closed is None


async def test_how_many_there_are_beside_a_client():
    rig = Rig()
    one, _ = await rig.connect("1", "user:ada")
    two, _ = await rig.connect("2", "user:ada")
    await rig.connect("3", "user:eve")
    assert rig.hub.count_beside(Client("9", "user:ada", "page")) == (3, 2)
    assert rig.hub.count_beside(Client("1", "user:ada", "page")) == (2, 1)
    assert rig.hub.count_beside(Client("1", "user:eve", "page")) == (3, 1)
    two.left()
    assert rig.hub.count_beside(Client("2", "user:ada", "page")) == (2, 1)
    one.left()
    one.left()
    assert rig.hub.count_beside(Client("9", "user:ada", "page")) == (1, 0)
    assert rig.hub._principals == {"user:eve": 1}
