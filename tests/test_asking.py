"""Questions: the answer, no answer, two answers, and nothing left behind."""

import asyncio
import gc
import os
import threading
import weakref

import pytest

from nbchannels.asking import _channels, aask, require_answerable
from nbchannels.bridge import bridge
from nbchannels.consuming import services_of
from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import (
    ChannelFull,
    ConsumerFailed,
    NoConsumer,
    SendTimeout,
    WouldDeadlock,
)
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.routes import Route
from nbchannels.service import Service

pytestmark = pytest.mark.asyncio
PATIENCE = 10.0


@pytest.fixture
def layer():
    yield InMemoryChannelLayer(capacity=2_000)
    diagnoses.clear()


async def serve(layer, channel, consumer, **options):
    await services_of(layer).add(Service(Route(channel, consumer), consumer, **options))


def square(message):
    return {"y": message["x"] ** 2}


def waiting(layer):
    """The channels in which somebody waits, or something."""
    boxes = layer._registry.mailboxes.values()
    return [box.name for box in boxes if box.waiters or box.letters]


async def test_an_answer(layer):
    await serve(layer, "square", square, reply=True)
    answer = await aask(layer, "square", {"x": 3}, PATIENCE)
    assert answer["y"] == 9
    assert answer.channel_name.startswith("ask.")
    assert waiting(layer) == []


async def test_the_question_is_left_as_it_was(layer):
    await serve(layer, "square", square, reply=True)
    question = {"x": 3}
    await aask(layer, "square", question, PATIENCE)
    assert question == {"x": 3}
    with pytest.raises(ValueError, match="reply_channel of its own"):
        await aask(layer, "square", {"reply_channel": "a!b"}, PATIENCE)
    with pytest.raises(TypeError, match="a question is a dict, not a list"):
        await aask(layer, "square", [], PATIENCE)


async def test_a_thousand_at_once(layer):
    await serve(layer, "square", square, reply=True)
    answers = await asyncio.gather(
        *(aask(layer, "square", {"x": x}, PATIENCE) for x in range(1_000))
    )
    assert [answer["y"] for answer in answers] == [x * x for x in range(1_000)]
    assert len({answer.channel_name for answer in answers}) == 1_000
    assert waiting(layer) == []
    assert len(layer._registry.mailboxes) < 10


async def test_from_several_threads(layer):
    await serve(layer, "square", square, reply=True)
    answers = await asyncio.gather(
        *(
            asyncio.to_thread(asyncio.run, aask(layer, "square", {"x": x}, PATIENCE))
            for x in range(20)
        )
    )
    assert [answer["y"] for answer in answers] == [x * x for x in range(20)]


