"""Consumers in kernels and scripts: registered, delivered, settled; over cuts and deaths."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nbchannels import Channel, ConsumeLater, NoConsumer, consume, include, route, unconsume
from nbchannels.bridge import bridge
from nbchannels.consumer import AsyncConsumer
from nbchannels.exceptions import ConsumerFailed
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import channel_layers
from nbchannels.protocol.events import Position
from nbchannels.routes import Route
from nbchannels.service import Service
from nbchannels.testing.reading import contents, next_items
from tests.kernel.conftest import Cable, RunningServer
from tests.kernel.test_layer import Kernel

pytestmark = [pytest.mark.integration, pytest.mark.slow]
PATIENCE = 20.0


class Collected(list[Any]):
    """What a consumer got, and an event per number of messages."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def take(self, message: Any) -> None:
        self.append(message)
        self._loop.call_soon_threadsafe(self._news.set)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self) < count:
                self._news.clear()
                await self._news.wait()


async def put(layer: KernelChannelLayer, channel: str, consumer: Any, **options: Any) -> Service:
    service = Service(Route(channel, consumer), consumer, **options)
    await layer.services.add(service)
    return service


@pytest.fixture(autouse=True)
def nothing_in_service(layer: KernelChannelLayer) -> Iterator[None]:
    yield
    unconsume(channel_layer=layer)


async def the_dead(layer: KernelChannelLayer) -> list[dict[str, Any]]:
    """The dead letters, once there are any."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await layer.dead_letters()):
            await layer.statistics()
    return found


@pytest.mark.asyncio
async def test_a_consumer_gets_the_messages_of_its_channel_in_order(layer):
    got = Collected()
    await put(layer, "work", got.take)
    for n in range(50):
        await layer.send("work", {"n": n})
    await got.until(50)
    assert [m["n"] for m in got] == list(range(50))
    assert got[0].channel == Channel("work")
    assert not got[0].redelivered


@pytest.mark.asyncio
async def test_what_waited_before_is_consumed(layer):
    for n in range(5):
        await layer.send("work", {"n": n})
    got = Collected()
    await put(layer, "work", got.take)
    await got.until(5)
    assert [m["n"] for m in got] == list(range(5))


@pytest.mark.asyncio
async def test_a_glob_serves_names_that_come_later(layer):
    got = Collected()
    await put(layer, "sensor.*", got.take)
    receipt = await layer.send("sensor.a", {"n": 1})
    await layer.send("sensor.b", {"n": 2})
    await layer.send("sensors", {"n": 3})
    await got.until(2)
    assert [(m.channel.name, m["n"]) for m in got] == [("sensor.a", 1), ("sensor.b", 2)]
    assert receipt.members == 1
    assert (await layer.channel_statistics("sensors"))["waiting"] == 1


@pytest.mark.asyncio
async def test_filters_decide_and_give_their_groups(layer):
    got = Collected()

    def user(message, user):
        got.take((user, message["path"]))

    def other(message):
        got.take(("other", message["path"]))

    await layer.services.add(Service(Route("http.x", user, path=r"^/user/(?P<user>\w+)$"), user))
    await put(layer, "http.x", other)
    for path in ("/user/ann", "/", "/user/bob"):
        await layer.send("http.x", {"path": path})
    await got.until(3)
    assert sorted(got) == [("ann", "/user/ann"), ("bob", "/user/bob"), ("other", "/")]


@pytest.mark.asyncio
async def test_a_table_of_routes_with_a_prefix(layer):
    got = Collected()
    inner = [
        route("http.y", lambda message, n: got.take((n, message["path"])), path=r"^/(?P<n>\d)")
    ]
    await asyncio.to_thread(
        consume, [include(inner, path=r"^/app"), route("z", got.take)], channel_layer=layer
    )
    await layer.send("http.y", {"path": "/app/7"})
    await layer.send("z", {"path": "z"})
    await got.until(2)
    assert ("7", "/app/7") in got


@pytest.mark.asyncio
async def test_a_failure_goes_to_the_dead_letters_with_its_traceback_and_comes_again(layer, capsys):
    attempts = Collected()

    def fails(message):
        attempts.take(message)
        if len(attempts) == 1:
            raise ValueError("not this one")

    await put(layer, "work", fails)
    await layer.send("work", {"n": 1})
    await attempts.until(1)
    dead = await the_dead(layer)
    assert dead[0]["reason"] == "failed"
    assert dead[0]["error"] == "ValueError: not this one"
    assert "raise ValueError" in dead[0]["traceback"]
    assert dead[0]["content"] == {"n": 1}
    await layer.resend(dead[0]["number"])
    await attempts.until(2)
    assert await layer.dead_letters() == []


@pytest.mark.asyncio
async def test_later_runs_eleven_times_and_then_goes_to_the_dead_letters(layer):
    seen = Collected()

    def later(message):
        seen.take(message.retries)
        raise ConsumeLater

    await put(layer, "work", later)
    await layer.send("work", {"n": 1})
    await seen.until(11)
    dead = await the_dead(layer)
    assert list(seen) == list(range(11))
    assert dead[0]["reason"] == "retries"


@pytest.mark.asyncio
async def test_running_again_replaces_and_ending_ends(layer):
    first, second = Collected(), Collected()
    await put(layer, "work", first.take)
    await put(layer, "work", second.take)
    await layer.send("work", {"n": 1})
    await second.until(1)
    assert await layer.services.remove("work") == 1
    receipt = await layer.send("work", {"n": 2})
    assert receipt.members == 0
    assert list(first) == []


@pytest.mark.asyncio
async def test_a_job_survives_the_cut_it_was_worked_on_in(far, cable: Cable, layer):
    started, finish = asyncio.Event(), threading.Event()
    done = Collected()

    def slow(message):
        loop.call_soon_threadsafe(started.set)
        finish.wait(PATIENCE)
        done.take((message["n"], message.redelivered))

    loop = asyncio.get_running_loop()
    await put(far, "work", slow)
    await layer.send("work", {"n": 1})
    async with asyncio.timeout(PATIENCE):
        await started.wait()
    cable.drop()
    async with asyncio.timeout(PATIENCE):
        while far.connection.reconnects < 1:
            await far.statistics()
    finish.set()
    await done.until(1)
    await layer.send("work", {"n": 2})
    await done.until(2)
    assert list(done) == [(1, False), (2, False)]
    await far.services.remove()


@pytest.mark.asyncio
async def test_ask(layer):
    await put(layer, "square", lambda message: {"y": message["x"] ** 2}, reply=True)
    answers = await asyncio.gather(
        *(Channel("square", channel_layer=layer).aask({"x": x}) for x in range(20))
    )
    assert [a["y"] for a in answers] == [x * x for x in range(20)]


@pytest.mark.asyncio
async def test_ask_nobody_and_ask_who_fails(layer):
    with pytest.raises(NoConsumer, match="nobody serves channel 'cube'"):
        await Channel("cube", channel_layer=layer).aask({"x": 1})
    assert (await layer.channel_statistics("cube"))["waiting"] == 0
    await put(layer, "cube", lambda message: 1 / 0, reply=True)
    with pytest.raises(ConsumerFailed, match="ZeroDivisionError"):
        await Channel("cube", channel_layer=layer).aask({"x": 1})
    await put(layer, "mute", lambda message: None)
    with pytest.raises(TimeoutError, match="no answer from channel 'mute'"):
        await Channel("mute", channel_layer=layer).aask({"x": 1}, timeout=0.2)


JOBS = """
import nbchannels as nb
seen = nb.Group("done")
@nb.consume("jobs")
def job(message):
    seen.send({"n": message["n"], "again": message.redelivered}, wait=False)
