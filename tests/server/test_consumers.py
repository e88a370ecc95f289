"""The consumers of clients: news, credit, turns, filters that take too long."""

import asyncio
import threading

import pytest

from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import ChannelsError, ImproperlyConfigured, LayerUnavailable
from nbchannels.layers import scouts
from nbchannels.layers.bindings import Binding
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from nbchannels.server.clients import Client
from nbchannels.server.consumers import MOST_CONSUMERS, describe_all, read_consumer
from tests.layers.distant import Distant
from tests.server.rig import Rig, say, send, turn

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def nothing_reported():
    yield
    diagnoses.clear()


def wanted(number=1, channel="work", credit=1, steps=(), **more):
    binding = {"channel": channel, "steps": [list(step) for step in steps]}
    return {"number": number, "binding": binding, "credit": credit, **more}


async def consume(connection, *args, **options):
    arguments = wanted(*args, **options)
    await say(connection, op="call", id=1, method="consume", arguments=arguments)
    return connection.client.consumers.get(arguments["number"])


def put(rig, channel="work", **content):
    rig.layer.submit("channel", channel, rig.layer.encode(content))


def deliveries(transport):
    return [item for item in transport.take() if not isinstance(item, dict)]


def bodies(transport):
    return [bytes(record.body) for record in deliveries(transport)]


async def finish(connection, records, outcome="done"):
    await say(connection, op="settle", leases=[[r.sequence, outcome] for r in records])
    await turn()


async def test_messages_come_as_far_as_the_credit_goes_and_then_one_for_one():
    rig = Rig()
    connection, transport = await rig.connect()
    consumer = await consume(connection, credit=2)
    for n in range(5):
        put(rig, n=n)
    await turn()
    first = deliveries(transport)
    assert [bytes(r.body) for r in first] == [b'{"n":0}', b'{"n":1}']
    assert [(r.name, r.id) for r in first] == [("work", 1)] * 2
    assert (consumer.held, consumer.counts["taken"]) == (2, 2)
    await finish(connection, first[:1])
    assert bodies(transport) == [b'{"n":2}']
    assert consumer.counts["done"] == 1


async def test_channels_of_a_glob_have_their_turns():
    rig = Rig()
    connection, transport = await rig.connect()
    for n in range(3):
        for name in "abc":
            put(rig, f"sensor.{name}", n=n)
    await consume(connection, channel="sensor.*")
    order = []
    for _ in range(9):
        await turn()
        records = deliveries(transport)
        order += [(record.name[-1], bytes(record.body)) for record in records]
        await finish(connection, records)
    names = "".join(name for name, _ in order)
    assert names == "abcabcabc"
    assert [body for name, body in order if name == "b"] == [b'{"n":%d}' % n for n in range(3)]


async def test_news_from_many_threads_are_all_looked_at():
    rig = Rig(capacity=1000)
    connection, transport = await rig.connect()
    await consume(connection, channel="sensor.*", credit=1000)

    def produce(thread):
        for n in range(100):
            put(rig, f"sensor.{thread}.{n}", n=n)

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    got = []
    async with asyncio.timeout(10):
        while len(got) < 800:
            got += deliveries(transport)
            await asyncio.sleep(0)
    for thread in threads:
        thread.join()
    assert len({r.name for r in got}) == 800


async def test_a_socket_that_is_full_or_gone_takes_nothing_until_it_does():
    rig = Rig()
    connection, transport = await rig.connect()
    consumer = await consume(connection)
    transport.writable = False
    put(rig, n=1)
    await turn()
    assert (bodies(transport), consumer.held) == ([], 0)
    transport.writable = True
    connection.drained()
    await turn()
    assert len(deliveries(transport)) == 1
    connection.left()
    put(rig, n=2)
    await turn()
    assert deliveries(transport) == []


async def test_replacing_with_the_same_number_counts_what_is_in_hand():
    rig = Rig()
    connection, transport = await rig.connect()
    await consume(connection, channel="a")
    put(rig, "a", n=1)
    await turn()
    (record,) = deliveries(transport)
    other = await consume(connection, channel="b")
    put(rig, "b", n=2)
    await turn()
    assert (other.binding.channel, other.held, deliveries(transport)) == ("b", 1, [])
    await finish(connection, [record])
    assert bodies(transport) == [b'{"n":2}']
    assert (await rig.layer.channel_statistics("a"))["receivers"] == 0


