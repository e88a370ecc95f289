"""An application at work on one channel: what became of each message."""

import asyncio

import pytest

from nbchannels.exceptions import ConsumeLater
from nbchannels.instance import Instance, Settlement, untaken

pytestmark = pytest.mark.asyncio


def application(*answers):
    """Takes one message for each answer: an exception is raised, anything else passes."""

    async def app(scope, receive, send):
        assert scope == {"type": "channel", "channel": "work"}
        for answer in answers:
            await receive()
            if isinstance(answer, BaseException):
                raise answer

    return app


async def test_done_when_it_asks_for_the_next():
    instance = Instance(application(None, None), "work")
    assert await instance.work({"type": "a"}) == Settlement()
    assert await instance.work({"type": "a"}) == Settlement()
    await instance.stop()


async def test_later_and_fail():
    instance = Instance(application(ConsumeLater()), "work")
    assert (await instance.work({"type": "a"})).outcome == "later"
    instance = Instance(application(ValueError("no")), "work")
    settlement = await instance.work({"type": "a"})
    assert settlement.outcome == "fail"
    assert "ValueError: no" in settlement.error
    assert "raise answer" in settlement.traceback
    assert instance.task.done()


async def test_one_that_ends_without_its_message():
    instance = Instance(application(), "work")
    await asyncio.wait({instance.task})
    assert await instance.work({"type": "a"}) is None
    assert untaken("work").outcome == "fail"


async def test_a_worker_has_no_client():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.send", "text": "x"})

    settlement = await Instance(app, "work").work({"type": "a"})
    assert "websocket.send" in settlement.error


async def test_stopping_ends_it():
    instance = Instance(application(None, None), "work")
    await instance.work({"type": "a"})
    await instance.stop()
    assert instance.task.cancelled()
