"""The conformance suite of channel layers; every layer runs it, third parties' too.

Write a test module with a fixture ``layer`` that yields an empty layer, and::

    from nbchannels.testing.layers import LayerContract

    class TestMyLayer(LayerContract):
        pass

The layer under test should have ``capacity=5`` for channels named ``small*`` (else those tests are
skipped with a reason) and the default history. Needs pytest and pytest-asyncio.
"""

import asyncio
import threading
from typing import Any

import pytest

from nbchannels.exceptions import (
    ChannelClosed,
    ChannelFull,
    EncodingError,
    InvalidMessage,
    InvalidName,
    MessageTooLarge,
)
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Anchor, Cursor, Item, Missing
from nbchannels.names import is_process_local, is_valid_channel_name
from nbchannels.protocol.events import Last, Position, Record

__all__ = ["LayerContract", "drain", "next_items"]

#: Seconds that anything may take.
PATIENCE = 10.0


async def next_items(cursor: Cursor, count: int) -> list[Item]:
    """Wait until the cursor has given ``count`` items, and return them."""
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    cursor.on_change = lambda: loop.call_soon_threadsafe(news.set)
    items: list[Item] = []
    async with asyncio.timeout(PATIENCE):
        while len(items) < count:
            news.clear()
            items += cursor.take(count - len(items))
            if len(items) < count:
                await news.wait()
    return items


async def drain(cursor: Cursor, offset: int) -> list[Item]:
    """Everything up to the record with this offset."""
    items: list[Item] = []
    while not items or not isinstance(items[-1], Record) or items[-1].sequence < offset:
        items += await next_items(cursor, 1)
    return items


def contents(layer: BaseChannelLayer, items: list[Item]) -> list[Any]:
    """The messages among the items."""
    return [layer.decode(item) for item in items if isinstance(item, Record)]


