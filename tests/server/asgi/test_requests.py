"""Requests: a body in parts, one at a time; the end of the client."""

import asyncio

import pytest

from nbchannels.server.asgi.requests import HttpExchange
from nbchannels.server.asgi.responses import ClientDisconnected, Response
from tests.server.asgi.rig import Wire, body, start, turn

pytestmark = pytest.mark.asyncio


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def exchange(wire):
    return HttpExchange(Response(wire, "POST"), "POST /app/a")


def part(chunk=b"", more=False):
    return {"type": "http.request", "body": chunk, "more_body": more}


async def test_a_request_without_a_body(exchange):
    exchange.put_end()
    assert await exchange.receive() == part()


async def test_parts_are_read_when_the_last_was_taken(exchange):
    await exchange.put(b"a")
    second = asyncio.create_task(exchange.put(b"b"))
    await turn()
    assert not second.done()
    assert await exchange.receive() == part(b"a", more=True)
    await second
    exchange.put_end()
    assert await exchange.receive() == part(b"b")


async def test_the_application_waits_for_parts(exchange):
    waiting = [asyncio.create_task(exchange.receive()) for _ in range(2)]
    await turn()
    await exchange.put(b"a")
    await turn()
    assert sorted(task.done() for task in waiting) == [False, True]
    exchange.put_end()
    got = await asyncio.gather(*waiting)
    assert part(b"a", more=True) in got
    assert part() in got


async def test_nobody_reads_the_rest_after_the_response(exchange, wire):
    await exchange.put(b"a")
    stuck = asyncio.create_task(exchange.put(b"b"))
    await exchange.send(start(413))
    await exchange.send(body(b"too large"))
    await asyncio.wait_for(stuck, 5)
    await exchange.put(b"c")
    await exchange.put(b"d")
    assert wire.ended is True
    assert await exchange.receive() == {"type": "http.disconnect"}


async def test_the_client_goes(exchange):
    exchange.put_end()
    await exchange.receive()
    waiting = asyncio.create_task(exchange.receive())
    await turn()
    assert not waiting.done()
    exchange.lose()
    assert await waiting == {"type": "http.disconnect"}
    with pytest.raises(ClientDisconnected):
        await exchange.send(start())


async def test_the_client_goes_with_half_of_the_body(exchange):
    await exchange.put(b"half")
    stuck = asyncio.create_task(exchange.put(b"more"))
    await turn()
    exchange.lose()
    await stuck
    assert await exchange.receive() == {"type": "http.disconnect"}


async def test_an_application_that_does_not_answer(exchange, wire, caplog):
    exchange.leave()
    assert wire.refused[0] == 500
    assert "POST /app/a: the ASGI application returned without a response" in caplog.text


async def test_an_application_that_does_not_complete(exchange, wire, caplog):
    await exchange.send(start())
    await exchange.send(body(b"half", more=True))
    exchange.leave()
    assert wire.aborted
    assert "returned without completing its response" in caplog.text


async def test_an_application_that_leaves_when_all_is_said(exchange, wire, caplog):
    await exchange.send(start())
    await exchange.send(body())
    exchange.leave()
    exchange.fail(500, "too late")
    assert (wire.refused, wire.aborted, caplog.text) == (None, False, "")


async def test_an_application_that_leaves_without_its_client(exchange, wire, caplog):
    exchange.lose()
    exchange.leave()
    assert (wire.refused, caplog.text) == (None, "")


async def test_failing_frees_who_waits(exchange, wire):
    await exchange.put(b"a")
    stuck = asyncio.create_task(exchange.put(b"b"))
    await turn()
    exchange.fail(500, "sorry")
    await stuck
    assert wire.refused == (500, "sorry")
    exchange.shut_down()
    assert exchange.is_over
