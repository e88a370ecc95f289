"""Requests that came as messages, answered by real tornado handlers."""

import asyncio
import gc
import logging
import threading

import pytest
from tornado import web
from tornado.iostream import StreamClosedError

from nbchannels import handler
from nbchannels.bridge import bridge, user_bridge
from nbchannels.channel import Channel
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    InvalidMessage,
    ResponseLater,
    WouldDeadlock,
)
from nbchannels.handler import AsgiHandler, AsgiRequest, Response, ViewConsumer
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from tests.handler.messages import request

#: What handlers tell the tests.
told = []


class Hello(web.RequestHandler):
    def get(self, name="you"):
        self.set_cookie("seen", "1")
        self.write(f"hello {name} {self.get_argument('x', '')}")

    async def post(self, name=""):
        await asyncio.sleep(0)
        self.set_status(201)
        self.write({"body": self.request.body.decode(), "form": self.get_body_arguments("f")})

    def put(self, name=""):
        self.redirect("/elsewhere")

    def delete(self, name=""):
        raise web.HTTPError(418)

    def patch(self, name=""):
        raise ValueError("a mistake")


class Streaming(web.RequestHandler):
    async def get(self):
        for part in ("one", "two"):
            self.write(part)
            await self.flush()
            told.append(part)
        await self.finish("three")


class Endless(web.RequestHandler):
    async def get(self):
        try:
            while True:
                self.write(b"x")
                await self.flush()
        except StreamClosedError:
            told.append("closed")

    def on_connection_close(self):
        told.append("gone")


class Later(web.RequestHandler):
    def get(self):
        raise ResponseLater

    async def post(self):
        self.write("begun")
        await self.flush()
        raise ResponseLater


@web.stream_request_body
class Upload(web.RequestHandler):
    async def prepare(self):
        self.parts = []
        self.set_header("X-Early", "1")
        await self.flush()  # waits until that is taken

    async def data_received(self, chunk):
        self.parts.append(len(chunk))

    def post(self):
        self.write(repr(self.parts))


class Big(web.RequestHandler):
    def get(self):
        self.write(bytes(3 * AsgiHandler.chunk_size))


class Where(web.RequestHandler):
    async def get(self):
        self.write(threading.current_thread().name)


@pytest.fixture(autouse=True)
def application(tmp_path):
    told.clear()
    (tmp_path / "file.txt").write_text("from a file")
    handler.configure(
        [
            ("/hello", Hello),
            ("/hello/(.*)", Hello),
            ("/stream", Streaming),
            ("/endless", Endless),
            ("/later", Later),
            ("/upload", Upload),
            ("/big", Big),
            ("/where", Where),
            ("/static/(.*)", web.StaticFileHandler, {"path": str(tmp_path)}),
        ]
    )
    yield
    handler.configure(None)


def respond(*args, **content):
    return list(AsgiHandler(request(*args, **content)))


def headers(reply):
    return dict(reply["headers"])


def test_one_reply_of_a_plain_handler():
    [reply] = respond("/hello/ada", query_string=b"x=%C3%A4")
    assert (reply["status"], reply["content"].decode()) == (200, "hello ada ä")
    assert reply["more_content"] is False
    assert headers(reply)[b"Content-Length"] == b"12"
    assert headers(reply)[b"Set-Cookie"] == b"seen=1; Path=/"
    assert all(isinstance(part, bytes) for pair in reply["headers"] for part in pair)


def test_an_async_handler_and_a_form():
    form = [[b"host", b"h"], [b"content-type", b"application/x-www-form-urlencoded"]]
    [reply] = respond("/hello", "POST", body=b"f=1&f=2", headers=form)
    assert reply["status"] == 201
    assert reply["content"] == b'{"body": "f=1&f=2", "form": ["1", "2"]}'


def test_a_redirect_stays_within_the_mount():
    [reply] = respond("/hello", "PUT")
    assert reply["status"] == 302
    assert headers(reply)[b"Location"] == b"/base/nbchannels/http/elsewhere"


def test_errors_are_tornados_pages(caplog):
    with caplog.at_level(logging.CRITICAL, "tornado"):
        assert respond("/hello", "DELETE")[0]["status"] == 418
        assert respond("/hello", "PATCH")[0]["status"] == 500
        assert respond("/nowhere")[0]["status"] == 404
        assert respond("/hello", "UNKNOWN")[0]["status"] == 405
        assert b"mistake" not in respond("/hello", "PATCH")[0]["content"]


def test_head():
    [reply] = respond("/static/file.txt", "HEAD")
    assert (reply["content"], headers(reply)[b"Content-Length"]) == (b"", b"11")


