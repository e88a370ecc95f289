"""Asking an application for an HTTP response."""

import pytest

from nbchannels.testing.http import HttpCommunicator

pytestmark = pytest.mark.asyncio


async def application(scope, receive, send):
    event = await receive()
    await send({"type": "http.response.start", "status": 202, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": event["body"], "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


async def test_a_response_in_parts():
    communicator = HttpCommunicator(application, "post", "/a%20b/?q=%C3%BC", b"x", [(b"h", b"1")])
    assert communicator.scope["method"] == "POST"
    assert communicator.scope["path"] == "/a b/"
    assert communicator.scope["raw_path"] == b"/a%20b/"
    assert communicator.scope["query_string"] == b"q=%C3%BC"
    assert communicator.scope["headers"] == [(b"h", b"1")]
    assert await communicator.get_response() == {
        "status": 202,
        "headers": [(b"a", b"b")],
        "body": b"x!",
    }
    await communicator.wait()


async def test_no_headers_and_no_body():
    async def bare(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    response = await HttpCommunicator(bare, "GET", "/").get_response()
    assert response == {"status": 204, "headers": [], "body": b""}


async def test_what_is_no_response():
    async def odd(scope, receive, send):
        await send({"type": "http.response.body"})

    with pytest.raises(AssertionError, match=r"body.*expected 'http\.response\.start'"):
        await HttpCommunicator(odd, "GET", "/").get_response()


async def test_an_exception_in_the_application():
    async def failing(scope, receive, send):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await HttpCommunicator(failing, "GET", "/").get_response()


async def test_a_body_of_text():
    with pytest.raises(TypeError, match="a str"):
        HttpCommunicator(application, "POST", "/", "text")
