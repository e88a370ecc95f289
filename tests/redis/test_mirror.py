"""A group as one process follows it: members, epochs, strangers in the log."""

import asyncio

import pytest
import redis

from nbchannels.layers.redis.layer import RedisChannelLayer
from tests.redis.servers import PATIENCE
from tests.redis.traffic import Traffic, closing

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


def layer_at(url, prefix, **options):
    return RedisChannelLayer([url], prefix=prefix, patience=1.0, **options)


async def receive(layer, channel):
    async with asyncio.timeout(PATIENCE):
        return (await layer.receive(channel))["n"]


async def members(layer, count):
    """The members, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := await layer.group_channels("index")) != count:
            pass  # it asks Redis each time
    return found


async def test_members_of_a_process_are_members_after_redis_has_forgotten_all(redis_server, prefix):
    layer, other = (layer_at(redis_server.url, prefix) for _ in range(2))
    async with closing(layer, other):
        channels = [await layer.new_channel() for _ in range(2)]
        for channel in channels:
            await layer.group_add("index", channel)
        await other.group_send("index", {"n": 1})
        assert [await receive(layer, channel) for channel in channels] == [1, 1]
        redis_server.restart()
        # The first that is sent brings the new epoch.
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await other.group_send("index", {"n": 2})
                    break
                except ConnectionError:
                    pass
        assert [await receive(layer, channel) for channel in channels] == [2, 2]
        assert sorted(await members(other, 2)) == sorted(channels)


async def test_whoever_flushes_dismisses_the_members_of_all(redis_server, prefix):
    layer, other = (layer_at(redis_server.url, prefix) for _ in range(2))
    async with closing(layer, other):
        channel = await layer.new_channel()
        await layer.group_add("index", channel)
        await layer.group_send("index", {"n": 1})
        assert await receive(layer, channel) == 1
        await other.flush()
        assert await members(layer, 0) == []
        with_members = layer._groups._mirrors["index"].state.members
        async with asyncio.timeout(PATIENCE):
            while with_members:
                await layer.group_statistics("index")
        await other.group_send("index", {"n": 2})
        await layer.group_add("index", channel)
        await other.group_send("index", {"n": 3})
        assert await receive(layer, channel) == 3


async def test_clear_leaves_the_members(redis_server, prefix):
    layer, other = (layer_at(redis_server.url, prefix) for _ in range(2))
    async with closing(layer, other):
        channel = await layer.new_channel()
        await layer.group_add("index", channel)
        for n in range(5):
            await other.clear("index")
            await other.group_send("index", {"n": n})
            assert await receive(layer, channel) == n
        assert await members(other, 1) == [channel]


async def test_who_is_added_again_and_again_misses_and_repeats_nothing(redis_server, prefix):
    layer, other = (layer_at(redis_server.url, prefix) for _ in range(2))
    async with closing(layer, other):
        channel = await layer.new_channel()
        await layer.group_add("index", channel)

        async def add():
            for _ in range(60):
                await layer.group_add("index", channel)

        async def send():
            for n in range(60):
                await other.group_send("index", {"n": n})

        await asyncio.gather(add(), send())
        assert [await receive(layer, channel) for _ in range(60)] == list(range(60))


async def test_a_member_gets_what_was_sent_after_it_came_and_no_more(redis_server, prefix):
    layer, other = (layer_at(redis_server.url, prefix) for _ in range(2))
    async with closing(layer, other):
        for n in range(3):
            await other.group_send("index", {"n": n})
        channel = await layer.new_channel()
        await layer.group_add("index", channel)
        await other.group_send("index", {"n": 3})
        redis_server.kill_clients("pubsub")
        await other.group_send("index", {"n": 4})
        assert [await receive(layer, channel) for _ in range(2)] == [3, 4]
        statistics = await layer.channel_statistics(channel)
        assert statistics["waiting"] == 0


async def test_what_a_stranger_wrote_keeps_its_place_and_says_so(redis_server, prefix):
    layer = layer_at(redis_server.url, prefix)
    async with closing(layer):
        await layer.group_send("index", {"n": 1})
        keys = layer.backbone.keys
        with redis_server.client() as client:
            client.execute_command("XADD", keys.group("index", "log"), "2-0", "m", "hello")
            client.hset(keys.group("index", "meta"), "top", 2)
        fresh = layer_at(redis_server.url, prefix)
        async with closing(fresh):
            await layer.group_send("index", {"n": 3})
            cursor = await fresh.subscribe("index", "earliest")
            content = [fresh.decode(record) for record in cursor.take()]
            assert content[0] == {"n": 1}
            assert content[1]["type"] == "nbchannels.unreadable"
            assert content[2] == {"n": 3}
            cursor.close()


async def test_messages_are_encrypted_and_old_keys_still_read(redis_server, prefix):
    secret = "canary-3f9"
    first = layer_at(redis_server.url, prefix, symmetric_encryption_keys=["old"])
    await first.group_send("index", {"secret": secret})
    await first.send("work", {"secret": secret})
    await first.send("work", {"secret": secret})
    async with asyncio.timeout(PATIENCE):
        # It closes at once: what failed is with the dead, and only there.
        await first.settle(await first.lease("work"), "fail", "no")
    await first.close()
    second = layer_at(redis_server.url, prefix, symmetric_encryption_keys=["new", "old"])
    stranger = layer_at(redis_server.url, prefix, symmetric_encryption_keys=["other"])
    async with closing(second, stranger):
        cursor = await second.subscribe("index", "earliest")
        await second.group_send("index", {"secret": secret})
        assert [second.decode(item) for item in cursor.take()] == [{"secret": secret}] * 2
        cursor.close()
        async with asyncio.timeout(PATIENCE):
            lease = await second.lease("work")
            assert lease.message == {"secret": secret}
            # To the back of the channel, and to the dead: encrypted there, too, and once.
            await second.settle(lease, "later")
            lease = await second.lease("work")
            assert (lease.message, lease.retries) == ({"secret": secret}, 1)
            await second.settle(lease, "fail", "no")
            while len(dead := await second.dead_letters()) < 2:
                pass
        assert [one["content"] for one in dead] == [{"secret": secret}] * 2
        theirs = await stranger.dead_letters()
        assert [one["content"]["type"] for one in theirs] == ["nbchannels.unreadable"] * 2
        cursor = await stranger.subscribe("index", "earliest")
        read = [stranger.decode(item) for item in cursor.take()]
        assert [one["type"] for one in read] == ["nbchannels.unreadable"] * 2
        cursor.close()
        await second.resend(dead[0]["number"])
        async with asyncio.timeout(PATIENCE):
            assert await second.receive("work") == {"secret": secret}
        await stranger.send("work", {"n": 1})
    dumped = await asyncio.to_thread(dump, redis_server, prefix)
    assert dumped
    assert secret.encode() not in dumped


def dump(server, prefix):
    """All that Redis has under a prefix."""
    with redis.Redis("127.0.0.1", server.port) as client:
        return b"".join(client.dump(key) or b"" for key in client.scan_iter(f"{prefix}:*"))


async def test_a_reader_far_behind_in_a_log_that_is_trimmed_meanwhile(redis_server, prefix):
    """What is trimmed while it is read is announced, and nobody is told of another history."""
    sender_layer = layer_at(redis_server.url, prefix, history=600)
    layer = layer_at(redis_server.url, prefix, history=600)
    async with closing(sender_layer, layer):
        traffic = Traffic()
        senders = [traffic.sender(sender_layer, f"sender-{n}") for n in range(4)]
        await traffic.all_go_on(200)
        for number in range(6):
            reader = await traffic.reader(layer, f"reader-{number}")
            await traffic.all_go_on(20)
            redis_server.run("DEL", layer.backbone.keys.group("index", "meta"))
            await traffic.all_go_on(20)
            assert {anchor.reason for anchor in reader.anchors[1:]} <= {"epoch"}
        assert not any(sender.errors for sender in senders)
        await traffic.end()