def test_a_static_file_and_its_etag():
    [reply, *rest] = respond("/static/file.txt")
    content = b"".join(part["content"] for part in (reply, *rest))
    assert content == b"from a file"
    etag = headers(reply)[b"Etag"]
    [again] = respond("/static/file.txt", headers=[[b"host", b"h"], [b"if-none-match", etag]])
    assert (again["status"], again["content"]) == (304, b"")
    ranged = respond("/static/file.txt", headers=[[b"host", b"h"], [b"range", b"bytes=0-3"]])
    assert ranged[0]["status"] == 206
    assert b"".join(part["content"] for part in ranged) == b"from"


def test_a_stream_goes_on_when_it_was_taken():
    replies = iter(AsgiHandler(request("/stream")))
    first = next(replies)
    assert (first["content"], first["more_content"], "two" in told) == (b"one", True, False)
    rest = list(replies)
    assert [part["content"] for part in rest] == [b"two", b"three"]
    assert [part["more_content"] for part in rest] == [True, False]
    assert all("status" not in part for part in rest)


def test_large_content_is_cut():
    replies = respond("/big")
    assert [len(reply["content"]) for reply in replies] == [AsgiHandler.chunk_size] * 3
    assert [reply["more_content"] for reply in replies] == [True, True, False]


def test_a_handler_that_writes_before_it_reads():
    size = AsgiHandler.chunk_size
    replies = respond("/upload", "POST", body=bytes(size + 1))
    assert headers(replies[0])[b"X-Early"] == b"1"
    assert b"".join(part["content"] for part in replies) == repr([size, 1]).encode()


def test_whoever_stops_early_is_a_client_that_has_gone():
    replies = iter(AsgiHandler(request("/endless")))
    next(replies)
    replies.close()
    user_bridge.run(asyncio.sleep(0.02))
    assert sorted(told) == ["closed", "gone"]


def test_an_iteration_that_is_forgotten():
    replies = iter(AsgiHandler(request("/endless")))
    next(replies)
    del replies
    gc.collect()
    user_bridge.run(asyncio.sleep(0.02))
    assert "gone" in told


@pytest.mark.asyncio
async def test_on_a_loop_it_runs_there():
    [reply] = [reply async for reply in AsgiHandler(request("/where"))]
    assert reply["content"].decode() == threading.current_thread().name


@pytest.mark.asyncio
async def test_synchronously_it_works_beside_a_loop_that_runs():
    [reply] = respond("/where")
    assert reply["content"] == b"nbchannels-user"


def test_on_the_thread_for_user_code_it_says_so():
    async def wrong():
        return respond("/where")

    with pytest.raises(WouldDeadlock):
        user_bridge.run(wrong())


