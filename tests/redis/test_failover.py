"""Sentinel makes a replica the primary: what that loses is announced, and never taken for whole."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from nbchannels.layers.redis.layer import RedisChannelLayer
from tests.redis.ports import LOOPBACK
from tests.redis.traffic import Traffic, closing

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


def layer_of(sentinels, prefix):
    hosts = {
        "sentinels": [(LOOPBACK, watcher.port) for watcher in sentinels.watchers],
        "master_name": sentinels.name,
    }
    return RedisChannelLayer([hosts], prefix=prefix, patience=1.0)


@asynccontextmanager
async def traffic_of(sentinels, prefix):
    layers = [layer_of(sentinels, prefix) for _ in range(2)]
    async with closing(*layers):
        traffic = Traffic()
        for number, layer in enumerate(layers):
            await traffic.reader(layer, f"reader-{number}")
            traffic.sender(layer, f"sender-{number}")
        await traffic.all_go_on()
        yield traffic, layers
        await traffic.all_go_on()
        await traffic.end()


async def losing(sentinels, traffic):
    """A failover that loses what is acknowledged from now on; return seconds without a primary."""
    with_loss = sentinels.losing()
    await asyncio.to_thread(with_loss.__enter__)
    await traffic.all_go_on(5)
    began = time.monotonic()
    await asyncio.to_thread(with_loss.__exit__, None, None, None)
    return time.monotonic() - began


async def test_acknowledged_messages_are_lost_and_everybody_is_told(sentinels, prefix):
    async with traffic_of(sentinels, prefix) as (traffic, layers):
        await losing(sentinels, traffic)
        lost = [reader.cursor.position for reader in traffic.readers]
        await traffic.all_go_on()
        assert len(lost) == 2
    for reader in traffic.readers:
        told = reader.anchors[1:]
        assert [anchor.reason for anchor in told] == ["tag"]
        assert not told[0].recovered
        assert told[0].lost


async def test_a_position_whose_entry_is_gone_is_never_said_to_be_recovered(sentinels, prefix):
    """Whoever resumes during a failover or after it, here or in another process."""
    layers = [layer_of(sentinels, prefix) for _ in range(2)]
    async with closing(*layers):
        traffic = Traffic()
        sender = traffic.sender(layers[0], "sender")
        reader = await traffic.reader(layers[0], "reader")
        await sender.more()
        sure = reader.cursor.position
        faults = sentinels.losing()
        await asyncio.to_thread(faults.__enter__)
        await sender.more(5)
        await sender.stop()
        await traffic.until(lambda: len(reader.got) == sender.acknowledged, "it has all")
        gone = reader.cursor.position
        await asyncio.to_thread(faults.__exit__, None, None, None)
        # Another history takes the places of the lost ones.
        other = traffic.sender(layers[1], "other")
        await other.more(20)
        fresh = layer_of(sentinels, prefix)
        async with closing(fresh):
            for layer in (*layers, fresh):
                lost = await layer.subscribe("index", gone)
                assert (lost.anchor.recovered, lost.anchor.reason) == (False, "tag")
                lost.close()
                kept = await layer.subscribe("index", sure)
                assert kept.anchor.recovered
                assert kept.anchor.epoch == sure.epoch
                kept.close()
        await traffic.until(lambda: len(reader.anchors) > 1, "the reader is told")
        traffic.senders.remove(sender)
        await traffic.end()


@pytest.mark.long
async def test_delivery_is_back_soon_after_a_primary_dies(sentinels, prefix):
    async with traffic_of(sentinels, prefix) as (traffic, _):
        old = sentinels.primary
        await asyncio.to_thread(sentinels.wait_for_replicas)
        old.kill()
        await asyncio.to_thread(sentinels.wait_for_another, old)
        began = time.monotonic()
        await traffic.all_go_on(1)
        # The target is 8 s from the death on; a loaded machine gets as much after the election.
        assert time.monotonic() - began < 8


@pytest.mark.long
async def test_a_primary_that_stands_still_is_left(sentinels, prefix):
    async with traffic_of(sentinels, prefix) as (traffic, _):
        old = sentinels.primary
        old.freeze()
        try:
            await asyncio.to_thread(sentinels.wait_for_another, old)
            await traffic.all_go_on(5)
        finally:
            old.thaw()
        await traffic.all_go_on(5)


@pytest.mark.long
async def test_a_failover_that_is_asked_for(sentinels, prefix):
    async with traffic_of(sentinels, prefix) as (traffic, _):
        await asyncio.to_thread(sentinels.failover)
        await traffic.all_go_on(5)
