"""One flush per turn of the loop, frames shared, time kept, nothing left behind."""

import threading

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.server import hub as module
from tests.server.rig import Rig, say, turn

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


async def test_shutting_down_says_goodbye():
    rig = Rig()
    _, transport = await rig.connect()
    rig.hub.shut_down()
    assert transport.controls("goaway")[0]["spread"] > 0
    assert transport.closed[0] == 4000
