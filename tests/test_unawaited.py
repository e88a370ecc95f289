"""A coroutine of a layer that nobody awaits is told."""

import asyncio
import inspect
import warnings

import asgiref.sync
import pytest

from nbchannels.bridge import async_to_sync, bridge
from nbchannels.diagnoses import Diagnosis, diagnoses
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.receipt import Receipt
from nbchannels.unawaited import WatchedCoroutine, WatchedLayer, hear_python, watch


@pytest.fixture(autouse=True)
def forget():
    diagnoses.clear()
    yield
    diagnoses.clear()


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


@pytest.fixture
def watched(layer):
    return WatchedLayer(layer, "Index", sync=True)


def members(layer):
    return asyncio.run(layer.group_channels("index"))


def test_a_dropped_call_is_told_with_the_remedy_and_the_place(watched, layer):
    watched.group_add("index", "work")
    (told,) = diagnoses.recent()
    assert told.kind == "not-awaited"
    assert "async_to_sync(self.channel_layer.group_add)(...)" in told.sentence
    assert "Index" in told.sentence
    assert told.detail.startswith(__file__)
    assert members(layer) == []


def test_in_an_async_consumer_the_remedy_is_await(layer):
    WatchedLayer(layer, "Index", sync=False).group_send("index", {})
    assert "await self.channel_layer.group_send(...)" in diagnoses.recent()[0].sentence


def test_a_call_with_wrong_arguments_fails_at_once(watched):
    with pytest.raises(TypeError):
        watched.group_add("index")
    assert diagnoses.recent() == []


@pytest.mark.parametrize("to_sync", [async_to_sync, asgiref.sync.async_to_sync])
def test_async_to_sync_takes_it(watched, layer, to_sync):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # asgiref warns of what is not marked as a coroutine
        to_sync(watched.group_add)("index", "work")
    assert members(layer) == ["work"]
    assert diagnoses.recent() == []


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["await", "task", "gather", "wait_for", "run_in_thread"])
async def test_every_way_to_await_it_works(watched, layer, how):
    call = watched.group_add("index", "work")
    match how:
        case "await":
            await call
        case "task":
            await asyncio.create_task(call)
        case "gather":
            await asyncio.gather(call)
        case "wait_for":
            await asyncio.wait_for(call, 5)
        case "run_in_thread":
            await asyncio.to_thread(asyncio.run, call)
    del call
    assert await layer.group_channels("index") == ["work"]
    assert diagnoses.recent() == []


@pytest.mark.asyncio
async def test_it_returns_what_the_layer_returns(watched):
    await watched.send("work", {"n": 1})
    assert await watched.receive("work") == {"n": 1}
    assert inspect.iscoroutinefunction(InMemoryChannelLayer.send)
    assert asgiref.sync.iscoroutinefunction(watched.send)


@pytest.mark.asyncio
async def test_cancelling_what_waits_is_no_mistake(watched):
    task = asyncio.create_task(watched.receive("work"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    assert diagnoses.recent() == []


def test_closing_it_says_that_it_is_meant(watched):
    watched.group_add("index", "work").close()
    assert diagnoses.recent() == []


def test_all_else_is_the_layers_own(watched, layer):
    assert watched.capacity == layer.capacity
    watched.capacity = 7
    assert layer.capacity == 7
    assert watched.get_capacity("work") == layer.get_capacity("work")
    assert isinstance(watched, BaseChannelLayer)
    assert watched == layer
    assert watched == WatchedLayer(layer, "Other", sync=False)
    assert hash(watched) == hash(layer)
    assert repr(watched) == repr(layer)
    assert "group_add" in dir(watched)
    with pytest.raises(AttributeError, match="group_ad"):
        _ = watched.group_ad


def test_its_repr_says_where_it_was_made(watched):
    call = watched.group_add("index", "work")
    assert "group_add" in repr(call)
    assert "test_unawaited.py" in repr(call)
    call.close()


class TestInANotebook:
    """`watch`: the layer of a kernel itself."""

    def test_a_dropped_coroutine_says_how_a_cell_writes_it(self):
        heard = []
        layer = InMemoryChannelLayer()
        watch(layer)
        stop = diagnoses.listen(heard.append)
        try:
            layer.group_send("index", {})
            layer.group_channels("index")
        finally:
            stop()
        assert [told.subject for told in heard] == [
            "channel_layer.group_send",
            "channel_layer.group_channels",
        ]
        assert heard[0].sentence == (
            "un-awaited channel_layer.group_send(...): nothing was done; write "
            "await channel_layer.group_send(...), or async_to_sync(channel_layer.group_send)(...), "
            'or Group("name").send({...})'
        )
        assert "test_unawaited.py, line" in heard[0].detail

    def test_twice_is_once_and_awaited_it_is_as_ever(self):
        layer = InMemoryChannelLayer()
        for _ in range(2):
            watch(layer)
        coroutine = layer.group_send("index", {"y": 1})
        assert type(coroutine) is WatchedCoroutine
        assert type(coroutine._coroutine) is not WatchedCoroutine
        assert coroutine.__qualname__ == "BaseChannelLayer.group_send"
        assert bridge.run(coroutine).offset == 1
        assert isinstance(layer.submit("group", "index", layer.encode({})), Receipt)

    def test_what_is_displayed_is_told_once(self):
        heard = []
        layer = InMemoryChannelLayer()
        watch(layer)
        stop = diagnoses.listen(heard.append)
        try:
            coroutine = layer.flush()
            coroutine.tell()
            coroutine.tell()
            del coroutine
        finally:
            stop()
        assert [told.subject for told in heard] == ["channel_layer.flush"]

    def test_what_takes_no_attributes_stays_as_it_is(self):
        class Closed:
            __slots__ = ()

            async def group_send(self, group, message):
                pass

        watch(Closed())
        watch(object())
        assert not hasattr(Closed(), "__dict__")


def test_python_s_own_warning_of_a_coroutine_of_ours_is_a_diagnosis(monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(
        warnings, "showwarning", lambda message, *more, **rest: shown.append(str(message))
    )
    hear_python()
    hearing = warnings.showwarning
    hear_python()
    assert warnings.showwarning is hearing
    told: list[Diagnosis] = []
    stop = diagnoses.listen(told.append)
    try:
        for name in ("AsyncWebsocketConsumer.websocket_receive", "Group.asend", "Mine.receive"):
            warning = f"coroutine '{name}' was never awaited"
            warnings.showwarning(RuntimeWarning(warning), RuntimeWarning, "cell.py", len(name))
        text = "coroutine 'Group.asend' was never awaited"
        warnings.showwarning(UserWarning(text), UserWarning, "cell.py", 1)
    finally:
        stop()
    assert len(shown) == 4
    assert [(one.kind, one.detail) for one in told] == [
        ("not-awaited", "cell.py, line 40"),
        ("not-awaited", "cell.py, line 11"),
    ]
    assert "un-awaited Group.asend(...)" in told[1].sentence
