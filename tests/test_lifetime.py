"""A consumer's channel is made once and closed on every way out."""

import asyncio

import pytest

from nbchannels import lifetime
from nbchannels.diagnoses import diagnoses
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.lifetime import close_channel, keep, open_channel

pytestmark = pytest.mark.asyncio


class Slow(InMemoryChannelLayer):
    """Waits before it does what it is asked."""

    def __init__(self):
        super().__init__()
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def new_channel(self, prefix="specific"):
        self.asked.set()
        await self.go.wait()
        return await super().new_channel(prefix)

    async def close_channel(self, channel):
        self.asked.set()
        await self.go.wait()
        await super().close_channel(channel)


async def rest():
    """Wait for everything that goes on in the background."""
    async with asyncio.timeout(5):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


async def channels(layer):
    return (await layer.names())["channels"]


@pytest.fixture(autouse=True)
def forget():
    diagnoses.clear()
    yield
    diagnoses.clear()


async def test_open_and_close():
    layer = InMemoryChannelLayer()
    name = await open_channel(layer)
    assert await channels(layer) == [name]
    await close_channel(layer, name)
    assert await channels(layer) == []


async def test_cancelled_while_it_opens_it_is_closed_again():
    layer = Slow()
    task = asyncio.ensure_future(open_channel(layer))
    await layer.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    layer.go.set()
    await rest()
    assert await channels(layer) == []


async def test_cancelled_while_it_closes_it_is_closed_all_the_same():
    layer = Slow()
    layer.open_channel("specific.a!b")
    task = asyncio.ensure_future(close_channel(layer, "specific.a!b"))
    await layer.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await channels(layer) == ["specific.a!b"]
    layer.go.set()
    await rest()
    assert await channels(layer) == []


async def test_what_cannot_be_opened_is_an_error():
    class Broken(InMemoryChannelLayer):
        async def new_channel(self, prefix="specific"):
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await open_channel(Broken())


async def test_a_layer_that_hangs_does_not_keep_a_consumer_from_ending(monkeypatch):
    monkeypatch.setattr(lifetime, "CLOSING", 0.01)
    await close_channel(Slow(), "specific.a!b")
    (told,) = diagnoses.recent()
    assert told.kind == "layer-failed"
    assert "'specific.a!b' was not closed: TimeoutError" in told.sentence


async def test_a_layer_that_has_only_channels_specification():
    class Foreign:
        async def new_channel(self):
            return "specific.a!b"

    assert await open_channel(Foreign()) == "specific.a!b"
    await close_channel(Foreign(), "specific.a!b")
    assert diagnoses.recent() == []


async def test_what_is_kept_goes_on_and_is_then_forgotten():
    done = asyncio.Event()

    async def work():
        done.set()

    task = keep(work())
    assert task in lifetime._under_way
    await task
    await asyncio.sleep(0)
    assert done.is_set()
    assert task not in lifetime._under_way
