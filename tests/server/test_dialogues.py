"""Conversations: whoever takes the first message gets the others, or whoever asked is told."""

import asyncio

import pytest

from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import ChannelFull
from nbchannels.inprocess import LocalConsumer
from nbchannels.layers.bindings import Binding
from nbchannels.routes import Route
from nbchannels.server import dialogues as module
from nbchannels.server.router import Router
from nbchannels.service import Service
from tests.server.rig import Rig, say, turn

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def nothing_reported():
    yield
    diagnoses.clear()


class Phone:
    """A rig, a conversation, and what whoever asked is told."""

    def __init__(self, **layer):
        self.rig = Rig(**layer)
        self.router = Router(self.rig.layer, self.rig.hub)
        self.lost = []
        self.told = asyncio.Event()
        self.talk = self.router.converse(self._lost)

    def _lost(self, *why):
        self.lost.append(why)
        self.told.set()

    async def client(self, producer, *bindings, **hello):
        wanted = [
            {"number": n, "binding": {"channel": name}, "credit": 10}
            for n, name in enumerate(bindings, 1)
        ]
        return await self.rig.connect(producer, consumers=wanted, **hello)

    def send(self, *words, channel="ws"):
        for word in words:
            self.talk.send(channel, {"word": word})


def came(transport):
    return [item for item in transport.take() if not isinstance(item, dict)]


def words(records):
    return [bytes(record.body)[9:-2].decode() for record in records]


async def settle(connection, records, outcome="done"):
    await say(connection, op="settle", leases=[[r.sequence, outcome] for r in records])
    await turn()


async def all_of(connection, transport):
    """What comes one by one, each settled."""
    got = []
    await turn()
    while records := came(transport):
        assert len(records) == 1, "one at a time"
        got += words(records)
        await settle(connection, records)
    return got


async def test_whoever_takes_the_first_gets_the_others_in_order():
    phone = Phone()
    one, out_one = await phone.client("one", "ws")
    two, out_two = await phone.client("two", "ws")
    phone.send("a", "b", "c")
    got = await all_of(one, out_one), await all_of(two, out_two)
    assert ["a", "b", "c"] in got
    assert [] in got
    phone.send("d")
    assert ["d"] in (await all_of(one, out_one), await all_of(two, out_two))
    assert phone.lost == []


async def test_messages_wait_for_the_first_to_be_taken():
    phone = Phone()
    phone.send("a", "b")
    await turn()
    one, out = await phone.client("one", "ws")
    assert await all_of(one, out) == ["a", "b"]


async def test_its_messages_may_go_to_several_consumers_of_one_client():
    phone = Phone()
    one, out = await phone.client("one", "connect", "receive")
    phone.send("a", channel="connect")
    phone.send("b", "c", channel="receive")
    await turn()
    (first,) = came(out)
    assert first.id == 1
    await turn()
    assert came(out) == [], "not before the first is worked on"
    await settle(one, [first])
    (second,) = came(out)
    assert (second.id, words([second])) == (2, ["b"])


async def test_the_first_message_expires():
    now = 1000.0
    phone = Phone(expiry=10, clock=lambda: now)
    phone.send("a", "b")
    now += 11
    phone.rig.layer.sweep()
    await turn()
    ((why, sentence),) = phone.lost
    assert (why, "from channel 'ws' within 10 s" in sentence) == ("expired", True)
    phone.send("c")
    assert phone.rig.layer._registry.mailboxes == {}
    assert await phone.rig.layer.dead_letters() == []


async def test_a_consumer_that_ends_before_it_took_the_first_leaves_it_to_others():
    phone = Phone()
    one, out_one = await phone.client("one", "ws")
    out_one.writable = False
    phone.send("a", "b")
    await turn()
    two, out_two = await phone.client("two", "ws")
    one.deliveries.unconsume(1)
    assert await all_of(two, out_two) == ["a", "b"]


async def test_the_holder_dies_with_a_message_in_hand():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a", "b")
    await turn()
    assert len(came(out)) == 1
    one.left()
    await phone.rig.hub.dismiss(one.client)
    await turn()
    assert phone.lost == [("died", "a consumer of user:ada is gone")]
    assert phone.rig.layer._registry.mailboxes == {}, "nobody else gets any of it"


