"""What every layer holds about work: messages that are leased, settled, given up."""

import asyncio
from typing import Any

import pytest

from nbchannels.exceptions import ChannelFull, NotFound
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.leases import MOST_RETRIES, Lease
from nbchannels.testing.reading import PATIENCE

__all__ = ["LeaseContract"]

#: Dead letters that a layer keeps.
MOST_DEAD = 1_000


async def lease(layer: BaseChannelLayer, channel: str) -> Lease:
    """The next message, or a failure instead of a wait without end."""
    async with asyncio.timeout(PATIENCE):
        return await layer.lease(channel)


async def the_dead(
    layer: BaseChannelLayer, count: int = 1, channel: str | None = None
) -> list[dict[str, Any]]:
    """The dead letters, once there are so many: a settlement is not waited for."""
    async with asyncio.timeout(PATIENCE):
        while len(found := await layer.dead_letters(channel=channel)) < count:
            await layer.statistics()
            await asyncio.sleep(0)  # a layer that never waits would never be late
    return found


async def waiting(layer: BaseChannelLayer, channel: str, count: int) -> None:
    """Until so many messages wait in the channel."""
    async with asyncio.timeout(PATIENCE):
        while (await layer.channel_statistics(channel))["waiting"] != count:
            await layer.statistics()
            await asyncio.sleep(0)  # a layer that never waits would never be late


