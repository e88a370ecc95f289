"""Consumers as classes: who reaches which handler, and what happens when something is wrong."""

import asyncio
import logging
import threading

import pytest

from nbchannels.bridge import async_to_sync
from nbchannels.consumer import AsyncConsumer, SyncConsumer, get_handler_name, outcome
from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import (
    ChannelClosed,
    ConsumeLater,
    InvalidChannelLayerError,
    LayerUnavailable,
    StopConsumer,
    WouldDeadlock,
)
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.testing.application import ApplicationCommunicator

pytestmark = pytest.mark.asyncio

SOCKET = {"type": "websocket"}


@pytest.fixture
def layer():
    layer = InMemoryChannelLayer()
    old = channel_layers.set("default", layer)
    diagnoses.clear()
    yield layer
    channel_layers.set("default", old)
    diagnoses.clear()


def kinds():
    return [told.kind for told in diagnoses.recent()]


def start(consumer, scope=SOCKET, **options):
    return ApplicationCommunicator(consumer.as_asgi(**options), dict(scope))


class Echo(AsyncConsumer):
    """Sends back what its handlers see."""

    async def websocket_connect(self, event):
        await self.channel_layer.group_add("index", self.channel_name)
        await self.send({"type": "connected", "channel": self.channel_name})

    async def websocket_receive(self, event):
        await self.send({"type": "received", "text": event["text"]})

    async def index_tick(self, event):
        await self.send({"type": "ticked", "n": event["n"]})

    async def index_fail(self, event):
        raise ValueError("no such index")

    async def index_stop(self, event):
        raise StopConsumer


class SyncEcho(SyncConsumer):
    """The same, as plain methods."""

    def websocket_connect(self, event):
        async_to_sync(self.channel_layer.group_add)("index", self.channel_name)
        self.send({"type": "connected", "channel": self.channel_name})

    def websocket_receive(self, event):
        self.send({"type": "received", "text": event["text"]})

    def index_tick(self, event):
        self.send({"type": "ticked", "n": event["n"]})

    def index_fail(self, event):
        raise ValueError("no such index")

    def index_stop(self, event):
        raise StopConsumer


BOTH = pytest.mark.parametrize("consumer", [Echo, SyncEcho])


async def connected(consumer):
    communicator = start(consumer)
    await communicator.send_input({"type": "websocket.connect"})
    channel = (await communicator.receive_output())["channel"]
    return communicator, channel


# What goes through


@BOTH
async def test_messages_come_from_the_protocol_and_from_the_layer(layer, consumer):
    communicator, channel = await connected(consumer)
    await communicator.send_input({"type": "websocket.receive", "text": "hello"})
    assert await communicator.receive_output() == {"type": "received", "text": "hello"}
    await layer.group_send("index", {"type": "index.tick", "n": 1})
    await layer.send(channel, {"type": "index.tick", "n": 2})
    assert [(await communicator.receive_output())["n"] for _ in range(2)] == [1, 2]
    await communicator.send_input({"type": "websocket.disconnect"})
    await communicator.wait()
    assert diagnoses.recent() == []


@BOTH
async def test_the_article_sends_from_a_thread_without_a_loop(layer, consumer):
    communicator, _ = await connected(consumer)
    send = async_to_sync(layer.group_send)
    await asyncio.to_thread(send, "index", {"type": "index.tick", "n": 1})
    send("index", {"type": "index.tick", "n": 2})
    assert [(await communicator.receive_output())["n"] for _ in range(2)] == [1, 2]
    communicator.stop()


@BOTH
async def test_order_is_kept_and_handlers_run_one_at_a_time(layer, consumer):
    running = []

    async def slow(self, event):
        running.append("in")
        await asyncio.sleep(0)
        await AsyncConsumer.send(self, {"type": "ticked", "n": event["n"]})
        running.append("out")

    def slow_sync(self, event):
        running.append("in")
        self.send({"type": "ticked", "n": event["n"]})
        running.append("out")

    handler = slow if consumer is Echo else slow_sync
    own = type("Own", (consumer,), {"index_tick": handler})
    communicator, channel = await connected(own)
    for n in range(30):
        await layer.send(channel, {"type": "index.tick", "n": n})
    assert [(await communicator.receive_output())["n"] for _ in range(30)] == list(range(30))
    communicator.stop()
    assert running[:58] == ["in", "out"] * 29


