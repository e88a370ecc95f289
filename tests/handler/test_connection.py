"""Where tornado's handlers write."""

import asyncio

import pytest
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import StreamClosedError

from nbchannels.handler.application import AsgiHandler
from nbchannels.handler.connection import MessageConnection

pytestmark = pytest.mark.asyncio
OK = ResponseStartLine("", 200, "OK")


@pytest.fixture
def connection():
    made = MessageConnection(AsgiHandler.chunk_bytes)
    made.root_path = "/base/http"
    return made


async def take_all(connection):
    found = []
    async with asyncio.timeout(5):
        while (message := await connection.take()) is not None:
            found.append(message)
    return found


async def test_written_at_once_it_is_one_message(connection):
    connection.write_headers(OK, HTTPHeaders({"A": "b"}), b"x")
    connection.finish()
    assert await take_all(connection) == [
        {"status": 200, "headers": [(b"A", b"b")], "content": b"x", "more_content": False}
    ]


async def test_a_write_is_done_when_it_was_taken(connection):
    write = connection.write_headers(OK, HTTPHeaders(), b"x")
    assert not write.done()
    assert (await connection.take())["more_content"] is True
    assert write.done()
    again = connection.write(b"y")
    await connection.take()
    await again
    connection.finish()
    assert await take_all(connection) == [{"content": b"", "more_content": False}]


async def test_large_writes_are_cut(connection, monkeypatch):
    monkeypatch.setattr(AsgiHandler, "chunk_size", 2)
    write = connection.write_headers(OK, HTTPHeaders(), b"abcde")
    connection.finish()
    first = await connection.take()
    assert not write.done()
    rest = await take_all(connection)
    assert (first["content"], first["status"]) == (b"ab", 200)
    assert rest == [
        {"content": b"cd", "more_content": True},
        {"content": b"e", "more_content": False},
    ]
    assert write.done()


async def test_take_waits(connection):
    taking = asyncio.ensure_future(connection.take())
    await asyncio.sleep(0)
    assert not taking.done()
    connection.write_headers(OK, HTTPHeaders())
    assert (await taking)["status"] == 200


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/x", "/base/http/x"),
        ("/", "/base/http/"),
        ("/base/http", "/base/http"),
        ("/base/http/x", "/base/http/x"),
        ("/base/http?a", "/base/http?a"),
        ("/base/httpx", "/base/http/base/httpx"),
        ("//example.org/x", "//example.org/x"),
        ("https://example.org/x", "https://example.org/x"),
        ("x", "x"),
        ("?a", "?a"),
    ],
)
async def test_a_redirect_stays_within_the_mount(connection, location, told):
    connection.write_headers(OK, HTTPHeaders({"Location": location}))
    assert (await connection.take())["headers"] == [(b"Location", told.encode())]


async def test_without_a_mount_it_is_left_alone(connection):
    connection.root_path = ""
    connection.write_headers(OK, HTTPHeaders({"Location": "/x"}))
    assert (await connection.take())["headers"] == [(b"Location", b"/x")]


async def test_when_nobody_takes_any_more(connection):
    told = []
    connection.set_close_callback(lambda: told.append(True))
    write = connection.write_headers(OK, HTTPHeaders(), b"x")
    connection.close()
    connection.close()
    assert told == [True]
    for future in (write, connection.write(b"y")):
        with pytest.raises(StreamClosedError):
            await future


async def test_after_its_end_a_close_is_no_news(connection):
    told = []
    connection.set_close_callback(lambda: told.append(True))
    connection.write_headers(OK, HTTPHeaders())
    connection.finish()
    connection.close()
    assert told == []


async def test_muted_it_says_nothing(connection):
    connection.write_headers(OK, HTTPHeaders(), b"x")
    connection.mute()
    connection.finish()
    assert await take_all(connection) == []


async def test_a_failure_comes_after_what_was_written(connection):
    connection.write_headers(OK, HTTPHeaders(), b"x")
    connection.fail(ValueError("no"))
    assert (await connection.take())["content"] == b"x"
    with pytest.raises(ValueError, match="no"):
        await connection.take()


async def test_there_is_no_stream(connection):
    with pytest.raises(NotImplementedError, match=r"websocket\.connect"):
        connection.detach()