async def test_the_holder_dies_between_two_messages():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a")
    assert await all_of(one, out) == ["a"]
    one.left()
    await phone.rig.hub.dismiss(one.client)
    await turn()
    assert phone.lost == [("died", "user:ada is gone")]
    assert one.client.dialogues == set()


async def test_the_holder_takes_its_last_consumer_out_of_service():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a")
    assert await all_of(one, out) == ["a"]
    one.deliveries.unconsume(1)
    phone.send("b")
    await turn()
    ((why, _),) = phone.lost
    assert why == "died"


async def test_what_the_holder_has_no_route_for_is_dropped_and_told():
    phone = Phone()
    one, out = await phone.client("one", "connect")
    phone.send("a", channel="connect")
    phone.send("b", channel="receive")
    phone.send("c", channel="ws.disconnect")
    phone.send("d", channel="connect")
    assert await all_of(one, out) == ["a", "d"]
    (told,) = [found for found in diagnoses.recent() if found.kind == "no-route"]
    assert "channel 'receive' was dropped" in told.sentence
    assert phone.lost == []


async def test_another_consumer_of_the_holder_takes_over_what_was_announced():
    phone = Phone()
    one, out = await phone.client("one", "ws", "w*")
    phone.send("a")
    await turn()
    first = came(out)
    out.writable = False
    phone.send("b")
    await settle(one, first)
    one.deliveries.unconsume(1)  # it was told of "b" and could not take it
    out.writable = True
    one.drained()
    await turn()
    (second,) = came(out)
    assert (second.id, words([second])) == (2, ["b"])


async def test_a_new_consumer_of_the_holder_that_comes_first_gets_what_was_announced():
    phone = Phone()
    one, out = await phone.client("one", "w*")
    phone.send("a")
    await turn()
    first = came(out)
    out.writable = False
    phone.send("b")
    await settle(one, first)
    await one.deliveries.consume({"number": 2, "binding": {"channel": "ws"}})
    out.writable = True
    one.drained()
    await turn()
    (second,) = came(out)
    assert (second.id, words([second])) == (2, ["b"])


async def test_a_failure_is_told_and_kept_nowhere():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a", "b")
    await turn()
    (record,) = came(out)
    errors = [[record.sequence, {"error": "ValueError: no"}]]
    await say(one, op="settle", leases=[[record.sequence, "fail"]], errors=errors)
    await turn()
    assert phone.lost == [("failed", "ValueError: no")]
    assert (came(out), await phone.rig.layer.dead_letters()) == ([], [])


async def test_the_first_message_comes_back_to_its_channel_and_anybody_may_take_it():
    phone = Phone()
    one, out_one = await phone.client("one", "ws")
    phone.send("a", "b")
    await turn()
    first = came(out_one)
    two, out_two = await phone.client("two", "ws")
    one.deliveries.unconsume(1)
    await settle(one, first, "return")
    assert await all_of(two, out_two) == ["a", "b"]
    assert one.client.dialogues == set()
    assert len(two.client.dialogues) == 1


async def test_a_later_message_comes_back_to_its_holder_before_the_others():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a", "b", "c")
    await turn()
    await settle(one, came(out))
    b = came(out)
    await settle(one, b, "return")
    (again,) = came(out)
    assert (words([again]), again.flags & 1) == (["b"], 1)
    await settle(one, [again], "later")
    (c,) = came(out)
    await settle(one, [c])
    (again,) = came(out)
    assert (words([c]), words([again]), again.tag) == (["c"], ["b"], 1)


async def test_what_did_not_arrive_before_a_cut_comes_again_to_the_same_client():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    two, out_two = await phone.client("two", "*")
    phone.send("a", "b")
    await turn()
    await settle(one, came(out))
    one.left()  # "b" was on its way
    await turn()
    one, out = await phone.client("one", "ws")
    assert await all_of(one, out) == ["b"]
    assert came(out_two) == []


async def test_later_too_often_is_a_failure():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a")
    await turn()
    for _ in range(11):
        await settle(one, came(out), "later")
    assert phone.lost == [("failed", "its consumer raised ConsumeLater 11 times")]
    assert await phone.rig.layer.dead_letters() == []