async def test_neither_the_client_nor_the_layer_starves_the_other(layer):
    communicator, channel = await connected(Echo)
    for n in range(20):
        await layer.send(channel, {"type": "index.tick", "n": n})
        await communicator.send_input({"type": "websocket.receive", "text": str(n)})
    seen = [(await communicator.receive_output())["type"] for _ in range(40)]
    assert 3 <= seen[:10].count("ticked") <= 7
    communicator.stop()


async def test_a_consumer_has_what_channels_gives_it(layer):
    class Own(AsyncConsumer):
        def __init__(self, limit):
            self.limit = limit

        async def websocket_connect(self, event):
            await self.base_send(
                {
                    "scope": self.scope,
                    "limit": self.limit,
                    "layer": self.channel_layer,
                    "receive": self.channel_receive is not None,
                }
            )

    app = Own.as_asgi(limit=5)
    assert app.consumer_class is Own
    assert app.consumer_initkwargs == {"limit": 5}
    assert app.__name__ == "Own"
    communicator = ApplicationCommunicator(app, {"type": "websocket", "path": "/x"})
    await communicator.send_input({"type": "websocket.connect"})
    seen = await communicator.receive_output()
    assert seen["scope"]["path"] == "/x"
    assert (seen["limit"], seen["layer"], seen["receive"]) == (5, layer, True)
    communicator.stop()


async def test_each_connection_has_its_own_instance_and_channel(layer):
    one, first = await connected(Echo)
    two, second = await connected(Echo)
    assert first != second
    await layer.send(second, {"type": "index.tick", "n": 1})
    assert (await two.receive_output())["n"] == 1
    assert await one.receive_nothing()
    one.stop()
    two.stop()


async def test_dispatch_can_be_overridden(layer):
    class Own(Echo):
        async def dispatch(self, message):
            await self.send({"type": "seen", "what": message["type"]})
            await super().dispatch(message)

    communicator = start(Own)
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output())["what"] == "websocket.connect"
    assert (await communicator.receive_output())["type"] == "connected"
    await layer.group_send("index", {"type": "close"})
    assert (await communicator.receive_output())["what"] == "close"
    await layer.group_send("index", {"type": "index.tick", "n": 1})
    assert (await communicator.receive_output())["what"] == "index.tick"
    assert (await communicator.receive_output())["n"] == 1
    assert kinds() == ["no-handler"]
    communicator.stop()


async def test_the_handler_name_is_where_channels_has_it():
    assert get_handler_name({"type": "index.tick"}) == "index_tick"


# Every way out closes the channel


@BOTH
@pytest.mark.parametrize("way", ["disconnect", "stop", "cancel", "fail"])
async def test_every_way_out_closes_the_channel(layer, consumer, way):
    communicator, channel = await connected(consumer)
    assert await layer.group_channels("index") == [channel]
    match way:
        case "disconnect":
            await communicator.send_input({"type": "websocket.disconnect"})
        case "stop":
            await layer.send(channel, {"type": "index.stop"})
        case "cancel":
            communicator.stop()
        case "fail":
            await communicator.send_input({"type": "websocket.receive"})
    await asyncio.wait({communicator.future}, timeout=5)
    assert communicator.future.done()
    assert await layer.group_channels("index") == []
    assert (await layer.names())["channels"] == []


async def test_cancelled_while_its_channel_is_made(layer, monkeypatch):
    started, go = asyncio.Event(), asyncio.Event()
    make = layer.new_channel

    async def slow(prefix="specific"):
        started.set()
        await go.wait()
        return await make(prefix)

    monkeypatch.setattr(layer, "new_channel", slow)
    task = asyncio.ensure_future(Echo()(dict(SOCKET), asyncio.Event().wait, print))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    async with asyncio.timeout(5):
        while rest := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(rest)
    assert (await layer.names())["channels"] == []


