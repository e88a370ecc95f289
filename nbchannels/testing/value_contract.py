"""What every layer holds about values, names, threads and loops."""

import asyncio
import threading
from typing import Any

import pytest

from nbchannels.exceptions import (
    EncodingError,
    InvalidMessage,
    InvalidName,
    MessageTooLarge,
)
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.protocol.events import Record
from nbchannels.testing.reading import PATIENCE, contents, next_items, receive

__all__ = ["ValueContract"]


@pytest.mark.asyncio
class ValueContract:
    """Bad input is named; any thread and any loop may call."""

    # Values and errors.

    @pytest.mark.parametrize("name", ["", "a b", "a\n", "ü", "x" * 100, "a/b", None, 3])
    async def test_bad_names_are_refused(self, layer: BaseChannelLayer, name: Any) -> None:
        for call in (
            layer.send(name, {}),
            receive(layer, name),
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
        with pytest.raises(InvalidMessage, match="a message is a dict"):
            await layer.send("work", content)
        with pytest.raises(InvalidMessage, match="a message is a dict"):
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
        assert [(await receive(layer, "work"))["n"] for _ in range(2)] == [0, 1]

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

        async def wait() -> None:
            waiting = asyncio.ensure_future(layer.receive("work"))
            await asyncio.sleep(0)
            ready.set()
            got.append(await asyncio.wait_for(waiting, PATIENCE))

        thread = threading.Thread(target=lambda: asyncio.run(wait()))
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
        assert await receive(layer, "work") == {"n": 1}