async def test_a_plain_receiver_gets_each_message_from_its_channel():
    phone = Phone()
    one, out = await phone.rig.connect("one")
    phone.send("a", "b")
    await say(one, op="credit", channel="ws", credit=5)
    await turn()
    phone.send("c")
    await turn()
    assert words(came(out)) == ["a", "b", "c"]
    one.left()
    await phone.rig.hub.dismiss(one.client)
    await turn()
    assert [why for why, _ in phone.lost] == ["died"]


async def test_a_receiver_in_this_process_gets_each_message_from_its_channel():
    phone = Phone()
    phone.send("a", "b")
    layer = phone.rig.layer
    async with asyncio.timeout(10):
        got = [(await layer.receive("ws"))["word"] for _ in range(2)]
        phone.send("c")
        got.append((await layer.receive("ws"))["word"])
    assert got == ["a", "b", "c"]


async def test_for_a_plain_receiver_a_full_channel_loses_the_conversation():
    phone = Phone(capacity=2)
    phone.send("a", "b", "c", "d")
    async with asyncio.timeout(10):
        assert (await phone.rig.layer.receive("ws"))["word"] == "a"
    await turn()
    assert [why for why, _ in phone.lost] == ["failed"]


async def test_what_waits_is_bounded_by_number_and_bytes(monkeypatch):
    monkeypatch.setattr(module, "CAPACITY", 3)
    monkeypatch.setattr(module, "CAPACITY_BYTES", 60)
    phone = Phone()
    phone.send("a", "x" * 100)
    with pytest.raises(ChannelFull):
        phone.send("b")
    phone = Phone()
    phone.send("a", "b", "c", "d")
    with pytest.raises(ChannelFull):
        phone.send("e")
    one, out = await phone.client("one", "ws")
    assert await all_of(one, out) == ["a", "b", "c", "d"]
    assert phone.talk._bytes == 0


async def test_a_first_message_that_was_refused_may_be_tried_again():
    phone = Phone(capacity=1)
    await phone.rig.layer.send("ws", {"word": "other"})
    with pytest.raises(ChannelFull):
        phone.send("a")
    await phone.rig.layer.receive("ws")
    phone.send("a", "b")
    one, out = await phone.client("one", "ws")
    assert await all_of(one, out) == ["a", "b"]


async def test_closed_it_sends_and_loses_nothing():
    phone = Phone()
    one, out = await phone.client("one", "ws")
    phone.send("a", "b")
    await turn()
    first = came(out)
    phone.talk.close()
    phone.send("c")
    await settle(one, first, "fail")
    await turn()
    assert (came(out), phone.lost, one.client.dialogues) == ([], [], set())
    phone = Phone()
    phone.send("a")
    phone.talk.close()
    one, out = await phone.client("one", "ws")
    await turn()
    assert came(out) == [], "nobody waits for the answer any more"
    phone.rig.layer.sweep()
    await turn()
    assert phone.lost == []


async def test_a_consumer_of_the_server_itself_serves_on_its_own_thread():
    phone = Phone()
    got, done = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    async def serve(message):
        got.append(message["word"])
        if message["word"] == "fail":
            raise ValueError("no")
        if len(got) == 5:
            loop.call_soon_threadsafe(done.set)

    service = Service(Route("ws", serve), serve)
    service.loop, service.place = None, "loop"
    scout = LocalConsumer(phone.rig.layer, 1, service, Binding("ws"), "server")
    phone.rig.layer.enlist(scout)
    phone.send(*"abcde")
    async with asyncio.timeout(10):
        await done.wait()
    assert got == list("abcde")
    phone.send("fail", "never")
    async with asyncio.timeout(10):
        await phone.told.wait()
    assert phone.lost == [("failed", "ValueError: no")]
    assert got[5:] == ["fail"]
    scout.end()


async def test_flushing_the_layer_is_told_to_whoever_waits():
    phone = Phone()
    phone.send("a")
    await phone.rig.layer.flush()
    await turn()
    assert [why for why, _ in phone.lost] == ["expired"]
