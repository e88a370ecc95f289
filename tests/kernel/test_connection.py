"""The connection over a real server: it comes back, resumes, and says what it cannot know."""

import asyncio
import os
import signal
import threading
import time
from typing import Any

import pytest

from nbchannels.channel import Group
from nbchannels.exceptions import (
    DeliveryUnknown,
    LayerUnavailable,
    PermissionDenied,
    SendTimeout,
    ServerNotFound,
)
from nbchannels.kernel import connection as module
from nbchannels.kernel import diagnoses, outbox
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.cursor import Anchor
from nbchannels.protocol.client import KernelIdentity
from nbchannels.protocol.events import Record
from nbchannels.testing.reading import contents, next_items
from tests.kernel.conftest import Cable, RunningServer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.asyncio]
PATIENCE = 15.0


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for is on another thread
            await asyncio.sleep(0.01)


async def send(group: Group, n: int, **options: Any) -> Any:
    return await asyncio.to_thread(group.send, {"n": n}, **options)


async def test_a_lost_connection_resumes_without_loss_or_repetition(
    far: KernelChannelLayer, cable: Cable
) -> None:
    cursor = await far.subscribe("index")
    sent = []
    for n in range(300):
        sent.append(far.submit("group", "index", far.encode({"n": n}), receipt=n % 2 == 0))
        if n % 100 == 50:
            lost = far.connection.reconnects
            cable.drop()
            await until(lambda: far.connection.reconnects > lost)  # noqa: B023
            await until(lambda: far.connection.status == "open")
    receipts = await asyncio.gather(*(asyncio.wrap_future(f) for f in sent))
    items = await next_items(cursor, 300)
    assert contents(far, items) == [{"n": n} for n in range(300)]
    assert all(isinstance(item, Record) for item in items)
    assert far.connection.reconnects == 3
    # Of a repetition the server may no longer know where it stands.
    told = {n: r.offset for n, r in enumerate(receipts, 1) if n % 2 and not r.duplicate}
    assert told
    assert all(n == offset for n, offset in told.items())
    assert far.connection.status == "open"


