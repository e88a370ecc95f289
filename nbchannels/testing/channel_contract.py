"""What every layer holds about channels and groups."""

import asyncio

import pytest

from nbchannels.exceptions import (
    ChannelClosed,
    ChannelFull,
)
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.names import is_process_local, is_valid_channel_name
from nbchannels.testing.reading import PATIENCE, receive

__all__ = ["ChannelContract"]


@pytest.mark.asyncio
class ChannelContract:
    """Channels are FIFOs, each message for one receiver; a group's members all get it."""

    # Channels: a FIFO, each message for one receiver.

    async def test_send_and_receive(self, layer: BaseChannelLayer) -> None:
        receipt = await layer.send("work", {"type": "job", "n": 1})
        assert receipt.kind == "channel"
        assert receipt.name == "work"
        assert await receive(layer, "work") == {"type": "job", "n": 1}

    async def test_order_is_kept(self, layer: BaseChannelLayer) -> None:
        for n in range(50):
            await layer.send("work", {"n": n})
        assert [(await receive(layer, "work"))["n"] for _ in range(50)] == list(range(50))

    async def test_receive_waits(self, layer: BaseChannelLayer) -> None:
        waiting = asyncio.create_task(layer.receive("work"))
        await asyncio.sleep(0)
        await layer.send("work", {"n": 1})
        assert await asyncio.wait_for(waiting, PATIENCE) == {"n": 1}

    async def test_each_message_has_one_receiver(self, layer: BaseChannelLayer) -> None:
        receivers = [asyncio.create_task(layer.receive("work")) for _ in range(5)]
        await asyncio.sleep(0)
        for n in range(5):
            await layer.send("work", {"n": n})
        got = await asyncio.wait_for(asyncio.gather(*receivers), PATIENCE)
        assert sorted(message["n"] for message in got) == list(range(5))

    async def test_a_cancelled_receiver_loses_nothing(self, layer: BaseChannelLayer) -> None:
        for n in range(10):
            waiting = asyncio.create_task(layer.receive("work"))
            await asyncio.sleep(0)
            await layer.send("work", {"n": n})
            waiting.cancel()
            try:
                assert (await waiting)["n"] == n
            except asyncio.CancelledError:
                assert (await receive(layer, "work"))["n"] == n

    async def test_a_cancelled_receiver_passes_its_turn_on(self, layer: BaseChannelLayer) -> None:
        first = asyncio.create_task(layer.receive("work"))
        await asyncio.sleep(0)
        second = asyncio.create_task(layer.receive("work"))
        await asyncio.sleep(0)
        first.cancel()
        await layer.send("work", {"n": 1})
        assert await asyncio.wait_for(second, PATIENCE) == {"n": 1}

    async def test_what_is_sent_is_a_copy(self, layer: BaseChannelLayer) -> None:
        message = {"list": [1]}
        await layer.send("work", message)
        message["list"].append(2)
        assert await receive(layer, "work") == {"list": [1]}

    async def test_full(self, layer: BaseChannelLayer) -> None:
        await _require_small(layer)
        for n in range(5):
            await layer.send("small", {"n": n})
        with pytest.raises(ChannelFull, match=r"'small' is full.*capacity 5") as caught:
            await layer.send("small", {"n": 5})
        assert isinstance(caught.value, layer.ChannelFull)
        assert (await receive(layer, "small"))["n"] == 0
        await layer.send("small", {"n": 6})
        assert [(await receive(layer, "small"))["n"] for _ in range(5)] == [1, 2, 3, 4, 6]

    # Process-local channels.

    async def test_new_channels_differ(self, layer: BaseChannelLayer) -> None:
        names = {await layer.new_channel() for _ in range(20)}
        assert len(names) == 20
        assert all(is_valid_channel_name(n) and is_process_local(n) for n in names)
        assert all(name.startswith("specific.") for name in names)

    async def test_new_channel_with_a_prefix(self, layer: BaseChannelLayer) -> None:
        assert (await layer.new_channel("reply")).startswith("reply.")

    async def test_process_local_channels_are_apart(self, layer: BaseChannelLayer) -> None:
        one, two = await layer.new_channel(), await layer.new_channel()
        await layer.send(two, {"n": 2})
        await layer.send(one, {"n": 1})
        assert await receive(layer, one) == {"n": 1}
        assert await receive(layer, two) == {"n": 2}

    async def test_close_channel(self, layer: BaseChannelLayer) -> None:
        name = await layer.new_channel()
        await layer.group_add("index", name)
        waiting = asyncio.create_task(layer.receive(name))
        await asyncio.sleep(0.01)
        await layer.close_channel(name)
        with pytest.raises(ChannelClosed):
            await asyncio.wait_for(waiting, PATIENCE)
        assert await layer.group_channels("index") == []

    # Groups.

    async def test_group_send_reaches_every_member(self, layer: BaseChannelLayer) -> None:
        names = [await layer.new_channel() for _ in range(3)]
        for name in names:
            await layer.group_add("index", name)
        receipt = await layer.group_send("index", {"type": "tick", "n": 1})
        assert receipt.members == 3
        assert receipt.dropped == 0
        assert [await receive(layer, name) for name in names] == [{"type": "tick", "n": 1}] * 3

    async def test_group_add_and_discard_are_idempotent(self, layer: BaseChannelLayer) -> None:
        for _ in range(2):
            await layer.group_add("index", "work")
        await layer.group_add("index", "other")
        assert await layer.group_channels("index") == ["work", "other"]
        for _ in range(2):
            await layer.group_discard("index", "work")
        assert await layer.group_channels("index") == ["other"]

    async def test_presence_tells_the_members(self, layer: BaseChannelLayer) -> None:
        assert await layer.presence("index") == []
        await layer.group_add("index", "work")
        (found,) = await layer.presence("index")
        assert (found["as"], found["channel"], found["kind"]) == ("member", "work", "channel")

    async def test_a_full_member_is_counted_and_others_get_it(
        self, layer: BaseChannelLayer
    ) -> None:
        await _require_small(layer)
        await layer.group_add("index", "small")
        await layer.group_add("index", "work")
        for _ in range(5):
            assert (await layer.group_send("index", {"n": 1})).dropped == 0
        receipt = await layer.group_send("index", {"n": 2})
        assert receipt.dropped == 1
        assert receipt.hint is not None
        got = [(await receive(layer, "work"))["n"] for _ in range(6)]
        assert got == [1, 1, 1, 1, 1, 2]

    async def test_direct_and_group_sends_keep_their_order(self, layer: BaseChannelLayer) -> None:
        await layer.group_add("index", "work")
        for n in range(10):
            if n % 2:
                await layer.send("work", {"n": n})
            else:
                await layer.group_send("index", {"n": n})
        assert [(await receive(layer, "work"))["n"] for _ in range(10)] == list(range(10))

    async def test_a_send_to_nobody_is_no_error_but_said(self, layer: BaseChannelLayer) -> None:
        cursor = await layer.subscribe("index")
        receipt = await layer.group_send("idnex", {"n": 1})
        assert receipt.members == 0
        assert receipt.subscribers == 0
        assert receipt.hint == "no one listens to group 'idnex'; did you mean 'index'?"
        receipt = await layer.send("index", {"n": 1})
        assert receipt.hint == (
            "no one receives from channel 'index'; a group of that name has 1 subscriber: "
            "Group('index').send"
        )
        cursor.close()


async def _require_small(layer: BaseChannelLayer) -> None:
    capacity = (await layer.channel_statistics("small"))["capacity"]
    if capacity != 5:
        pytest.skip(
            f"channel 'small' has the capacity {capacity}, not 5: channel_capacity={{'small*': 5}}"
        )
