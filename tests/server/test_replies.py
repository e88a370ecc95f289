"""Replies of consumers: what is read, and what is refused with which sentence."""

import pytest

from nbchannels.server.replies import (
    BadReply,
    Chunk,
    Frame,
    Response,
    read_chunk,
    read_frame,
    read_response,
)


def test_the_least_response():
    assert read_response({"status": 200}) == Response(200, [], b"", False)


def test_a_full_response():
    reply = {
        "status": 418,
        "headers": [[b"A", b"1"], ("b", "\xe4"), [b"A", b"\xff"], ["c", ""]],
        "content": b"x",
        "more_content": True,
    }
    headers = [("A", "1"), ("b", "\xe4"), ("A", "\xff"), ("c", "")]
    assert read_response(reply) == Response(418, headers, b"x", True)


def test_headers_as_a_dict():
    assert read_response({"status": 200, "headers": {"A": "b"}}).headers == [("A", "b")]


def test_headers_of_the_connection_are_ours():
    headers = [["Connection", "x"], ["transfer-encoding", "chunked"], ["Upgrade", "h2c"]]
    assert read_response({"status": 200, "headers": headers}).headers == []


def test_a_length_that_is_right():
    reply = {"status": 200, "headers": [["content-length", "2"]], "content": b"ab"}
    assert read_response(reply).headers == [("content-length", "2")]
    more = reply | {"more_content": True, "content": b"a"}
    assert read_response(more).more
    assert read_response(reply | {"content": b""}, "HEAD").headers == [("content-length", "2")]


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_no_length(status):
    headers = [["Content-Length", "0"], ["ETag", "x"]]
    assert read_response({"status": status, "headers": headers}).headers == [("ETag", "x")]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({}, "has no 'status'"),
        ({"content": b""}, "has no 'status'"),
        ({"status": True}, "a bool: True"),
        ({"status": 200.0}, "a float"),
        ({"status": 101}, "200 to 599"),
        ({"status": 600}, "200 to 599"),
        ({"status": None}, "None"),
        ({"status": 200, "text": "x"}, "'text' is none of status, headers, content"),
        ({"status": 200, "header": []}, "did you mean 'headers'?"),
        ({"status": 200, "content": "x"}, "use content.encode()"),
        ({"status": 200, "content": None}, "'content' is None"),
        ({"status": 200, "content": [1]}, "'content' is a list"),
        ({"status": 200, "more_content": "yes"}, "True or False"),
        ({"status": 200, "headers": "a: b"}, "a list of [name, value]"),
        ({"status": 200, "headers": [["a"]]}, "each is [name, value]"),
        ({"status": 200, "headers": [["a", "b", "c"]]}, "each is [name, value]"),
        ({"status": 200, "headers": ["ab"]}, "each is [name, value]"),
        ({"status": 200, "headers": [[1, "b"]]}, "no header can have"),
        ({"status": 200, "headers": [["", "b"]]}, "no header can have"),
        ({"status": 200, "headers": [["a:", "b"]]}, "no header can have"),
        ({"status": 200, "headers": [["é", "b"]]}, "no header can have"),
        ({"status": 200, "headers": [["a", 1]]}, "'a' is an int"),
        ({"status": 200, "headers": [["a", b"b\nc: d"]]}, "bytes of one line"),
        ({"status": 200, "headers": [["a", "b\x00"]]}, "bytes of one line"),
        ({"status": 200, "headers": [["a", "\u20ac"]]}, "bytes of one line"),
        ({"status": 204, "content": b"x"}, "status 204 has no body"),
        ({"status": 304, "more_content": True}, "status 304 has no body"),
        ({"status": 200, "headers": [["Content-Length", "-1"]]}, "leave it out"),
        ({"status": 200, "headers": [["Content-Length", "1"], ["content-length", "1"]]}, "leave"),
        ({"status": 200, "headers": [["Content-Length", "1"]]}, "has 0 bytes"),
    ],
)
def test_a_bad_response(reply, said):
    with pytest.raises(BadReply) as raised:
        read_response(reply)
    assert said in str(raised.value)


def test_chunks():
    assert read_chunk({}) == Chunk(b"", False)
    assert read_chunk({"content": b"x", "more_content": True}) == Chunk(b"x", True)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"status": 200}, "a second 'status'"),
        ({"headers": [], "content": b""}, "a second 'status'"),
        ({"content": "x"}, "content.encode()"),
        ({"contents": b""}, "did you mean 'content'?"),
        ({"more_content": None}, "True or False"),
    ],
)
def test_a_bad_chunk(reply, said):
    with pytest.raises(BadReply) as raised:
        read_chunk(reply)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("reply", "frame"),
    [
        ({}, Frame(None, None, None)),
        ({"accept": True}, Frame(None, True, None)),
        ({"accept": False, "text": "a"}, Frame("a", False, None)),
        ({"text": "", "bytes": None}, Frame("", None, None)),
        ({"bytes": b"x", "text": None, "close": False}, Frame(b"x", None, None)),
        ({"close": True}, Frame(None, None, 1000)),
        ({"close": 0}, Frame(None, None, None)),
        ({"close": 1013}, Frame(None, None, 1013)),
        ({"close": 4999, "text": "bye"}, Frame("bye", None, 4999)),
        ({"accept": True, "subprotocol": "v1"}, Frame(None, True, None, "v1")),
    ],
)
def test_frames(reply, frame):
    assert read_frame(reply) == frame


def test_empty_data_is_none():
    assert not Frame("", None, None).has_data
    assert not Frame(b"", None, None).has_data
    assert Frame("a", None, None).has_data


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"txt": "a"}, "did you mean 'text'?"),
        ({"status": 200}, "none of accept, text, bytes, close"),
        ({"text": b"a"}, "it is a str"),
        ({"bytes": "a"}, "it is bytes"),
        ({"text": "a", "bytes": b"a"}, "send two replies"),
        ({"text": "\ud800"}, "surrogate"),
        ({"accept": 1}, "True or False"),
        ({"subprotocol": 1}, "it is a str"),
        ({"close": "yes"}, "'close' is a str"),
        ({"close": 1005}, "'close' is an int: 1005"),
        ({"close": 1006}, "1006"),
        ({"close": 2000}, "2000"),
        ({"close": 5000}, "5000"),
    ],
)
def test_a_bad_frame(reply, said):
    with pytest.raises(BadReply) as raised:
        read_frame(reply)
    assert said in str(raised.value)


def test_a_long_key_is_not_told_in_full():
    with pytest.raises(BadReply) as raised:
        read_frame({"k" * 10_000: 1})
    assert len(str(raised.value)) < 300
