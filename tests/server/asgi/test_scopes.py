"""Scopes: what an application sees of a request, and what it does not."""

from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from nbchannels.server.asgi.scopes import (
    http_scope,
    is_upgrade,
    root_path,
    websocket_scope,
)
from nbchannels.server.credentials import Secrets

TOKEN = "0123abcd"
MINE = Secrets({TOKEN}, {"login"})


class Socket:
    def __init__(self, peer: Any = ("10.0.0.7", 5000), name: Any = ("10.0.0.1", 8888)) -> None:
        self.peer, self.name = peer, name

    def getpeername(self) -> Any:
        if self.peer is None:
            raise OSError("not connected")
        return self.peer

    def getsockname(self) -> Any:
        return self.name


def request(uri: str = "/base/nbchannels/app/a", *headers: tuple[str, str], **more: Any) -> Any:
    found = HTTPHeaders()
    for name, value in (("Host", "lab:8888"), *headers):
        found.add(name, value)
    context = SimpleNamespace(
        remote_ip=more.get("ip", "10.0.0.7"), protocol=more.get("protocol", "http")
    )
    connection = SimpleNamespace(
        context=context, stream=SimpleNamespace(socket=more.get("socket", Socket()))
    )
    line = RequestStartLine(more.get("method", "GET"), uri, "HTTP/1.1")
    return HTTPServerRequest(start_line=line, headers=found, connection=connection)  # type: ignore[arg-type]


def scope(asked: Any, secrets: Secrets | None = MINE, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"base_url": "/base/", "user": "ada", "state": {}} | more
    return http_scope(asked, secrets=secrets, **options)


def test_all_of_it():
    asked = request("/base/nbchannels/app/b%20%C3%BC%2Fx?q=%20&r", ("X-Two", "1"), ("x-two", "2"))
    state = {"pool": object()}
    found = scope(asked, state=state)
    assert found == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/base/nbchannels/app/b ü/x",
        "raw_path": b"/base/nbchannels/app/b%20%C3%BC%2Fx",
        "query_string": b"q=%20&r",
        "root_path": "/base/nbchannels/app",
        "headers": [(b"host", b"lab:8888"), (b"x-two", b"1"), (b"x-two", b"2")],
        "client": ("10.0.0.7", 5000),
        "server": ("10.0.0.1", 8888),
        "state": state,
        "extensions": {},
        "user": "ada",
    }
    assert found["state"] is not state


def test_a_websockets():
    asked = request("/base/nbchannels/app/a", ("Sec-WebSocket-Protocol", "a, b"), protocol="https")
    options: dict[str, Any] = {"base_url": "/base/", "user": None, "state": {}}
    found = websocket_scope(asked, secrets=MINE, **options)
    assert (found["type"], found["scheme"]) == ("websocket", "wss")
    assert found["subprotocols"] == ["a", "b"]
    assert found["extensions"] == {"websocket.http.response": {}}
    assert "method" not in found
    plain = websocket_scope(request(), secrets=MINE, **options)
    assert (plain["scheme"], plain["subprotocols"]) == ("ws", [])


def test_the_base_of_a_hub_is_decoded_as_the_path_is():
    asked = request("/user/ada%40lab/nbchannels/app/x")
    found = scope(asked, base_url="/user/ada%40lab/")
    assert found["root_path"] == root_path("/user/ada%40lab/") == "/user/ada@lab/nbchannels/app"
    assert found["path"].startswith(found["root_path"] + "/")


def test_bytes_that_are_no_utf8():
    found = scope(request("/base/nbchannels/app/%ff", ("X-Latin", "\xe9")))
    assert found["path"].endswith("/�")
    assert found["raw_path"].endswith(b"/%ff")
    assert (b"x-latin", b"\xe9") in found["headers"]


@pytest.mark.parametrize(
    ("socket", "ip", "client", "server"),
    [
        (Socket(("::1", 5, 0, 0), ("::1", 8, 0, 0)), "::1", ("::1", 5), ("::1", 8)),
        # Told by a proxy that Jupyter trusts.
        (Socket(), "192.0.2.9", ("192.0.2.9", 0), ("10.0.0.1", 8888)),
        (Socket("", "/run/jupyter.sock"), "0.0.0.0", None, ("/run/jupyter.sock", None)),
        (Socket(None), "10.0.0.7", None, ("10.0.0.1", 8888)),
        (None, "10.0.0.7", None, None),
    ],
)
def test_addresses(socket: Any, ip: str, client: Any, server: Any):
    found = scope(request(socket=socket, ip=ip))
    assert (found["client"], found["server"]) == (client, server)


def headers(*given: tuple[str, str], secrets: Secrets | None = MINE) -> dict[bytes, bytes]:
    found = dict(scope(request("/base/nbchannels/app/", *given), secrets)["headers"])
    del found[b"host"]
    return found


def test_jupyters_cookies_stay_outside():
    line = 'session=s; _xsrf=2|x; login=l; username-lab-8888="u"; jupyterhub-user-ada=h; b="c d"'
    assert headers(("Cookie", line)) == {b"cookie": b'session=s; b="c d"'}
    assert headers(("Cookie", "_xsrf=1;login=2")) == {}
    assert headers(("Cookie", line), secrets=None) == {b"cookie": line.encode()}


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        (f"token {TOKEN}", False),
        (f"Token {TOKEN}", False),
        (f"Bearer {TOKEN}", False),
        ("Bearer of-the-application", True),
        ("Basic dTpw", True),
    ],
)
def test_authorization(value: str, stays: bool):
    assert headers(("Authorization", value)) == (
        {b"authorization": value.encode()} if stays else {}
    )
    assert headers(("Authorization", value), secrets=None) != {}


def test_the_xsrf_header_only_if_it_is_jupyters():
    cookie = ("Cookie", "_xsrf=2|abc; csrftoken=django")
    assert headers(cookie, ("X-XSRFToken", "2|abc")) == {b"cookie": b"csrftoken=django"}
    assert headers(cookie, ("X-CSRFToken", "django")) == {
        b"cookie": b"csrftoken=django",
        b"x-csrftoken": b"django",
    }


def test_the_query_and_the_page_before():
    page = ("Referer", f"http://lab/app/?a=1&token={TOKEN}#x")
    asked = request(f"/base/nbchannels/app/?a=1&token={TOKEN}&_xsrf=2|x&b=%26", page)
    found = scope(asked)
    assert found["query_string"] == b"a=1&b=%26"
    assert (b"referer", b"http://lab/app/?a=1#x") in found["headers"]
    assert TOKEN.encode() in scope(asked, None)["query_string"]


@pytest.mark.parametrize(
    ("method", "upgrade", "connection", "expected"),
    [
        ("GET", "websocket", "Upgrade", True),
        ("GET", "WebSocket", "keep-alive, upgrade", True),
        ("GET", "websocket", "keep-alive", False),
        ("GET", "h2c", "Upgrade", False),
        ("POST", "websocket", "Upgrade", False),
    ],
)
def test_what_is_an_upgrade(method: str, upgrade: str, connection: str, expected: bool):
    given = (("Upgrade", upgrade), ("Connection", connection))
    assert is_upgrade(request("/", *given, method=method)) is expected
    assert not is_upgrade(request())
