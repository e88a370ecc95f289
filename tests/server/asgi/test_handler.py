"""``app/…`` in a Jupyter server: who comes in, with what, and what the others are told."""

import asyncio
import logging
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from nbchannels.auth import AuthMiddlewareStack
from nbchannels.generic.websocket import AsyncWebsocketConsumer
from nbchannels.routing import ProtocolTypeRouter, URLRouter, path
from nbchannels.server.asgi.sockets import MOST
from nbchannels.server.host import Host
from tests.server.conftest import Call

#: What the application was called with.
SCOPES: list[dict[str, Any]] = []
#: What an application waits for.
GATES: list[asyncio.Event] = []


async def application(scope, receive, send):
    """Answers all; a name at the end of the path says how."""
    if scope["type"] == "lifespan":
        raise ValueError("No application configured for scope type 'lifespan'")
    SCOPES.append(scope)
    name = scope["path"].rpartition("/")[2]
    if name == "noroute":
        raise ValueError(f"No route found for path {name!r}.")
    if name == "broken":
        raise RuntimeError("canary")
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "headers": [(b"x-mine", b"1")]})
        if name == "behind":
            await GATES[-1].wait()
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    headers = {
        "html": [(b"content-type", b"text/html; charset=utf-8")],
        "policy": [(b"content-security-policy", b"default-src 'none'"), (b"server", b"mine")],
    }.get(name, [(b"content-type", b"text/plain")])
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if name == "empty" else b"hello"})


class Readers(Authorizer):
    """Everyone may read, and nothing else."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read" or resource != "nbchannels"


@pytest.fixture(autouse=True)
def no_scopes():
    SCOPES.clear()


@pytest.fixture
def options() -> dict[str, Any]:
    return {"asgi_application": application}


@pytest.fixture
def jp_server_config(options: dict[str, Any]) -> dict[str, Any]:
    more = options.pop("server", {})
    return {
        "ServerApp": {"jpserver_extensions": {"nbchannels": True}} | more,
        "NbChannels": options,
    }


class Door:
    """Knocks with an upgrade; the open socket, or the status that refused it and why."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.headers, self.sockets = url, headers, []

    async def __call__(self, path: str = "app/ws", *, login: bool = True, **more: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in more.items()}
        if login:
            sent |= self.headers
        try:
            socket = await websocket_connect(HTTPRequest(self.url + path, headers=sent))
        except HTTPClientError as error:
            return error.code
        self.sockets.append((socket, socket.protocol.stream))
        return socket


@pytest.fixture
def door(
    call: Call, http_server_client: Any, jp_auth_header: Any, jp_base_url: str, jp_asyncio_loop
):
    url = http_server_client.get_url(jp_base_url + "nbchannels/").replace("http", "ws", 1)
    found = Door(url, jp_auth_header)
    yield found
    for socket, stream in found.sockets:
        socket.close()
        stream.close()
    jp_asyncio_loop.run_until_complete(asyncio.sleep(0.01))


VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.mark.parametrize("verb", VERBS)
async def test_every_method_comes_through(call: Call, verb: str):
    answer = await call(verb, "app/a/b")
    assert (answer.status, answer.value) == (200, b"" if verb == "HEAD" else b"hello")
    assert SCOPES[0]["method"] == verb
    assert SCOPES[0]["path"] == SCOPES[0]["root_path"] + "/a/b"
    assert SCOPES[0]["user"].username


async def test_the_mount_itself(call: Call):
    for place in ("app", "app/"):
        assert (await call("GET", place)).value == b"hello"
    assert [scope["path"].removeprefix(scope["root_path"]) for scope in SCOPES] == ["", "/"]


