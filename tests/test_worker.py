"""A worker: nothing in a message ends it, and nothing is lost unannounced."""

import asyncio
import threading

import pytest
import pytest_asyncio

from nbchannels import worker as module
from nbchannels.bridge import async_to_sync
from nbchannels.consumer import AsyncConsumer, SyncConsumer
from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import (
    ChannelClosed,
    ConsumeLater,
    InvalidChannelLayerError,
    InvalidName,
    LayerUnavailable,
    StopConsumer,
)
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.worker import Worker

pytestmark = pytest.mark.asyncio


class Layer(InMemoryChannelLayer):
    """Notes what is settled, and how."""

    def __init__(self):
        super().__init__()
        self.settled = asyncio.Queue()

    async def settle(self, lease, outcome="done", error="", traceback=""):
        await super().settle(lease, outcome, error, traceback)
        self.settled.put_nowait((lease.message, outcome, error, traceback))

    async def outcomes(self, count):
        async with asyncio.timeout(5):
            return [(await self.settled.get())[1] for _ in range(count)]


@pytest.fixture
def layer():
    layer = Layer()
    old = channel_layers.set("default", layer)
    diagnoses.clear()
    yield layer
    channel_layers.set("default", old)
    diagnoses.clear()


class Thumbnails(AsyncConsumer):
    """Answers into a channel."""

    def __init__(self):
        self.count = 0

    async def image_make(self, message):
        self.count += 1
        await self.channel_layer.send("done", {"type": "made", "n": message["n"], "at": self.count})

    async def image_fail(self, message):
        raise ValueError("no image")

    async def image_later(self, message):
        raise ConsumeLater

    async def image_stop(self, message):
        raise StopConsumer

    async def image_send(self, message):
        await self.send({"type": "http.response.start"})


class SyncThumbnails(SyncConsumer):
    """The same, as plain methods."""

    def __init__(self):
        self.count = 0

    def image_make(self, message):
        self.count += 1
        async_to_sync(self.channel_layer.send)(
            "done", {"type": "made", "n": message["n"], "at": self.count}
        )

    def image_fail(self, message):
        raise ValueError("no image")

    def image_later(self, message):
        raise ConsumeLater

    def image_stop(self, message):
        raise StopConsumer

    def image_send(self, message):
        self.send({"type": "http.response.start"})


BOTH = pytest.mark.parametrize("consumer", [Thumbnails, SyncThumbnails])


@pytest_asyncio.fixture
async def working(layer):
    """Starts workers, and stops them at the end."""
    tasks = []

    def start(application, channels=("work",), **options):
        worker = Worker(application, list(channels), layer, **options)
        task = asyncio.ensure_future(worker.run())
        tasks.append((worker, task))
        return worker, task

    yield start
    for worker, task in tasks:
        worker.stop()
        if not task.done():
            async with asyncio.timeout(5):
                await task


async def made(layer):
    async with asyncio.timeout(5):
        return (await layer.receive("done"))["n"]


@BOTH
async def test_it_works_and_settles(layer, working, consumer):
    working(consumer.as_asgi())
    for n in range(3):
        await layer.send("work", {"type": "image.make", "n": n})
    assert [await made(layer) for _ in range(3)] == [0, 1, 2]
    assert await layer.outcomes(3) == ["done"] * 3
    assert diagnoses.recent() == []


async def test_what_waited_before_is_worked_on(layer, working):
    await layer.send("work", {"type": "image.make", "n": 1})
    working(Thumbnails)
    assert await made(layer) == 1


async def test_each_channel_has_one_instance_and_its_scope(layer, working):
    seen = []

    async def application(scope, receive, send):
        seen.append(dict(scope))
        while True:
            message = await receive()
            await layer.send("done", {"n": f"{scope['channel']} {message['type']}"})

    working(application, ["a", "b"])
    await layer.send("a", {"type": "one"})
    assert await made(layer) == "a one"
    await layer.send("b", {"type": "two"})
    await layer.send("a", {"type": "three"})
    assert {await made(layer), await made(layer)} == {"b two", "a three"}
    assert seen == [{"type": "channel", "channel": "a"}, {"type": "channel", "channel": "b"}]


