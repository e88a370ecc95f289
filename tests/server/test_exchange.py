"""One request and its answers, without HTTP."""

import asyncio

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from nbchannels.exceptions import EncodingError
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server import exchange as module
from nbchannels.server.credentials import Secrets
from nbchannels.server.exchange import Exchange, Gone, describe_request
from nbchannels.server.refusals import Lost
from tests.server.answering import Router

pytestmark = pytest.mark.asyncio


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


@pytest.fixture
def router(layer):
    return Router(layer)


@pytest.fixture
def begin(layer, router):
    def make():
        exchange = Exchange(layer, router, "http.response")
        exchange.send("work", {"a": 1})
        return exchange

    return make


async def test_each_message_says_where_to_reply(begin, layer):
    exchange = begin()
    assert await layer.receive("work") == {"reply_channel": exchange.reply_channel, "a": 1}


async def test_replies_in_their_order(begin, layer):
    exchange = begin()
    for number in range(3):
        await layer.send(exchange.reply_channel, {"n": number})
    assert [(await exchange.reply(1))["n"] for _ in range(3)] == [0, 1, 2]


async def test_a_reply_without_a_receiver_in_sight_has_no_hint(begin, layer):
    exchange = begin()
    receipt = await layer.send(exchange.reply_channel, {})
    assert receipt.hint is None


async def test_no_reply_in_time_and_then_one(begin, layer):
    exchange = begin()
    with pytest.raises(TimeoutError):
        await exchange.reply(0.01)
    await layer.send(exchange.reply_channel, {"late": True})
    assert await exchange.reply(1) == {"late": True}


async def test_a_time_that_is_over_still_finds_what_is_there(begin, layer):
    exchange = begin()
    exchange.listen()
    await layer.send(exchange.reply_channel, {"here": True})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await exchange.reply(-1) == {"here": True}


@pytest.mark.parametrize("why", ["died", "failed", "expired"])
async def test_lost_wakes_whoever_waits(begin, router, why):
    exchange = begin()
    waiting = asyncio.ensure_future(exchange.reply(None))
    await asyncio.sleep(0)
    router.conversations[0].lost(why, "sentence")
    with pytest.raises(Lost, match="sentence") as raised:
        await waiting
    assert raised.value.why == why


async def test_what_was_replied_before_the_loss_comes_first(begin, layer, router):
    exchange = begin()
    await layer.send(exchange.reply_channel, {"n": 0})
    await layer.send(exchange.reply_channel, {"n": 1})
    router.conversations[0].lost("failed", "sentence")
    assert [(await exchange.reply(1))["n"] for _ in range(2)] == [0, 1]
    with pytest.raises(Lost):
        await exchange.reply(1)
    with pytest.raises(Lost):  # and again
        await exchange.reply(1)


async def test_a_client_that_has_gone_gets_nothing_any_more(begin, layer):
    exchange = begin()
    await layer.send(exchange.reply_channel, {"n": 0})
    exchange.leave()
    with pytest.raises(Gone):
        await exchange.reply(1)
    await exchange.close()


async def test_the_first_end_counts(begin, router):
    exchange = begin()
    router.conversations[0].lost("died", "first")
    router.conversations[0].lost("failed", "second")
    exchange.leave()
    with pytest.raises(Lost, match="first"):
        await exchange.reply(1)


async def test_news(begin, layer):
    exchange = begin()
    assert not exchange.has_news
    assert not await exchange.wait(0.01)
    await layer.send(exchange.reply_channel, {})
    assert await exchange.wait(1)
    assert exchange.has_news


async def test_a_reply_that_cannot_be_read(begin, layer):
    exchange = begin()
    bad = layer.encode({})._replace(codec=1, body=b"[")
    layer.submit("channel", exchange.reply_channel, bad)
    with pytest.raises(EncodingError):
        await exchange.reply(1)


@pytest.mark.parametrize("listening", [True, False])
async def test_close_gives_all_back(begin, layer, router, listening):
    exchange = begin()
    await layer.receive("work")
    if listening:
        exchange.listen()
        await asyncio.sleep(0)
    await exchange.close()
    await exchange.close()
    exchange.send("work", {"b": 2})
    assert router.conversations[0].is_closed
    assert (await layer.names())["channels"] == []


async def test_close_while_an_unreadable_reply_waits(begin, layer):
    exchange = begin()
    exchange.listen()
    await asyncio.sleep(0)
    layer.submit("channel", exchange.reply_channel, layer.encode({})._replace(body=b"["))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await exchange.close()
    assert exchange.reply_channel not in (await layer.names())["channels"]


async def test_a_last_message_is_waited_for(begin, router, monkeypatch):
    monkeypatch.setattr(module, "LINGER", 0.02)
    exchange = begin()
    await exchange.close(linger=True)
    assert not router.conversations[0].is_closed
    await asyncio.sleep(0.05)
    assert router.conversations[0].is_closed


async def test_a_lost_conversation_does_not_linger(begin, router):
    exchange = begin()
    router.conversations[0].lost("died", "sentence")
    await exchange.close(linger=True)
    assert router.conversations[0].is_closed


# Requests.


class Connection:
    class context:
        address = ("10.0.0.1", 4711)
        remote_ip = "10.0.0.1"
        protocol = "https"


def request(uri, headers, connection=Connection):
    return HTTPServerRequest(
        start_line=RequestStartLine("GET", uri, "HTTP/1.1"),
        headers=HTTPHeaders(headers),
        connection=connection,
    )


async def test_a_request():
    headers = {"Host": "example.org", "Cookie": "_xsrf=1", "X-A": "\xe9"}
    told = describe_request(request("/m/x?a=%20&_xsrf=1", headers), "/x", "/m", Secrets())
    assert told == {
        "path": "/x",
        "root_path": "/m",
        "query_string": b"a=%20",
        "headers": [[b"host", b"example.org"], [b"x-a", b"\xe9"]],
        "client": ["10.0.0.1", 4711],
        "server": ["example.org", 443],
    }


async def test_a_request_over_a_unix_socket():
    class Unix(Connection):
        class context(Connection.context):
            address = ""
            protocol = "http"
            remote_ip = "0.0.0.0"

    told = describe_request(request("/x", {"Host": "h:81"}, Unix), "/x", "", Secrets())
    assert (told["client"], told["server"]) == (["0.0.0.0", 0], ["h", 81])


async def test_repeated_headers_come_as_often():
    told_headers = HTTPHeaders({"Host": "h"})
    told_headers.add("A", "1")
    told_headers.add("A", "2")
    told = describe_request(request("/x", told_headers), "/x", "", Secrets())
    assert told["headers"][1:] == [[b"a", b"1"], [b"a", b"2"]]
