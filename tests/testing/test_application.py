"""Driving an application in a test."""

import asyncio

import pytest

from nbchannels import testing
from nbchannels.consumer import AsyncConsumer
from nbchannels.diagnoses import diagnoses
from nbchannels.testing.application import ApplicationCommunicator

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def forget():
    diagnoses.clear()
    yield
    diagnoses.clear()


async def echo(scope, receive, send):
    while True:
        event = await receive()
        if event.get("fail"):
            await send({"last": "words"})
            raise ValueError("failed")
        if event.get("end"):
            return
        await send({"scope": scope["type"], **event})


@pytest.fixture
def communicator():
    communicator = ApplicationCommunicator(echo, {"type": "test"})
    yield communicator
    communicator.stop(exceptions=False)


async def test_it_sends_and_receives(communicator):
    await communicator.send_input({"n": 1})
    assert await communicator.receive_output() == {"scope": "test", "n": 1}
    assert await communicator.receive_nothing(0.01, 0.001)


async def test_receive_nothing_sees_what_came(communicator):
    await communicator.send_input({"n": 1})
    assert not await communicator.receive_nothing(0.1)
    assert (await communicator.receive_output())["n"] == 1


async def test_an_exception_is_raised_after_all_that_was_sent(communicator):
    await communicator.send_input({"fail": True})
    assert await communicator.receive_output() == {"last": "words"}
    with pytest.raises(ValueError, match="failed"):
        await communicator.receive_output()


@pytest.mark.parametrize(
    "call",
    [
        lambda communicator: communicator.send_input({}),
        lambda communicator: communicator.receive_nothing(0.01),
        lambda communicator: communicator.wait(),
        lambda communicator: asyncio.to_thread(communicator.stop),
    ],
)
async def test_an_exception_is_raised_by_every_call(communicator, call):
    await communicator.send_input({"fail": True})
    await communicator.receive_output()
    await asyncio.wait({communicator.future})
    with pytest.raises(ValueError, match="failed"):
        await call(communicator)


async def test_an_exception_that_comes_while_nothing_is_expected(communicator):
    await communicator.send_input({"n": 1})
    await communicator.receive_output()
    communicator.input_queue.put_nowait({"fail": True})
    assert not await communicator.receive_nothing(0.1)
    await communicator.receive_output()
    with pytest.raises(ValueError, match="failed"):
        await communicator.receive_nothing(0.01)


async def test_nothing_comes_in_time_and_the_application_is_cancelled(communicator):
    with pytest.raises(TimeoutError, match=r"nothing within 0\.01 s"):
        await communicator.receive_output(timeout=0.01)
    assert communicator.future.cancelled()


async def test_nothing_can_come_any_more(communicator):
    await communicator.send_input({"end": True})
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError, match="has ended"):
            await communicator.receive_output(timeout=60)


async def test_the_last_diagnosis_is_named(communicator):
    diagnoses.report("no-handler", "add index_tick")
    with pytest.raises(TimeoutError, match="add index_tick"):
        await communicator.receive_output(timeout=0.01)


async def test_it_waits_for_the_end(communicator):
    await communicator.send_input({"end": True})
    await communicator.wait()
    assert communicator.future.done()
    communicator.stop()


async def test_an_end_that_does_not_come(communicator):
    with pytest.raises(TimeoutError, match=r"did not end within 0\.01 s"):
        await communicator.wait(timeout=0.01)
    assert communicator.future.cancelled()
    await communicator.wait()
    communicator.stop()
    with pytest.raises(asyncio.CancelledError):
        await communicator.send_input({})


async def test_cancelling_the_wait_cancels_the_application(communicator):
    task = asyncio.ensure_future(communicator.wait(60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert communicator.future.cancelled()


async def test_stop_before_it_has_begun(communicator):
    communicator.stop()
    assert communicator._future is None


async def test_a_consumer_class_is_taken_too():
    class Own(AsyncConsumer):
        channel_layer_alias = None

        async def test_event(self, event):
            await self.send({"got": event["n"]})

    communicator = ApplicationCommunicator(Own, {"type": "test"})
    await communicator.send_input({"type": "test.event", "n": 1})
    assert await communicator.receive_output() == {"got": 1}
    communicator.stop()


async def test_the_door_has_all_three():
    for name in ("ApplicationCommunicator", "HttpCommunicator", "WebsocketCommunicator"):
        assert getattr(testing, name).__name__ == name
        assert name in dir(testing)
    with pytest.raises(AttributeError, match="Communicater"):
        _ = testing.Communicater


async def test_it_works_on_any_loop():
    async def talk():
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"n": 1})
        seen = await communicator.receive_output()
        communicator.stop()
        return seen["n"]

    loops = [await asyncio.to_thread(asyncio.run, talk()) for _ in range(2)]
    assert [*loops, await talk()] == [1, 1, 1]
