"""``AsgiRequest``: tornado's request from a message."""

import asyncio
import threading

import pytest
from tornado.httputil import HTTPInputError, HTTPServerRequest

from nbchannels.channel import Channel
from nbchannels.exceptions import InvalidMessage, InvalidName, RequestAborted, RequestTimeout
from nbchannels.handler import AsgiRequest
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from tests.handler.messages import request

BODY = "http.request.body.a!b"


def test_what_tornado_knows():
    message = request(
        "/ä b/c",
        "post",
        query_string=b"x=1&x=%C3%A4&y=",
        headers=[
            [b"host", b"h:81"],
            [b"x-a", b"1"],
            [b"x-a", b"\xe4"],
            [b"cookie", b"a=1"],
            [b"cookie", b"b=2"],
            [b"content-type", b"application/x-www-form-urlencoded"],
        ],
        body=b"x=2&z=3",
        scheme="https",
    )
    made = AsgiRequest(message)
    assert isinstance(made, HTTPServerRequest)
    assert (made.method, made.version) == ("POST", "HTTP/1.1")
    assert made.path == "/%C3%A4%20b/c"
    assert made.query == "x=1&x=%C3%A4&y="
    assert made.uri == "/base/nbchannels/http/%C3%A4%20b/c?x=1&x=%C3%A4&y="
    assert made.full_url() == f"https://h:81{made.uri}"
    assert made.root_path == "/base/nbchannels/http"
    assert made.headers.get_list("X-A") == ["1", "\xe4"]
    assert {name: morsel.value for name, morsel in made.cookies.items()} == {"a": "1", "b": "2"}
    assert made.query_arguments == {"x": [b"1", b"\xc3\xa4"], "y": [b""]}
    assert made.body_arguments == {"x": [b"2"], "z": [b"3"]}
    assert made.arguments["x"] == [b"1", b"\xc3\xa4", b"2"]
    assert made.body == b"x=2&z=3"
    assert (made.remote_ip, made.protocol, made.host) == ("10.0.0.1", "https", "h:81")
    assert made.message is message
    assert made.reply_channel == Channel("http.response.a!b")
    assert made.reply_channel.channel_layer is message.channel_layer


def test_files():
    body = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
    )
    headers = [[b"content-type", b"multipart/form-data; boundary=x"], [b"host", b"h"]]
    made = AsgiRequest(request(method="POST", body=body, headers=headers))
    assert made.files["f"][0].body == b"hello"
    assert made.files["f"][0].filename == "a.txt"


def test_the_least_message():
    made = AsgiRequest(Message({"method": "GET", "path": "/"}))
    assert (made.path, made.query, made.host, made.remote_ip) == ("/", "", "127.0.0.1", "")
    assert made.reply_channel is None


def test_headers_as_a_dict_of_text():
    made = AsgiRequest(request(headers={"Host": "h", "X-A": "1"}))
    assert made.headers["x-a"] == "1"


def test_the_host_of_the_server_counts_where_the_client_says_none():
    assert AsgiRequest(request(headers=[])).host == "localhost:8888"


@pytest.mark.parametrize("content", [{"text": "hi"}, {"method": "GET"}, {"method": 1, "path": "/"}])
def test_another_message_is_refused(content):
    with pytest.raises(InvalidMessage, match=r"http\.request"):
        AsgiRequest(Message(content, "websocket.receive"))


def test_a_reply_channel_that_is_no_name():
    with pytest.raises(InvalidName):
        AsgiRequest(request(reply_channel="a b"))


@pytest.mark.parametrize(
    "content",
    [
        {"headers": [[b"host", b"a b"]]},
        {"headers": [[b"host", b"h"], [b"a b", b"c"]]},
        {"headers": [[b"host", b"h"], [b"a", b"b\r\nc: d"]]},
    ],
)
def test_a_malformed_request(content):
    with pytest.raises(HTTPInputError):
        AsgiRequest(request(**content))


# Bodies in chunks.


def chunked(layer=None, *chunks):
    layer = layer or InMemoryChannelLayer()
    for chunk in chunks:
        layer.submit("channel", BODY, layer.encode(chunk))
    return request(method="POST", layer=layer, body=b"one,", body_channel=BODY)


CHUNKS = (
    {"content": b"two,", "closed": False, "more_content": True},
    {"content": b"", "more_content": True},
    {"content": b"three"},
)


def test_the_chunks_are_joined():
    assert AsgiRequest(chunked(None, *CHUNKS)).body == b"one,two,three"


@pytest.mark.asyncio
async def test_the_chunks_are_joined_on_a_loop():
    message = chunked(None, *CHUNKS)
    assert (await AsgiRequest.aread(message)).body == b"one,two,three"
    # The loop of this thread runs: a synchronous call works beside it.
    assert AsgiRequest(chunked(None, *CHUNKS)).body == b"one,two,three"


def test_chunks_that_come_later():
    layer = InMemoryChannelLayer()
    message = chunked(layer)

    def send():
        for chunk in CHUNKS:
            layer.submit("channel", BODY, layer.encode(chunk))

    timer = threading.Timer(0.05, send)
    timer.start()
    assert AsgiRequest(message).body == b"one,two,three"
    timer.join()


def test_a_body_that_does_not_come(monkeypatch):
    monkeypatch.setattr(AsgiRequest, "body_receive_timeout", 0.02)
    with pytest.raises(RequestTimeout, match=r"0\.02 s, after 8 bytes"):
        AsgiRequest(chunked(None, CHUNKS[0]))


def test_a_client_that_goes():
    with pytest.raises(RequestAborted, match="8 bytes"):
        AsgiRequest(chunked(None, CHUNKS[0], {"closed": True}))


@pytest.mark.asyncio
async def test_waiting_for_a_body_can_be_cancelled():
    layer = InMemoryChannelLayer()
    waiting = asyncio.ensure_future(AsgiRequest.aread(chunked(layer)))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await layer.send(BODY, CHUNKS[2])
    assert await layer.receive(BODY) == CHUNKS[2]
