"""What processes do on Redis now and then: what the dead had, what came too late, what is known."""

import asyncio

import pytest

from nbchannels.bridge import bridge
from nbchannels.exceptions import NotFound
from nbchannels.layers.redis.layer import RedisChannelLayer
from tests.redis.servers import PATIENCE
from tests.redis.traffic import closing

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


def layer_at(server, prefix, **options):
    return RedisChannelLayer([server.url], prefix=prefix, **options)


async def dead_letters(layer, count):
    async with asyncio.timeout(PATIENCE):
        while len(found := await layer.dead_letters()) < count:
            pass  # it asks Redis each time
    return found


async def lease(layer, channel):
    async with asyncio.timeout(PATIENCE):
        return await layer.lease(channel)


def lapse(server, prefix, layer):
    """The sign of life of a process is over, as if it had given none for a minute."""
    server.run("ZADD", f"{prefix}:{{processes}}:alive", "XX", 0, layer.backbone.name)


async def test_a_process_that_was_taken_for_dead_does_no_harm_when_it_is_back(redis_server, prefix):
    """Cut off for long: others have its jobs; what it settles then changes nothing."""
    first = layer_at(redis_server, prefix)
    async with closing(first):
        for n in range(3):
            await first.send("work", {"n": n})
        held = await lease(first, "work")
        lapse(redis_server, prefix, first)
        second = layer_at(redis_server, prefix)
        async with closing(second):
            again = await lease(second, "work")
            while not again.redelivered:  # it takes a moment until the dead are looked after
                await second.settle(again, "return")
                again = await lease(second, "work")
            assert again.message["n"] in range(3)
            await first.settle(held)
            await second.settle(again)
            # Whoever is back is known again, and what it takes is not lost with it.
            other = await lease(first, "work")
            await first.settle(other)
            done = {again.message["n"], other.message["n"]}
            left = 3 - len(done)
            for _ in range(left):
                last = await lease(second, "work")
                done.add(last.message["n"])
                await second.settle(last)
            assert done == {0, 1, 2}


async def test_a_message_whose_holders_die_goes_to_the_dead_letters_in_the_end(
    redis_server, prefix
):
    victim = layer_at(redis_server, prefix)
    async with closing(victim):
        await victim.send("work", {"n": 1})
        for returns in range(11):
            held = await lease(victim, "work")
            assert held.redelivered == (returns > 0)
            await asyncio.wrap_future(bridge.start(victim._queues.reclaim(victim.backbone.name)))
        taker = asyncio.create_task(victim.lease("work"))
        (dead,) = await dead_letters(victim, 1)
        assert (dead["reason"], dead["content"]) == ("returns", {"n": 1})
        taker.cancel()
        await asyncio.gather(taker, return_exceptions=True)


async def test_a_dead_letter_is_there_once_however_often_it_is_buried(redis_server, prefix):
    layers = [layer_at(redis_server, prefix, expiry=0.2) for _ in range(2)]
    async with closing(*layers):
        await layers[0].send("work", {"n": 1})
        await asyncio.sleep(0.3)
        takers = [asyncio.create_task(layer.lease("work")) for layer in layers]
        (dead,) = await dead_letters(layers[0], 1)
        assert (dead["reason"], dead["content"]) == ("expired", {"n": 1})
        await layers[1].discard(dead["number"])
        with pytest.raises(NotFound):
            await layers[0].discard(dead["number"])
        assert await layers[0].dead_letters() == []
        for taker in takers:
            taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)


async def test_what_nobody_takes_is_buried_though_nobody_looks_at_it(redis_server, prefix):
    layer = layer_at(redis_server, prefix, expiry=0.2)
    async with closing(layer):
        await layer.send("work", {"n": 1})
        (dead,) = await dead_letters(layer, 1)
        assert dead["reason"] == "expired"
        assert (await layer.channel_statistics("work"))["waiting"] == 0


async def test_names_in_use_are_known_to_all(redis_server, prefix):
    layers = [layer_at(redis_server, prefix) for _ in range(2)]
    async with closing(*layers):
        await layers[0].group_send("index", {})
        await layers[0].send("work", {})
        async with asyncio.timeout(PATIENCE):
            while (names := await layers[1].names()) != {"groups": ["index"], "channels": ["work"]}:
                assert set(names) == {"groups", "channels"}
        assert {"groups", "channels", "dead"} <= set(await layers[1].statistics())


async def test_a_deployment_with_another_prefix_knows_of_nothing(redis_server, prefix):
    ours, theirs = layer_at(redis_server, prefix), layer_at(redis_server, f"{prefix}-other")
    async with closing(ours, theirs):
        cursor = await theirs.subscribe("index", "earliest")
        await ours.group_send("index", {"n": 1})
        await ours.send("work", {"n": 1})
        await theirs.send("work", {"n": 2})
        assert (await lease(theirs, "work")).message == {"n": 2}
        assert cursor.take() == []
        await theirs.flush()
        assert (await lease(ours, "work")).message == {"n": 1}
        cursor.close()
