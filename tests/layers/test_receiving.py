"""Receiving in memory: loops that end, what cannot be read, dialogues, the dead letters."""

import asyncio
import threading

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import ChannelClosed, ChannelFull, EncodingError, NotFound
from nbchannels.layers.leases import MOST_RETURNS
from nbchannels.layers.memory import InMemoryChannelLayer

pytestmark = pytest.mark.asyncio

GARBAGE = Encoded(JSON, b"[1]")


class Talk:
    """A dialogue that keeps what comes back, or does not."""

    def __init__(self, *, keeps=False):
        self.is_open = True
        self.keeps = keeps
        self.told = []

    def taken(self, consumer):
        self.told.append(("taken", consumer))

    def settled(self):
        self.told.append(("settled",))

    def returned(self, channel, letter, *, later):
        self.told.append(("returned", channel, later))
        return self.keeps

    def lost(self, why, sentence):
        self.told.append(("lost", why, sentence))


def layer(**options) -> InMemoryChannelLayer:
    return InMemoryChannelLayer(**options)


def bytes_waiting(found) -> int:
    boxes = found._registry.mailboxes.values()
    assert found._registry.waiting_bytes == sum(
        len(letter.encoded.body) for box in boxes for letter in box.letters
    )
    return found._registry.waiting_bytes


