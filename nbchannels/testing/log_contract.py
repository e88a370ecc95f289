"""What every layer holds about the log of a group."""

import asyncio

import pytest

from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Anchor, Missing
from nbchannels.protocol.events import Last, Position, Record
from nbchannels.testing.reading import contents, drain, next_items

__all__ = ["LogContract"]


@pytest.mark.asyncio
class LogContract:
    """One order for all; replay, resume and gaps are announced."""

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