async def test_a_workers_message_that_is_taken_while_the_consumer_ends_is_given_back(layer):
    handled, told = [], []

    class Own(Echo):
        async def work_do(self, message):
            handled.append((message["n"], self.channel_name))

    def tell(*what):
        told.append(what)

    token = outcome.set(tell)
    events = asyncio.Queue()
    task = asyncio.ensure_future(Own()({"type": "channel"}, events.get, print))
    outcome.reset(token)
    events.put_nowait({"type": "work.do", "n": 1})
    async with asyncio.timeout(5):
        while not handled:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    await layer.send(handled[0][1], {"type": "index.stop"})
    events.put_nowait({"type": "work.do", "n": 2})
    await task
    assert [n for n, _ in handled] == [1]
    assert told == [("return", "", "")]


async def test_what_comes_from_outside_after_the_end_is_nobodys(layer):
    communicator, channel = await connected(Echo)
    await layer.send(channel, {"type": "index.stop"})
    await communicator.wait()
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]


@pytest.mark.parametrize("event", ["websocket.disconnect", "http.disconnect"])
async def test_the_end_of_the_connection_needs_no_handler(layer, event):
    communicator = start(AsyncConsumer, {"type": event.partition(".")[0]})
    await communicator.send_input({"type": event})
    await communicator.wait()
    assert diagnoses.recent() == []


async def test_a_disconnect_handler_that_does_not_stop_ends_all_the_same(layer):
    class Own(Echo):
        async def websocket_disconnect(self, event):
            await self.send({"type": "bye"})

    communicator, _ = await connected(Own)
    await communicator.send_input({"type": "websocket.disconnect"})
    assert await communicator.receive_output() == {"type": "bye"}
    await communicator.wait()


# What is wrong is told, and the consumer lives on


@BOTH
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({}, "missing-type"),
        ({"type": 5}, "missing-type"),
        ({"type": "index.tock"}, "no-handler"),
        ({"type": "_private"}, "no-handler"),
        ({"type": "send"}, "not-reachable"),
        ({"type": "dispatch"}, "not-reachable"),
        ({"type": "websocket.disconnect"}, "not-reachable"),
        ({"type": "websocket.receive", "text": "x"}, "not-reachable"),
        ({"type": "http.request"}, "not-reachable"),
        ({"type": "index.fail"}, "handler-failed"),
    ],
)
async def test_a_layer_message_that_cannot_be_handled(layer, consumer, message, kind):
    communicator, channel = await connected(consumer)
    await layer.send(channel, message)
    await layer.send(channel, {"type": "index.tick", "n": 1})
    assert (await communicator.receive_output())["n"] == 1
    assert kinds() == [kind]
    assert consumer.__name__ in diagnoses.recent()[0].sentence
    communicator.stop()


async def test_a_mistyped_name_is_recognised(layer):
    communicator, channel = await connected(Echo)
    await layer.send(channel, {"type": "index.tock"})
    await layer.send(channel, {"type": "index.tick", "n": 1})
    await communicator.receive_output()
    assert "did you mean type 'index.tick'" in diagnoses.recent()[0].sentence
    communicator.stop()


@BOTH
async def test_a_failing_layer_handler_is_logged_with_its_traceback(layer, consumer, caplog):
    communicator, channel = await connected(consumer)
    with caplog.at_level(logging.WARNING, "nbchannels"):
        await layer.send(channel, {"type": "index.fail"})
        await layer.send(channel, {"type": "index.tick", "n": 1})
        await communicator.receive_output()
    assert "no such index" in caplog.text
    assert "Traceback" in caplog.text
    assert "in index_fail" in caplog.text
    communicator.stop()


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), ConsumeLater()])
async def test_whatever_a_layer_handler_raises_the_consumer_lives_on(layer, error):
    class Own(Echo):
        async def index_raise(self, event):
            raise error

    communicator, channel = await connected(Own)
    await layer.send(channel, {"type": "index.raise"})
    await layer.send(channel, {"type": "index.tick", "n": 1})
    assert (await communicator.receive_output())["n"] == 1
    assert kinds() == ["handler-failed"]
    communicator.stop()