class ElsewhereLoop:
    """Another loop, on a thread that can be stopped while the loop stays."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.begin()

    def begin(self):
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)


@pytest.fixture
def elsewhere():
    found = ElsewhereLoop()
    yield found
    if found.thread.is_alive():
        found.stop()
    found.loop.close()


async def waiters(found, channel, count):
    async with asyncio.timeout(10):
        while True:
            box = found._registry.mailboxes.get(channel)
            if box is not None and len(box.waiters) == count:
                return
            await asyncio.sleep(0)


async def test_a_loop_that_stands_still_does_not_keep_others_waiting(elsewhere):
    found = layer()
    there = elsewhere.do(found.lease("work"))
    await waiters(found, "work", 1)
    here = asyncio.ensure_future(found.lease("work"))
    await waiters(found, "work", 2)
    elsewhere.stop()
    await found.send("work", {"n": 1})
    async with asyncio.timeout(10):
        assert (await here).message == {"n": 1}
    elsewhere.begin()
    await found.send("work", {"n": 2})
    assert (await asyncio.wrap_future(there)).message == {"n": 2}


async def test_leases_on_many_loops_and_threads_are_each_message_once():
    found = layer(capacity=10_000)
    got, lock, total = [], threading.Lock(), 600

    async def work():
        while True:
            lease = await found.lease("work")
            if lease.message["n"] % 7 == 0 and not lease.redelivered:
                await found.settle(lease, "return")
                continue
            with lock:
                got.append(lease.message["n"])
            await found.settle(lease)
            if lease.message["n"] < 0:
                return

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(total):
        await found.send("work", {"n": n})
    for n in range(4):
        await found.send("work", {"n": -7 * n - 1})
    for thread in threads:
        await asyncio.to_thread(thread.join, 20)
    assert sorted(n for n in got if n >= 0) == list(range(total))
    assert (found._held, bytes_waiting(found)) == ({}, 0)


async def test_what_cannot_be_read_goes_to_the_dead_letters():
    found = layer()
    for receive in (found.receive, found.lease):
        found.submit("channel", "work", GARBAGE)
        with pytest.raises(EncodingError):
            await receive("work")
    assert found._held == {}
    dead = await found.dead_letters()
    assert [letter["reason"] for letter in dead] == ["failed", "failed"]
    assert "not a dict" in dead[0]["error"]
    assert "unreadable" in dead[0]["content"]


async def test_a_plain_receiver_takes_part_in_a_dialogue():
    found, talk = layer(), Talk()
    message = found.encode({"n": 1})
    found.submit("channel", "work", message, dialogue=talk)
    assert await found.receive("work") == {"n": 1}
    assert talk.told == [("taken", None), ("settled",)]
    found.submit("channel", "work", message, dialogue=talk)
    lease = await found.lease("work")
    await found.settle(lease)
    assert talk.told[2:] == [("taken", None), ("settled",)]


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("outcome", ["return", "later"])
async def test_a_dialogue_decides_where_its_letter_waits_again(keeps, outcome):
    found, talk = layer(), Talk(keeps=keeps)
    found.submit("channel", "work", found.encode({"n": 1}), dialogue=talk)
    lease = await found.lease("work")
    await found.settle(lease, outcome)
    assert talk.told[-1] == ("returned", "work", outcome == "later")
    assert (bytes_waiting(found) > 0) is not keeps


async def test_a_dialogue_is_told_what_will_not_be_worked_on():
    found, talk = layer(), Talk()
    for _ in range(3):
        found.submit("channel", "work", found.encode({"n": 1}), dialogue=talk)
    await found.settle(await found.lease("work"), "fail", "ValueError: no")
    assert talk.told[-1] == ("lost", "failed", "ValueError: no")
    letter = found.take("work", None)
    found.finish("work", letter._replace(retries=10), "later")
    assert talk.told[-1][:2] == ("lost", "failed")
    assert "ConsumeLater 11 times" in talk.told[-1][2]
    found.holder_died("work", found.take("work", None), "a.ipynb")
    assert talk.told[-1] == ("lost", "died", "a.ipynb is gone")
    assert await found.dead_letters() == [], "nobody waits for it: it is not to be sent again"


async def test_a_request_of_somebody_who_left_is_not_delivered():
    found, gone = layer(), Talk()
    found.submit("channel", "work", found.encode({"n": 1}), dialogue=gone)
    await found.send("work", {"n": 2})
    gone.is_open = False
    assert await found.receive("work") == {"n": 2}


async def test_flushing_tells_dialogues_and_leaves_groups_and_books_whole():
    found, talk = layer(), Talk()
    receiving = asyncio.ensure_future(found.receive("work"))
    await waiters(found, "work", 1)
    await found.group_add("index", "work")
    found.submit("channel", "other", found.encode({}), dialogue=talk)
    await found.send("third", {})
    await found.lease("third")
    await found.flush()
    assert talk.told == [("lost", "expired", "channel 'other' was closed")]
    assert (bytes_waiting(found), found._held) == (0, {})
    found._registry.forget(float("inf"))  # the group is forgotten some day
    assert found._registry.groups == {}
    await found.send("work", {"n": 1})
    assert await receiving == {"n": 1}
    assert found._registry.mailboxes == {}, "nothing holds it any more"
    await found.close_channel("work")


async def test_closing_tells_every_receiver_whatever_became_of_the_others(elsewhere):
    found = layer()
    name = await found.new_channel()
    gone = elsewhere.do(found.receive(name))
    await waiters(found, name, 1)
    here = asyncio.ensure_future(found.receive(name))
    await waiters(found, name, 2)
    tasks = asyncio.all_tasks(elsewhere.loop)
    elsewhere.stop()
    for task in tasks:
        task._log_destroy_pending = False  # it is destroyed pending: that is the point
    elsewhere.loop.close()
    await found.close_channel(name)
    with pytest.raises(ChannelClosed):
        await here
    assert not gone.done()


async def test_a_message_whose_holders_die_is_given_up_some_day():
    found = layer()
    await found.send("work", {"n": 1})
    for returns in range(MOST_RETURNS):
        letter = found.take("work", None)
        assert letter.returns == returns
        found.holder_died("work", letter, "a.ipynb")
    found.holder_died("work", found.take("work", None), "a.ipynb")
    (dead,) = await found.dead_letters()
    assert (dead["reason"], dead["returns"], dead["consumer"]) == ("returns", 10, "a.ipynb")
    assert dead["error"] == "11 holders died with it"
    assert bytes_waiting(found) == 0


async def test_numbers_that_are_no_dead_letters():
    found = layer()
    for number in (1, 0, "1", None, [1], 1.5):
        for ask in (found.resend, found.discard):
            with pytest.raises(NotFound, match="dead_letters"):
                await ask(number)
        with pytest.raises(NotFound):
            await found.channel_of_dead(number)


async def test_a_refused_resend_stays_in_its_place():
    found = layer(capacity=1)
    for n in range(3):
        await found.send("work", {"n": n})
        await found.settle(await found.lease("work"), "fail", str(n))
    await found.send("work", {"n": 9})
    with pytest.raises(ChannelFull):
        await found.resend(2)
    assert [dead["number"] for dead in await found.dead_letters()] == [3, 2, 1]
    assert await found.channel_of_dead(2) == "work"


async def test_what_is_held_is_told():
    found = layer()
    await found.send("work", {"n": 1})
    lease = await found.lease("work")
    assert (await found.statistics())["leased"] == 1
    await found.settle(lease)
    assert (await found.statistics())["leased"] == 0


async def test_statistics_know_recent_receivers():
    found = layer()
    assert not (await found.channel_statistics("work"))["recent"]
    await found.send("work", {})
    await found.receive("work")
    assert (await found.channel_statistics("work"))["recent"]


async def test_a_channel_that_is_drained():
    found, talk = layer(), Talk()
    for n in range(5):
        await found.send("work", {"n": n})
    found.submit("channel", "work", found.encode({}), dialogue=talk)
    assert await found.drain("work") == 6
    assert await found.drain("work") == await found.drain("nothing") == 0
    assert (bytes_waiting(found), talk.told[-1][0]) == (0, "lost")
    assert (await found.statistics())["dropped"] == 6
