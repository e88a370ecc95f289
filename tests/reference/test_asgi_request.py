"""Section "AsgiRequest" of the Reference, with tornado's request in the place of Django's."""

import inspect

import pytest
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from nbchannels import Channel
from nbchannels.exceptions import InvalidMessage
from nbchannels.handler import AsgiRequest
from nbchannels.message import Message
from tests.handler.messages import request

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def test_it_is_the_frameworks_request(layer):
    """AsgiRequest 1: method, path, query, headers, cookies and body, decoded."""
    message = request(
        "/rooms/ä",
        "post",
        layer,
        query_string=b"a=1&a=2",
        headers=[
            [b"host", b"example.org"],
            [b"cookie", b"one=1; two=2"],
            [b"x-many", b"a"],
            [b"x-many", b"b"],
            [b"content-type", b"application/x-www-form-urlencoded"],
        ],
        body=b"name=ada&name=bea",
    )
    found = AsgiRequest(message)
    assert isinstance(found, HTTPServerRequest)
    assert (found.method, found.path, found.host) == ("POST", "/rooms/%C3%A4", "example.org")
    assert found.query_arguments == {"a": [b"1", b"2"]}
    assert found.body_arguments == {"name": [b"ada", b"bea"]}
    assert found.headers.get_list("X-Many") == ["a", "b"]
    assert {name: morsel.value for name, morsel in found.cookies.items()} == {
        "one": "1",
        "two": "2",
    }
    assert found.remote_ip == "10.0.0.1"


def test_a_body_in_parts(layer):
    """AsgiRequest 1: a body that comes over its own channel is put together."""
    for n in range(3):
        Channel("http.request.body").send({"content": b"%d" % n, "more_content": n < 2})
    found = AsgiRequest(request(layer=layer, body=b"begin", body_channel="http.request.body"))
    assert found.body == b"begin012"


def test_it_has_what_only_messages_have(layer):
    """AsgiRequest 2: the attributes that the framework's request has not."""
    found = AsgiRequest(request(layer=layer))
    assert {"message", "reply_channel"} <= set(vars(found))
    start, headers = RequestStartLine("GET", "/", "HTTP/1.1"), HTTPHeaders({"Host": "a"})
    plain = HTTPServerRequest(start_line=start, headers=headers, connection=HTTPConnection())
    assert not hasattr(plain, "message")
    assert not hasattr(plain, "reply_channel")


def test_the_constructor(layer):
    """AsgiRequest 3: the message is all that it needs."""
    first, *others = inspect.signature(AsgiRequest).parameters.values()
    assert first.name == "message"
    assert all(parameter.default is None for parameter in others)
    assert AsgiRequest(request("/a", layer=layer)).path == "/a"


@pytest.mark.parametrize("content", [{}, {"text": "hello"}, {"method": "GET"}, {"path": "/"}])
def test_what_no_request_is(layer, content):
    """AsgiRequest 4: a message of another form is refused, and the sentence says what is missing"""
    with pytest.raises(InvalidMessage, match="has no '(method|path)'.*'http.request'"):
        AsgiRequest(Message(content, "work", layer))


def test_reply_channel(layer):
    """AsgiRequest 5: a Channel on the message's layer; sent there, the answer waits there."""
    found = AsgiRequest(request(layer=layer, reply_channel="http.response.a!b"))
    assert isinstance(found.reply_channel, Channel)
    assert found.reply_channel.name == "http.response.a!b"
    assert found.reply_channel.channel_layer is layer
    found.reply_channel.send({"status": 204})
    assert Channel("http.response.a!b").receive(timeout=5)["status"] == 204


def test_message(layer):
    """AsgiRequest 6: the very object."""
    message = request(layer=layer)
    assert AsgiRequest(message).message is message