class TestRefusals:
    @pytest.mark.parametrize("verb", VERBS)
    async def test_without_a_login(self, call: Call, verb: str):
        for headers in ({}, {"Authorization": "token wrong"}, {"Cookie": "_xsrf=a"}):
            answer = await call(verb, "app/a", login=False, **headers)
            assert answer.status == 403
            assert verb == "HEAD" or b"not logged in" in answer.value
        assert SCOPES == []

    async def test_a_page_is_sent_to_the_login(self, call: Call):
        for headers in ({"Sec_Fetch_Mode": "navigate"}, {"Accept": "text/html,*/*"}):
            answer = await call("GET", "app/a?x=1", login=False, **headers)
            assert answer.status == 302
            assert "login?next=%2F" in answer.headers["Location"]
            assert "app%2Fa%3Fx%3D1" in answer.headers["Location"]
        script = {"Sec_Fetch_Mode": "cors", "Accept": "text/html"}
        assert (await call("GET", "app/a", login=False, **script)).status == 403
        assert (await call("POST", "app/a", login=False, Accept="text/html")).status == 403
        assert SCOPES == []

    @pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_a_foreign_origin_with_the_right_token(self, call: Call, verb: str):
        for origin in ("http://evil.example", "null"):
            answer = await call(verb, "app/a", Origin=origin)
            assert (answer.status, answer.value) == (403, b"not for a page from another origin\n")
        assert SCOPES == []

    async def test_the_own_origin(self, call: Call, http_server_client: Any):
        origin = http_server_client.get_url("")
        assert (await call("POST", "app/a", Origin=origin)).status == 200

    async def test_nothing_is_opened_to_other_origins(self, call: Call):
        answer = await call("GET", "app/a", Origin="http://evil.example")
        assert answer.status == 200
        assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_a_cookie_needs_the_xsrf_token(self, call: Call, verb: str):
        login = await call("GET", "app/html")
        pairs = [line.partition(";")[0] for line in login.headers.get_list("Set-Cookie")]
        cookie = "; ".join(pairs)
        xsrf = next(pair.partition("=")[2] for pair in pairs if pair.startswith("_xsrf="))
        SCOPES.clear()
        assert (await call("GET", "app/a", login=False, Cookie=cookie)).status == 200
        refused = await call(verb, "app/a", login=False, Cookie=cookie)
        assert refused.status == 403
        assert b"_xsrf" in refused.value
        assert [scope["method"] for scope in SCOPES] == ["GET"]
        let_in = await call(verb, "app/a", login=False, Cookie=cookie, X_XSRFToken=xsrf)
        assert let_in.status == 200
        names = [name for name, _ in SCOPES[-1]["headers"]]
        assert b"cookie" not in names
        assert b"x-xsrftoken" not in names

    async def test_upgrades(self, door: Door):
        assert await door(login=False) == 403
        assert await door(Origin="http://evil.example") == 403
        assert await door(Origin="http://evil.example", Sec_Fetch_Site="same-origin") == 403
        assert SCOPES == []

    async def test_a_foreign_host(self, call: Call):
        assert (await call("GET", "app/a", Host="evil.example")).status == 403
        assert SCOPES == []


class TestRights:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"asgi_application": application, "server": {"authorizer_class": Readers}}

    async def test_reading_is_not_executing(self, call: Call, door: Door):
        assert (await call("GET", "app/a")).status == 200
        assert (await call("HEAD", "app/a")).status == 200
        SCOPES.clear()
        for verb in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await call(verb, "app/a")
            assert answer.status == 403
            assert b"you may not execute app" in answer.value
        assert await door() == 403
        assert SCOPES == []


class TestNoApplication:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {}

    async def test_the_sentence_says_how_to_have_one(self, call: Call, host: Host, door: Door):
        assert host.mount is None
        answer = await call("GET", "app/a")
        assert (answer.status, b"c.NbChannels.asgi_application" in answer.value) == (404, True)
        assert (await call("GET", "app/a", login=False)).status == 403
        assert await door() == 404


