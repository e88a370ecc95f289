"""Layers begin, fork, end: nothing is left behind, and nobody waits for ever."""

import asyncio
import contextlib
import json
import subprocess
import sys

import pytest

from nbchannels.bridge import bridge
from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.layers.redis.layer import RedisChannelLayer
from tests.redis.resources import Resources, back_to
from tests.redis.servers import PATIENCE
from tests.redis.site_running import ROOT
from tests.redis.traffic import closing

pytestmark = [pytest.mark.integration]


async def use(layer):
    """A bit of everything."""
    cursor = await layer.subscribe("index")
    await layer.group_add("index", "work")
    local = await layer.new_channel()
    await layer.group_add("index", local)
    await layer.group_send("index", {"n": 1})
    await layer.send("work", {"n": 2})
    async with asyncio.timeout(PATIENCE):
        assert [await layer.receive("work") for _ in range(2)] == [{"n": 1}, {"n": 2}]
        assert await layer.receive(local) == {"n": 1}
    leasing = asyncio.create_task(layer.lease("nothing"))
    await layer.statistics()
    leasing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leasing
    cursor.close()
    await layer.flush()


async def on_bridge():
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.asyncio
async def test_a_layer_that_is_closed_leaves_nothing_behind(redis_server, prefix):
    async with closing(first := RedisChannelLayer([redis_server.url], prefix=prefix)):
        await use(first)  # what is made once in a process is there now
    await back_to(Resources.now(), [redis_server], "nothing")
    before = Resources.now([redis_server], "nothing")
    running = len(bridge.run(on_bridge()))
    for _ in range(5):
        layer = RedisChannelLayer([redis_server.url], prefix=prefix)
        async with closing(layer):
            await use(layer)
    await back_to(before, [redis_server], "nothing")
    assert len(bridge.run(on_bridge())) <= running


@pytest.mark.asyncio
async def test_what_is_under_way_when_it_closes_comes_to_an_end(redis_server, redis_proxy, prefix):
    layer = RedisChannelLayer([f"redis://127.0.0.1:{redis_proxy.port}/0"], prefix=prefix)
    await layer.group_send("index", {"n": 0})
    redis_proxy.stall()
    under_way = [
        asyncio.create_task(doing)
        for doing in (
            layer.group_send("index", {"n": 1}),
            layer.send("work", {"n": 1}),
            layer.subscribe("other"),
            layer.group_channels("index"),
        )
    ]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await layer.close()
        done = await asyncio.gather(*under_way, return_exceptions=True)
    *asked, counted = done
    assert all(isinstance(one, ChannelsError) for one in asked), asked
    # What is counted in this process is told without Redis, too.
    assert isinstance(counted, (ChannelsError, dict))
    for call in (layer.send("work", {}), layer.group_send("index", {}), layer.subscribe("index")):
        with pytest.raises(LayerUnavailable, match="is closed"):
            await call
    await layer.close()  # twice is once
    redis_proxy.heal()


CHILD = """
import asyncio, json, os, sys
from nbchannels.bridge import bridge
from nbchannels.layers.redis.layer import RedisChannelLayer

layer = RedisChannelLayer([sys.argv[1]], prefix=sys.argv[2])

async def ask(coroutine):
    async with asyncio.timeout(20):
        return await coroutine

def run(coroutine):
    return asyncio.run(ask(coroutine))

run(layer.group_send("index", {"n": 0}))
cursor = run(layer.subscribe("index"))
local = run(layer.new_channel())
parent = layer.backbone.name
for n in range(1, 4):
    child = os.fork()
    if not child:
        try:
            assert layer.backbone.name != parent
            run(layer.group_send("index", {"n": n}))
            mine = run(layer.new_channel())
            assert mine.split("!")[0] != local.split("!")[0]
            run(layer.send(local, {"from": n}))
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    # The parent's connections are as they were: its answers are its own.
    run(layer.group_send("index", {"n": n * 10}))
    assert run(layer.receive(local)) == {"from": n}
print(json.dumps([layer.decode(record)["n"] for record in cursor.take()]), flush=True)
"""


def test_the_child_of_a_fork_has_connections_of_its_own(redis_server, prefix):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, redis_server.url, prefix],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [1, 10, 2, 20, 3, 30]


HOLDER = """
import asyncio, sys
from nbchannels.layers.redis.layer import RedisChannelLayer

layer = RedisChannelLayer([sys.argv[1]], prefix=sys.argv[2])

async def main():
    await layer.lease("work")

asyncio.run(main())
"""


@pytest.mark.asyncio
async def test_an_interpreter_that_ends_gives_back_what_is_in_hand(redis_server, prefix):
    layer = RedisChannelLayer([redis_server.url], prefix=prefix)
    async with closing(layer):
        await layer.send("work", {"n": 1})
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", HOLDER, redis_server.url, prefix],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        async with asyncio.timeout(PATIENCE):
            lease = await layer.lease("work")
        assert (lease.message, lease.redelivered) == ({"n": 1}, True)


SHIFTED = """
import asyncio, sys, time
true = time.time
time.time = lambda: true() + float(sys.argv[3])
from nbchannels.layers.redis.layer import RedisChannelLayer

layer = RedisChannelLayer([sys.argv[1]], prefix=sys.argv[2])

async def main():
    for n in range(20):
        await layer.group_send("index", {"n": n})
        await layer.send("work", {"n": n})
    await layer.lease("work")
    await layer.close()

asyncio.run(main())
"""


@pytest.mark.asyncio
@pytest.mark.parametrize("shift", [-3600, 3600])
async def test_a_clock_that_is_an_hour_off_changes_nothing(redis_server, prefix, shift):
    """Times are Redis' own: nothing expires too early, and a log's times never go back."""
    layer = RedisChannelLayer([redis_server.url], prefix=prefix, expiry=60)
    async with closing(layer):
        before = await layer.group_send("index", {"n": -1})
        cursor = await layer.subscribe("index", "earliest")
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", SHIFTED, redis_server.url, prefix, str(shift)],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        await layer.group_send("index", {"n": 20})
        async with asyncio.timeout(PATIENCE):
            got = [await layer.lease("work") for _ in range(20)]
        assert [lease.message["n"] for lease in got] == list(range(20))
        records = cursor.take()
        assert [layer.decode(record)["n"] for record in records] == list(range(-1, 21))
        times = [record.time for record in records]
        assert times == sorted(times)
        assert times[-1] - times[0] < 1800
        assert before.epoch == cursor.anchor.epoch
        assert await layer.dead_letters() == []