@BOTH
async def test_a_failing_protocol_handler_closes_a_socket_with_1011(layer, consumer):
    other, _ = await connected(consumer)
    communicator, _ = await connected(consumer)
    await communicator.send_input({"type": "websocket.receive"})  # no text: KeyError
    assert await communicator.receive_output() == {"type": "websocket.close", "code": 1011}
    with pytest.raises(KeyError, match="text"):
        await communicator.wait()
    assert communicator.future.exception() is None  # its server was not hurt
    assert kinds() == ["handler-failed"]
    assert "KeyError" in diagnoses.recent()[0].sentence
    await other.send_input({"type": "websocket.receive", "text": "still here"})
    assert (await other.receive_output())["text"] == "still here"
    other.stop()


async def test_after_a_failure_the_class_still_cleans_up(layer):
    cleaned = []

    class Own(Echo):
        async def websocket_disconnect(self, event):
            cleaned.append(event["code"])

    communicator, _ = await connected(Own)
    await communicator.send_input({"type": "websocket.receive"})
    await communicator.receive_output()
    with pytest.raises(KeyError):
        await communicator.wait()
    assert cleaned == [1011]


async def test_a_cleanup_that_fails_too_is_told(layer):
    class Own(Echo):
        async def websocket_disconnect(self, event):
            raise RuntimeError("cannot clean up")

    communicator, _ = await connected(Own)
    await communicator.send_input({"type": "websocket.receive"})
    await communicator.receive_output()
    with pytest.raises(KeyError):
        await communicator.wait()
    first, second = diagnoses.recent()
    assert "KeyError" in first.sentence
    assert "cannot clean up" in second.sentence


async def test_a_socket_that_cannot_even_be_closed(layer):
    class Own(AsyncConsumer):
        async def websocket_connect(self, event):
            await self.send({"type": "websocket.accept"})

    async def broken(event):
        raise OSError("the client is gone")

    events = asyncio.Queue()
    events.put_nowait({"type": "websocket.connect"})
    await Own.as_asgi()(dict(SOCKET), events.get, broken)
    assert kinds() == ["handler-failed"]
    assert (await layer.names())["channels"] == []


async def test_elsewhere_the_server_gets_the_exception(layer):
    class Own(AsyncConsumer):
        async def http_request(self, event):
            raise ValueError("no")

    communicator = start(Own, {"type": "http"})
    await communicator.send_input({"type": "http.request"})
    with pytest.raises(ValueError, match="no"):
        await communicator.wait()
    assert kinds() == ["handler-failed"]
    assert (await layer.names())["channels"] == []


@pytest.mark.parametrize("event", [{"type": "close"}, {"type": "index.tick", "n": 1}, {}])
async def test_the_server_names_no_handlers_but_by_its_events(layer, event):
    communicator, _ = await connected(Echo)
    await communicator.send_input(event)
    await communicator.send_input({"type": "websocket.receive", "text": "x"})
    assert (await communicator.receive_output())["text"] == "x"
    assert len(kinds()) == 1
    communicator.stop()


# Layers


async def test_an_unknown_layer_is_an_error(layer):
    class Own(AsyncConsumer):
        channel_layer_alias = "defualt"

    communicator = start(Own)
    await communicator.send_input({"type": "websocket.connect"})
    with pytest.raises(InvalidChannelLayerError, match="did you mean 'default'"):
        await communicator.wait()


async def test_a_consumer_without_a_layer(layer):
    class Own(AsyncConsumer):
        channel_layer_alias = None

        async def websocket_connect(self, event):
            with pytest.raises(InvalidChannelLayerError, match="alias is None"):
                _ = self.channel_name
            await self.send({"layer": self.channel_layer, "receive": self.channel_receive})

    communicator = start(Own)
    await communicator.send_input({"type": "websocket.connect"})
    assert await communicator.receive_output() == {"layer": None, "receive": None}
    communicator.stop()
    assert (await layer.names())["channels"] == []