class TestWrongPath:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"asgi_application": "tests.server.asgi.test_handler:aplication"}

    async def test_the_sentence_says_what_is_wrong(self, call: Call, door: Door):
        answer = await call("GET", "app/a")
        assert answer.status == 503
        assert b"did you mean 'application'?" in answer.value
        assert await door() == 503
        assert (await call("GET", "api/status")).status == 200  # the rest works on


class TestNotInstalled:
    @pytest.fixture
    def options(self, jp_root_dir: Any) -> dict[str, Any]:
        jp_root_dir.joinpath("nbsite_root.py").write_text("async def app(s, r, t): ...")
        return {"asgi_application": "nbsite_root:app"}

    async def test_the_notebooks_folder_is_not_searched(self, call: Call):
        assert b"there is no module 'nbsite_root'" in (await call("GET", "app/a")).value


class TestCredentials:
    COOKIE = "session=s; _xsrf=1; jupyterhub-session-id=x; username-lab=y"

    async def seen(self, call: Call, **headers: str) -> dict[bytes, bytes]:
        assert (await call("GET", "app/a?x=1", Cookie=self.COOKIE, **headers)).status == 200
        return dict(SCOPES[-1]["headers"])

    async def test_they_stay_outside(self, call: Call):
        seen = await self.seen(call)
        assert seen[b"cookie"] == b"session=s"
        assert b"authorization" not in seen

    async def test_a_token_in_the_address(self, call: Call, jp_auth_header: Any):
        token = jp_auth_header["Authorization"].split()[1]
        referer = f"http://lab/?token={token}"
        answer = await call("GET", f"app/a?x=1&token={token}&y", login=False, Referer=referer)
        assert answer.status == 200
        assert SCOPES[-1]["query_string"] == b"x=1&y"
        assert token not in str(SCOPES[-1])

    class TestPassed:
        @pytest.fixture
        def options(self) -> dict[str, Any]:
            return {"asgi_application": application, "asgi_pass_credentials": True}

        async def test_unless_the_administrator_wants_it(self, call: Call, jp_auth_header: Any):
            seen = await TestCredentials().seen(call)
            assert seen[b"cookie"] == TestCredentials.COOKIE.encode()
            assert seen[b"authorization"] == jp_auth_header["Authorization"].encode()


class TestAnswers:
    async def test_the_headers_of_the_application_win(self, call: Call):
        answer = await call("GET", "app/policy")
        assert answer.headers.get_list("Content-Security-Policy") == ["default-src 'none'"]
        assert answer.headers.get_list("Server") == ["mine"]
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert "Content-Type" not in answer.headers
        plain = await call("GET", "app/a")
        assert "frame-ancestors 'self'" in plain.headers["Content-Security-Policy"]
        assert "Etag" not in plain.headers

    async def test_a_page_gets_the_xsrf_cookie_for_its_forms(self, call: Call):
        page = await call("GET", "app/html")
        assert any(c.startswith("_xsrf=") for c in page.headers.get_list("Set-Cookie"))
        other = await call("GET", "app/a")
        assert not any(c.startswith("_xsrf=") for c in other.headers.get_list("Set-Cookie"))

    async def test_an_error_is_a_sentence(self, call: Call, caplog: pytest.LogCaptureFixture):
        answer = await call("GET", "app/broken?token_of_mine=secret")
        assert answer.status == 500
        assert answer.value == b"the application failed; the server's log says how\n"
        assert "canary" in caplog.text
        said = [r.getMessage() for r in caplog.records if r.name == "nbchannels"]
        assert not any("secret" in line for line in said)

    async def test_no_route(self, call: Call, door: Door, caplog: pytest.LogCaptureFixture):
        answer = await call("GET", "app/noroute")
        assert answer.status == 404
        assert answer.value == b"the application has nothing at this address\n"
        assert await door("app/noroute") == 404
        assert not [r for r in caplog.records if r.name == "nbchannels" and r.exc_info]

    async def test_an_empty_body(self, call: Call):
        answer = await call("GET", "app/empty")
        assert (answer.value, answer.headers["Content-Length"]) == (b"", "0")


