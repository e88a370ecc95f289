"""To one target in order, to several at the same time."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from nbchannels.bridge import Bridge
from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import ChannelFull, LayerUnavailable
from nbchannels.layers import lanes as module
from nbchannels.layers.lanes import Lanes, Parcel
from nbchannels.receipt import Receipt

PATIENCE = 20


class Post:
    """Delivers as it is let."""

    def __init__(self):
        self.bridge = Bridge("test lanes")
        self.gates = {}
        self.begun = threading.Semaphore(0)
        self.sent = []
        self.lanes = Lanes(self.bridge, self.deliver)

    async def deliver(self, parcel):
        self.begun.release()
        if parcel.name in self.gates:
            await self.gates[parcel.name].wait()
        if parcel.encoded.body == b"full":
            raise ChannelFull(channel=parcel.name, capacity=1)
        self.sent.append((parcel.name, parcel.encoded.body))
        return Receipt(parcel.kind, parcel.name)

    def add(self, name, body):
        future = Future()
        self.lanes.add(Parcel("channel", name, Encoded(JSON, body), None, 0, future))
        return future

    def open(self, name):
        self.bridge.call(self.gates[name].set)


@pytest.fixture
def post():
    return Post()


def test_order_and_errors(post):
    results = [post.add("work", body) for body in (b"1", b"full", b"2")]
    assert results[0].result(PATIENCE).name == "work"
    assert isinstance(results[1].exception(PATIENCE), ChannelFull)
    results[2].result(PATIENCE)
    assert post.sent == [("work", b"1"), ("work", b"2")]
    assert (post.lanes._count, post.lanes._bytes) == (0, 0)


def test_one_that_waits_holds_up_no_other(post):
    post.gates["slow"] = asyncio.Event()
    slow = [post.add("slow", b"1"), post.add("slow", b"2")]
    post.add("work", b"3").result(PATIENCE)
    assert not slow[0].done()
    slow[1].cancel()  # which changes nothing for the message
    post.open("slow")
    slow[0].result(PATIENCE)
    post.add("slow", b"4").result(PATIENCE)
    assert post.sent == [("work", b"3"), ("slow", b"1"), ("slow", b"2"), ("slow", b"4")]


def test_too_much_is_refused(post, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    post.gates["slow"] = asyncio.Event()
    waiting = [post.add("slow", b"1"), post.add("slow", b"2")]
    with pytest.raises(LayerUnavailable, match="2 messages of 2 bytes wait"):
        post.add("slow", b"3")
    post.open("slow")
    for future in waiting:
        future.result(PATIENCE)
    monkeypatch.setattr(module, "MOST_BYTES", 4)
    post.add("slow", b"a single one may be larger").result(PATIENCE)


def test_at_the_end_everybody_is_told(post):
    post.gates["slow"] = asyncio.Event()
    waiting = [post.add("slow", b"1"), post.add("slow", b"2")]
    assert post.begun.acquire(timeout=PATIENCE)
    post.bridge.call(post.lanes.end)
    for future in waiting:
        assert isinstance(future.exception(PATIENCE), LayerUnavailable)
    post.add("work", b"3").result(PATIENCE)
    assert post.lanes._count == 0