async def test_a_layer_that_cannot_be_reached_is_told_and_the_client_is_served(layer, monkeypatch):
    class Own(AsyncConsumer):
        async def websocket_connect(self, event):
            with pytest.raises(InvalidChannelLayerError, match="could not be reached"):
                _ = self.channel_name
            await self.send({"type": "served"})

    async def unreachable(prefix="specific"):
        raise LayerUnavailable("no server")

    monkeypatch.setattr(layer, "new_channel", unreachable)
    communicator = start(Own)
    await communicator.send_input({"type": "websocket.connect"})
    assert await communicator.receive_output() == {"type": "served"}
    assert kinds() == ["layer-failed"]
    assert "no server" in diagnoses.recent()[0].sentence
    communicator.stop()


async def test_a_channel_that_is_closed_by_somebody_ends_the_socket(layer):
    communicator, channel = await connected(Echo)
    await asyncio.sleep(0)
    await layer.close_channel(channel)
    assert await communicator.receive_output() == {"type": "websocket.close", "code": 1011}
    with pytest.raises(ChannelClosed):
        await communicator.wait()
    assert kinds() == ["layer-failed"]


async def test_a_channel_that_cannot_be_closed_is_told(layer, monkeypatch):
    async def unreachable(channel):
        raise LayerUnavailable("no server")

    communicator, _ = await connected(Echo)
    monkeypatch.setattr(layer, "close_channel", unreachable)
    await communicator.send_input({"type": "websocket.disconnect"})
    await communicator.wait()
    assert kinds() == ["layer-failed"]
    assert "was not closed: no server" in diagnoses.recent()[0].sentence


# Colours


async def ticked(layer, consumer, messages=1):
    communicator, channel = await connected(consumer)
    await layer.send(channel, {"type": "index.tick", "n": 1})
    seen = [await communicator.receive_output() for _ in range(messages)]
    communicator.stop()
    return seen


async def test_a_plain_def_on_an_async_consumer_runs_and_is_told(layer):
    ran = []

    class Own(Echo):
        def index_tick(self, event):
            ran.append(threading.current_thread())

    communicator, channel = await connected(Own)
    await layer.send(channel, {"type": "index.tick", "n": 1})
    await communicator.send_input({"type": "websocket.receive", "text": "x"})
    await communicator.receive_output()
    assert ran == [threading.current_thread()]
    assert kinds() == ["wrong-colour"]
    assert "Own.index_tick is a plain def" in diagnoses.recent()[0].sentence
    communicator.stop()


async def test_a_plain_def_that_returns_a_coroutine_is_as_good_as_an_async_one(layer):
    class Own(Echo):
        def index_tick(self, event):
            return self.send({"type": "ticked", "n": 5})

    assert await ticked(layer, Own) == [{"type": "ticked", "n": 5}]
    assert diagnoses.recent() == []


async def test_a_coroutine_that_a_handler_returns_is_awaited_and_told(layer):
    class Own(Echo):
        async def index_tick(self, event):
            return super().index_tick(event)

    assert await ticked(layer, Own) == [{"type": "ticked", "n": 1}]
    assert kinds() == ["not-awaited"]
    assert "Own.index_tick" in diagnoses.recent()[0].sentence


@pytest.mark.parametrize("colour", ["async", "sync"])
async def test_a_handler_with_a_yield_is_told(layer, colour):
    class Own(Echo):
        async def index_tick(self, event):
            yield 1

    class SyncOwn(SyncEcho):
        def index_tick(self, event):
            yield 1

    communicator, channel = await connected(Own if colour == "async" else SyncOwn)
    await layer.send(channel, {"type": "index.tick", "n": 1})
    await communicator.send_input({"type": "websocket.receive", "text": "x"})
    await communicator.receive_output()
    assert any("has a yield" in d.sentence for d in diagnoses.recent())
    communicator.stop()


async def test_an_async_def_on_a_synchronous_consumer_runs_and_is_told(layer):
    class Own(SyncEcho):
        async def index_tick(self, event):
            await asyncio.sleep(0)
            self.send({"type": "ticked", "loop": asyncio.get_running_loop()})

    (seen,) = await ticked(layer, Own)
    assert seen["loop"] is asyncio.get_running_loop()
    assert kinds() == ["wrong-colour"]
    assert "Own from AsyncConsumer" in diagnoses.recent()[0].sentence


