"""Calls to Redis: who gets which answer, and what becomes of the others."""

import asyncio
import random
from contextlib import asynccontextmanager, suppress

import pytest

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis.calls import Unanswered
from nbchannels.layers.redis.courier import Courier
from nbchannels.layers.redis.scripts import script
from nbchannels.layers.redis.topology import ways
from tests.redis.servers import PATIENCE, until

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]

ECHO = script("echo for tests", "return {KEYS[1], ARGV[1]}")
COUNT = script("count for tests", "return redis.call('INCR', KEYS[1])")


@asynccontextmanager
async def courier_at(port, patience=PATIENCE, **options):
    way = ways([f"redis://127.0.0.1:{port}/0"])
    courier = Courier(way.connect, way.where, patience=patience, **options)
    try:
        yield courier
    finally:
        async with asyncio.timeout(PATIENCE):
            await courier.close()


async def test_cancelled_calls_never_shift_the_answers(redis_server, redis_proxy):
    """1,000 cancellations on a slow way in pieces: each of the others gets its own answer."""
    redis_proxy.delay(0.0, 0.004)
    redis_proxy.slice(50, by_chance=True)
    chance = random.Random(1)
    got = cancelled = 0

    async def ask(courier, n):
        key = f"key-{n}".encode()
        assert await courier.run(ECHO, [key.decode()], (n,)) == [key, str(n).encode()]
        assert await courier.command("ECHO", n) == str(n).encode()

    async with courier_at(redis_proxy.port) as courier:
        for first in range(0, 2000, 100):
            tasks = [asyncio.create_task(ask(courier, n)) for n in range(first, first + 100)]
            for task in chance.sample(tasks, 50):
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
                task.cancel()
            for task in tasks:
                try:
                    await task
                    got += 1
                except asyncio.CancelledError:
                    cancelled += 1
        assert redis_proxy.accepted == 1
    assert (got, cancelled) == (1000, 1000)


async def test_what_was_not_answered_is_asked_again_in_order(redis_server, redis_proxy):
    async with courier_at(redis_proxy.port) as courier:
        await courier.command("PING")
        for n in range(20):
            redis_proxy.reset_after(0, "down")
            answers = [courier.run(ECHO, ["key"], (n * 10 + i,)) for i in range(10)]
            found = await asyncio.wait_for(asyncio.gather(*answers), PATIENCE)
            assert [int(answer[1]) for answer in found] == list(range(n * 10, n * 10 + 10))
    assert redis_proxy.accepted == 21


async def test_a_call_says_what_is_asked_again(redis_server, redis_proxy):
    async with courier_at(redis_proxy.port) as courier:
        await courier.command("PING")
        redis_proxy.reset_after(0, "down")
        answer = await courier.run(ECHO, ["key"], ("first",), lambda: ("again",))
        assert answer == [b"key", b"again"]


async def test_a_call_that_must_not_be_repeated_fails_and_says_that_it_may_have_been_done(
    redis_server, redis_proxy
):
    async with courier_at(redis_proxy.port) as courier:
        assert await courier.run(COUNT, ["n"], (), lambda: None) == 1
        redis_proxy.reset_after(0, "down")
        with pytest.raises(Unanswered, match="it may have been done") as caught:
            await courier.run(COUNT, ["n"], (), lambda: None)
        assert caught.value.written
        assert int(redis_server.run("GET", "n")) == 2


async def test_nobody_waits_longer_than_patience(redis_server, redis_proxy):
    async with courier_at(redis_proxy.port, patience=0.5) as courier:
        await courier.command("PING")
        redis_proxy.blackhole()
        asked = courier.command("PING")
        with pytest.raises(Unanswered, match="it may have been done") as caught:
            await asyncio.wait_for(asked, PATIENCE)
        assert caught.value.written
        assert "does not answer" in courier.trouble
        redis_proxy.cut()
        with pytest.raises(Unanswered, match="nothing was sent"):
            await asyncio.wait_for(courier.command("PING"), PATIENCE)
        redis_proxy.heal()
        while True:
            with suppress(Unanswered):
                assert await courier.command("PING") == b"PONG"
                break
        assert courier.trouble == ""


async def test_what_waits_while_nobody_answers_does_not_grow(redis_server, redis_proxy):
    """Hours without Redis: calls that failed are not kept."""
    async with courier_at(redis_proxy.port, patience=0.05) as courier:
        redis_proxy.cut()
        for _ in range(3):
            asked = [courier.command("PING") for _ in range(100)]
            await asyncio.wait(asked, timeout=PATIENCE)
            assert all(isinstance(one.exception(), Unanswered) for one in asked)
        assert len(courier._pending) == 0
        assert courier._clock is None


async def test_a_temporary_refusal_ends_with_the_next_good_answer(redis_server):
    """It answers on the same connection: nothing else would say that it is well again."""
    async with courier_at(redis_server.port) as courier:
        await courier.command("PING")
        redis_server.run("REPLICAOF", "127.0.0.1", 1)
        asked = courier.run(COUNT, ["n"], ())
        await asyncio.to_thread(until, lambda: "read only" in courier.trouble, "it says why")
        assert not asked.done()
        redis_server.run("REPLICAOF", "NO", "ONE")
        assert await asyncio.wait_for(asked, PATIENCE) == 1
        assert courier.trouble == ""


async def test_what_redis_refuses_is_told_with_its_reason(redis_server):
    async with courier_at(redis_server.port) as courier:
        await courier.command("SET", "text", "x")
        with pytest.raises(LayerUnavailable, match="refused 'HGET'.*WRONGTYPE|Operation against"):
            await courier.command("HGET", "text", "field")
        assert await courier.command("GET", "text") == b"x"


async def test_an_answer_that_nobody_asked_for_is_no_end(redis_server):
    """Too many connections: Redis says so to whoever connects, and closes."""
    redis_server.run("CONFIG", "SET", "maxclients", 1)
    async with courier_at(redis_server.port) as courier:
        with redis_server.client() as client:
            client.ping()
            asked = courier.command("PING")
            await asyncio.to_thread(until, lambda: bool(courier.trouble), "it says why")
            client.config_set("maxclients", 100)
            assert await asyncio.wait_for(asked, PATIENCE) == b"PONG"


async def test_what_is_asked_when_it_closes_fails_and_says_whether_it_was_written(
    redis_server, redis_proxy
):
    async with courier_at(redis_proxy.port) as courier:
        await courier.command("PING")
        redis_proxy.stall()
        asked = courier.command("PING")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await courier.close()
        with pytest.raises(Unanswered, match="is closed") as caught:
            await asked
        assert caught.value.written
        with pytest.raises(LayerUnavailable, match="is closed"):
            await courier.command("PING")
    redis_proxy.heal()


async def test_it_ends_though_a_cancellation_was_swallowed(redis_server):
    """Python 3.11 may lose one where a wait ends at the same moment: closing must not hang."""
    way = ways([redis_server.url])
    connecting = asyncio.Event()

    def connect():
        connection = way.connect()
        plain = connection.connect

        async def deaf():
            connecting.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await plain()

        connection.connect = deaf
        return connection

    courier = Courier(connect, way.where)
    asked = courier.command("PING")
    await connecting.wait()
    async with asyncio.timeout(PATIENCE):
        await courier.close()
    assert asked.done()
    with suppress(LayerUnavailable):  # the answer may have come first
        assert asked.result() == b"PONG"
