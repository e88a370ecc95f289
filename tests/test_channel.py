"""``Channel`` and ``Group`` over a memory layer, and over one that answers later."""

import asyncio
import threading
import time
import warnings
from concurrent.futures import Future

import numpy as np
import pandas as pd
import pytest

from nbchannels import pending
from nbchannels.bridge import bridge, user_bridge
from nbchannels.channel import Batch, Channel, Group, NobodyListens, expect
from nbchannels.diagnoses import listen, tell_again
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    DeliveryUnknown,
    EncodingError,
    InvalidChannelLayerError,
    InvalidMessage,
    InvalidName,
    MessageTooLarge,
    SendTimeout,
    WouldDeadlock,
)
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from nbchannels.pending import PendingReceipt, take_unseen
from nbchannels.protocol.events import Last
from nbchannels.reading import MessagesMissing
from nbchannels.receipt import Receipt

PATIENCE = 10


class Remote(InMemoryChannelLayer):
    """Answers on the bridge's thread, as a connection does; or not at all while it is held."""

    def __init__(self, is_held=False, is_certain=False, **options):
        super().__init__(**options)
        self.is_held = is_held
        self.is_certain = is_certain
        self.held = []
        self.given_up = []
        self.wanted = []

    def submit(self, kind, name, encoded, *, receipt=True):
        future = Future()
        self.wanted.append(receipt)

        def answer():
            try:
                future.set_result(super(Remote, self).submit(kind, name, encoded))
            except ChannelsError as error:
                future.set_exception(error)

        if self.is_held:
            self.held.append(answer)
        else:
            bridge.call(answer)
        return future

    def answer(self):
        for answer in self.held:
            bridge.call(answer)

    def give_up(self, pending, seconds):
        self.given_up.append(pending)
        return SendTimeout("withdrawn") if self.is_certain else super().give_up(pending, seconds)


@pytest.fixture(autouse=True)
def forget():
    take_unseen()
    pending._told.clear()
    yield
    take_unseen()
    pending._told.clear()


LAYERS = {"memory": InMemoryChannelLayer, "remote": Remote}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param](capacity=5)


@pytest.fixture
def index(layer):
    """A group that somebody listens to."""
    expect("group", "index")
    return Group("index", channel_layer=layer)


@pytest.fixture
def work(layer):
    expect("channel", "work")
    return Channel("work", channel_layer=layer)


def numbers(found):
    return [message["n"] for message in found]


# Names and layers


@pytest.mark.parametrize("make", [Channel, Group])
@pytest.mark.parametrize(
    "name", ["", "a b", "ü", "n" * 100, "a\n", "a/b", None, 5, b"\xff", b"a b"]
)
def test_names_of_bad_form_are_refused_at_once(make, name):
    with pytest.raises(InvalidName, match=f"{make.__name__.lower()} name is a str of 1 to 99"):
        make(name)


def test_names():
    assert Channel("specific.ab!cd").name == "specific.ab!cd"
    assert Channel(b"work").name == "work"
    with pytest.raises(InvalidName, match="group name 'a!b' has '!'"):
        Group("a!b")
    assert str(Group("index")) == "index"
    assert repr(Group("index")) == "Group('index')"
    assert repr(Channel("work")) == "Channel('work')"


def test_equality():
    assert Group("a") == Group("a")
    assert Group("a") != Group("b")
    assert Group("a") != Channel("a")
    assert Group("a") != "a"
    assert len({Group("a"), Group("a"), Channel("a")}) == 2


def test_the_layer_of_an_alias(layer):
    before = channel_layers.set("test-alias", layer)
    try:
        expect("group", "index")
        group = Group("index", "test-alias")
        assert group.channel_layer is layer
        group.send({"n": 1})
        assert numbers(Group("index", channel_layer=layer).history()) == [1]
    finally:
        channel_layers.set("test-alias", before)
    for target in (Group("index", "tset-alias"), Channel("work", "tset-alias")):
        with pytest.raises(InvalidChannelLayerError, match="'tset-alias' is not configured"):
            target.send({})


# Sending


def test_a_send_returns_its_receipt(index, work):
    index.add("work")
    receipt = index.send({"n": 1})
    assert (receipt.kind, receipt.name, receipt.members, receipt.offset) == ("group", "index", 1, 1)
    assert index.send({"n": 2}, immediately=True).offset == 2
    receipt = work.send({"n": 3})
    assert (receipt.kind, receipt.name, receipt.offset) == ("channel", "work", 1)
    assert numbers([work.receive(1) for _ in range(3)]) == [1, 2, 3]


