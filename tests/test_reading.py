"""Reading a group: as an iterator, as an async iterator, by callback, and its past."""

import asyncio
import contextvars
import functools
import gc
import os
import signal
import sys
import threading
import time

import pytest

from nbchannels.bridge import bridge, user_bridge
from nbchannels.encoding import JSON, Encoded, encode
from nbchannels.exceptions import ChannelClosed, EncodingError, WouldDeadlock
from nbchannels.layers.cursor import Anchor, Cursor, Missing
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.pending import take_unseen
from nbchannels.protocol.events import Last, Position
from nbchannels.reading import MessagesMissing, Subscription, history, listen, messages

PATIENCE = 10


@pytest.fixture(autouse=True)
def forget():
    take_unseen()
    yield
    take_unseen()


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


def send(layer, *numbers):
    for n in numbers:
        receipt = layer.submit("group", "index", encode({"n": n}))
    return Position(receipt.epoch, receipt.offset, receipt.tag)


def spoil(layer):
    """Append what is no message."""
    layer.submit("group", "index", Encoded(JSON, b'{"n":'))


def clear(layer):
    bridge.run(layer.clear("index"))


def subscribers(layer):
    return bridge.run(layer.group_statistics("index"))["subscribers"]


def numbers(found):
    return [message["n"] for message in found]


async def taken(stream, count):
    return [(await asyncio.wait_for(anext(stream), PATIENCE))["n"] for _ in range(count)]


class Ends(Cursor):
    """A cursor whose subscription is over."""

    group = "index"
    anchor = Anchor("e" * 16, 0, 0, 0)
    position = Position("e" * 16, 0, 0)
    closed = False

    def __init__(self, items=()):
        self.items = list(items)

    def take(self, limit=256):
        if self.items:
            return [self.items.pop(0)]
        raise ChannelClosed("the group is forbidden now")

    def close(self):
        self.closed = True


class Over(InMemoryChannelLayer):
    """A layer whose subscriptions give this cursor."""

    def __init__(self, cursor):
        super().__init__()
        self.cursor = cursor

    async def subscribe(self, group, start="now"):
        return self.cursor


# In a for loop


def test_messages_come_from_the_call_on(layer):
    send(layer, 1)
    listener = listen(layer, "index")
    send(layer, 2, 3)
    found = [next(listener), next(listener)]
    assert numbers(found) == [2, 3]
    assert [(m.group, m.offset) for m in found] == [("index", 2), ("index", 3)]
    assert found[0].channel_layer is layer
    assert found[0].time == pytest.approx(time.time(), abs=60)


def test_where_it_begins(layer):
    middle = send(layer, 1, 2)
    send(layer, 3, 4)
    for since, expected in [
        ("earliest", [1, 2, 3, 4]), (Last(1), [4]), (Last(9), [1, 2, 3, 4]), (middle, [3, 4]),
        ("now", []),
    ]:  # fmt: skip
        assert numbers(listen(layer, "index", since, timeout=0)) == expected


@pytest.mark.parametrize("since", ["yesterday", None, 5, Last])
def test_a_beginning_that_is_none(layer, since):
    for read in (listen, messages):
        with pytest.raises(ValueError, match="since is .*; it takes 'now', 'earliest', Last"):
            read(layer, "index", since)


def test_it_ends_when_nothing_comes_for_a_while(layer):
    listener = listen(layer, "index", timeout=0.05)
    send(layer, 1)
    begun = time.monotonic()
    assert numbers(listener) == [1]
    assert 0.04 < time.monotonic() - begun < PATIENCE
    assert subscribers(layer) == 0
    send(layer, 2)
    assert list(listener) == []


def test_a_message_from_another_thread_wakes_it(layer):
    listener = listen(layer, "index", timeout=PATIENCE)
    bridge.call(send, layer, 1)
    assert next(listener)["n"] == 1


def test_it_is_closed_from_another_thread(layer):
    listener = listen(layer, "index")
    waits = threading.Event()
    wait = listener._news.wait

    def waiting(left):
        waits.set()
        wait(left)

    listener._news.wait = waiting
    found = []
    thread = threading.Thread(target=lambda: found.extend(listener))
    thread.start()
    assert waits.wait(PATIENCE)
    listener.close()
    listener.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert found == []
    assert subscribers(layer) == 0