@BOTH
@pytest.mark.parametrize(
    ("message", "kind", "word"),
    [
        ({}, "missing-type", "type"),
        ({"type": "image.mak"}, "no-handler", "did you mean type 'image.make'"),
        ({"type": "_private"}, "no-handler", "underscore"),
        ({"type": "send"}, "not-reachable", "rename"),
        ({"type": "websocket.connect"}, "not-reachable", "rename"),
        ({"type": "image.fail"}, "handler-failed", "no image"),
        ({"type": "image.send"}, "handler-failed", "a worker has no client"),
    ],
)
async def test_a_bad_message_goes_to_the_dead_letters_and_the_work_goes_on(
    layer, working, consumer, message, kind, word
):
    working(consumer.as_asgi())
    await layer.send("work", {"type": "image.make", "n": 1})
    await layer.send("work", message)
    await layer.send("work", {"type": "image.make", "n": 2})
    assert [await made(layer), await made(layer)] == [1, 2]
    assert await layer.outcomes(3) == ["done", "fail", "done"]
    (dead,) = await layer.dead_letters(channel="work")
    assert word in dead["error"]
    assert [told.kind for told in diagnoses.recent()] == [kind]
    assert word in diagnoses.recent()[0].sentence


async def test_a_failure_does_not_cost_the_consumer_its_state(layer, working):
    working(Thumbnails)
    for sent in ("image.make", "image.fail", "image.make"):
        await layer.send("work", {"type": sent, "n": 1})
    counts = [(await layer.receive("done"))["at"] for _ in range(2)]
    assert counts == [1, 2]


async def test_a_dead_letter_has_the_traceback(layer, working):
    working(Thumbnails)
    await layer.send("work", {"type": "image.fail"})
    async with asyncio.timeout(5):
        _, outcome, error, traceback = await layer.settled.get()
    assert outcome == "fail"
    assert error == "Thumbnails failed on image.fail: ValueError: no image"
    assert "in image_fail" in traceback


@BOTH
async def test_consume_later_goes_to_the_back_and_in_the_end_to_the_dead(layer, working, consumer):
    working(consumer.as_asgi())
    await layer.send("work", {"type": "image.later"})
    await layer.send("work", {"type": "image.make", "n": 1})
    assert await made(layer) == 1
    outcomes = await layer.outcomes(12)
    assert sorted(outcomes) == ["done"] + ["later"] * 11
    assert outcomes[0] == "later"
    (dead,) = await layer.dead_letters(channel="work")
    assert "ConsumeLater 11 times" in dead["error"]


@BOTH
async def test_after_stop_consumer_the_next_message_makes_a_new_instance(layer, working, consumer):
    working(consumer.as_asgi())
    for sent in ("image.make", "image.stop", "image.make"):
        await layer.send("work", {"type": sent, "n": 1})
    async with asyncio.timeout(5):
        assert [(await layer.receive("done"))["at"] for _ in range(2)] == [1, 1]
    assert await layer.outcomes(3) == ["done"] * 3


# Applications that are not ours.


async def test_an_application_that_raises_is_made_anew(layer, working):
    async def application(scope, receive, send):
        message = await receive()
        if message["n"] == 1:
            raise ValueError("no one")
        if message["n"] == 2:
            raise ConsumeLater
        await layer.send("done", {"n": message["n"]})

    working(application)
    for n in (1, 2, 3):
        await layer.send("work", {"n": n})
    assert await made(layer) == 3
    assert (await layer.outcomes(3)) == ["fail", "later", "done"]
    assert "ValueError: no one" in diagnoses.recent()[0].sentence


@pytest.mark.parametrize("how", ["returns", "raises"])
async def test_an_application_that_takes_nothing(layer, working, how):
    async def application(scope, receive, send):
        if how == "raises":
            raise ValueError("no route")

    working(application)
    await layer.send("work", {"n": 1})
    await layer.send("work", {"n": 2})
    assert await layer.outcomes(2) == ["fail", "fail"]
    assert len(await layer.dead_letters(channel="work")) == 2
    assert ("no route" in diagnoses.recent()[0].sentence) is (how == "raises")


async def test_an_application_that_ends_between_two_messages(layer, working):
    ended = asyncio.Event()

    async def application(scope, receive, send):
        message = await receive()
        await layer.send("done", {"n": message["n"]})
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        ended.set()

    working(application)
    await layer.send("work", {"n": 1})
    await ended.wait()
    await layer.send("work", {"n": 2})
    assert [await made(layer), await made(layer)] == [1, 2]
    assert await layer.outcomes(2) == ["done", "done"]


async def test_a_message_that_comes_while_the_consumer_ends_is_not_lost(layer, working):
    """Its own channel stops it in the very moment in which the worker hands it a message."""
    starts = []

    class Own(Thumbnails):
        def __init__(self):
            super().__init__()
            starts.append(self)

        async def own_stop(self, message):
            raise StopConsumer

    working(Own)
    await layer.send("work", {"type": "image.make", "n": 0})
    assert await made(layer) == 0
    for n in range(1, 30):
        await layer.send(starts[-1].channel_name, {"type": "own.stop"})
        await layer.send("work", {"type": "image.make", "n": n})
        assert await made(layer) == n
    assert await layer.dead_letters() == []