async def test_a_server_that_was_killed_and_started_again_is_announced(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = RunningServer(tmp_path_factory.mktemp("killed"))
    layer = KernelChannelLayer(find=server.found)
    try:
        cursor = await layer.subscribe("index")
        mine = await layer.new_channel()
        await layer.group_add("index", mine)
        await layer.group_send("index", {"n": 1})
        assert await layer.receive(mine) == {"n": 1}
        await next_items(cursor, 1)
        waiting = asyncio.create_task(layer.receive(mine))
        server.kill()
        await until(lambda: layer.connection.status == "reconnecting")
        server.start()
        receipt = await layer.group_send("index", {"n": 2})
        anchor, record = await next_items(cursor, 2)
        assert isinstance(anchor, Anchor)
        assert (anchor.recovered, anchor.reason, anchor.cleared) == (False, "epoch", False)
        assert contents(layer, [record]) == [{"n": 2}]
        assert receipt.members == 1
        assert await asyncio.wait_for(waiting, PATIENCE) == {"n": 2}
    finally:
        await layer.close()
        server.kill()


async def test_unwritten_is_withdrawn_and_never_arrives(
    far: KernelChannelLayer, cable: Cable
) -> None:
    group = Group("index", channel_layer=far)
    cursor = await far.subscribe("index")
    cable.cut()
    await until(lambda: far.connection.status == "reconnecting")
    with pytest.raises(SendTimeout, match="not written within 0.2 s .*will not arrive"):
        await send(group, 1, timeout=0.2)
    cable.mend()
    await send(group, 2, timeout=PATIENCE)
    assert contents(far, await next_items(cursor, 1)) == [{"n": 2}]


async def test_written_but_unanswered_is_unknown_and_can_be_waited_for(
    layer: KernelChannelLayer, server: RunningServer
) -> None:
    group = Group("index", channel_layer=layer)
    server.freeze()
    try:
        with pytest.raises(DeliveryUnknown, match=r"not acknowledged within 0\.3 s") as caught:
            await send(group, 1, timeout=0.3)
    finally:
        server.thaw()
    receipt = await asyncio.to_thread(caught.value.receipt.wait, PATIENCE)
    assert receipt.offset == 1


async def test_a_full_queue_waits_then_raises_and_recovers(
    layer: KernelChannelLayer, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)
    monkeypatch.setattr("nbchannels.kernel.layer.PATIENCE", 0.2)
    server.freeze()
    try:
        sent = [layer.submit("group", "index", layer.encode({"n": n})) for n in range(3)]
        with pytest.raises(SendTimeout, match="3 messages of"):
            await asyncio.to_thread(layer.submit, "group", "index", layer.encode({"n": 3}))
        with pytest.raises(SendTimeout, match="3 messages of"):
            await layer.group_send("index", {"n": 3})
    finally:
        server.thaw()
    assert [(await asyncio.wrap_future(f)).offset for f in sent] == [1, 2, 3]
    assert (await layer.group_send("index", {"n": 4})).offset == 4


async def test_an_interrupt_while_a_send_is_blocked(far: KernelChannelLayer, cable: Cable) -> None:
    cable.cut()
    await until(lambda: far.connection.status == "reconnecting")
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Group("index", channel_layer=far).send({"n": 1}, timeout=PATIENCE)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert far.connection.session.publisher.unacknowledged == 0
    cable.mend()
    assert (await far.group_send("index", {"n": 2})).offset == 1


async def test_a_cancelled_asend_is_withdrawn(far: KernelChannelLayer, cable: Cable) -> None:
    cable.cut()
    await until(lambda: far.connection.status == "reconnecting")
    waiting = asyncio.create_task(far.group_send("index", {"n": 1}))
    await until(lambda: far.connection.session.publisher.unacknowledged)
    waiting.cancel()
    await until(lambda: not far.connection.session.publisher.unacknowledged)
    cable.mend()
    assert (await far.group_send("index", {"n": 2})).offset == 1


async def test_questions_are_asked_again_but_for_those_that_destroy(
    far: KernelChannelLayer, cable: Cable, server: RunningServer
) -> None:
    server.freeze()
    try:
        asked = asyncio.create_task(far.group_channels("index"))
        clearing = asyncio.create_task(far.clear("index"))
        # A report of what went wrong in this process may be among them.
        await until(lambda: len(far.connection._questions) >= 2)
        cable.drop()
        await until(lambda: not len(far.connection._questions))
    finally:
        server.thaw()
    assert await asyncio.wait_for(asked, PATIENCE) == []
    with pytest.raises(LayerUnavailable, match="before 'clear' was answered; it may have been"):
        await clearing


async def test_without_a_connection_a_question_ends_in_time(
    far: KernelChannelLayer, cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_TIMEOUT", 0.2)
    cable.cut()
    await until(lambda: far.connection.status == "reconnecting")
    with pytest.raises(LayerUnavailable, match=r"no answer to 'names' within 0\.2 s: .*127\.0"):
        await far.names()


async def test_a_wrong_token_is_refused_at_once(server: RunningServer) -> None:
    layer = KernelChannelLayer(find=lambda: Found(server.url, "wrong"))
    began = time.monotonic()
    with pytest.raises(PermissionDenied, match=r"HTTP 403.*NBCHANNELS_TOKEN"):
        await layer.group_send("index", {})
    with pytest.raises(PermissionDenied):
        Group("index", channel_layer=layer).send({})
    assert time.monotonic() - began < 15
    assert layer.connection.status == "refused"


async def test_a_kernel_that_the_server_does_not_know_is_refused_at_once(
    server: RunningServer,
) -> None:
    layer = KernelChannelLayer(
        find=lambda: Found(server.url, None, KernelIdentity("nobody", b"key"))
    )
    with pytest.raises(PermissionDenied, match=r"4500: wrong proof; restart the kernel"):
        await layer.subscribe("index")
    assert layer._streams == {}


async def test_the_server_may_move_meanwhile(server: RunningServer) -> None:
    first, second = Cable(server.port), Cable(server.port)
    where = [first]
    layer = KernelChannelLayer(
        find=lambda: Found(f"http://127.0.0.1:{where[0].port}/base/", server.token)
    )
    try:
        await layer.flush()
        where[0] = second
        first.cut()
        assert (await layer.group_send("moved", {})).offset == 1
        assert layer.connection.found is not None
        assert str(second.port) in layer.connection.found.url
    finally:
        await layer.close()
        first.cut()
        second.cut()


async def test_where_no_server_is_every_send_says_so() -> None:
    def find() -> Found:
        raise ServerNotFound("run this")

    layer = KernelChannelLayer(find=find)
    for _ in range(2):
        with pytest.raises(ServerNotFound, match="run this"):
            Group("index", channel_layer=layer).send({})
        with pytest.raises(ServerNotFound, match="run this"):
            await layer.receive("work")
    assert layer.connection.status == "idle"


async def test_what_happens_stands_in_the_log(far: KernelChannelLayer, cable: Cable) -> None:
    cable.drop()
    await until(lambda: far.connection.reconnects)
    await far.names()
    told = " · ".join(sentence for _, sentence in diagnoses.entries(10))
    assert "was lost; trying again in" in told
    assert f"connected to http://127.0.0.1:{cable.port}/base/" in told


async def test_closing_flushes_and_ends_everything(server: RunningServer) -> None:
    layer = KernelChannelLayer(find=server.found)
    await layer.flush()
    sent = [layer.submit("group", "closing", layer.encode({"n": n})) for n in range(500)]
    await layer.close()
    assert [(await asyncio.wrap_future(f)).name for f in sent] == ["closing"] * 500
    await layer.close()
    assert layer.connection.status == "closed"