def test_leaving_the_with_block_closes_it(layer):
    with listen(layer, "index") as listener:
        assert iter(listener) is listener
        assert subscribers(layer) == 1
    assert subscribers(layer) == 0


def test_an_abandoned_listener_is_closed_even_under_the_layers_lock(layer):
    listener = listen(layer, "index")
    with layer._lock:
        del listener
        gc.collect()
    bridge.run(asyncio.sleep(0))
    assert subscribers(layer) == 0


@pytest.fixture
def interrupt_soon():
    """Call it: once the main thread waits, it is interrupted, as by the stop button."""
    main = threading.main_thread().ident

    def watch():
        while "__next__" not in names_of(sys._current_frames()[main]):
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield threading.Thread(target=watch, daemon=True).start
    signal.signal(signal.SIGINT, previous)


def names_of(frame):
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def test_an_interrupt_ends_a_listener_without_a_name_though_its_traceback_is_kept(
    layer, interrupt_soon
):
    def cell():
        for _ in listen(layer, "index"):
            pass

    interrupt_soon()
    with pytest.raises(KeyboardInterrupt) as kept:
        cell()
    gc.collect()
    bridge.run(asyncio.sleep(0))
    assert subscribers(layer) == 0
    assert kept.tb is not None


def test_an_interrupt_leaves_a_listener_with_a_name_open(layer, interrupt_soon):
    listener = listen(layer, "index")
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        next(listener)
    send(layer, 1)
    assert next(listener)["n"] == 1
    listener.close()


def test_it_works_where_a_loop_runs_but_not_on_the_bridge(layer):
    send(layer, 1)

    async def read():
        return numbers(listen(layer, "index", "earliest", timeout=0))

    assert asyncio.run(read()) == [1]
    with pytest.raises(WouldDeadlock):
        bridge.run(read(), PATIENCE)
    assert user_bridge.run(read(), PATIENCE) == [1]


def test_a_message_that_cannot_be_read_is_told_and_the_next_one_comes(layer):
    listener = listen(layer, "index")
    send(layer, 1)
    spoil(layer)
    send(layer, 3)
    assert next(listener)["n"] == 1
    with pytest.raises(EncodingError, match=r"^group 'index', offset 2: the body of the message"):
        next(listener)
    assert next(listener)["n"] == 3


def test_the_end_of_a_subscription_is_raised_once():
    cursor = Ends()
    listener = listen(Over(cursor), "index")
    with pytest.raises(ChannelClosed, match="forbidden now"):
        next(listener)
    assert cursor.closed
    assert list(listener) == []


# What is missing


def test_what_was_trimmed_is_said_at_its_place():
    layer = InMemoryChannelLayer(history=2)
    listener = listen(layer, "index", timeout=0)
    send(layer, 1, 2, 3, 4, 5)
    with pytest.warns(MessagesMissing) as caught:
        assert next(listener)["n"] == 4
    assert str(caught[0].message) == (
        "group 'index': 3 messages are missing here (offset 1 to 3): "
        "they were no longer in the group's history"
    )
    assert caught[0].filename == __file__
    send(layer, 6, 7, 8)
    with pytest.warns(MessagesMissing, match=r"1 message is missing here \(offset 6 to 6\)"):
        assert numbers(listener) == [5, 7, 8]


def test_what_is_missing_at_the_beginning():
    layer = InMemoryChannelLayer(history=2)
    first = send(layer, 1)
    send(layer, 2, 3, 4, 5)
    with pytest.warns(MessagesMissing, match="'index': 2 messages are missing here: they were no"):
        assert numbers(listen(layer, "index", first, timeout=0)) == [4, 5]


@pytest.mark.parametrize(("change", "why"), [
    ({"epoch": "0" * 16}, "the server was restarted, or the group was forgotten"),
    ({"tag": 0}, "the server's history went another way"),
])  # fmt: skip
def test_another_history(layer, change, why):
    position = send(layer, 1, 2)._replace(**change)
    with pytest.warns(MessagesMissing, match=f"messages may be missing here: {why}$") as caught:
        assert numbers(listen(layer, "index", position, timeout=0)) == [1, 2]
    assert caught[0].filename == __file__