def test_async_sends_return_their_receipts(index, work):
    async def send():
        return await index.asend({"n": 1}), await work.asend({"n": 2})

    first, second = asyncio.run(send())
    assert (first.offset, second.offset) == (1, 1)
    assert isinstance(first, Receipt)
    assert numbers(index.history()) == [1]
    assert work.receive(1)["n"] == 2


def test_a_full_channel_is_told_on_its_line_and_nothing_else_is_lost(work):
    for n in range(5):
        work.send({"n": n})
    with pytest.raises(ChannelFull, match="channel 'work' is full: 5 messages wait, capacity 5"):
        work.send({"n": 5})
    with pytest.raises(ChannelFull):
        asyncio.run(work.asend({"n": 5}))
    assert work.receive(1)["n"] == 0
    work.send({"n": 6})
    assert numbers([work.receive(1) for _ in range(5)]) == [1, 2, 3, 4, 6]
    assert not take_unseen()


@pytest.mark.parametrize(("content", "error"), [
    (5, InvalidMessage),
    (None, InvalidMessage),
    ({"a": [0, {1}]}, EncodingError),
    ({1: 2}, EncodingError),
    ({"x": np.zeros(100)}, MessageTooLarge),
    ({"x": "x" * 1000}, MessageTooLarge),
])  # fmt: skip
def test_what_cannot_be_sent_is_not_sent(index, work, content, error):
    index.channel_layer.max_message = 500
    for target in (index, work):
        target.send({"n": 1})
        with pytest.raises(error):
            target.send(content)
        with pytest.raises(error):
            target.send(content, wait=False)
        with pytest.raises(error):
            asyncio.run(target.asend(content))
        with pytest.raises(error), target.batch() as out:
            out.send(content)
        target.send({"n": 2})
    assert numbers(index.history()) == [1, 2]
    assert numbers([work.receive(1), work.receive(1)]) == [1, 2]


def test_a_dataframe_is_a_message(index):
    index.send(pd.DataFrame({"x": [1.5, 2.5]}))
    (message,) = index.history()
    np.testing.assert_array_equal(message["x"], [1.5, 2.5])


def test_a_send_that_is_not_waited_for(index):
    results = [index.send({"n": n}, wait=False) for n in range(100)]
    is_remote = isinstance(index.channel_layer, Remote)
    assert {type(result) for result in results} == {PendingReceipt if is_remote else Receipt}
    if is_remote:
        results = [result.wait() for result in results]
    assert [result.offset for result in results] == list(range(1, 101))
    assert numbers(index.history()) == list(range(100))


def test_a_failure_that_nobody_waits_for_is_told():
    expect("channel", "work")
    work = Channel("work", channel_layer=Remote(capacity=1))
    receipts = [work.send({"n": n}, wait=False) for n in range(3)]
    with pytest.raises(ChannelFull):
        receipts[2].wait()
    bridge.run(asyncio.sleep(0))  # the callbacks of the future have run
    (sentence,) = take_unseen()
    assert sentence.startswith("channel 'work': channel 'work' is full: 1 messages wait")
    assert repr(receipts[1]).startswith("<not sent to channel 'work': ")


@pytest.mark.parametrize("is_certain", [False, True])
def test_a_send_that_is_not_answered(is_certain):
    layer = Remote(is_held=True, is_certain=is_certain)
    expect("group", "index")
    with pytest.raises(SendTimeout if is_certain else DeliveryUnknown) as caught:
        Group("index", channel_layer=layer).send({"n": 1}, timeout=0.01)
    assert len(layer.given_up) == 1
    if not is_certain:
        assert repr(caught.value.receipt) == "<on its way to group 'index'>"
        layer.answer()
        assert caught.value.receipt.wait(PATIENCE).offset == 1


# Hints


def test_that_nobody_listens_is_said_once_per_name(layer):
    with pytest.warns(NobodyListens, match="^no one listens to group 'index' yet$") as caught:
        Group("index", channel_layer=layer).send({})
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Group("index", channel_layer=layer).send({}).hint is not None
    with pytest.warns(NobodyListens, match="no one receives from channel 'index'"):
        Channel("index", channel_layer=layer).send({})


def test_that_nobody_listens_is_said_again_after_somebody_did(layer):
    group = Group("index", channel_layer=layer)
    with pytest.warns(NobodyListens):
        group.send({})
    with group.listen():
        group.send({})
    with pytest.warns(NobodyListens):
        group.send({})