def test_many_at_once():
    results = {}

    def client(number):
        [reply] = respond(f"/hello/{number}")
        results[number] = reply["content"]

    threads = [threading.Thread(target=client, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"hello {number} ".encode() for number in range(20)}


# When there is no answer, or another one.


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_response_later(method, caplog):
    replies = respond("/later", method)
    assert [reply.get("content") for reply in replies] == ([] if method == "GET" else [b"begun"])
    assert caplog.records == []


def test_an_upload_that_is_too_slow(monkeypatch):
    monkeypatch.setattr(AsgiRequest, "body_receive_timeout", 0.01)
    [reply] = respond("/hello", "POST", body_channel="http.request.body.a!b")
    assert (reply["status"], b"too slow" in reply["content"]) == (408, True)


def test_an_upload_that_was_aborted():
    layer = InMemoryChannelLayer()
    layer.submit("channel", "body.a!b", layer.encode({"closed": True}))
    assert respond("/hello", "POST", layer=layer, body_channel="body.a!b") == []


@pytest.mark.parametrize(
    "content",
    [
        {"headers": [[b"host", b"a b"]]},
        {"headers": [[b"host", b"h"], [b"content-type", b"multipart/form-data; boundary=x"]],
         "method": "POST", "body": b"not multipart"},
    ],
)  # fmt: skip
def test_what_cannot_be_read(content):
    [reply] = respond("/hello", **content)
    assert (reply["status"], b"400" in reply["content"]) == (400, True)


def test_undecodable_arguments(caplog):
    with caplog.at_level(logging.CRITICAL, "tornado"):
        [reply] = respond("/hello", query_string=b"x=%ff")
    assert reply["status"] == 400


def test_another_message_is_an_error():
    with pytest.raises(InvalidMessage):
        list(AsgiHandler(Message({"text": "x"}, "websocket.receive")))


def test_without_an_application_it_says_what_to_do():
    handler.configure(None)
    with pytest.raises(ChannelsError, match=r"handler\.configure\(\["):
        AsgiHandler(request())


def test_an_application_of_its_own():
    class Own(web.RequestHandler):
        def get(self):
            self.write("own")

    [reply] = AsgiHandler(request("/hello"), web.Application([("/hello", Own)]))
    assert reply["content"] == b"own"
    assert respond("/hello")[0]["content"] == b"hello you "


def test_an_application_that_fails_as_a_whole():
    class Broken(web.Application):
        def find_handler(self, request, **kwargs):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(AsgiHandler(request("/hello"), Broken()))


# Responses that are known.


def test_encode_response():
    [reply] = AsgiHandler.encode_response(Response(404, {"X-Case": "a"}, "no"))
    assert reply == {
        "status": 404,
        "headers": [(b"X-Case", b"a")],
        "content": b"no",
        "more_content": False,
    }


def test_encode_a_large_response(monkeypatch):
    monkeypatch.setattr(AsgiHandler, "chunk_size", 4)
    replies = list(AsgiHandler.encode_response(Response(body=b"123456789")))
    assert [reply["content"] for reply in replies] == [b"1234", b"5678", b"9"]
    assert [reply["more_content"] for reply in replies] == [True, True, False]
    assert ["status" in reply for reply in replies] == [True, False, False]


@pytest.mark.parametrize("parts", [[], [b"a", "b", b"12345"]])
def test_encode_a_stream(monkeypatch, parts):
    monkeypatch.setattr(AsgiHandler, "chunk_size", 4)
    replies = list(AsgiHandler.encode_response(Response(body=iter(parts))))
    wanted = [b"a", b"b", b"1234", b"5"] if parts else []
    assert [reply["content"] for reply in replies] == [*wanted, b""]
    assert [reply["more_content"] for reply in replies] == [True] * len(wanted) + [False]
    assert replies[0]["status"] == 200


def test_a_stream_is_not_read_ahead():
    def parts():
        told.append("first")
        yield b"a"
        told.append("second")

    replies = AsgiHandler.encode_response(Response(body=parts()))
    next(replies)
    assert told == ["first"]


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (b"", [(b"", True)]),
        (b"ab", [(b"ab", True)]),
        (b"abc", [(b"ab", False), (b"c", True)]),
        (b"abcd", [(b"ab", False), (b"cd", True)]),
    ],
)
def test_chunk_bytes(monkeypatch, data, pieces):
    monkeypatch.setattr(AsgiHandler, "chunk_size", 2)
    assert list(AsgiHandler.chunk_bytes(data)) == pieces


# The consumer.


def waited_for(path, **options):
    """A message whose sender receives from its reply channel, and that channel."""
    layer = InMemoryChannelLayer(**options)
    message = request(path, layer=layer)
    name = message["reply_channel"]
    layer.open_channel(name)
    layer.take(name, None)
    return message, Channel(name, channel_layer=layer)


def test_view_consumer_sends_each_reply():
    message, channel = waited_for("/stream")
    ViewConsumer()(message)
    parts = [channel.receive(1) for _ in range(3)]
    assert [part["content"] for part in parts] == [b"one", b"two", b"three"]
    assert parts[0]["status"] == 200


def test_view_consumer_waits_for_a_slow_client():
    message, channel = waited_for("/big", capacity=1)
    running = threading.Thread(target=ViewConsumer(), args=(message,))
    running.start()
    sizes = [len(channel.receive(5)["content"]) for _ in range(3)]
    running.join(5)
    assert sizes == [AsgiHandler.chunk_size] * 3
    assert not running.is_alive()


def test_view_consumer_gives_a_client_up(monkeypatch):
    monkeypatch.setattr(ViewConsumer, "patience", 0.05)
    monkeypatch.setattr(ViewConsumer, "retry", 0.01)
    message, _ = waited_for("/endless", capacity=2)
    with pytest.raises(ChannelFull):
        ViewConsumer()(message)
    user_bridge.run(asyncio.sleep(0.02))
    assert "gone" in told


def test_view_consumer_ends_at_once_when_the_client_went_before():
    ViewConsumer()(request("/endless"))
    user_bridge.run(asyncio.sleep(0.02))
    assert "gone" in told


def test_view_consumer_ends_when_the_client_goes():
    message, channel = waited_for("/endless")
    running = threading.Thread(target=ViewConsumer(), args=(message,))
    running.start()
    channel.receive(5)
    bridge.run(channel.channel_layer.close_channel(channel.name))
    running.join(5)
    assert not running.is_alive()
    user_bridge.run(asyncio.sleep(0.02))
    assert "gone" in told