# The end.


async def test_stop_lets_the_handler_that_runs_finish(layer, working):
    began, go = asyncio.Event(), asyncio.Event()

    class Own(Thumbnails):
        async def image_slow(self, message):
            began.set()
            await go.wait()

    worker, task = working(Own)
    await layer.send("work", {"type": "image.slow"})
    await layer.send("work", {"type": "image.make", "n": 1})
    await began.wait()
    worker.stop()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    async with asyncio.timeout(5):
        await task
    assert await layer.outcomes(1) == ["done"]
    assert (await layer.channel_statistics("work"))["waiting"] == 1


async def test_stop_ends_what_waits_from_any_thread(layer, working):
    worker, task = working(Thumbnails, ["a", "b"])
    await layer.send("a", {"type": "image.make", "n": 1})
    assert await made(layer) == 1
    thread = threading.Thread(target=worker.stop)
    thread.start()
    async with asyncio.timeout(5):
        await task
    thread.join()
    assert (await layer.names())["channels"] == []
    await layer.send("a", {"type": "image.make", "n": 2})
    assert (await layer.channel_statistics("a"))["waiting"] == 1


async def test_it_can_run_again_and_not_twice_at_once(layer, working):
    worker, task = working(Thumbnails)
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="runs already"):
        await worker.run()
    worker.stop()
    await task
    again = asyncio.ensure_future(worker.run())
    await layer.send("work", {"type": "image.make", "n": 1})
    assert await made(layer) == 1
    worker.stop()
    await again
    worker.stop()


async def test_cancelling_gives_the_message_back(layer):
    began = asyncio.Event()

    class Own(Thumbnails):
        async def image_slow(self, message):
            began.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(Worker(Own, ["work"], layer).run())
    await layer.send("work", {"type": "image.slow"})
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await layer.outcomes(1) == ["return"]
    lease = await layer.lease("work")
    assert lease.message == {"type": "image.slow"}
    await layer.settle(lease)
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]


async def test_a_closed_channel_ends_it_with_an_error(layer):
    task = asyncio.ensure_future(Worker(Thumbnails, ["work", "other"], layer).run())
    async with asyncio.timeout(5):
        while (await layer.channel_statistics("work"))["receivers"] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await layer.close_channel("work")
    with pytest.raises(ChannelClosed):
        await task
    assert (await layer.channel_statistics("other"))["receivers"] == 0


async def test_a_layer_that_cannot_be_reached_is_waited_for(layer, working, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.001)
    lease, failures = layer.lease, iter(range(3))

    async def shaky(channel):
        if next(failures, None) is not None:
            raise LayerUnavailable("no server")
        return await lease(channel)

    monkeypatch.setattr(layer, "lease", shaky)
    working(Thumbnails)
    await layer.send("work", {"type": "image.make", "n": 1})
    assert await made(layer) == 1
    (told,) = diagnoses.recent()
    assert (told.kind, told.count) == ("layer-failed", 3)


async def test_a_message_that_cannot_be_settled_is_told(layer, working, monkeypatch):
    async def unreachable(*arguments):
        raise LayerUnavailable("no server")

    monkeypatch.setattr(layer, "settle", unreachable)
    working(Thumbnails)
    for n in range(2):
        await layer.send("work", {"type": "image.make", "n": n})
    assert [await made(layer), await made(layer)] == [0, 1]
    assert "may come again: no server" in diagnoses.recent()[0].sentence


# What it takes.


@pytest.mark.parametrize(
    ("channels", "options", "error", "word"),
    [
        ("work", {}, ValueError, r"write \['work'\]"),
        ([], {}, ValueError, "without channels"),
        (["a b"], {}, InvalidName, "a-b"),
        (["a", "b", "c"], {"max_applications": 2}, ValueError, "max_applications=3"),
        (["a"], {"max_aplications": 2}, TypeError, "max_aplications"),
    ],
)
async def test_arguments_that_cannot_be_used(layer, channels, options, error, word):
    with pytest.raises(error, match=word):
        Worker(Thumbnails, channels, layer, **options)


async def test_without_a_layer():
    with pytest.raises(InvalidChannelLayerError, match="get_channel_layer"):
        Worker(Thumbnails, ["work"], None)


async def test_a_channel_named_twice_counts_once(layer):
    assert Worker(Thumbnails, ["a", "a", "b"], layer).channels == ["a", "b"]