def test_that_nobody_listens_is_a_diagnosis_that_the_user_has_seen(layer):
    tell_again()
    told = []
    stop = listen(told.append)
    try:
        with pytest.warns(NobodyListens):
            Group("unheard", channel_layer=layer).send({})
        Group("unheard", channel_layer=layer).send({})
        with pytest.warns(NobodyListens):
            Channel("unserved", channel_layer=layer).send({})
    finally:
        stop()
    assert [(one.kind, one.subject, one.seen) for one in told] == [
        ("nobody-listens", "group unheard", True),
        ("nobody-listens", "channel unserved", True),
    ]
    assert told[0].sentence == "no one listens to group 'unheard' yet"


def test_a_near_match(layer):
    with Group("index", channel_layer=layer).listen(), pytest.warns(NobodyListens) as caught:
        Group("idnex", channel_layer=layer).send({})
    assert str(caught[0].message) == "no one listens to group 'idnex'; did you mean 'index'?"


def test_hints_of_async_sends_and_batches_point_here(layer):
    async def send():
        await Group("a", channel_layer=layer).asend({})
        async with Group("b", channel_layer=layer).batch() as out:
            out.send({})
            out.send({})

        with Group("c", channel_layer=layer).batch() as out:
            out.send({})
            out.send({})

    with pytest.warns(NobodyListens) as caught:
        asyncio.run(send())
    assert [str(w.message) for w in caught] == [f"no one listens to group '{n}' yet" for n in "abc"]
    assert [warning.filename for warning in caught] == [__file__] * 3


def test_hints_of_sends_that_are_not_waited_for():
    Group("index", channel_layer=Remote()).send({}, wait=False)
    bridge.run(asyncio.sleep(0))
    assert take_unseen() == ["no one listens to group 'index' yet"]
    with pytest.warns(NobodyListens):
        Group("other", channel_layer=InMemoryChannelLayer()).send({}, wait=False)


# Batches


def send_all(target, contents):
    with target.batch() as out:
        for content in contents:
            out.send(content)
    return out


def asend_all(target, contents):
    async def send():
        async with target.batch() as out:
            for content in contents:
                out.send(content)
        return out

    return asyncio.run(send())


BATCHES = pytest.mark.parametrize("send", [send_all, asend_all], ids=["sync", "async"])


@BATCHES
def test_ten_thousand_messages(index, send):
    out = send(index, ({"n": n} for n in range(10_000)))
    assert isinstance(out, Batch)
    assert out.count == 10_000
    assert out.receipt.offset == 10_000
    assert numbers(index.history(10_000)) == list(range(10_000))


@BATCHES
def test_an_empty_batch(index, send):
    out = send(index, [])
    assert (out.count, out.receipt) == (0, None)


@BATCHES
def test_only_the_first_of_a_batch_wants_a_receipt(send):
    expect("group", "index")
    layer = Remote()
    send(Group("index", channel_layer=layer), [{}] * 5)
    assert layer.wanted == [True, False, False, False, False]


@BATCHES
def test_failures_in_a_batch(send):
    expect("channel", "work")
    work = Channel("work", channel_layer=Remote(capacity=5))
    with pytest.raises(ChannelFull, match="channel 'work' is full") as caught:
        send(work, [{"n": n} for n in range(12)])
    assert caught.value.__notes__ == ["7 of the batch's 12 messages failed"]
    assert numbers([work.receive(1) for _ in range(5)]) == [0, 1, 2, 3, 4]
    assert not take_unseen()


@BATCHES
def test_a_failure_that_is_known_at_once_is_raised_at_its_line(send):
    expect("channel", "work")
    work = Channel("work", channel_layer=InMemoryChannelLayer(capacity=5))
    sent = []
    with pytest.raises(ChannelFull):
        send(work, (sent.append(n) or {"n": n} for n in range(12)))
    assert sent == [0, 1, 2, 3, 4, 5]


@BATCHES
@pytest.mark.parametrize("is_certain", [False, True])
def test_a_batch_that_is_not_answered(send, is_certain):
    layer = Remote(is_held=True, is_certain=is_certain)
    group = Group("index", channel_layer=layer)
    batch = group.batch
    group.batch = lambda: batch(timeout=0.01)
    with pytest.raises(SendTimeout if is_certain else DeliveryUnknown) as caught:
        send(group, [{"n": n} for n in range(3)])
    assert caught.value.__notes__ == ["3 of the batch's 3 messages were not acknowledged"]
    assert len(layer.given_up) == len(set(layer.given_up)) == 3


def test_an_interrupted_batch_is_withdrawn(monkeypatch):
    layer = Remote(is_held=True)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(bridge), "wait", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        send_all(Group("index", channel_layer=layer), [{}] * 3)
    assert caught.value.__notes__ == ["3 of the batch's 3 messages were not acknowledged"]
    assert len(layer.given_up) == 3