async def test_there_what_is_sent_may_be_awaited_or_not_and_keeps_its_order(layer):
    class Own(SyncEcho):
        async def index_tick(self, event):
            self.send({"n": 1})
            await self.send({"n": 2})
            self.send({"n": 3})

    assert [seen["n"] for seen in await ticked(layer, Own, 3)] == [1, 2, 3]


async def test_a_coroutine_that_a_synchronous_handler_returns_is_awaited_and_told(layer):
    class Own(SyncEcho):
        def index_tick(self, event):
            return self.channel_layer.send(self.channel_name, {"type": "index.tock"})

        def index_tock(self, event):
            self.send({"type": "tocked"})

    assert await ticked(layer, Own) == [{"type": "tocked"}]
    assert kinds() == ["not-awaited"]


@pytest.mark.parametrize("consumer", [Echo, SyncEcho])
async def test_a_coroutine_of_the_layer_that_nobody_awaits_is_told(layer, consumer):
    async def forget(self, event):
        self.channel_layer.group_add("other", self.channel_name)

    def forget_sync(self, event):
        self.channel_layer.group_add("other", self.channel_name)

    handler = forget if consumer is Echo else forget_sync
    own = type("Own", (consumer,), {"index_forget": handler})
    communicator, channel = await connected(own)
    await layer.send(channel, {"type": "index.forget"})
    await layer.send(channel, {"type": "index.tick", "n": 1})
    await communicator.receive_output()
    (told,) = diagnoses.recent()
    assert told.kind == "not-awaited"
    assert "group_add" in told.sentence
    assert ("async_to_sync(" in told.sentence) is (consumer is SyncEcho)
    assert "test_consumer.py" in told.detail
    assert await layer.group_channels("other") == []
    communicator.stop()


# Threads


async def test_synchronous_handlers_run_beside_the_loop(layer):
    class Own(SyncEcho):
        def index_tick(self, event):
            assert event["go"].wait(10)
            self.send({"type": "ticked", "thread": threading.current_thread()})

    go = threading.Event()
    communicator, _ = await connected(Own)
    consumer_free, _ = await connected(SyncEcho)
    # The message itself is handed over in this process: an event cannot travel through a layer.
    own = Own()
    own.scope, own._protocol = dict(SOCKET), None
    sent = asyncio.Queue()
    own._connect_to(sent.put)
    task = asyncio.ensure_future(own.dispatch({"type": "index.tick", "go": go}))
    await consumer_free.send_input({"type": "websocket.receive", "text": "free"})
    assert (await consumer_free.receive_output())["text"] == "free"
    assert not task.done()
    go.set()
    await task
    assert (await sent.get())["thread"] is not threading.current_thread()
    communicator.stop()
    consumer_free.stop()


async def test_a_synchronous_call_on_the_loops_thread_says_what_to_do(layer):
    own = SyncEcho()
    own._connect_to(asyncio.Queue().put)
    with pytest.raises(WouldDeadlock, match=r"SyncEcho\.send.*plain def"):
        own.send({"type": "x"})


async def test_cancelling_does_not_wait_for_a_handler_that_blocks(layer):
    go, began = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Own(SyncEcho):
        def index_tick(self, event):
            loop.call_soon_threadsafe(began.set)
            go.wait(10)

    communicator, channel = await connected(Own)
    await layer.send(channel, {"type": "index.tick"})
    await began.wait()
    communicator.stop()
    await asyncio.wait({communicator.future}, timeout=5)
    assert communicator.future.cancelled()
    assert (await layer.names())["channels"] == []
    go.set()


async def test_a_hundred_consumers_leave_nothing_behind(layer):
    for consumer in (Echo, SyncEcho):
        all_of_them = [await connected(consumer) for _ in range(50)]
        await layer.group_send("index", {"type": "index.tick", "n": 7})
        for communicator, _ in all_of_them:
            assert (await communicator.receive_output())["n"] == 7
        for communicator, _ in all_of_them:
            await communicator.send_input({"type": "websocket.disconnect"})
            await communicator.wait()
    assert (await layer.names())["channels"] == []
    assert await layer.group_channels("index") == []
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