"""


async def everything(layer: KernelChannelLayer, group: str) -> list[dict[str, Any]]:
    """All that was sent to a group."""
    found: list[dict[str, Any]] = []
    page = await layer.read(group, "earliest")
    while page.records:
        found += map(layer.decode, page.records)
        last = page.records[-1]
        page = await layer.read(group, Position(page.anchor.epoch, last.sequence, last.tag))
    return found


def test_a_thousand_jobs_survive_a_killed_kernel(server: RunningServer):
    layer = KernelChannelLayer(find=server.found)
    kernels = [Kernel(server), Kernel(server)]
    try:
        for kernel in kernels:
            assert kernel.run("%load_ext nbchannels\n" + JOBS)[1] == ""
        pid = int(kernels[0].run("import os; print(os.getpid())")[0])
        for n in range(1000):
            bridge.run(layer.send("jobs", {"n": n}))
            if n == 500:
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        done: dict[int, list[bool]] = {}
        while len(done) < 1000 and time.monotonic() < deadline:
            done = {}
            for message in bridge.run(everything(layer, "done")):
                done.setdefault(message["n"], []).append(message["again"])
            time.sleep(0.2)
        assert sorted(done) == list(range(1000))
        assert all(any(again) for again in done.values() if len(again) > 1)
    finally:
        kernels[1].end()
        kernels[0].client.stop_channels()
        kernels[0].rest("DELETE", f"api/kernels/{kernels[0].id}")
        bridge.run(layer.close())


def test_prints_of_a_consumer_appear_in_its_own_cell(server: RunningServer):
    """Also while another cell runs, and after both; a failure's traceback, too."""
    kernel = Kernel(server)
    try:
        kernel.run("%load_ext nbchannels\nimport nbchannels as nb, time")
        cell = kernel.client.execute(
            "@nb.consume('noisy')\n"
            "def noisy(message):\n"
            "    print('got', message['n'])\n"
            "    if message['n'] == 2:\n"
            "        raise ValueError('no twos')\n"
        )
        printed: dict[str, str] = {}
        kernel.client.get_shell_msg(timeout=PATIENCE)
        other = kernel.client.execute(
            "for n in range(3):\n    nb.Channel('noisy').send({'n': n})\n"
            "print('sent')\ntime.sleep(0.5)"
        )
        deadline = time.monotonic() + PATIENCE
        while "got 2" not in printed.get(cell, "") or "no twos" not in printed.get(cell, ""):
            assert time.monotonic() < deadline, printed
            message = kernel.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "stream":
                parent = message["parent_header"]["msg_id"]
                printed[parent] = printed.get(parent, "") + message["content"]["text"]
        assert "got 0\ngot 1\ngot 2\n" in printed[cell]
        assert "raise ValueError" in printed[cell]
        assert printed.get(other, "sent\n") == "sent\n"
        kernel.client.get_shell_msg(timeout=PATIENCE)
        assert "ValueError: no twos" in kernel.run("%channels log")[0]
    finally:
        kernel.end()