@BATCHES
def test_a_block_that_raises_waits_for_nothing_and_its_failures_are_told(send):
    expect("channel", "work")
    layer = Remote(is_held=True, capacity=1)

    def contents():
        yield {"n": 1}
        yield {"n": 2}
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        send(Channel("work", channel_layer=layer), contents())
    assert not layer.given_up
    layer.answer()
    bridge.run(asyncio.sleep(0))
    (sentence,) = take_unseen()
    assert sentence.startswith("channel 'work': channel 'work' is full")


def test_failures_seen_before_a_block_raises_are_told_too():
    expect("channel", "work")

    def contents():
        for n in range(3):
            yield {"n": n}
            bridge.run(asyncio.sleep(0))  # it is answered
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send_all(Channel("work", channel_layer=Remote(capacity=1)), contents())
    assert len(take_unseen()) == 2


def test_a_cancelled_batch_does_not_cancel_its_messages():
    expect("group", "index")
    layer = Remote(is_held=True)
    group = Group("index", channel_layer=layer)

    async def send():
        async with group.batch() as out:
            out.send({"n": 1})

    async def impatient():
        task = asyncio.ensure_future(send())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(impatient())
    layer.answer()
    bridge.run(asyncio.sleep(0))
    assert numbers(group.history()) == [1]


# Threads and loops


def test_sends_of_eight_threads_keep_each_threads_order(index):
    def work(thread):
        for n in range(150):
            index.send({"thread": thread, "n": n})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = index.history(10_000)
    assert len(found) == 8 * 150
    for thread in range(8):
        assert [m["n"] for m in found if m["thread"] == thread] == list(range(150))


def test_sync_calls_work_where_a_loop_runs(index, work):
    index.add(work)

    async def cell():
        index.send({"n": 1})
        with index.batch() as out:
            out.send({"n": 2})
        assert len(index) == 1
        return numbers(index.history()), numbers([work.receive(1), work.receive(1)])

    assert asyncio.run(cell()) == ([1, 2], [1, 2])
    index.clear()
    assert user_bridge.run(cell(), PATIENCE) == ([1, 2], [1, 2])


CALLS = {
    "send": lambda group, channel: group.send({}),
    "channel.send": lambda group, channel: channel.send({}),
    "add": lambda group, channel: group.add("work"),
    "discard": lambda group, channel: group.discard("work"),
    "channels": lambda group, channel: group.channels,
    "len": lambda group, channel: len(group),
    "history": lambda group, channel: group.history(),
    "to_dataframe": lambda group, channel: group.to_dataframe(),
    "listen": lambda group, channel: group.listen(),
    "subscribe": lambda group, channel: group.subscribe(print),
    "clear": lambda group, channel: group.clear(),
    "receive": lambda group, channel: channel.receive(),
}


@pytest.mark.parametrize("name", CALLS)
def test_on_the_connections_own_thread_a_sync_call_would_deadlock(index, work, name):
    async def call():
        CALLS[name](index, work)

    with pytest.raises(WouldDeadlock, match="'nbchannels'") as caught:
        bridge.run(call(), PATIENCE)
    assert "await " in str(caught.value)
    assert index.history() == []
    assert index.channel_layer._registry.mailboxes == {}


def test_on_the_connections_own_thread_one_may_send_without_waiting(index):
    async def call():
        index.send({"n": 1}, wait=False)
        await index.asend({"n": 2})

    bridge.run(call(), PATIENCE)
    assert numbers(index.history()) == [1, 2]


# Receiving


def test_receive(work):
    work.send({"n": 1})
    message = work.receive()
    assert isinstance(message, Message)
    assert (message["n"], message.channel_layer) == (1, work.channel_layer)
    assert repr(message) == "<Message channel 'work' {'n': 1}>"