class TestSockets:
    async def test_echo(self, door: Door, host: Host):
        socket = await door("app/ws?x=1")
        assert socket.headers["X-Mine"] == "1"
        assert "Content-Type" not in socket.headers
        await socket.write_message("hi")
        assert await socket.read_message() == "hi"
        assert host.mount is not None
        assert len(host.mount) == 1
        assert SCOPES[0]["type"] == "websocket"
        assert SCOPES[0]["query_string"] == b"x=1"

    async def test_an_application_that_fails(self, door: Door):
        assert await door("app/broken") == 500

    async def test_upgrades_that_are_none(self, call: Call):
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        answer = await call("GET", "app/ws", **upgrade)
        assert answer.status == 426
        assert answer.headers["Sec-WebSocket-Version"] == "13"
        answer = await call("GET", "app/ws", Sec_WebSocket_Version="13", **upgrade)
        assert answer.status == 400
        assert SCOPES == []


class TestPings:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        settings = {"ws_ping_interval": 20, "ws_ping_timeout": 60}  # ms
        return {"asgi_application": application, "server": {"tornado_settings": settings}}

    async def test_they_end_a_client_that_does_not_answer(self, door: Door):
        socket = await door("app/ws")
        socket.protocol.stream.set_close_callback(None)
        socket.protocol._send_pong = lambda data: None
        async with asyncio.timeout(5):
            assert await socket.read_message() is None

    async def test_but_not_while_nobody_could_hear_its_answer(self, door: Door):
        GATES.append(asyncio.Event())
        socket = await door("app/behind")
        for _ in range(2 * MOST):
            await socket.write_message("x")
        await asyncio.sleep(0.3)  # five times the patience
        GATES.pop().set()
        for _ in range(2 * MOST):
            assert await socket.read_message() == "x"


class Echo(AsyncWebsocketConsumer):
    """As a Channels 4 site has it."""

    async def connect(self):
        if self.scope["url_route"]["kwargs"]["room"] == "closed":
            await self.close()
        else:
            await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(f"{self.scope['user'].is_authenticated} {text_data}")


class TestRouters:
    """Our own routing, written as for Channels 4."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        http = URLRouter([path("hello/<str:name>/", application)])
        websocket = AuthMiddlewareStack(URLRouter([path("ws/<str:room>/", Echo.as_asgi())]))
        return {"asgi_application": ProtocolTypeRouter({"http": http, "websocket": websocket})}

    async def test_it_is_the_object_itself_and_no_copy(
        self, host: Host, options: dict[str, Any], jp_server_config: Any
    ):
        assert host.mount is not None
        assert host.mount._application is options["asgi_application"]

    async def test_http(self, call: Call):
        assert (await call("GET", "app/hello/ada/")).value == b"hello"
        assert SCOPES[0]["url_route"]["kwargs"] == {"name": "ada"}
        assert (await call("GET", "app/elsewhere")).status == 404

    async def test_websockets(self, door: Door):
        socket = await door("app/ws/one/")
        await socket.write_message("hi")
        assert await socket.read_message() == "True hi"
        assert await door("app/ws/closed/") == 403
        assert await door("app/elsewhere/") == 404


class TestEnd:
    async def test_calls_end_with_the_server(
        self, door: Door, host: Host, caplog: pytest.LogCaptureFixture
    ):
        socket = await door("app/ws")
        await socket.write_message("hi")
        await socket.read_message()
        await host.close()
        assert await socket.read_message() is None
        assert (socket.close_code, socket.close_reason) == (1012, "the server stops")
        assert host.mount is not None
        assert len(host.mount) == 0
        assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []

    async def test_who_comes_later(self, call: Call, host: Host):
        assert host.mount is not None
        await host.mount.close()
        answer = await call("GET", "app/a")
        assert (answer.status, answer.value) == (503, b"the server stops\n")