def test_an_async_consumer_runs_between_cells_and_a_sync_ask_of_it_raises(server: RunningServer):
    kernel = Kernel(server)
    try:
        kernel.run(
            "%load_ext nbchannels\nimport nbchannels as nb, threading\n"
            "@nb.consume('name', reply=True)\n"
            "async def name(message):\n"
            "    return {'thread': threading.current_thread().name}\n"
        )
        out, err = kernel.run("nb.Channel('name').ask({})")
        assert err.startswith("WouldDeadlock: Channel('name').ask")
        assert "await Channel('name').aask" in err
        out, err = kernel.run("print((await nb.Channel('name').aask({}))['thread'])")
        assert (out, err) == ("MainThread\n", "")
    finally:
        kernel.end()


class Adder(AsyncConsumer):
    """Adds what it gets, per channel."""

    total = 0

    async def add_number(self, message):
        self.total += message["n"]
        await self.channel_layer.group_send("sums", {"total": self.total})

    async def add_nothing(self, message):
        raise ValueError("nothing to add")


@pytest.mark.asyncio
async def test_a_class_of_handlers_serves_a_channel(layer, monkeypatch):
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    await put(layer, "numbers", Adder)
    cursor = await layer.subscribe("sums")
    for n in (1, 2, 3):
        await layer.send("numbers", {"type": "add.number", "n": n})
    found = contents(layer, await next_items(cursor, 3))
    assert [message["total"] for message in found] == [1, 3, 6]
    await layer.send("numbers", {"type": "add.nothing"})
    await layer.send("numbers", {"type": "subtract.number"})
    dead = await the_dead(layer)
    while len(dead) < 2:
        dead = await the_dead(layer)
    assert {letter["content"]["type"] for letter in dead} == {"add.nothing", "subtract.number"}
    cursor.close()


@pytest.mark.asyncio
async def test_a_job_longer_than_the_expiry_of_its_channel_is_not_lost(layer):
    done, release = Collected(), threading.Event()

    def slow(message):
        release.wait(PATIENCE)
        done.take(message["n"])

    await put(layer, "slow", slow, expiry=0.3, capacity=7)
    await layer.send("slow", {"n": 1})
    async with asyncio.timeout(PATIENCE):
        while (await layer.channel_statistics("slow"))["waiting"]:
            await layer.statistics()
    await asyncio.sleep(0.6)  # the very time that is the matter
    release.set()
    await done.until(1)
    statistics = await layer.channel_statistics("slow")
    assert (statistics["capacity"], statistics["expiry"]) == (7, 0.3)
    assert (list(done), statistics["expired"], await layer.dead_letters()) == ([1], 0, [])


@pytest.mark.asyncio
async def test_what_waits_too_long_goes_to_the_dead_letters(layer):
    never = threading.Event()
    await put(layer, "brief", lambda message: never.wait(1.0), expiry=0.2)
    for n in range(2):
        await layer.send("brief", {"n": n})
    (dead, *_) = await the_dead(layer)
    assert (dead["reason"], dead["content"]) == ("expired", {"n": 1})
    never.set()


@pytest.mark.asyncio
async def test_a_kernel_that_comes_back_keeps_channels_memberships_and_consumers(far, cable, layer):
    got = Collected()
    await put(far, "work", got.take)
    mine = await far.new_channel()
    await far.group_add("team", mine)
    cable.drop()
    async with asyncio.timeout(PATIENCE):
        while far.connection.reconnects < 1:
            await far.statistics()
    await layer.group_send("team", {"n": 1})
    await layer.send("work", {"n": 2})
    assert await far.receive(mine) == {"n": 1}
    await got.until(1)
    assert got[0]["n"] == 2
    await far.services.remove()