def test_receive_in_vain_loses_nothing(work):
    with pytest.raises(TimeoutError):
        work.receive(0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(work.areceive(0.01))
    work.send({"n": 1})
    assert work.receive(1)["n"] == 1


def test_receive_waits_for_a_message(work):
    async def receive():
        waiting = asyncio.ensure_future(work.areceive())
        await asyncio.sleep(0)
        await work.asend({"n": 1})
        return await asyncio.wait_for(waiting, PATIENCE)

    assert asyncio.run(receive())["n"] == 1


# Members


def test_members(index, work):
    assert index.channels == []
    index.add(work)
    index.add("work")
    index.add("other")
    assert index.channels == ["work", "other"]
    assert len(index) == 2
    index.discard("work")
    index.discard(work)
    assert index.channels == ["other"]


def test_members_async(index, work):
    async def change():
        await index.aadd(work)
        await index.aadd("other")
        await index.adiscard(work)
        return await index.achannels()

    assert asyncio.run(change()) == ["other"]


def test_presence(index):
    assert index.presence() == []
    index.add("work")
    (found,) = index.presence()
    assert found == {
        "kind": "channel", "user": "", "label": "work", "connection": None, "since": None,
        "here": True, "as": "member", "channel": "work",
    }  # fmt: skip
    assert asyncio.run(index.apresence()) == [found]


def test_presence_of_a_layer_whose_host_knows_more():
    layer = InMemoryChannelLayer()
    asked, page = [], {"kind": "page", "label": "Ada", "as": "subscriber"}

    def present(group, members):
        asked.append((group, members))
        return [page]

    layer.present = present
    index = Group("index", channel_layer=layer)
    index.add("work")
    found = index.presence()
    assert found[0] is page
    assert [one["label"] for one in found] == ["Ada", "work"]
    assert asked == [("index", ["work"])]


def test_a_group_is_always_true(index):
    assert len(index) == 0
    assert index
    assert bool(index) is True


def test_bad_names_of_members(index):
    for change in (index.add, index.discard):
        with pytest.raises(InvalidName):
            change("a b")


# Reading


def test_listen_from_the_call_on(index):
    index.send({"n": 0})
    listener = index.listen(timeout=0.05)
    index.send({"n": 1})
    index.send({"n": 2})
    begun = time.monotonic()
    assert numbers(listener) == [1, 2]
    assert time.monotonic() - begun < PATIENCE
    assert numbers(index.listen("earliest", timeout=0)) == [0, 1, 2]
    assert numbers(index.listen(Last(1), timeout=0)) == [2]


def test_async_for(index):
    async def read():
        found = []
        asyncio.get_running_loop().call_soon(index.send, {"n": 1})
        async for message in index:
            found.append(message["n"])
            if len(found) == 3:
                return found
            await index.asend({"n": message["n"] + 1})

    async def earliest():
        return [(await anext(stream))["n"] for stream in [index.alisten("earliest")] for _ in "123"]

    assert asyncio.run(asyncio.wait_for(read(), PATIENCE)) == [1, 2, 3]
    assert asyncio.run(asyncio.wait_for(earliest(), PATIENCE)) == [1, 2, 3]


@pytest.mark.parametrize("is_async", [False, True])
def test_subscribe(index, is_async):
    found, enough = [], threading.Event()

    def note(message):
        if message["n"] == 1:
            raise RuntimeError("not this one")
        found.append(message["n"])
        if len(found) == 3:
            enough.set()

    async def anote(message):
        note(message)

    index.send({"n": -1})
    with index.subscribe(anote if is_async else note) as subscription:
        for n in range(4):
            index.send({"n": n})
        assert enough.wait(PATIENCE)
    assert found == [0, 2, 3]
    assert subscription.errors == 1
    (sentence,) = take_unseen()
    assert "subscribed to group 'index', raised RuntimeError: not this one (offset 3)" in sentence


def test_history(index):
    send_all(index, ({"n": n} for n in range(600)))
    assert numbers(index.history()) == list(range(500, 600))
    assert numbers(index.history(3)) == [597, 598, 599]
    assert numbers(asyncio.run(index.ahistory(1000))) == list(range(600))
    assert index.history()[0].group == "index"


def test_to_dataframe(index):
    index.send({"y": 1.5})
    index.send({"y": np.array([2.5, 3.5]), "s": "a"})
    index.send(pd.DataFrame({"y": [4.5]}))
    frame = index.to_dataframe()
    assert frame["y"].tolist() == [1.5, 2.5, 3.5, 4.5]
    assert frame["s"].isna().tolist() == [True, False, False, True]
    assert str(frame.index.tz) == "UTC"
    assert frame.index.is_monotonic_increasing
    assert abs(frame.index[0].timestamp() - time.time()) < 60
    assert len(index.to_dataframe(1)) == 1


def test_clear(index):
    index.send({"n": 1})
    listener = index.listen(timeout=0)
    index.clear()
    assert index.history() == []
    assert index.send({"n": 2}).offset == 1
    assert numbers(listener) == [2]
    asyncio.run(index.aclear())
    assert index.history() == []


@pytest.mark.parametrize("make", LAYERS.values())
def test_a_reader_that_falls_behind_is_told(make):
    index = Group("index", channel_layer=make(history=2))
    listener = index.listen(timeout=0)
    send_all(index, ({"n": n} for n in range(5)))
    with pytest.warns(MessagesMissing, match=r"3 messages are missing here") as caught:
        assert numbers(listener) == [3, 4]
    assert caught[0].filename == __file__
