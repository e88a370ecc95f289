"""What goes wrong with Redis and on the way to it: two processes' worth of senders and readers.

Each test ends with the checker: what was acknowledged came, or it was announced that it would not.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest

from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.layers.redis.layer import RedisChannelLayer
from tests.redis.traffic import Traffic, closing

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]

#: Seconds that a call waits here: a fault need not last as long as it would.
SHORT = 1.0


def layer_at(url, prefix, **options):
    return RedisChannelLayer([url], prefix=prefix, patience=SHORT, **options)


@asynccontextmanager
async def traffic_at(prefix, *urls):
    """A sender and a reader on each, well under way; at the end every promise was kept."""
    layers = [layer_at(url, prefix) for url in urls]
    async with closing(*layers):
        traffic = Traffic()
        for number, layer in enumerate(layers):
            await traffic.reader(layer, f"reader-{number}")
            traffic.sender(layer, f"sender-{number}")
        await traffic.all_go_on()
        yield traffic, layers
        await traffic.all_go_on()
        await traffic.end()


def reasons(traffic):
    return [[anchor.reason for anchor in reader.anchors[1:]] for reader in traffic.readers]


async def test_without_a_fault_nobody_is_told_of_one(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, _):
        await traffic.all_go_on(200)
    assert reasons(traffic) == [[], []]
    assert all(not sender.errors for sender in traffic.senders)


async def test_redis_dies_and_has_forgotten_all(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, _):
        for _ in range(3):
            redis_server.restart()
            await traffic.all_go_on(20)
    for told in reasons(traffic):
        assert len(told) >= 3
        assert set(told) == {"epoch"}


async def test_redis_dies_and_remembers_what_it_acknowledged(new_server, prefix):
    server = new_server(aof=True)
    async with traffic_at(prefix, server.url, server.url) as (traffic, layers):
        position = traffic.readers[0].cursor.position
        for _ in range(3):
            server.restart()
            await traffic.all_go_on(20)
        cursor = await layers[1].subscribe("index", position)
        assert cursor.anchor.recovered
        assert cursor.anchor.epoch == position.epoch
        cursor.close()
    assert reasons(traffic) == [[], []]


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_connections_are_cut(redis_server, prefix, kind):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, _):
        for _ in range(10):
            redis_server.kill_clients(kind)
            await traffic.all_go_on(10)
    assert reasons(traffic) == [[], []]
    assert all(not sender.errors for sender in traffic.senders)


async def test_redis_stands_still(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, layers):
        redis_server.freeze()
        try:
            for sender in traffic.senders:
                await traffic_fails(traffic, sender)
            assert all("does not answer" in str(layer.trouble) for layer in layers)
        finally:
            redis_server.thaw()
    assert reasons(traffic) == [[], []]
    assert all(layer.trouble is None for layer in layers)


async def traffic_fails(traffic, sender):
    """Until a send has failed, with an error that says what it means for the message."""
    before = len(sender.errors)
    await traffic.until(lambda: len(sender.errors) > before, "a send fails")
    error = sender.errors[before]
    assert isinstance(error, ChannelsError)
    assert any(word in str(error) for word in ("may have been done", "nothing was sent"))


async def test_scripts_are_forgotten(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, _):
        for _ in range(10):
            redis_server.flush_scripts()
            await traffic.all_go_on(5)
    assert reasons(traffic) == [[], []]
    assert all(not sender.errors for sender in traffic.senders)


async def test_redis_is_a_replica_for_a_while(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url) as (traffic, (layer,)):
        redis_server.run("REPLICAOF", "127.0.0.1", 1)
        (sender,) = traffic.senders
        await traffic_fails(traffic, sender)
        assert "read only replica" in str(layer.trouble)
        redis_server.run("REPLICAOF", "NO", "ONE")
        await sender.more()
        assert layer.trouble is None
    assert reasons(traffic) == [[]]


async def test_redis_loads_its_data(new_server, prefix):
    server = new_server(aof=True)
    async with traffic_at(prefix, server.url) as (traffic, (layer,)):
        with server.client() as client:
            client.mset({f"other-{n}": n for n in range(200)})
        server.kill()
        # So slow that it says LOADING for some seconds.
        server.start(wait=False, key_load_delay=10_000, loading_process_events_interval_bytes=1024)
        (sender,) = traffic.senders
        await traffic_fails(traffic, sender)
        await sender.more()
        assert layer.trouble is None
    assert reasons(traffic) == [[]]


async def test_one_of_two_processes_is_cut_off(redis_server, redis_proxy, prefix):
    through = f"redis://127.0.0.1:{redis_proxy.port}/0"
    async with traffic_at(prefix, through, redis_server.url) as (traffic, layers):
        redis_proxy.blackhole()
        cut, well = traffic.senders
        await traffic_fails(traffic, cut)
        await well.more(50)
        assert layers[0].trouble
        assert layers[1].trouble is None
        redis_proxy.heal()
    assert reasons(traffic) == [[], []]
    assert not well.errors


async def test_what_was_trimmed_meanwhile_is_announced(redis_server, redis_proxy, prefix):
    """Cut off while more is sent than the history keeps."""
    layers = [
        layer_at(url, prefix, history=50)
        for url in (f"redis://127.0.0.1:{redis_proxy.port}/0", redis_server.url)
    ]
    async with closing(*layers):
        traffic = Traffic()
        reader = await traffic.reader(layers[0], "reader")
        empty = await traffic.reader(layers[0], "reader-of-nothing")
        redis_proxy.cut()
        sender = traffic.sender(layers[1], "sender")
        await sender.more(120)
        assert reader.got == empty.got == []
        redis_proxy.heal()
        await traffic.end()
    assert 0 < len(reader.got) < 120


async def test_answers_are_lost(redis_server, redis_proxy, prefix):
    """The connection breaks after Redis did it and before it said so: done once all the same."""
    through = f"redis://127.0.0.1:{redis_proxy.port}/0"
    async with traffic_at(prefix, through, redis_server.url) as (traffic, _):
        for _ in range(15):
            redis_proxy.reset_after(0, "down")
            await traffic.all_go_on(5)
    assert reasons(traffic) == [[], []]
    assert all(not sender.errors for sender in traffic.senders)


async def test_the_way_is_slow_and_in_pieces(redis_server, redis_proxy, prefix):
    through = f"redis://127.0.0.1:{redis_proxy.port}/0"
    async with traffic_at(prefix, through, redis_server.url) as (traffic, _):
        redis_proxy.delay(0.01, 0.02)
        redis_proxy.slice(7, by_chance=True)
        await traffic.all_go_on(15)
        redis_proxy.heal()
    assert reasons(traffic) == [[], []]


async def test_the_state_of_a_group_is_evicted(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, layers):
        meta = layers[0].backbone.keys.group("index", "meta")
        assert redis_server.run("DEL", meta) == 1
        await traffic.all_go_on()
    for told in reasons(traffic):
        assert told == ["epoch"]


async def test_the_log_of_a_group_is_evicted(redis_server, prefix):
    async with traffic_at(prefix, redis_server.url, redis_server.url) as (traffic, layers):
        log = layers[0].backbone.keys.group("index", "log")
        assert redis_server.run("DEL", log) == 1
        await traffic.all_go_on()


async def test_memory_is_full(redis_server, prefix):
    """Sends fail with what to do and store nothing; what is there can still be received."""
    layer = layer_at(redis_server.url, prefix)
    async with closing(layer):
        traffic = Traffic()
        reader = await traffic.reader(layer, "reader")
        sender = traffic.sender(layer, "sender")
        for n in range(5):
            await layer.send("work", {"n": n})
        await sender.more()
        redis_server.run("CONFIG", "SET", "maxmemory", 1)
        await traffic.until(lambda: bool(sender.errors), "a send fails")
        assert "out of memory (maxmemory) and stored nothing" in str(sender.errors[0])
        with pytest.raises(LayerUnavailable, match="raise maxmemory"):
            await layer.send("work", {"n": 5})
        for n in range(5):
            async with asyncio.timeout(30):
                assert await layer.receive("work") == {"n": n}
        top = len(reader.got)
        redis_server.run("CONFIG", "SET", "maxmemory", 0)
        await sender.more()
        assert len(reader.got) > top
        await traffic.end()
    # Nothing half-written: offsets are contiguous, which the checker saw; the queue is empty.
    assert redis_server.run("XLEN", f"{prefix}:{{c:work}}:queue") == 0


async def test_one_keeps_its_place_through_all_of_it(redis_server, redis_proxy, prefix):
    """A reader that comes back with its position gets all it missed, or is told."""
    url = f"redis://127.0.0.1:{redis_proxy.port}/0"
    async with traffic_at(prefix, redis_server.url) as (traffic, _):
        for number in range(3):
            layer = layer_at(url, prefix)
            async with closing(layer):
                reader = await traffic.reader(layer, f"visitor-{number}", "now")
                await traffic.all_go_on(5)
                position = reader.cursor.position
                redis_proxy.drop()
                again = await layer.subscribe("index", position)
                assert again.anchor.recovered
                again.close()
                traffic.readers.remove(reader)
                reader.close()
