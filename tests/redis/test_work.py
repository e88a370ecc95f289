"""Jobs in a channel, and workers that are killed at them."""

import asyncio
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import ChannelFull, ChannelsError
from nbchannels.layers.redis.layer import RedisChannelLayer
from tests.redis.checker import check
from tests.redis.history import History
from tests.redis.servers import PATIENCE, until
from tests.redis.site_running import ROOT
from tests.redis.traffic import closing

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


class Workshop:
    """Workers in processes of their own, and what they said."""

    def __init__(self, server, prefix):
        self.server, self.prefix = server, prefix
        self.history = History()
        self.done = set()
        self.changed = asyncio.Event()
        self.reading = []

    async def hire(self, name):
        """One more worker; return its process and its name in Redis."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.redis.worker_process", self.server.url, self.prefix,
            "jobs", cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        token = (await process.stdout.readline()).decode().strip()
        task = asyncio.create_task(self.read(process, self.history.worker(name, "jobs")))
        self.reading.append((process, task))
        return process, token

    async def read(self, process, worker):
        async for line in process.stdout:
            if not line.endswith(b"\n"):
                return  # it was killed in the midst of a word
            producer, number, marked = line.decode().split()
            worker.done((producer, int(number)), marked=marked == "1")
            self.done.add((producer, int(number)))
            self.changed.set()

    async def until(self, count):
        """Until so many different jobs are done."""
        async with asyncio.timeout(PATIENCE):
            while len(self.done) < count:
                self.changed.clear()
                await self.changed.wait()

    def bury(self, token):
        """Its lease in Redis is over: nobody waits a minute here."""
        self.server.run("ZADD", f"{self.prefix}:{{processes}}:alive", "XX", 0, token)

    async def close(self):
        for process, task in self.reading:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await task


@asynccontextmanager
async def workshop_at(server, prefix):
    workshop = Workshop(server, prefix)
    try:
        yield workshop
    finally:
        await workshop.close()


async def send_jobs(history, layer, producer, count):
    for _ in range(count):
        sent = history.send(producer, "jobs")
        while True:
            try:
                receipt = await layer.send("jobs", sent.message)
            except ChannelFull:
                await asyncio.sleep(0.01)  # it was not stored; the workers are behind
                continue
            except ChannelsError as error:
                sent.raised(error)
            else:
                sent.acknowledged(receipt)
            break


async def takes(layer, channel, n):
    """Whether a channel took one more."""
    try:
        await layer.send(channel, {"n": n})
    except ChannelFull:
        return False
    return True


async def test_workers_are_killed_and_no_job_is_lost(redis_server, prefix):
    layer = RedisChannelLayer([redis_server.url], prefix=prefix)
    async with closing(layer), workshop_at(redis_server, prefix) as workshop:
        victims = [await workshop.hire(f"victim-{n}") for n in range(2)]
        sending = asyncio.create_task(send_jobs(workshop.history, layer, "office", 1000))
        for wanted, (process, token) in zip((200, 500), victims, strict=True):
            await workshop.until(wanted)
            process.kill()  # as kill -9
            await process.wait()
            workshop.bury(token)
            await workshop.hire(f"heir-{wanted}")
        await sending
        await workshop.until(1000)
        # What Redis thinks is in hand is soon settled, and nothing waits.
        length = f"{prefix}:{{c:jobs}}:queue"
        await asyncio.to_thread(
            until, lambda: redis_server.run("XLEN", length) == 0, "all is settled"
        )
    check(workshop.history)


async def test_connections_are_cut_while_jobs_are_done(redis_server, prefix):
    layer = RedisChannelLayer([redis_server.url], prefix=prefix, patience=1.0)
    async with closing(layer), workshop_at(redis_server, prefix) as workshop:
        for n in range(2):
            await workshop.hire(f"worker-{n}")
        sending = asyncio.create_task(send_jobs(workshop.history, layer, "office", 600))
        for done in range(50, 500, 50):
            await workshop.until(done)
            redis_server.kill_clients("normal")
            redis_server.kill_clients("pubsub")
            redis_server.flush_scripts()
        await sending
        await workshop.until(600)
    check(workshop.history)


async def test_a_layer_that_is_closed_gives_back_what_is_in_hand(redis_server, prefix):
    first = RedisChannelLayer([redis_server.url], prefix=prefix)
    second = RedisChannelLayer([redis_server.url], prefix=prefix)
    async with closing(first, second):
        for n in range(3):
            await first.send("jobs", {"n": n})
        async with asyncio.timeout(PATIENCE):
            held = await first.lease("jobs")
        assert held.message == {"n": 0}
        await first.close()
        async with asyncio.timeout(PATIENCE):
            found = [await second.lease("jobs") for _ in range(3)]
    assert [lease.message["n"] for lease in found] == [0, 1, 2]
    assert [lease.redelivered for lease in found] == [True, False, False]


async def test_an_answer_is_lost_after_messages_were_taken(redis_server, redis_proxy, prefix):
    """Redis thinks that they are in hand here: they come all the same, in order and unmarked."""
    url = f"redis://127.0.0.1:{redis_proxy.port}/0"
    sender = RedisChannelLayer([redis_server.url], prefix=prefix)
    taker = RedisChannelLayer([url], prefix=prefix)
    async with closing(sender, taker):
        number = 0
        for _ in range(8):
            waiting = asyncio.create_task(taker.lease("jobs"))
            if number:
                await asyncio.sleep(0.01)
            redis_proxy.reset_after(0, "down")
            await sender.send("jobs", {"n": number})
            async with asyncio.timeout(PATIENCE):
                lease = await waiting
            assert (lease.message, lease.redelivered) == ({"n": number}, False)
            await taker.settle(lease)
            number += 1


async def test_a_receive_that_was_given_up_leaves_no_mark(redis_server, prefix):
    """What was fetched for nobody goes back as if it had never been taken."""
    layer = RedisChannelLayer([redis_server.url], prefix=prefix)
    other = RedisChannelLayer([redis_server.url], prefix=prefix)
    async with closing(layer, other):
        for n in range(6):
            leasing = asyncio.create_task(layer.lease("jobs"))
            await asyncio.sleep(0)
            await other.send("jobs", {"n": n})
            leasing.cancel()
            with suppress(asyncio.CancelledError):
                await layer.settle(await leasing)
                continue
            async with asyncio.timeout(PATIENCE):
                lease = await other.lease("jobs")
            assert (lease.message, lease.redelivered) == ({"n": n}, False)
            await other.settle(lease)


async def test_two_layers_of_one_process_have_two_inboxes(redis_server, prefix):
    layers = [RedisChannelLayer([redis_server.url], prefix=prefix) for _ in range(2)]
    async with closing(*layers):
        channels = [await layer.new_channel() for layer in layers]
        for n in range(100):
            await layers[n % 2].send(channels[1 - n % 2], {"n": n})
        for channel, layer, first in zip(channels, layers, (1, 0), strict=True):
            async with asyncio.timeout(PATIENCE):
                got = [(await layer.receive(channel))["n"] for _ in range(50)]
            assert got == list(range(first, 100, 2))


async def test_an_inbox_whose_answers_are_lost_loses_and_repeats_nothing(
    redis_server, redis_proxy, prefix
):
    url = f"redis://127.0.0.1:{redis_proxy.port}/0"
    options = {"prefix": prefix, "channel_capacity": {"*": 10_000}}
    sender = RedisChannelLayer([redis_server.url], **options)
    owner = RedisChannelLayer([url], **options)
    async with closing(sender, owner):
        channel = await owner.new_channel()
        await sender.send(channel, {"n": -1})
        got = []
        for n in range(100):
            if n % 10 == 0:
                redis_proxy.reset_after(0, "down")
            await sender.send(channel, {"n": n})
        async with asyncio.timeout(PATIENCE):
            while not got or got[-1] < 99:
                got.append((await owner.receive(channel))["n"])
    assert got == list(range(-1, 100))


async def test_a_full_channel_of_another_process_refuses_until_there_is_room(redis_server, prefix):
    options = {"prefix": prefix, "channel_capacity": {"*": 5}}
    sender = RedisChannelLayer([redis_server.url], **options)
    owner = RedisChannelLayer([redis_server.url], **options)
    async with closing(sender, owner):
        channel = await owner.new_channel()
        sent = 0
        async with asyncio.timeout(PATIENCE):
            while await takes(sender, channel, sent):
                sent += 1
        redis_server.kill_clients("normal")
        async with asyncio.timeout(PATIENCE):
            assert [(await owner.receive(channel))["n"] for _ in range(sent)] == list(range(sent))
            while not await takes(sender, channel, sent):
                pass  # it asks Redis each time
            assert await owner.receive(channel) == {"n": sent}


async def test_a_channel_that_redis_has_forgotten_is_told(redis_server, prefix):
    layer = RedisChannelLayer([redis_server.url], prefix=prefix)
    async with closing(layer):
        subject = f"jobs-{prefix}"
        for n in range(3):
            await layer.send(subject, {"n": n})

        def told():
            return [one for one in diagnoses.recent() if one.subject == subject]

        assert told() == []
        redis_server.restart()
        await layer.send(subject, {"n": 3})
        (one,) = told()
        assert one.kind == "dropped"
        assert "what waited in it before is gone" in one.sentence
        await layer.send(subject, {"n": 4})
        assert [one.count for one in told()] == [1]