async def test_an_answer_that_comes_too_late_meets_no_other_question(layer):
    late = asyncio.ensure_future(layer.receive("square"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError, match="no answer from channel 'square' within 0.05 s"):
        await aask(layer, "square", {"x": 1}, 0.05)
    reply = (await late)["reply_channel"]
    next_one = asyncio.ensure_future(layer.receive("square"))
    asking = asyncio.ensure_future(aask(layer, "square", {"x": 2}, PATIENCE))
    other = (await next_one)["reply_channel"]
    await layer.send(reply, {"y": "late"})
    await layer.send(other, {"y": "in time"})
    assert (await asking)["y"] == "in time"


async def test_what_is_answered_twice_answers_one_question(layer):
    for n in range(3):
        question = asyncio.ensure_future(layer.receive("work"))
        asking = asyncio.ensure_future(aask(layer, "work", {}, PATIENCE))
        reply = (await question)["reply_channel"]
        await layer.send(reply, {"n": n})
        await layer.send(reply, {"n": "again"})
        assert (await asking)["n"] == n


async def test_who_answers_can_guess_no_other_reply_channel(layer):
    names = []
    await serve(layer, "work", lambda m: names.append(m["reply_channel"]) or {}, reply=True)
    await asyncio.gather(*(aask(layer, "work", {}, PATIENCE) for _ in range(3)))
    assert len({name.rpartition(".")[2] for name in names}) == 3
    assert all(len(name.rpartition(".")[2]) == 16 for name in names)


async def test_nobody_serves(layer):
    with pytest.raises(NoConsumer, match="nobody serves channel 'cube'"):
        await aask(layer, "cube", {}, PATIENCE)
    assert waiting(layer) == [], "the question is not left behind"


async def test_who_served_a_moment_ago_is_not_waited_for(layer):
    await serve(layer, "square", square, reply=True)
    await aask(layer, "square", {"x": 1}, PATIENCE)
    await services_of(layer).remove("square")
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(NoConsumer):
            await aask(layer, "square", {"x": 1}, None)


async def test_who_receives_in_a_loop_and_is_busy_serves(layer):
    """Between two receives nobody waits on the channel."""
    await layer.send("work", {"n": 1})
    await layer.receive("work")
    asking = asyncio.ensure_future(aask(layer, "work", {}, PATIENCE))
    for _ in range(10):
        await asyncio.sleep(0)
    assert "work" in waiting(layer)
    async with asyncio.timeout(PATIENCE):
        await layer.send((await layer.receive("work"))["reply_channel"], {"n": 2})
    assert (await asking)["n"] == 2


async def test_a_consumer_that_fails(layer, capsys):
    await serve(layer, "work", lambda message: 1 / 0, reply=True)
    with pytest.raises(ConsumerFailed, match=r"channel 'work', failed: ZeroDivisionError"):
        await aask(layer, "work", {}, PATIENCE)
    assert waiting(layer) == []


async def test_a_cancelled_question_leaves_nothing_behind(layer):
    arrived = asyncio.ensure_future(layer.receive("work"))
    asking = asyncio.ensure_future(aask(layer, "work", {}, None))
    reply = (await arrived)["reply_channel"]
    assert waiting(layer) == [reply]
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert waiting(layer) == []
    assert len(asyncio.all_tasks()) == 1


async def test_a_question_that_cannot_be_sent(layer):
    full = InMemoryChannelLayer(capacity=1)
    await full.send("work", {})
    await full.send("other", {})
    await full.receive("other")
    await full.send("other", {})
    with pytest.raises(ChannelFull):
        await aask(full, "other", {}, PATIENCE)
    assert waiting(full) == ["work", "other"]
    assert len(asyncio.all_tasks()) == 1


async def test_a_timeout_of_the_layer_is_told_as_it_is():
    class Slow(InMemoryChannelLayer):
        async def send(self, channel, message):
            raise SendTimeout("not written within 5 s")

    layer = Slow()
    layer.take("work", None)
    receiving = asyncio.ensure_future(layer.receive("work"))
    await asyncio.sleep(0)
    with pytest.raises(SendTimeout, match="not written"):
        await aask(layer, "work", {}, PATIENCE)
    receiving.cancel()


async def test_a_reply_channel_that_is_closed(layer):
    arrived = asyncio.ensure_future(layer.receive("work"))
    asking = asyncio.ensure_future(aask(layer, "work", {}, PATIENCE))
    await layer.close_channel((await arrived)["reply_channel"])
    with pytest.raises(Exception, match="reply channel of a question to 'work' was closed"):
        await asking


async def test_a_layer_that_is_not_used_any_more_is_forgotten():
    layer = InMemoryChannelLayer()
    await serve(layer, "square", square, reply=True)
    await aask(layer, "square", {"x": 1}, PATIENCE)
    await services_of(layer).remove()
    gone = weakref.ref(layer)
    del layer
    async with asyncio.timeout(PATIENCE):
        while gone() is not None:
            await asyncio.sleep(0.001)
            gc.collect()
    assert gone() is None


async def test_after_a_flush_questions_are_answered_all_the_same(layer):
    await serve(layer, "square", square, reply=True)
    await aask(layer, "square", {"x": 1}, PATIENCE)
    await layer.flush()
    assert (await aask(layer, "square", {"x": 2}, PATIENCE))["y"] == 4


async def test_a_child_asks_on_channels_of_its_own(layer):
    await serve(layer, "square", square, reply=True)
    first = (await aask(layer, "square", {"x": 1}, PATIENCE)).channel_name
    with _channels._lock:  # as another thread of the parent may have it
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                mine = asyncio.new_event_loop().run_until_complete(_channels.take(layer))
                os.write(write, mine.encode())
            finally:
                os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        second = (await asyncio.to_thread(pipe.read)).decode()
    await asyncio.to_thread(os.waitpid, pid, 0)
    assert second.startswith("ask.")
    assert second.partition("!")[0] != first.partition("!")[0]


async def test_what_is_known_of_answers_is_bounded(layer):
    for n in range(2_500):
        _channels.answered(layer, f"c{n}")
        assert len(_channels._answered[layer]) <= 1_000
    assert _channels.answers(layer, "c2499")
    _channels.silent(layer, "c2499")
    assert not _channels.answers(layer, "c2499")


async def test_a_question_that_only_this_thread_could_answer(layer):
    await serve(layer, "main", square, reply=True, on="main")
    with pytest.raises(WouldDeadlock, match=r"between cells: await Channel\('main'\)\.aask"):
        require_answerable(layer, "main")
    await asyncio.to_thread(require_answerable, layer, "main")
    await serve(layer, "thread", square, reply=True)
    require_answerable(layer, "thread")
    require_answerable(layer, "nobody")
    refused = []

    def asks_itself(message):
        try:
            require_answerable(layer, "thread")
        except WouldDeadlock as error:
            refused.append((threading.current_thread().name, str(error)))
        return {}

    await serve(layer, "asks", asks_itself, reply=True)
    await aask(layer, "asks", {}, PATIENCE)
    ((name, sentence),) = refused
    assert name == "nbchannels-consumers"
    assert "on this thread" in sentence
    assert not bridge.here