@pytest.mark.asyncio
class LayerContract:
    """What every layer holds."""

    # Channels: a FIFO, each message for one receiver.

    async def test_send_and_receive(self, layer: BaseChannelLayer) -> None:
        receipt = await layer.send("work", {"type": "job", "n": 1})
        assert receipt.kind == "channel"
        assert receipt.name == "work"
        assert await layer.receive("work") == {"type": "job", "n": 1}

    async def test_order_is_kept(self, layer: BaseChannelLayer) -> None:
        for n in range(50):
            await layer.send("work", {"n": n})
        assert [(await layer.receive("work"))["n"] for _ in range(50)] == list(range(50))

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
                assert (await asyncio.wait_for(layer.receive("work"), PATIENCE))["n"] == n

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
        assert await layer.receive("work") == {"list": [1]}

    async def test_full(self, layer: BaseChannelLayer) -> None:
        for n in range(5):
            await layer.send("small", {"n": n})
        with pytest.raises(ChannelFull, match=r"'small' is full.*capacity 5") as caught:
            await layer.send("small", {"n": 5})
        assert isinstance(caught.value, layer.ChannelFull)
        assert (await layer.receive("small"))["n"] == 0
        await layer.send("small", {"n": 6})
        assert [(await layer.receive("small"))["n"] for _ in range(5)] == [1, 2, 3, 4, 6]

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
        assert await layer.receive(one) == {"n": 1}
        assert await layer.receive(two) == {"n": 2}

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
        assert [await layer.receive(name) for name in names] == [{"type": "tick", "n": 1}] * 3

    async def test_group_add_and_discard_are_idempotent(self, layer: BaseChannelLayer) -> None:
        for _ in range(2):
            await layer.group_add("index", "work")
        await layer.group_add("index", "other")
        assert await layer.group_channels("index") == ["work", "other"]
        for _ in range(2):
            await layer.group_discard("index", "work")
        assert await layer.group_channels("index") == ["other"]

    async def test_a_full_member_is_counted_and_others_get_it(
        self, layer: BaseChannelLayer
    ) -> None:
        await layer.group_add("index", "small")
        await layer.group_add("index", "work")
        for _ in range(5):
            assert (await layer.group_send("index", {"n": 1})).dropped == 0
        receipt = await layer.group_send("index", {"n": 2})
        assert receipt.dropped == 1
        assert receipt.hint is not None
        got = [(await layer.receive("work"))["n"] for _ in range(6)]
        assert got == [1, 1, 1, 1, 1, 2]

    async def test_direct_and_group_sends_keep_their_order(self, layer: BaseChannelLayer) -> None:
        await layer.group_add("index", "work")
        for n in range(10):
            if n % 2:
                await layer.send("work", {"n": n})
            else:
                await layer.group_send("index", {"n": n})
        assert [(await layer.receive("work"))["n"] for _ in range(10)] == list(range(10))

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

    # The log: order, replay, resume, gaps.

    async def test_a_subscriber_gets_everything_in_order(self, layer: BaseChannelLayer) -> None:
        cursor = await layer.subscribe("index")
        receipts = [await layer.group_send("index", {"n": n}) for n in range(20)]
        items = await next_items(cursor, 20)
        assert contents(layer, items) == [{"n": n} for n in range(20)]
        records = [item for item in items if isinstance(item, Record)]
        assert [r.sequence for r in records] == [r.offset for r in receipts]
        assert [r.tag for r in records] == [r.tag for r in receipts]
        assert sorted(r.time for r in records) == [r.time for r in records]
        assert receipts[-1].subscribers == 1
        cursor.close()

    async def test_all_subscribers_see_one_order(self, layer: BaseChannelLayer) -> None:
        cursors = [await layer.subscribe("index") for _ in range(3)]
        await asyncio.gather(*(layer.group_send("index", {"n": n}) for n in range(30)))
        seen = [contents(layer, await next_items(cursor, 30)) for cursor in cursors]
        assert seen[0] == seen[1] == seen[2]
        assert sorted(m["n"] for m in seen[0]) == list(range(30))
        for cursor in cursors:
            cursor.close()

    async def test_history_for_late_joiners(self, layer: BaseChannelLayer) -> None:
        for n in range(10):
            await layer.group_send("index", {"n": n})
        earliest = await layer.subscribe("index", "earliest")
        last = await layer.subscribe("index", Last(3))
        now = await layer.subscribe("index", "now")
        await layer.group_send("index", {"n": 10})
        assert [m["n"] for m in contents(layer, await next_items(earliest, 11))] == list(range(11))
        assert [m["n"] for m in contents(layer, await next_items(last, 4))] == [7, 8, 9, 10]
        assert [m["n"] for m in contents(layer, await next_items(now, 1))] == [10]
        for cursor in (earliest, last, now):
            cursor.close()

    async def test_read(self, layer: BaseChannelLayer) -> None:
        for n in range(10):
            await layer.group_send("index", {"n": n})
        page = await layer.read("index", "earliest", 4)
        assert [layer.decode(r)["n"] for r in page.records] == [0, 1, 2, 3]
        assert (page.anchor.offset, page.anchor.top) == (0, 10)
        last = page.records[-1]
        page = await layer.read("index", Position(page.anchor.epoch, last.sequence, last.tag), 100)
        assert [layer.decode(r)["n"] for r in page.records] == list(range(4, 10))
        assert page.anchor.recovered

    async def test_resume_from_a_position(self, layer: BaseChannelLayer) -> None:
        cursor = await layer.subscribe("index")
        for n in range(5):
            await layer.group_send("index", {"n": n})
        await next_items(cursor, 3)
        position = cursor.position
        cursor.close()
        assert cursor.take() == []
        again = await layer.subscribe("index", position)
        assert again.anchor.recovered
        assert [m["n"] for m in contents(layer, await next_items(again, 2))] == [3, 4]
        again.close()

    async def test_resume_with_another_tag_is_announced(self, layer: BaseChannelLayer) -> None:
        for n in range(5):
            await layer.group_send("index", {"n": n})
        page = await layer.read("index")
        third = page.records[2]
        wrong = Position(page.anchor.epoch, third.sequence, (third.tag + 1) % 2**32)
        cursor = await layer.subscribe("index", wrong)
        assert not cursor.anchor.recovered
        assert cursor.anchor.reason == "tag"
        assert [m["n"] for m in contents(layer, await next_items(cursor, 5))] == [0, 1, 2, 3, 4]
        cursor.close()

    async def test_resume_of_another_epoch_is_announced(self, layer: BaseChannelLayer) -> None:
        await layer.group_send("index", {"n": 0})
        cursor = await layer.subscribe("index", Position("feedfeedfeedfeed", 1, 1))
        assert not cursor.anchor.recovered
        assert cursor.anchor.reason == "epoch"
        assert not cursor.anchor.cleared
        cursor.close()

    async def test_clear_starts_a_new_epoch_and_says_so(self, layer: BaseChannelLayer) -> None:
        cursor = await layer.subscribe("index")
        await layer.group_send("index", {"n": 0})
        await next_items(cursor, 1)
        before = cursor.position
        await layer.clear("index")
        await layer.group_send("index", {"n": 1})
        anchor, record = await next_items(cursor, 2)
        assert isinstance(anchor, Anchor)
        assert (anchor.recovered, anchor.reason, anchor.cleared) == (False, "epoch", True)
        assert anchor.epoch != before.epoch
        assert contents(layer, [record]) == [{"n": 1}]
        resumed = await layer.subscribe("index", before)
        assert resumed.anchor.cleared
        for each in (cursor, resumed):
            each.close()

    async def test_what_was_trimmed_is_a_gap(self, layer: BaseChannelLayer) -> None:
        cursor = await layer.subscribe("index")
        total = 10_050
        futures = [
            layer.submit("group", "index", layer.encode({"n": n}), receipt=False)
            for n in range(total)
        ]
        await asyncio.gather(*(asyncio.wrap_future(f) for f in futures if not hasattr(f, "offset")))
        items = await drain(cursor, total)
        expected = 1
        for item in items:
            if isinstance(item, Missing):
                assert item.first == expected
                expected = item.last + 1
            elif isinstance(item, Record):
                assert item.sequence == expected
                assert layer.decode(item) == {"n": expected - 1}
                expected += 1
        assert expected == total + 1
        late = await layer.subscribe("index", "earliest")
        assert late.anchor.offset == 50
        cursor.close()
        late.close()

    async def test_group_statistics(self, layer: BaseChannelLayer) -> None:
        await layer.group_add("index", "work")
        cursor = await layer.subscribe("index")
        await layer.group_send("index", {"n": 0})
        statistics = await layer.group_statistics("index")
        assert statistics["members"] == 1
        assert statistics["subscribers"] == 1
        assert statistics["messages"] == statistics["offset"] == 1
        assert statistics["bytes"] > 0
        names = await layer.names()
        assert "index" in names["groups"]
        cursor.close()

    # Values and errors.

    @pytest.mark.parametrize("name", ["", "a b", "a\n", "ü", "x" * 100, "a/b", None, 3])
    async def test_bad_names_are_refused(self, layer: BaseChannelLayer, name: Any) -> None:
        for call in (
            layer.send(name, {}),
            layer.receive(name),
            layer.group_send(name, {}),
            layer.group_add(name, "work"),
            layer.group_add("index", name),
            layer.group_discard(name, "work"),
            layer.subscribe(name),
        ):
            with pytest.raises(InvalidName, match="ASCII letters"):
                await call

    async def test_a_group_name_has_no_exclamation_mark(self, layer: BaseChannelLayer) -> None:
        with pytest.raises(InvalidName, match="'a!b' has '!'"):
            await layer.group_send("a!b", {})

    @pytest.mark.parametrize("content", [None, 3, "text", [1, 2], ({},)])
    async def test_content_must_be_a_dict(self, layer: BaseChannelLayer, content: Any) -> None:
        with pytest.raises(InvalidMessage, match="a message is a dict, not"):
            await layer.send("work", content)
        with pytest.raises(InvalidMessage, match="a message is a dict, not"):
            await layer.group_send("index", content)

    async def test_an_error_names_the_path(self, layer: BaseChannelLayer) -> None:
        with pytest.raises(EncodingError, match=r"msg\['a'\]\[3\] is a") as caught:
            await layer.send("work", {"a": [0, 1, 2, {1, 2}]})
        assert caught.value.path == "msg['a'][3]"

    async def test_too_large_and_the_neighbours_live(self, layer: BaseChannelLayer) -> None:
        await layer.send("work", {"n": 0})
        with pytest.raises(MessageTooLarge, match=r"the limit is [\d,]+") as caught:
            await layer.send("work", {"blob": bytes(layer.max_message + 1)})
        assert isinstance(caught.value, layer.MessageTooLarge)
        await layer.send("work", {"n": 1})
        assert [(await layer.receive("work"))["n"] for _ in range(2)] == [0, 1]

    async def test_large_arrays_arrive_equal(self, layer: BaseChannelLayer) -> None:
        numpy = pytest.importorskip("numpy")
        sent = numpy.arange(1_000_000, dtype="f8")
        sent[7] = numpy.nan
        cursor = await layer.subscribe("index")
        await layer.group_send("index", {"x": sent})
        (record,) = await next_items(cursor, 1)
        assert isinstance(record, Record)
        assert numpy.array_equal(layer.decode(record)["x"], sent, equal_nan=True)
        cursor.close()

    # Threads and loops.

    async def test_receive_on_another_loop_is_woken(self, layer: BaseChannelLayer) -> None:
        got: list[Any] = []
        ready = threading.Event()

        async def receive() -> None:
            waiting = asyncio.ensure_future(layer.receive("work"))
            await asyncio.sleep(0)
            ready.set()
            got.append(await asyncio.wait_for(waiting, PATIENCE))

        thread = threading.Thread(target=lambda: asyncio.run(receive()))
        thread.start()
        await asyncio.to_thread(ready.wait, PATIENCE)
        await layer.send("work", {"n": 1})
        await asyncio.to_thread(thread.join, PATIENCE)
        assert got == [{"n": 1}]

    async def test_a_receiver_whose_loop_is_gone_passes_the_message_on(
        self, layer: BaseChannelLayer
    ) -> None:
        def abandon() -> None:
            loop = asyncio.new_event_loop()
            task = loop.create_task(layer.receive("work"))
            loop.run_until_complete(asyncio.sleep(0.01))
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            loop.close()

        await asyncio.to_thread(abandon)
        waiting = asyncio.create_task(layer.receive("work"))
        await asyncio.sleep(0)
        await layer.send("work", {"n": 1})
        assert await asyncio.wait_for(waiting, PATIENCE) == {"n": 1}

    async def test_threads_keep_their_own_order(self, layer: BaseChannelLayer) -> None:
        cursor = await layer.subscribe("index")

        def send(thread: int) -> None:
            for n in range(100):
                result = layer.submit("group", "index", layer.encode({"thread": thread, "n": n}))
                if not hasattr(result, "offset"):
                    result.result(PATIENCE)

        await asyncio.gather(*(asyncio.to_thread(send, t) for t in range(4)))
        got = contents(layer, await next_items(cursor, 400))
        for thread in range(4):
            assert [m["n"] for m in got if m["thread"] == thread] == list(range(100))
        cursor.close()

    async def test_flush(self, layer: BaseChannelLayer) -> None:
        await layer.send("work", {"n": 0})
        await layer.group_add("index", "work")
        await layer.group_send("index", {"n": 0})
        await layer.flush()
        assert await layer.group_channels("index") == []
        assert (await layer.read("index")).records == []
        await layer.send("work", {"n": 1})
        assert await layer.receive("work") == {"n": 1}
