"""Responses: when they are written, what of them, and what an application cannot do."""

import asyncio

import pytest

from nbchannels.server.asgi.responses import ClientDisconnected, Response, read_headers
from tests.server.asgi.rig import Wire, body, start, turn

pytestmark = pytest.mark.asyncio


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def response(wire):
    return Response(wire, "GET")


async def test_start_and_body_are_one_write_with_its_length(response, wire):
    await response.send(start(201, (b"X-A", b"1"), (b"x-a", b"2")))
    assert wire.status is None
    await response.send(body(b"hello"))
    assert wire.status == 201
    assert wire.headers == [("x-a", "1"), ("x-a", "2"), ("content-length", "5")]
    assert wire.out == [b"hello"]
    assert wire.ended is True


async def test_a_start_that_waits_for_its_body_goes_out_alone(response, wire):
    await response.send(start())
    await turn()
    assert (wire.status, wire.out) == (200, [b""])
    await response.send(body(b"a", more=True))
    await response.send(body(b"", more=True))
    await response.send(body(b"b"))
    assert wire.out == [b"", b"a", b"b"]
    assert (wire.headers, wire.ended) == ([], True)


async def test_a_slow_client_slows_the_application(response, wire):
    await response.send(start())
    wire.ready.clear()
    sending = asyncio.create_task(response.send(body(b"a", more=True)))
    other = asyncio.create_task(response.send(body(b"b", more=True)))
    await turn()
    assert wire.out == [b""]  # the headers have not left yet
    assert not sending.done()
    wire.ready.set()
    await asyncio.gather(sending, other)
    assert wire.out == [b"", b"a", b"b"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_responses_without_a_body(wire, method, status):
    response = Response(wire, method)
    await response.send(start(status, (b"content-length", b"7")))
    await response.send(body(b"ignored", more=True))
    await response.send(body(b"too"))
    assert wire.body == b""
    assert wire.headers == ([] if status == 204 else [("content-length", "7")])
    assert wire.ended is True


async def test_a_head_without_a_length_has_none(wire):
    response = Response(wire, "HEAD")
    await response.send(start())
    await response.send(body())
    assert wire.headers == []


async def test_before_http_1_1_a_stream_ends_with_its_connection(wire):
    response = Response(wire, "GET", "1.0")
    await response.send(start())
    await response.send(body(b"a", more=True))
    await response.send(body(b"b"))
    assert wire.ended is False


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ([(b"123456", False)], "6 bytes, its Content-Length says 5"),
        ([(b"123", True), (b"456", True)], "6 or more bytes, its Content-Length says 5"),
        ([(b"123", True), (b"", False)], "3 bytes, its Content-Length says 5"),
    ],
)
async def test_a_length_is_a_promise(response, wire, chunks, said):
    await response.send(start(200, (b"Content-Length", b"5")))
    *before, last = chunks
    for chunk, more in before:
        await response.send(body(chunk, more))
    with pytest.raises(RuntimeError, match=said):
        await response.send(body(*last))
    assert wire.ended is None


async def test_a_length_that_is_kept(response, wire):
    await response.send(start(200, (b"Content-Length", b"5"), (b"content-length", b"5")))
    await response.send(body(b"123", more=True))
    await response.send(body(memoryview(b"45")))
    assert (wire.body, wire.ended) == (b"12345", True)


async def test_the_connection_is_the_servers_own(response, wire):
    names = (b"Connection", b"Transfer-Encoding", b"Keep-Alive", b"Upgrade")
    await response.send(start(200, *((name, b"x") for name in names)))
    await response.send(body())
    assert wire.headers == [("content-length", "0")]


@pytest.mark.parametrize(
    ("message", "error", "said"),
    [
        (start("200"), ValueError, "status is a str: '200'"),
        (start(101), ValueError, "from 200 to 999"),
        (start(200, ("x", b"y")), TypeError, "a pair of bytes, not a str: 'x'"),
        (start(200, (b"x", b"a\r\nb: c")), ValueError, "cannot be a header"),
        (start(200, (b"x y", b"z")), ValueError, "cannot be a header"),
        (start(200, (b"content-length", b"-1")), ValueError, "Content-Length is -1"),
        (
            start(200, (b"content-length", b"1"), (b"content-length", b"2")),
            ValueError,
            "it takes one number",
        ),
        (body(), RuntimeError, "expected http.response.start"),
        ({"type": "websocket.send"}, RuntimeError, "sent 'websocket.send'"),
    ],
)
async def test_what_cannot_begin(response, wire, message, error, said):
    with pytest.raises(error, match=said):
        await response.send(message)
    assert not response.started
    await turn()
    assert wire.status is None


async def test_what_cannot_follow(response):
    await response.send(start())
    with pytest.raises(RuntimeError, match=r"expected http\.response\.body"):
        await response.send(start())
    with pytest.raises(TypeError, match="body is a str"):
        await response.send(body("text"))
    await response.send(body())
    with pytest.raises(RuntimeError, match="nothing: the response is complete"):
        await response.send(body())


async def test_a_client_that_has_gone(response, wire):
    await response.send(start())
    response.lose()
    await turn()
    assert wire.status is None
    with pytest.raises(ClientDisconnected):
        await response.send(body())
    assert issubclass(ClientDisconnected, OSError)
    response.fail(500, "nobody reads it")
    assert wire.refused is None


async def test_a_client_that_goes_while_others_wait(response, wire):
    await response.send(start())
    wire.ready.clear()
    sending = [asyncio.create_task(response.send(body(b"x", more=True))) for _ in range(2)]
    await turn()
    wire.gone = True
    response.lose()
    wire.ready.set()
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert [type(result) for result in results] == [ClientDisconnected] * 2
    assert wire.out == [b""]


async def test_failing_before_anything_was_written(response, wire):
    await response.send(start())
    response.fail(500, "sorry")
    await turn()
    assert (wire.refused, wire.aborted, wire.status) == ((500, "sorry"), False, None)
    response.fail(500, "again")
    assert wire.refused == (500, "sorry")


async def test_failing_after_it_began(response, wire):
    await response.send(start())
    await response.send(body(b"half", more=True))
    response.fail(500, "sorry")
    assert (wire.refused, wire.aborted, wire.ended) == (None, True, None)
    with pytest.raises(RuntimeError):
        await response.send(body(b"more"))


async def test_headers():
    assert read_headers([(b"X-A", b" \xe9 "), [b"b", b""]]) == [("x-a", "\xe9"), ("b", "")]
    for value in (b"a\0", b"a\n", b"\x7f"):
        with pytest.raises(ValueError, match="cannot be a header"):
            read_headers([(b"a", value)])
