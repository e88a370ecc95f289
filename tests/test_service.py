"""One route in service: where it runs, what it raises, what it leaves behind."""

import asyncio
import contextvars
import gc
import sys
import threading
import time
import weakref

import pytest

from nbchannels.bridge import user_bridge
from nbchannels.consumer import AsyncConsumer
from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import ConsumeLater, ImproperlyConfigured
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from nbchannels.routes import Route
from nbchannels.service import FAILED, Service, Settlement, consumer_thread, running, runs_here

pytestmark = pytest.mark.asyncio
PATIENCE = 10.0


@pytest.fixture(autouse=True)
def nothing_reported():
    diagnoses.clear()
    yield
    diagnoses.clear()


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


def service(consumer, channel="work", **options):
    filters = options.pop("filters", {})
    return Service(Route(channel, consumer, **filters), consumer, **options)


def message(layer, channel="work", **content):
    return Message(content, channel, layer)


async def run(found, given):
    """As a layer runs it: on the loop for user code."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.wrap_future(user_bridge.start(found.run(given)))


def kinds():
    return [found.kind for found in diagnoses.recent()]


# Where.


async def test_a_plain_function_runs_on_the_thread_for_consumers(layer):
    seen = []
    found = service(lambda message: seen.append((threading.current_thread().name, running())))
    assert found.place == "thread"
    assert await run(found, message(layer)) == Settlement()
    assert seen == [("nbchannels-consumers", found)]
    assert (running(), found.count, found.held) == (None, 1, [])


async def test_a_coroutine_function_runs_on_the_loop_of_its_cell(layer):
    seen = []

    async def consumer(message):
        seen.append((asyncio.get_running_loop(), running()))

    found = service(consumer)
    assert found.place == "main"
    await run(found, message(layer))
    assert seen == [(asyncio.get_running_loop(), found)]


async def test_without_a_main_loop_it_runs_on_the_loop_for_user_code(layer):
    seen = []

    async def consumer(message):
        seen.append(threading.current_thread().name)

    found = await asyncio.to_thread(service, consumer)
    assert found.place == "loop"
    await run(found, message(layer))
    assert seen == ["nbchannels-user"]


async def test_on_main_a_plain_function_too_and_on_the_thread_a_coroutine(layer):
    seen = []
    found = service(lambda message: seen.append(threading.current_thread()), on="main")
    await run(found, message(layer))
    assert seen == [threading.main_thread()]

    async def consumer(message):
        seen.append(threading.current_thread())

    found = service(consumer, on="thread")
    await run(found, message(layer))
    assert seen[1].name == "nbchannels-user"
    with pytest.raises(ImproperlyConfigured, match="on='cell'"):
        service(consumer, on="cell")


async def test_when_its_loop_has_ended_it_goes_on_on_another(layer):
    seen = []

    async def consumer(message):
        seen.append(threading.current_thread().name)

    loop = asyncio.new_event_loop()
    found = service(consumer)
    found.loop = loop
    loop.close()
    assert await run(found, message(layer)) == Settlement()
    assert await run(found, message(layer)) == Settlement()
    assert (seen, found.place) == (["nbchannels-user"] * 2, "loop")
    assert kinds() == ["loop-ended"]


async def test_when_its_loop_ends_while_it_runs_the_message_is_not_kept_for_ever(
    layer, monkeypatch
):
    monkeypatch.setattr("nbchannels.places.LOOK", 0.01)
    began = threading.Event()

    async def consumer(message):
        began.set()
        await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = service(consumer)
    found.loop = loop
    running_it = asyncio.ensure_future(run(found, message(layer)))
    await asyncio.to_thread(began.wait, PATIENCE)
    tasks = asyncio.all_tasks(loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in tasks:
        task._log_destroy_pending = False  # it is destroyed pending: that is the point
    loop.close()
    settlement = await running_it
    assert (settlement.outcome, "has ended" in settlement.error) == ("fail", True)


# What it raises.


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), StopIteration(7)]
)
@pytest.mark.parametrize("place", ["thread", "main", "loop"])
async def test_whatever_it_raises_ends_its_message_only(layer, capsys, error, place):
    def consumer(message):
        raise error

    async def coroutine(message):
        raise error

    found = service(consumer if place == "thread" else coroutine)
    if place == "loop":
        found.place = "loop"
    settlement = await run(found, message(layer, n=1))
    assert settlement.outcome == "fail"
    assert found.failed == 1
    if not isinstance(error, StopIteration):  # no coroutine can raise it as it is
        assert settlement.error == f"{type(error).__name__}: {error}"
        assert "raise error" in settlement.traceback
    printed = capsys.readouterr().err
    assert "failed on <Message channel 'work' {'n': 1}>" in printed
    assert kinds() == ["consumer-failed"]
    good = service(lambda message: None)
    assert await run(good, message(layer)) == Settlement()


async def test_consume_later(layer):
    def consumer(message):
        raise ConsumeLater

    found = service(consumer)
    assert await run(found, message(layer)) == Settlement("later")
    assert (found.failed, kinds()) == (0, [])


async def test_one_that_cancels_itself_has_failed(layer):
    """Given back, it would come again, and again."""

    async def consumer(message):
        raise asyncio.CancelledError

    for place in ("main", "loop"):
        found = service(consumer)
        found.place = place
        assert (await run(found, message(layer))).outcome == "fail"


async def test_one_that_is_cancelled_with_its_loop_gives_its_message_back(layer):
    began = threading.Event()
    ended = []

    async def consumer(message):
        began.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            ended.append(True)
            raise

    for place in ("loop", "main"):
        found = service(consumer)
        found.place = place
        began.clear()
        loop, outcome = user_bridge.loop, []

        async def begin(found=found, outcome=outcome):
            outcome.append(asyncio.ensure_future(found.run(message(layer))))

        await asyncio.wrap_future(user_bridge.start(begin()))
        await asyncio.to_thread(began.wait, PATIENCE)
        loop.call_soon_threadsafe(outcome[0].cancel)

        async def result(outcome=outcome):
            return await outcome[0]

        assert await asyncio.wrap_future(user_bridge.start(result())) == Settlement("return")
    await asyncio.sleep(0)
    assert len(ended) == 2


async def test_an_error_that_cannot_be_shown_is_told_all_the_same(layer, monkeypatch):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    def consumer(message):
        raise Mute

    monkeypatch.setattr(sys, "stderr", None)  # as in a program without a console
    settlement = await run(service(consumer), message(layer))
    assert (settlement.outcome, settlement.error) == ("fail", "Mute, which cannot be shown")


async def test_a_filter_that_matches_no_more(layer):
    found = service(lambda message: None, filters={"path": "^/a"})
    settlement = await run(found, message(layer, path="/b"))
    assert settlement.error.startswith("LookupError")


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_generator_says_that_nothing_ran(layer, is_async):
    def consumer(message):
        yield

    async def coroutine(message):
        yield

    settlement = await run(service(coroutine if is_async else consumer), message(layer))
    assert "has a yield" in settlement.error


async def test_a_coroutine_of_a_plain_function_is_awaited_and_told(layer):
    ran = []

    async def work():
        ran.append(True)

    found = service(lambda message: work())
    assert await run(found, message(layer)) == Settlement()
    assert (ran, kinds()) == ([True], ["not-awaited"])


# Replies.


async def test_replies(layer):
    found = service(lambda message: {"y": message["x"] ** 2}, reply=True)
    reply = await layer.new_channel()
    receiving = asyncio.ensure_future(layer.receive(reply))
    await asyncio.sleep(0)
    assert await run(found, message(layer, x=3, reply_channel=reply)) == Settlement()
    assert await receiving == {"y": 9}
    await run(found, message(layer, x=3))
    assert kinds() == ["no-reply-channel"]
    found = service(lambda message: 9, reply=True)
    settlement = await run(found, message(layer, reply_channel=reply))
    assert "a reply is a dict" in settlement.error


async def test_a_result_that_goes_nowhere_is_told(layer):
    await run(service(lambda message: 9), message(layer))
    assert "nobody gets it" in diagnoses.recent()[-1].sentence
    diagnoses.clear()
    await run(service(lambda message: 9), message(layer, reply_channel="a!b"))
    assert "reply=True" in diagnoses.recent()[-1].sentence


async def test_a_failure_is_told_to_whoever_asks(layer):
    def consumer(message):
        raise ValueError("no")

    reply = await layer.new_channel("ask")
    receiving = asyncio.ensure_future(layer.receive(reply))
    await asyncio.sleep(0)
    await run(service(consumer), message(layer, reply_channel=reply))
    told = await receiving
    assert (told["type"], told["error"]) == (FAILED, "ValueError: no")
    other = await layer.new_channel("http.response")
    await run(service(consumer), message(layer, reply_channel=other))
    assert (await layer.channel_statistics(other))["waiting"] == 0
    # A reply channel that is none, or that nobody receives from, changes nothing of the failure.
    for reply in ("ask. !", "ask.a!b"):
        settlement = await run(service(consumer), message(layer, reply_channel=reply))
        assert settlement.error == "ValueError: no"
        assert "no-answer" in kinds()
        diagnoses.clear()


async def test_where_waiting_would_never_end(layer):
    plain, on_main = service(lambda message: None), service(lambda message: None, on="main")
    assert not runs_here(plain)
    assert runs_here(on_main)
    assert not await asyncio.to_thread(runs_here, on_main)
    inside = []
    found = service(lambda message: inside.append(runs_here(plain)))
    await run(found, message(layer))
    assert inside == [True]


# What it leaves behind.


async def test_nothing_of_a_message_stays(layer):
    class Payload:
        pass

    refs = []
    variable = contextvars.ContextVar("payload")

    def consumer(message):
        payload = Payload()
        variable.set(payload)
        refs.append(weakref.ref(payload))

    async def coroutine(message):
        consumer(message)

    for found in (
        service(consumer),
        service(coroutine),
        await asyncio.to_thread(service, coroutine),
    ):
        for _ in range(3):
            await run(found, message(layer))
    # The thread and the loop have something else to do.
    await run(service(lambda message: None), message(layer))
    await asyncio.sleep(0)
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []


async def test_one_that_does_not_return_is_held_and_may_be_taken_out_of_service(layer):
    go_on, began = threading.Event(), threading.Event()

    def consumer(message):
        began.set()
        go_on.wait(PATIENCE)

    found = service(consumer)
    running_it = asyncio.ensure_future(run(found, message(layer)))
    await asyncio.to_thread(began.wait, PATIENCE)
    try:
        (held,) = found.held
        assert held.begun is not None
        assert time.monotonic() - held.begun < PATIENCE
        await asyncio.wrap_future(user_bridge.start(found.end()))
        assert not running_it.done()
        other = service(lambda message: None)
        waiting = asyncio.ensure_future(run(other, message(layer)))
        await asyncio.sleep(0.01)
        assert other.held[0].begun is None, "there is one thread"
    finally:
        go_on.set()
    assert await running_it == Settlement()
    assert await waiting == Settlement()
    assert consumer_thread.most == 1


class Adder(AsyncConsumer):
    """Adds up; tells when it is stopped."""

    went_on: threading.Event
    began: threading.Event
    ended: list

    async def add_slowly(self, message):
        type(self).began.set()
        try:
            await asyncio.to_thread(type(self).went_on.wait, PATIENCE)
        except asyncio.CancelledError:
            type(self).ended.append("cancelled")
            raise
        type(self).ended.append("finished")


async def test_a_class_finishes_what_it_has_in_hand(layer):
    Adder.began, Adder.went_on, Adder.ended = threading.Event(), threading.Event(), []
    found = service(Adder)
    running_it = asyncio.ensure_future(run(found, message(layer, type="add.slowly")))
    await asyncio.to_thread(Adder.began.wait, PATIENCE)
    await asyncio.wrap_future(user_bridge.start(found.end()))
    (instance,) = found._instances.values()
    Adder.went_on.set()
    assert await running_it == Settlement()
    assert Adder.ended == ["finished"]
    assert (found._instances, instance.task.done()) == ({}, True)


async def test_a_class_has_one_instance_a_channel_and_not_too_many(layer, monkeypatch):
    monkeypatch.setattr("nbchannels.service.MOST_INSTANCES", 3)
    Adder.began, Adder.went_on, Adder.ended = threading.Event(), threading.Event(), []
    Adder.went_on.set()
    found = service(Adder, "add.*")
    for n in range(10):
        assert await run(found, message(layer, f"add.{n}", type="add.slowly")) == Settlement()
        assert len(found._instances) <= 3
    await asyncio.wrap_future(user_bridge.start(found.end()))
    assert found._instances == {}
    with pytest.raises(ImproperlyConfigured, match="class of handlers"):
        service(Adder, on="main")