async def test_the_same_registration_again_changes_nothing_another_limit_does():
    rig = Rig()
    connection, _ = await rig.connect()
    first = await consume(connection)
    assert await consume(connection) is first
    second = await consume(connection, capacity=7)
    assert second is not first
    assert rig.layer.get_capacity("work") == 7
    assert rig.layer.enlisted() == [second]


async def test_what_is_in_hand_may_be_settled_after_the_consumer_ended():
    rig = Rig()
    connection, transport = await rig.connect()
    consumer = await consume(connection)
    put(rig, n=1)
    put(rig, n=2)
    await turn()
    records = deliveries(transport)
    await say(connection, op="call", id=2, method="unconsume", arguments={"number": 1})
    await finish(connection, records, "later")
    assert consumer.counts["later"] == 1
    assert deliveries(transport) == []
    assert (await rig.layer.channel_statistics("work"))["waiting"] == 2
    assert rig.layer.enlisted() == []


async def test_numbers_that_are_none_end_nothing():
    rig = Rig()
    connection, transport = await rig.connect()
    await consume(connection)
    for number in ([1], {}, "1", None, 2, True):
        await say(connection, op="call", id=2, method="unconsume", arguments={"number": number})
    assert list(connection.client.consumers) == [1]
    assert len(transport.controls("result")) == 7


async def test_a_failure_is_told_with_its_sentence():
    rig = Rig()
    connection, transport = await rig.connect()
    consumer = await consume(connection, function="work")
    put(rig, n=1)
    await turn()
    (record,) = deliveries(transport)
    errors = [[record.sequence, {"error": "ValueError: no", "traceback": "…"}]]
    await say(connection, op="settle", leases=[[record.sequence, "fail"]], errors=errors)
    (dead,) = await rig.layer.dead_letters()
    assert (dead["error"], dead["consumer"]) == ("ValueError: no", "work of user:ada")
    described = consumer.describe()
    assert (described["failed"], described["error"]) == (1, "ValueError: no")
    assert describe_all(rig.layer) == [described]


async def test_a_filter_that_holds_the_server_up_ends_its_consumer(monkeypatch):
    monkeypatch.setattr(scouts, "SLOW", 0.005)
    rig = Rig()
    connection, transport = await rig.connect()
    slow = ("text", "(?:a|a)*b")
    consumer = await consume(connection, steps=[slow], function="slow")
    other, out = await rig.connect("2")
    await consume(other)
    put(rig, text="a" * 18)
    await turn()
    assert bodies(out) != [], "the others go on"
    assert connection.client.consumers == {}
    assert consumer not in rig.layer.enlisted()
    (error,) = transport.controls("error")
    assert error.get("id") is None
    assert "this consumer has ended" in error["error"]["message"]
    (told,) = [found for found in diagnoses.recent() if found.kind == "slow-filter"]
    assert "slow of user:ada" in told.sentence
    # It is not taken in a second time, as after a reconnect.
    assert await consume(connection, steps=[slow]) is None
    assert "before" in transport.controls("error")[0]["error"]["message"]
    assert await consume(connection, steps=[("text", "a")]) is not None


async def test_a_consumer_that_may_not_read_a_channel_stands_in_nobodys_way():
    rig = Rig()
    rig.policy.denied = {("read", "sensor.secret")}
    connection, transport = await rig.connect("1")
    await consume(connection, channel="sensor.*", steps=[("n", "1")])
    rig.layer.enlist(local := Local())
    for name in ("sensor.open", "sensor.secret"):
        put(rig, name, n=1)
    await turn()
    assert [r.name for r in deliveries(transport)] == ["sensor.open"]
    assert rig.layer.take_for(local, "sensor.secret")[0] is not None


class Local:
    """A scout of the server itself."""

    order = 0
    party = "server"
    wants = 0

    def __init__(self):
        self.binding = Binding("sensor.*")

    def permits(self, channel):
        return True

    def notify(self, channel):
        pass


