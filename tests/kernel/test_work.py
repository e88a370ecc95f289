"""Consumers in kernels and scripts: registered, delivered, settled; over cuts and deaths."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from nbchannels import Channel, ConsumeLater, NoConsumer, consume, include, route, unconsume
from nbchannels.exceptions import ConsumerFailed
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.routes import Route
from nbchannels.service import Service
from tests.kernel.conftest import Cable, RunningServer
from tests.kernel.test_layer import Kernel

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.asyncio]
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


async def test_a_consumer_gets_the_messages_of_its_channel_in_order(layer):
    got = Collected()
    await put(layer, "work", got.take)
    for n in range(50):
        await layer.send("work", {"n": n})
    await got.until(50)
    assert [m["n"] for m in got] == list(range(50))
    assert got[0].channel == Channel("work")
    assert not got[0].redelivered


async def test_what_waited_before_is_consumed(layer):
    for n in range(5):
        await layer.send("work", {"n": n})
    got = Collected()
    await put(layer, "work", got.take)
    await got.until(5)
    assert [m["n"] for m in got] == list(range(5))


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


async def test_a_table_of_routes_with_a_prefix(layer):
    got = Collected()
    inner = [route("http.y", lambda message, n: got.take((n, message["path"])), path=r"^/(?P<n>\d)")]
    await asyncio.to_thread(
        consume, [include(inner, path=r"^/app"), route("z", got.take)], channel_layer=layer
    )
    await layer.send("http.y", {"path": "/app/7"})
    await layer.send("z", {"path": "z"})
    await got.until(2)
    assert ("7", "/app/7") in got


async def test_a_failure_goes_to_the_dead_letters_with_its_traceback_and_comes_again(layer, capsys):
    attempts = Collected()

    def fails(message):
        attempts.take(message)
        if len(attempts) == 1:
            raise ValueError("not this one")

    await put(layer, "work", fails)
    await layer.send("work", {"n": 1})
    await attempts.until(1)
    async with asyncio.timeout(PATIENCE):
        while not (dead := await layer.dead_letters()):
            await asyncio.sleep(0.02)
    assert dead[0]["reason"] == "failed"
    assert dead[0]["error"] == "ValueError: not this one"
    assert "raise ValueError" in dead[0]["traceback"]
    assert dead[0]["content"] == {"n": 1}
    await layer.resend(dead[0]["number"])
    await attempts.until(2)
    assert await layer.dead_letters() == []


async def test_later_runs_eleven_times_and_then_goes_to_the_dead_letters(layer):
    seen = Collected()

    def later(message):
        seen.take(message.retries)
        raise ConsumeLater

    await put(layer, "work", later)
    await layer.send("work", {"n": 1})
    await seen.until(11)
    async with asyncio.timeout(PATIENCE):
        while not (dead := await layer.dead_letters()):
            await asyncio.sleep(0.02)
    assert list(seen) == list(range(11))
    assert dead[0]["reason"] == "retries"


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


async def test_a_job_survives_the_cut_it_was_worked_on_in(far, cable: Cable, layer):
    started, finish = asyncio.Event(), asyncio.Event()
    done = Collected()

    async def slow(message):
        loop.call_soon_threadsafe(started.set)
        while not finish.is_set():
            await asyncio.sleep(0.01)
        done.take((message["n"], message.redelivered))

    loop = asyncio.get_running_loop()
    await put(far, "work", slow, on="thread")
    await layer.send("work", {"n": 1})
    async with asyncio.timeout(PATIENCE):
        await started.wait()
    cable.drop()
    async with asyncio.timeout(PATIENCE):
        while far.connection.reconnects < 1 or far.connection.status != "open":
            await asyncio.sleep(0.01)
    finish.set()
    await done.until(1)
    await layer.send("work", {"n": 2})
    await done.until(2)
    assert list(done) == [(1, False), (2, False)]
    await far.services.remove()


async def test_ask(layer):
    await put(layer, "square", lambda message: {"y": message["x"] ** 2}, reply=True)
    answers = await asyncio.gather(
        *(Channel("square", channel_layer=layer).aask({"x": x}) for x in range(20))
    )
    assert [a["y"] for a in answers] == [x * x for x in range(20)]


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


async def test_a_thousand_jobs_survive_a_killed_kernel(server: RunningServer, layer):
    kernels = [Kernel(server), Kernel(server)]
    try:
        for kernel in kernels:
            out, err = kernel.run("%load_ext nbchannels\n" + JOBS)
            assert err == ""
        pid = int(kernels[0].run("import os; print(os.getpid())")[0])
        for n in range(1000):
            await layer.send("jobs", {"n": n})
            if n == 500:
                import os
                import signal

                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        done: dict[int, list[bool]] = {}
        while len(done) < 1000 and time.monotonic() < deadline:
            done = {}
            page = await layer.read("done", "earliest", 256)
            while page.records:
                for record in page.records:
                    message = layer.decode(record)
                    done.setdefault(message["n"], []).append(message["again"])
                from nbchannels.protocol.events import Position

                last = page.records[-1]
                page = await layer.read(
                    "done", Position(page.anchor.epoch, last.sequence, last.tag), 256
                )
            await asyncio.sleep(0.2)
        assert sorted(done) == list(range(1000))
        assert all(any(again) for again in done.values() if len(again) > 1)
    finally:
        kernels[1].end()
        kernels[0].client.stop_channels()