def test_a_jump_to_the_newest_is_said():
    listener = listen(Over(Ends([Missing(1, 1234, "conflated")])), "index")
    with pytest.raises(ChannelClosed), pytest.warns(MessagesMissing) as caught:
        next(listener)
    assert "1,234 messages are missing here (offset 1 to 1234): the reader had fallen" in str(
        caught[0].message
    )


def test_clear_is_no_loss(layer):
    listener = listen(layer, "index", timeout=0)
    send(layer, 1)
    clear(layer)
    send(layer, 2)
    assert numbers(listener) == [2]


# async for


def test_async_for_on_several_loops(layer):
    ready = threading.Barrier(4, timeout=PATIENCE)
    found = {}

    async def read(name):
        stream = messages(layer, "index", "earliest")
        first = await taken(stream, 1)
        ready.wait()
        found[name] = first + await taken(stream, 300)
        stream.close()

    send(layer, 0)
    threads = [threading.Thread(target=asyncio.run, args=(read(n),)) for n in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    send(layer, *range(1, 301))
    for thread in threads:
        thread.join(PATIENCE)
    assert found == {n: list(range(301)) for n in range(3)}
    assert subscribers(layer) == 0


def test_async_for_sees_what_comes_while_it_waits(layer):
    async def read():
        found = []
        loop = asyncio.get_running_loop()
        stream = messages(layer, "index", "earliest")
        loop.call_soon(send, layer, 1)
        async for message in stream:
            found.append(message["n"])
            if len(found) == 3:
                break
            bridge.call(send, layer, len(found) + 1)
        return found

    assert asyncio.run(asyncio.wait_for(read(), PATIENCE)) == [1, 2, 3]


def test_a_cancelled_step_loses_nothing(layer):
    async def read():
        stream = messages(layer, "index")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
        send(layer, 1, 2)
        return await taken(stream, 2)

    assert asyncio.run(read()) == [1, 2]


def test_a_cancelled_anonymous_stream_is_closed_though_its_traceback_is_kept(layer):
    async def cell():
        async for _ in messages(layer, "index"):
            pass

    async def run():
        task = asyncio.ensure_future(cell())
        while not subscribers_of(layer):  # noqa: ASYNC110 - another thread subscribes
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as kept:
            await task
        return kept

    kept = asyncio.run(run())
    gc.collect()
    bridge.run(asyncio.sleep(0))
    assert subscribers(layer) == 0
    assert kept.tb is not None


def subscribers_of(layer):
    """`subscribers`, on a loop."""
    return bridge.wait(bridge.start(layer.group_statistics("index")))["subscribers"]


def test_a_burst_wakes_the_loop_once(layer):
    async def read():
        stream = messages(layer, "index", "earliest")
        send(layer, 0)
        await taken(stream, 1)
        loop = asyncio.get_running_loop()
        woken = []
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *args, **kwargs: woken.append(1) or wake(*args, **kwargs)
        send(layer, *range(1000))
        assert await taken(stream, 1000) == list(range(1000))
        return len(woken)

    assert asyncio.run(read()) == 1


def test_a_stream_is_closed(layer):
    async def read():
        stream = messages(layer, "index", "earliest")
        assert aiter(stream) is stream
        waiting = asyncio.ensure_future(taken(stream, 1))
        send(layer, 1)
        assert await waiting == [1]
        waiting = asyncio.ensure_future(anext(stream, "the end"))
        await asyncio.sleep(0)
        bridge.call(stream.close)
        assert await asyncio.wait_for(waiting, PATIENCE) == "the end"
        await stream.aclose()
        unused = messages(layer, "index")
        unused.close()
        assert await anext(unused, "the end") == "the end"

    asyncio.run(read())
    assert subscribers(layer) == 0


def test_an_abandoned_stream_is_closed(layer):
    async def read():
        async for _ in messages(layer, "index", "earliest"):
            break

    send(layer, 1)
    asyncio.run(read())
    gc.collect()
    bridge.run(asyncio.sleep(0))
    assert subscribers(layer) == 0


def test_a_stream_whose_loop_is_gone_is_closed_with_the_next_message(layer):
    stream = messages(layer, "index", "earliest")
    send(layer, 1)
    assert asyncio.run(taken(stream, 1)) == [1]
    assert subscribers(layer) == 1
    send(layer, 2)
    assert subscribers(layer) == 0


def test_async_for_says_what_is_missing():
    layer = InMemoryChannelLayer(history=1)
    first = send(layer, 1)
    send(layer, 2, 3)

    async def read():
        async for message in messages(layer, "index", first):
            return message["n"]

    with pytest.warns(MessagesMissing, match="1 message is missing here") as caught:
        assert asyncio.run(read()) == 3
    assert caught[0].filename == __file__


def test_a_stream_goes_on_behind_what_cannot_be_read(layer):
    async def read():
        stream = messages(layer, "index", "earliest")
        with pytest.raises(EncodingError, match="offset 1"):
            await anext(stream)
        return await taken(stream, 1)

    spoil(layer)
    send(layer, 2)
    assert asyncio.run(read()) == [2]


# The past


@pytest.mark.parametrize(("count", "expected"), [
    (0, []), (-1, []), (1, [699]), (256, range(444, 700)), (257, range(443, 700)),
    (600, range(100, 700)), (700, range(700)), (10_000, range(700)),
])  # fmt: skip
def test_history_is_oldest_first_over_all_pages(layer, count, expected):
    send(layer, *range(700))
    found = asyncio.run(history(layer, "index", count))
    assert numbers(found) == list(expected)
    assert [m.offset for m in found] == [n + 1 for n in expected]


def test_history_of_nothing(layer):
    assert asyncio.run(history(layer, "index", 100)) == []


class Meanwhile(InMemoryChannelLayer):
    """Something happens after the first page."""

    happening = None

    async def read(self, group, start="earliest", limit=256):
        page = await super().read(group, start, min(limit, 12))
        if self.happening is not None:
            happening, self.happening = self.happening, None
            happening(self)
        return page


def trimmed(layer):
    layer._registry.groups["index"].log.trim(20, 10**6)


@pytest.mark.parametrize(("happening", "expected"), [
    (lambda layer: send(layer, *range(50, 80)), range(50)),
    (lambda layer: [layer._registry.clear("index", 0), send(layer, *range(90, 99))], range(12)),
    (lambda layer: layer._registry.clear("index", 0), range(12)),
    (trimmed, [*range(12), *range(30, 50)]),
], ids=["appended", "cleared and sent", "cleared", "trimmed"])  # fmt: skip
def test_what_happens_while_history_is_read(happening, expected):
    layer = Meanwhile()
    send(layer, *range(50))
    layer.happening = happening
    assert numbers(asyncio.run(history(layer, "index", 100))) == list(expected)


# By callback


class Notebook:
    """Callbacks that note what they get."""

    def __init__(self, expected):
        self.expected = expected
        self.found = []
        self.threads = set()
        self.enough = threading.Event()

    def note(self, message):
        self.threads.add(threading.current_thread())
        self.found.append(message["n"])
        if len(self.found) == self.expected:
            self.enough.set()

    async def anote(self, message):
        await asyncio.sleep(0)
        self.note(message)

    async def __call__(self, message):
        self.note(message)

    def result(self):
        assert self.enough.wait(PATIENCE), self.found
        return self.found


CALLBACKS = {
    "function": lambda book: book.note,
    "coroutine function": lambda book: book.anote,
    "object": lambda book: book,
    "partial": lambda book: functools.partial(book.anote),
    "lambda": lambda book: lambda message: book.anote(message),
}


@pytest.mark.parametrize("kind", CALLBACKS)
def test_a_callback_gets_everything_from_the_call_on(layer, kind):
    book = Notebook(200)
    send(layer, -1)
    with Subscription(layer, "index", CALLBACKS[kind](book)) as subscription:
        assert repr(subscription) == "<subscription to group 'index', open, 0 errors>"
        send(layer, *range(200))
        assert book.result() == list(range(200))
    assert repr(subscription) == "<subscription to group 'index', closed, 0 errors>"
    (thread,) = book.threads
    assert thread is not threading.current_thread()
    assert (thread.name == "nbchannels-user") is (kind != "function")
    assert thread.daemon
    assert subscribers(layer) == 0
    assert not take_unseen()


def test_a_callback_from_the_beginning(layer):
    book = Notebook(3)
    send(layer, 1, 2)
    with Subscription(layer, "index", book.note, "earliest"):
        send(layer, 3)
        assert book.result() == [1, 2, 3]


@pytest.mark.parametrize("error", [RuntimeError("no"), StopIteration("no"), SystemExit("no")])
@pytest.mark.parametrize("is_async", [False, True])
def test_an_exception_in_a_callback_is_told_and_the_stream_goes_on(layer, error, is_async):
    book = Notebook(2)

    def draw(message):
        if message["n"] == 2:
            raise error
        book.note(message)

    async def adraw(message):
        draw(message)

    with Subscription(layer, "index", adraw if is_async else draw) as subscription:
        send(layer, 1, 2, 3)
        assert book.result() == [1, 3]
    (sentence,) = take_unseen()
    name = "adraw" if is_async else "draw"
    assert sentence.startswith(f"{name}, subscribed to group 'index', raised ")
    assert "no" in sentence or "StopIteration" in sentence
    assert sentence.endswith(" (offset 2)")
    assert subscription.errors == 1
    assert f"in {name}" in subscription.last_error
    assert "1 errors" in repr(subscription)


def test_what_a_callback_cannot_read_is_told_and_the_stream_goes_on(layer):
    book = Notebook(1)
    with Subscription(layer, "index", book.note):
        spoil(layer)
        send(layer, 2)
        assert book.result() == [2]
    (sentence,) = take_unseen()
    assert sentence.startswith("subscription to group 'index': group 'index', offset 1: the body")


def test_what_a_callback_misses_is_told():
    layer = InMemoryChannelLayer(history=1)
    first = send(layer, 1)
    send(layer, 2, 3)
    book = Notebook(1)
    with Subscription(layer, "index", book.note, first):
        assert book.result() == [3]
    assert take_unseen() == [
        "group 'index': 1 message is missing here: they were no longer in the group's history"
    ]


def ended(subscription):
    """Wait for the thread of a subscription."""
    for thread in threading.enumerate():
        if thread.name == f"nbchannels {subscription.group}":
            thread.join(PATIENCE)


def test_the_end_of_a_subscription_is_told():
    cursor = Ends()
    subscription = Subscription(Over(cursor), "index", print)
    ended(subscription)
    assert cursor.closed
    assert "closed" in repr(subscription)
    assert take_unseen() == ["subscription to group 'index': the group is forbidden now"]


def test_a_callback_may_close_its_subscription(layer):
    book = Notebook(1)

    def once(message):
        subscription.close()
        book.note(message)

    subscription = Subscription(layer, "index", once)
    send(layer, 1, 2, 3)
    assert book.result() == [1]
    ended(subscription)
    assert book.found == [1]
    assert subscribers(layer) == 0


@pytest.mark.parametrize("is_async", [False, True])
def test_a_callback_may_send(layer, is_async):
    book = Notebook(2)

    def forward(message):
        if message["n"] < 2:
            bridge.run(layer.group_send("index", {"n": message["n"] + 1}))
        book.note(message)

    async def aforward(message):
        forward(message)

    with Subscription(layer, "index", aforward if is_async else forward):
        send(layer, 1)
        assert sorted(book.result()) == [1, 2]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_callback_sees_the_context_of_who_subscribed(layer, is_async):
    cell = contextvars.ContextVar("cell", default="none")
    book = Notebook(1)
    seen = []

    def look(message):
        seen.append(cell.get())
        book.note(message)

    async def alook(message):
        look(message)

    cell.set("In [1]")
    with Subscription(layer, "index", alook if is_async else look):
        cell.set("In [2]")
        send(layer, 1)
        book.result()
    assert seen == ["In [1]"]


def test_only_what_can_be_called_is_a_callback(layer):
    with pytest.raises(TypeError, match="subscribe takes a function to call, not a str: 'plot'"):
        Subscription(layer, "index", "plot")