async def test_called_it_puts_the_message_into_its_channel():
    rig = Rig()
    connection, transport = await rig.connect()
    consumer = await consume(connection)
    consumer(Message({"n": 1}, "work", rig.layer))
    await turn()
    assert bodies(transport) == [b'{"n":1}']
    assert repr(consumer) == "<KernelConsumer 'work': a consumer of user:ada>"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"number": 0}, "number 0"),
        ({"number": True}, "number True"),
        ({"number": [1]}, "number"),
        ({"number": 2**32 + 1}, "number"),
        ({"credit": 0}, "credit 0"),
        ({"credit": 1001}, "credit 1001"),
        ({"capacity": 0}, "capacity of 0"),
        ({"capacity": 1.5}, "capacity of 1.5"),
        ({"expiry": 0}, "expiry of 0"),
        ({"expiry": float("nan")}, "expiry of nan"),
        ({"expiry": True}, "expiry of True"),
        ({"binding": None}, "a binding is"),
        ({"binding": {"channel": "a b"}}, "a b"),
        ({"binding": {"channel": "*!*"}}, "process-local"),
        ({"binding": {"channel": "nbchannels.*"}}, "can match no channel"),
        ({"binding": {"channel": "a", "steps": [["k", "("]]}}, "no regular expression"),
    ],
)
async def test_descriptions_that_are_none(change, sentence):
    client = Client("p", "user:ada", "script")
    with pytest.raises(ChannelsError, match=sentence) as caught:
        read_consumer(None, client, wanted() | change, lambda channel: True)
    assert caught.value.code == "bad_request"


async def test_consumers_of_one_client_are_bounded():
    client = Client("p", "user:ada", "script")
    client.consumers = dict.fromkeys(range(1, MOST_CONSUMERS + 1))
    with pytest.raises(ChannelsError, match="500 consumers of one client, the limit"):
        read_consumer(None, client, wanted(number=501), lambda channel: True)
    read_consumer(None, client, wanted(number=7), lambda channel: True)
    client.consumers.clear()
    made = read_consumer(None, client, wanted(), lambda channel: True)
    client.slow.add(made.binding)
    with pytest.raises(ImproperlyConfigured):
        read_consumer(None, client, wanted(), lambda channel: True)


async def test_long_descriptions_are_cut():
    client = Client("p", "user:ada", "script", label="a.ipynb")
    made = read_consumer(None, client, wanted(function="f" * 999, on=7), lambda channel: True)
    assert made.about == {"function": "f" * 300, "on": "7"}
    assert made.shown.endswith(" of a.ipynb")


async def test_sends_of_clients_reach_consumers_with_their_receipt():
    rig = Rig()
    connection, transport = await rig.connect()
    await consume(connection)
    transport.take()
    await send(connection, "work", 1)
    (accepted,) = transport.controls("accepted")
    assert accepted["receipts"][0]["members"] == 1


class Pulling(InMemoryChannelLayer):
    """Hears who wants more."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def wants_more(self, scout):
        self.heard.append(scout.wants)


async def test_what_it_wants_is_what_it_would_take_now():
    rig = Rig(Pulling())
    connection, transport = await rig.connect("p")
    consumer = await consume(connection, credit=3)
    assert consumer.wants == 3
    put(rig, n=1)
    put(rig, n=2)
    await turn()
    assert consumer.wants == 1
    records = deliveries(transport)
    await finish(connection, records[:1])
    assert (consumer.wants, rig.layer.heard) == (2, [2])
    transport.stalled_since = 1.0
    assert consumer.wants == 0
    transport.stalled_since = None
    connection.drained()
    assert rig.layer.heard == [2, 2]
    connection.left()
    assert consumer.wants == 0
    again, _ = await rig.connect("p", consumers=[wanted(credit=3)], leases=[records[1].sequence])
    assert (consumer.wants, rig.layer.heard) == (2, [2, 2, 2])
    await say(again, op="call", id=1, method="unconsume", arguments={"number": 1})
    assert consumer.wants == 0


async def test_called_where_the_layer_answers_later_a_failure_is_reported():
    rig = Rig(layer := Distant())
    connection, _ = await rig.connect()
    consumer = await consume(connection)
    layer.errors[b'{"n":1}'] = LayerUnavailable("just now")
    consumer(Message({"n": 1}, "work", layer))
    layer.end()
    (told,) = [found for found in diagnoses.recent() if found.kind == "failed-send"]
    assert (told.subject, "just now" in told.sentence) == ("work", True)