@pytest.mark.asyncio
class LeaseContract:
    """Each message is in one hand at a time, and is not lost while it is there."""

    async def test_a_lease_is_the_message_and_where_it_came_from(
        self, layer: BaseChannelLayer
    ) -> None:
        await layer.send("work", {"n": 1})
        held = await lease(layer, "work")
        assert (held.channel, held.message) == ("work", {"n": 1})
        assert (held.redelivered, held.retries) == (False, 0)
        assert held.time > 0
        await layer.settle(held)
        await layer.send("work", {"n": 2})
        assert (await lease(layer, "work")).message == {"n": 2}

    async def test_a_lease_waits(self, layer: BaseChannelLayer) -> None:
        leasing = asyncio.create_task(layer.lease("work"))
        await asyncio.sleep(0)
        await layer.send("work", {"n": 1})
        async with asyncio.timeout(PATIENCE):
            assert (await leasing).message == {"n": 1}

    async def test_what_is_returned_comes_first_and_is_marked(
        self, layer: BaseChannelLayer
    ) -> None:
        for n in range(3):
            await layer.send("work", {"n": n})
        await layer.settle(await lease(layer, "work"), "return")
        await waiting(layer, "work", 3)
        order = [await lease(layer, "work") for _ in range(3)]
        assert [held.message["n"] for held in order] == [0, 1, 2]
        assert [held.redelivered for held in order] == [True, False, False]

    async def test_what_is_later_comes_last_and_is_counted(self, layer: BaseChannelLayer) -> None:
        for n in range(3):
            await layer.send("work", {"n": n})
        await layer.settle(await lease(layer, "work"), "later")
        await waiting(layer, "work", 3)
        order = [await lease(layer, "work") for _ in range(3)]
        assert [held.message["n"] for held in order] == [1, 2, 0]
        assert [held.retries for held in order] == [0, 0, 1]

    async def test_after_ten_times_later_it_goes_to_the_dead_letters(
        self, layer: BaseChannelLayer
    ) -> None:
        await layer.send("work", {"n": 1})
        for retries in range(MOST_RETRIES + 1):
            held = await lease(layer, "work")
            assert held.retries == retries
            await layer.settle(held, "later")
        (dead,) = await the_dead(layer)
        assert (dead["reason"], dead["channel"]) == ("retries", "work")
        assert dead["retries"] == MOST_RETRIES
        assert dead["content"] == {"n": 1}
        assert (await layer.channel_statistics("work"))["waiting"] == 0

    async def test_a_failure_is_kept_with_its_error_and_traceback(
        self, layer: BaseChannelLayer
    ) -> None:
        await layer.send("work", {"n": 1})
        where = "Traceback (most recent call last):\n  …\nValueError: no"
        await layer.settle(await lease(layer, "work"), "fail", "ValueError: no", where)
        (dead,) = await the_dead(layer)
        assert (dead["reason"], dead["channel"], dead["content"]) == ("failed", "work", {"n": 1})
        assert dead["error"] == "ValueError: no"
        assert dead["traceback"] == where
        assert (await layer.channel_statistics("work"))["waiting"] == 0

    async def test_a_settled_lease_is_left_alone(self, layer: BaseChannelLayer) -> None:
        await layer.send("work", {"n": 1})
        held = await lease(layer, "work")
        await layer.settle(held)
        await layer.settle(held, "return")
        await layer.settle(held, "fail", "twice")
        await layer.send("work", {"n": 2})
        assert (await lease(layer, "work")).message == {"n": 2}
        assert await layer.dead_letters() == []

    async def test_each_message_goes_to_one_of_two_that_lease(
        self, layer: BaseChannelLayer
    ) -> None:
        got: list[int] = []
        everything = asyncio.Event()

        async def work() -> None:
            while True:
                held = await layer.lease("work")
                got.append(held.message["n"])
                await layer.settle(held)
                if len(got) == 40:
                    everything.set()

        workers = [asyncio.create_task(work()) for _ in range(2)]
        for n in range(40):
            await layer.send("work", {"n": n})
        try:
            async with asyncio.timeout(PATIENCE):
                await everything.wait()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        assert sorted(got) == list(range(40))

    async def test_a_cancelled_lease_loses_nothing(self, layer: BaseChannelLayer) -> None:
        for n in range(10):
            leasing = asyncio.create_task(layer.lease("work"))
            for _ in range(n % 3):
                await asyncio.sleep(0)
            await layer.send("work", {"n": n})
            leasing.cancel()
            try:
                held = await leasing
            except asyncio.CancelledError:
                held = await lease(layer, "work")
            assert held.message["n"] == n
            await layer.settle(held)
        assert (await layer.channel_statistics("work"))["waiting"] == 0

    async def test_only_waiting_counts_for_expiry(self, layer: BaseChannelLayer) -> None:
        expiry = await short_expiry(layer)
        await layer.send("short", {"n": 1})
        held = await lease(layer, "short")
        await asyncio.sleep(expiry * 1.5)
        await layer.settle(held, "return")
        again = await lease(layer, "short")
        assert (again.message, again.redelivered) == ({"n": 1}, True)
        await layer.settle(again)
        assert await layer.dead_letters() == []

    async def test_what_nobody_takes_in_time_goes_to_the_dead_letters(
        self, layer: BaseChannelLayer
    ) -> None:
        expiry = await short_expiry(layer)
        await layer.send("short", {"n": 1})
        await asyncio.sleep(expiry * 1.5)
        leasing = asyncio.create_task(layer.lease("short"))
        await asyncio.sleep(0)
        (dead,) = await the_dead(layer)
        assert (dead["reason"], dead["content"]) == ("expired", {"n": 1})
        await layer.send("short", {"n": 2})
        async with asyncio.timeout(PATIENCE):
            assert (await leasing).message == {"n": 2}

    # Dead letters.

    async def test_dead_letters_are_told_newest_first_and_by_channel(
        self, layer: BaseChannelLayer
    ) -> None:
        for channel in ("a", "b", "a"):
            await fail(layer, channel)
        found = await the_dead(layer, 3)
        assert [dead["channel"] for dead in found] == ["a", "b", "a"]
        numbers = [dead["number"] for dead in found]
        assert numbers == sorted(numbers, reverse=True)
        assert [d["number"] for d in await layer.dead_letters(limit=1)] == numbers[:1]
        of_a = [d["number"] for d in await layer.dead_letters(channel="a")]
        assert of_a == [numbers[0], numbers[2]]

    async def test_a_dead_letter_is_sent_again_as_if_it_were_new(
        self, layer: BaseChannelLayer
    ) -> None:
        await layer.send("work", {"n": 1})
        await layer.settle(await lease(layer, "work"), "later")
        await layer.settle(await lease(layer, "work"), "fail", "no")
        (dead,) = await the_dead(layer)
        receipt = await layer.resend(dead["number"])
        assert (receipt.kind, receipt.name) == ("channel", "work")
        again = await lease(layer, "work")
        assert (again.message, again.retries, again.redelivered) == ({"n": 1}, 0, False)
        assert await layer.dead_letters() == []

    async def test_a_dead_letter_that_finds_no_room_stays(self, layer: BaseChannelLayer) -> None:
        await fail(layer, "small")
        (dead,) = await the_dead(layer)
        for n in range(5):
            await layer.send("small", {"n": n})
        with pytest.raises(ChannelFull):
            await layer.resend(dead["number"])
        assert [d["number"] for d in await layer.dead_letters()] == [dead["number"]]

    async def test_a_dead_letter_is_discarded(self, layer: BaseChannelLayer) -> None:
        await fail(layer, "work")
        (dead,) = await the_dead(layer)
        await layer.discard(dead["number"])
        assert await layer.dead_letters() == []
        with pytest.raises(NotFound, match=f"no dead letter {dead['number']}"):
            await layer.discard(dead["number"])
        with pytest.raises(NotFound):
            await layer.resend(dead["number"])

    async def test_dead_letters_are_bounded(self, layer: BaseChannelLayer) -> None:
        for first in range(0, MOST_DEAD + 50, 50):
            for n in range(first, first + 50):
                await layer.send("work", {"n": n})
            for _ in range(50):
                await layer.settle(await lease(layer, "work"), "fail", "no")
        newest = MOST_DEAD + 49
        async with asyncio.timeout(PATIENCE):
            while (await layer.dead_letters(limit=1))[0]["content"] != {"n": newest}:
                await layer.statistics()
                await asyncio.sleep(0)  # a layer that never waits would never be late
        assert (await layer.statistics())["dead"] == MOST_DEAD

    async def test_flush_forgets_the_dead_letters(self, layer: BaseChannelLayer) -> None:
        await fail(layer, "work")
        await the_dead(layer)
        await layer.flush()
        assert await layer.dead_letters() == []


async def fail(layer: BaseChannelLayer, channel: str) -> None:
    """One more dead letter of this channel."""
    await layer.send(channel, {"fails": True})
    await layer.settle(await lease(layer, channel), "fail", "no")


async def short_expiry(layer: BaseChannelLayer) -> float:
    """Seconds that a message waits in the channel ``short``."""
    expiry = float((await layer.channel_statistics("short"))["expiry"])
    if expiry > 1:
        pytest.skip("the layer under test has no short expiry for the channels short*")
    return expiry
