"""An unmodified Starlette site inside a real Jupyter server, seen from real clients."""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from tests.integration.doors import Browser
from tests.kernel.conftest import CONFIG, RunningServer, free_port

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]
PATIENCE = 15.0
ROOT = Path(__file__).parents[2]
MOUNT = "/base/nbchannels/app"


class Site(RunningServer):
    """A Jupyter server with the site of asgi_site.py."""

    more = 'c.NbChannels.asgi_application = "tests.integration.asgi_site:application"\n'

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"PYTHONPATH": str(ROOT)}

    def start(self, *, wait: bool = True) -> None:
        self.config.write_text(CONFIG + self.more)
        super().start(wait=wait)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def app(self) -> str:
        return f"http://127.0.0.1:{self.port}{MOUNT}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    running.kill()


@pytest_asyncio.fixture
async def fetch(site):
    """``await fetch("POST", "/upload", body=b"")``: a response, whatever its status."""
    client = AsyncHTTPClient(force_instance=True)

    async def call(verb, path, body=None, *, token=True, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"token {site.token}"
        return await client.fetch(
            HTTPRequest(
                site.app + path,
                verb,
                sent,
                body=body,
                allow_nonstandard_methods=True,
                follow_redirects=False,
                request_timeout=PATIENCE,
            ),
            raise_error=False,
        )

    yield call
    client.close()


@pytest_asyncio.fixture
async def connect(site):
    """``await connect("/echo", "a")``: an open WebSocket of tornado's."""
    opened = []

    async def call(path, *subprotocols, **headers):
        headers.setdefault("Authorization", f"token {site.token}")
        request = HTTPRequest(site.app.replace("http", "ws", 1) + path, headers=headers)
        found = await websocket_connect(request, subprotocols=list(subprotocols) or None)
        opened.append((found, found.protocol.stream))
        return found

    yield call
    for found, stream in opened:
        found.close()
        stream.close()  # nobody waits for the server's answer
    await asyncio.sleep(0.01)  # its reader sees it


@pytest_asyncio.fixture
async def raw(site):
    """``await raw(b"GET", "/hello")``: a connection on which this was written."""
    writers = []

    async def call(verb, path, *headers, version="1.1", body=b"", token=True):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=2**16)
        writers.append(writer)
        lines = [f"{verb} {MOUNT}{path} HTTP/{version}", f"Host: 127.0.0.1:{site.port}", *headers]
        if token:
            lines.append(f"Authorization: token {site.token}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return reader, writer

    yield call
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)


async def head_of(reader):
    """The status line and the headers of a response, as they were written."""
    text = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    status, *lines = text.decode("latin-1").strip().split("\r\n")
    return status, [tuple(line.split(": ", 1)) for line in lines]


async def happened(fetch, what):
    """Wait until this is among the events of the site; the events."""
    async with asyncio.timeout(PATIENCE):
        while True:
            events = json.loads((await fetch("GET", "/events")).body)
            if any(what(each) if callable(what) else each == what for each in events):
                return events
            await asyncio.sleep(0.02)


async def resting(fetch, beginning):
    """The last event of this beginning, when it has not changed for a while."""
    before = None
    async with asyncio.timeout(PATIENCE):
        while True:
            events = json.loads((await fetch("GET", "/events")).body)
            found = [each for each in events if str(each).startswith(beginning)]
            if found and found == before:
                return found[-1]
            before = found
            await asyncio.sleep(0.3)


# --- HTTP -----------------------------------------------------------------------------------------


async def test_pages(fetch):
    answer = await fetch("GET", "/hello?name=ada")
    assert (answer.code, answer.body) == (200, b"hello ada")
    assert answer.headers["Content-Length"] == "9"
    answer = await fetch("HEAD", "/hello")
    assert (answer.code, answer.body, answer.headers["Content-Length"]) == (200, b"", "11")
    assert (await fetch("GET", "/nothing")).code == 404
    assert (await fetch("POST", "/hello", b"")).code == 405


async def test_forms(fetch):
    for verb in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await fetch(verb, "/form", b"a=1&b=%C3%BC")
        assert json.loads(answer.body) == {"body": "a=1&b=%C3%BC"}


async def test_cookies_and_headers_of_one_name(fetch):
    answer = await fetch("GET", "/cookies", Cookie="mine=1; _xsrf=2; other=3")
    assert json.loads(answer.body) == {"mine": "1", "other": "3"}
    cookies = [line.partition("=")[0] for line in answer.headers.get_list("Set-Cookie")]
    assert cookies[:2] == ["one", "two"]
    assert answer.headers.get_list("X-Many") == ["a", "b"]


async def test_the_sites_own_policy(fetch):
    answer = await fetch("GET", "/page")
    assert answer.headers.get_list("Content-Security-Policy") == ["default-src 'none'"]
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body(raw, status):
    reader, writer = await raw("GET", f"/empty/{status}")
    line, headers = await head_of(reader)
    assert line.startswith(f"HTTP/1.1 {status} ")
    names = {name for name, _ in headers}
    assert "Transfer-Encoding" not in names
    assert "Etag" in names
    # The connection serves on, and nothing stands before the next response.
    request = f"GET {MOUNT}/hello HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: token wrong\r\n\r\n"
    writer.write(request.encode())
    assert (await head_of(reader))[0] == "HTTP/1.1 403 Forbidden"


async def test_a_stream_comes_as_it_is_sent(raw, fetch):
    reader, _ = await raw("GET", "/numbers")
    _, headers = await head_of(reader)
    assert ("Transfer-Encoding", "chunked") in headers
    assert await reader.readexactly(14) == b"2\r\n0\n\r\n2\r\n1\n\r\n"
    assert (await fetch("GET", "/open/numbers")).body == b"open"
    assert await reader.readuntil(b"0\r\n\r\n") == b"2\r\n2\n\r\n2\r\n3\n\r\n2\r\n4\n\r\n0\r\n\r\n"


async def test_http_1_0(raw):
    reader, _ = await raw("GET", "/hello", "Connection: keep-alive", version="1.0")
    _, headers = await head_of(reader)
    assert ("Content-Length", "11") in headers
    assert await reader.readexactly(11) == b"hello world"
    reader, _ = await raw("GET", "/broken_late", version="1.0")
    assert (await asyncio.wait_for(reader.read(), PATIENCE)).endswith(b"\r\n\r\nbeginning")


async def test_an_upload_of_parts(fetch, raw):
    body = os.urandom(3 * 2**20)
    expected = hashlib.sha256(body).hexdigest()
    answer = await fetch("POST", "/upload", body)
    told = json.loads(answer.body)
    assert (told["size"], told["sha256"]) == (len(body), expected)
    assert told["parts"] > 10
    reader, writer = await raw("PUT", "/upload", "Transfer-Encoding: chunked")
    for n in range(0, len(body), 2**18):
        part = body[n : n + 2**18]
        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    _, headers = await head_of(reader)
    told = json.loads(await reader.readexactly(int(dict(headers)["Content-Length"])))
    assert (told["size"], told["sha256"]) == (len(body), expected)


async def test_a_slow_site_stops_the_reading(raw, fetch):
    size = 2**26
    reader, writer = await raw("POST", "/raw/slow", f"Content-Length: {size}")
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
    sent, part = 0, b"x" * 2**16
    with contextlib.suppress(TimeoutError):
        while sent < size:
            writer.write(part)
            sent += len(part)
            async with asyncio.timeout(1):
                await writer.drain()
    assert sent < size / 4  # what the system's buffers hold, and a little
    assert sum(str(e).startswith("slow took") for e in await happened(fetch, is_slow)) == 1
    await fetch("GET", "/open/slow")
    while sent < size:
        writer.write(part)
        sent += len(part)
        await writer.drain()
    _, headers = await head_of(reader)
    assert await reader.readexactly(int(dict(headers)["Content-Length"])) == str(size).encode()


def is_slow(event):
    return str(event).startswith("slow took")


async def test_a_slow_client_stops_the_site(raw, fetch):
    _, writer = await raw("GET", "/raw/flood")
    sent = int((await resting(fetch, "flood ")).split()[1])
    assert 0 < sent * 65536 < 2**25
    writer.transport.abort()
    await happened(fetch, "flooded ClientDisconnected")


async def test_an_early_answer_to_a_large_body(raw):
    body = b"x" * 2**23
    reader, writer = await raw("POST", "/raw/unread", f"Content-Length: {len(body)}")
    writer.write(body)
    status, headers = await head_of(reader)
    assert status.startswith("HTTP/1.1 413")
    assert await reader.readexactly(int(dict(headers)["Content-Length"])) == b"too large"


async def test_expect_100_continue_comes_before_the_answer(raw):
    reader, writer = await raw("POST", "/form", "Content-Length: 3", "Expect: 100-continue")
    assert (await head_of(reader))[0].startswith("HTTP/1.1 100")
    writer.write(b"a=1")
    assert (await head_of(reader))[0] == "HTTP/1.1 200 OK"


async def test_the_client_leaves(raw, fetch):
    reader, writer = await raw("GET", "/ticks")
    await reader.readuntil(b"tick\n")
    writer.close()
    await happened(fetch, "ticks ended")
    _, writer = await raw("POST", "/raw/listener", "Content-Length: 10", body=b"12345")
    await happened(fetch, "listener got 5")
    writer.close()
    await happened(fetch, "listener disconnected")


async def test_work_after_the_response(fetch):
    assert (await fetch("GET", "/after")).body == b"now"
    assert "after" in await happened(fetch, "after")


async def test_errors_are_in_the_log_alone(site, fetch, raw):
    answer = await fetch("GET", "/broken")
    assert answer.code == 500
    assert b"canary" not in answer.body
    reader, _ = await raw("GET", "/broken_late")
    assert (await head_of(reader))[0] == "HTTP/1.1 200 OK"
    # No last chunk: the client sees that it is not complete.
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b"9\r\nbeginning\r\n"
    for name in ("silent", "short", "exit"):
        answer = await fetch("GET", f"/raw/{name}")
        assert (answer.code, answer.body[:22]) == (500, b"the application failed")
    log = site.log
    for said in (
        "RuntimeError: canary-of-a-traceback",
        "RuntimeError: canary-of-a-late-traceback",
        f"GET {MOUNT}/raw/silent: the ASGI application returned without a response",
        "5 bytes, its Content-Length says 10",
        "SystemExit: the application wants to leave",
    ):
        assert said in log
    assert (await fetch("GET", "/hello")).code == 200


# --- WebSocket ------------------------------------------------------------------------------------


async def test_echo(connect):
    found = await connect("/echo", "chat", "other")
    assert found.selected_subprotocol == "chat"
    for text in ("one", "ü" * 100_000):
        await found.write_message(text)
        assert await found.read_message() == f"echo {text}"


async def test_headers_of_the_acceptance_and_a_close_of_the_site(connect):
    found = await connect("/scope_of_socket/a%20b?x=1")
    assert found.headers["X-Accepted"] == "yes"
    assert "ws=1" in found.headers.get_list("Set-Cookie")
    scope = json.loads(await found.read_message())
    assert scope["path"] == f"{MOUNT}/scope_of_socket/a b"
    assert scope["state"] == {"began": "yes"}
    assert await found.read_message() is None
    assert (found.close_code, found.close_reason) == (3001, "enough")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/denied/close", 403),
        ("/denied/answer", 402),
        ("/nothing", 403),  # Starlette closes where it has no route
        ("/rude/silent", 500),
        ("/rude/raises", 500),
    ],
)
async def test_refusals_before_the_upgrade(raw, path, status):
    reader, _ = await raw("GET", path, *UPGRADE)
    line, headers = await head_of(reader)
    assert line.startswith(f"HTTP/1.1 {status} ")
    body = await reader.readexactly(int(dict(headers)["Content-Length"]))
    assert b"canary" not in body
    if status == 402:
        assert body == b"pay first"


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)


async def test_the_client_leaves_before_the_decision(raw, fetch):
    _, writer = await raw("GET", "/rude/waits", *UPGRADE)
    await happened(fetch, "waits")
    writer.close()
    await happened(fetch, "waits websocket.disconnect")


def ended(code, reason):
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


async def test_every_way_to_close(connect, raw, fetch):
    found = await connect("/rude/events")
    await found.write_message(b"\x00\xff", binary=True)
    assert await found.read_message() == b"\x00\xff"
    found.close(4001, "bye")
    await happened(fetch, ended(4001, "bye"))
    await happened(fetch, "late: ClientDisconnected")
    found = await connect("/rude/events")
    found.close()
    await happened(fetch, ended(1005, ""))
    reader, writer = await raw("GET", "/rude/events", *UPGRADE)
    await head_of(reader)
    writer.close()
    await happened(fetch, ended(1006, ""))
    found = await connect("/rude/fails")
    assert await found.read_message() is None
    assert found.close_code == 1011
    found = await connect("/rude/leaves")
    assert await found.read_message() is None
    assert found.close_code == 1000


async def test_a_message_that_is_too_large(raw, fetch):
    reader, writer = await raw("GET", "/rude/events", *UPGRADE)
    assert (await head_of(reader))[0].startswith("HTTP/1.1 101")
    writer.write(b"\x82\xff" + (16 * 2**20 + 1).to_bytes(8, "big"))
    await happened(fetch, lambda event: isinstance(event, dict) and event["code"] == 1009)
    with contextlib.suppress(ConnectionError):
        assert (await asyncio.wait_for(reader.read(), PATIENCE))[:4] == b"\x88\x11\x03\xf1"


async def test_a_slow_site_stops_the_socket(connect, fetch):
    found = await connect("/rude/deaf")
    await happened(fetch, "deaf")
    sent, part = 0, b"x" * 2**16
    with contextlib.suppress(TimeoutError):
        while sent < 2**26:
            async with asyncio.timeout(1):
                await found.write_message(part, binary=True)
            sent += len(part)
    assert sent < 2**24
    await fetch("GET", "/open/deaf")
    total = 0
    while total < sent:
        total = int(await asyncio.wait_for(found.read_message(), PATIENCE))
    assert total >= sent


async def test_a_slow_client_stops_the_socket(raw, fetch):
    _, writer = await raw("GET", "/rude/flood", *UPGRADE)
    sent = int((await resting(fetch, "socket flood ")).split()[2])
    assert 0 < sent * 65536 < 2**25
    writer.transport.abort()
    await happened(fetch, "socket flooded ClientDisconnected")


# --- who comes in ---------------------------------------------------------------------------------


async def test_a_browser_with_its_cookie(site, fetch):
    browser = await asyncio.to_thread(Browser, site)
    xsrf = next(cookie.value for cookie in browser.jar if cookie.name == "_xsrf")
    page = await fetch("GET", "/cookies", token=False, Cookie=browser.cookie)
    assert json.loads(page.body) == {}  # none of Jupyter's
    origin = f"http://127.0.0.1:{site.port}"
    more = {"token": False, "Cookie": browser.cookie}
    assert (await fetch("POST", "/form", b"a", Origin=origin, **more)).code == 403
    assert (await fetch("POST", "/form", b"a", X_XSRFToken="wrong", **more)).code == 403
    evil = {"Origin": "http://evil.example", "X_XSRFToken": xsrf}
    assert (await fetch("POST", "/form", b"a", **evil, **more)).code == 403
    good = await fetch("POST", "/form", b"a", Origin=origin, X_XSRFToken=xsrf, **more)
    assert json.loads(good.body) == {"body": "a"}
    good = await fetch("POST", f"/form?_xsrf={xsrf}", b"a", **more)
    assert good.code == 200


async def test_upgrades_with_a_cookie(site, raw):
    browser = await asyncio.to_thread(Browser, site)
    cookie = f"Cookie: {browser.cookie}"
    own, evil = f"Origin: http://127.0.0.1:{site.port}", "Origin: http://evil.example"
    for headers, status in (
        ((cookie, own), 101),
        ((cookie, evil), 403),
        ((cookie, evil, "Sec-Fetch-Site: same-origin"), 403),
        ((own,), 403),
    ):
        reader, _ = await raw("GET", "/echo", *UPGRADE, *headers, token=False)
        assert (await head_of(reader))[0].startswith(f"HTTP/1.1 {status}")
    reader, _ = await raw("GET", "/echo", *UPGRADE, evil)  # a token is no excuse
    assert (await head_of(reader))[0].startswith("HTTP/1.1 403")


async def test_nothing_of_a_body_is_read_for_a_stranger(raw):
    reader, _ = await raw("POST", "/upload", "Content-Length: 1000000000", token=False)
    assert (await head_of(reader))[0] == "HTTP/1.1 403 Forbidden"


# --- the same as under uvicorn --------------------------------------------------------------------


class Uvicorn:
    """The same site under uvicorn, behind a proxy that takes away the prefix."""

    def __init__(self) -> None:
        self.port = free_port()
        config = uvicorn.Config(
            "tests.integration.asgi_site:application",
            host="127.0.0.1",
            port=self.port,
            root_path=MOUNT,
            http="h11",
            ws="websockets-sansio",
            log_level="critical",
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self.server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE)


@pytest.fixture(scope="module")
def reference():
    running = Uvicorn()
    yield running
    running.stop()


#: What only one of the two has, and may have.
OURS = {"user", "extensions"}


def compared(ours, theirs):
    """Two scopes without what has to differ: ports, the Host header, our credentials."""
    for scope in (ours, theirs):
        scope["headers"] = [
            pair for pair in scope["headers"] if pair[0] not in ("host", "authorization")
        ]
        assert scope.pop("client")[0] == scope.pop("server")[0] == "127.0.0.1"
    assert theirs["type"] == "http" or ours["extensions"] == theirs["extensions"]
    assert {key: value for key, value in ours.items() if key not in OURS} == {
        key: value for key, value in theirs.items() if key not in OURS
    }
    assert ours.keys() - theirs.keys() <= OURS
    assert theirs.keys() <= ours.keys()


async def both(site, reference, verb, path, *headers, version="1.1"):
    """The scope that each of the two makes of the same bytes."""
    found = []
    for port, prefix, more in (
        (site.port, MOUNT, [f"Authorization: token {site.token}"]),
        (reference.port, "", []),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"{verb} {prefix}{path} HTTP/{version}", f"Host: 127.0.0.1:{port}", *headers]
        writer.write("\r\n".join([*lines, *more, "", ""]).encode("latin-1"))
        status, answered = await head_of(reader)
        if status.startswith("HTTP/1.1 101"):
            size = (await reader.readexactly(2))[1]
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2), "big")
        else:
            names = {name.lower(): value for name, value in answered}
            size = int(names["content-length"])
        found.append(json.loads(await reader.readexactly(size)))
        writer.transport.abort()
    await asyncio.sleep(0)
    return found


@pytest.mark.parametrize(
    ("verb", "path", "headers", "version"),
    [
        ("GET", "/scope/", (), "1.1"),
        ("GET", "/scope/a%20b/%C3%BC%2F?q=%20&r=1&r", ("X-B: 2", "x-a: 1", "X-Late: \xe9"), "1.1"),
        ("GET", "/scope/%ff", ("Cookie: a=b", "Accept: */*"), "1.1"),
        ("GET", "/scope/a", ("Connection: close",), "1.0"),
        ("GET", "/scope/a+b;c?a=b?c", ("Referer: http://a/?b",), "1.1"),
    ],
)
async def test_scopes_are_uvicorns(site, reference, verb, path, headers, version):
    compared(*await both(site, reference, verb, path, *headers, version=version))


async def test_scopes_of_websockets_are_uvicorns(site, reference):
    more = ("Sec-WebSocket-Protocol: a, b", "X-Mine: 1")
    path = "/scope_of_socket/a%20b?x=1"
    compared(*await both(site, reference, "GET", path, *UPGRADE, *more))


# --- start and stop -------------------------------------------------------------------------------


async def test_the_end_of_a_server(tmp_path):
    running = await asyncio.to_thread(Site, tmp_path)
    try:
        token = f"token {running.token}"
        request = HTTPRequest(
            running.app.replace("http", "ws", 1) + "/rude/events", headers={"Authorization": token}
        )
        found = await websocket_connect(request)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(
            f"GET {MOUNT}/raw/holding HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
            f"Authorization: {token}\r\n\r\n".encode()
        )
        await head_of(reader)
        assert await reader.readexactly(9) == b"4\r\nheld\r\n"
        running.process.terminate()
        assert await asyncio.wait_for(found.read_message(), PATIENCE) is None
        assert found.close_code == 1012
        found.close()
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""  # cut: not complete
        writer.close()
        await asyncio.to_thread(running.process.wait, PATIENCE)
        log = running.log
        assert log.index("site: startup") < log.index("/raw/holding: cancelled, the server stops")
        assert log.index("the server stops") < log.index("site: shutdown")
        for trouble in ("was destroyed", "never awaited", "never retrieved", "Traceback"):
            assert trouble not in log
    finally:
        running.kill()


class WrongSite(Site):
    more = 'c.NbChannels.asgi_application = "tests.integration.asgi_site:aplication"\n'


async def test_a_wrong_path(tmp_path):
    running = await asyncio.to_thread(WrongSite, tmp_path)
    client = AsyncHTTPClient(force_instance=True)
    try:
        headers = {"Authorization": f"token {running.token}"}
        answer = await client.fetch(f"{running.app}/hello", headers=headers, raise_error=False)
        assert answer.code == 503
        assert b"did you mean 'application'?" in answer.body
        assert "has no 'aplication'; did you mean 'application'?" in running.log
    finally:
        client.close()
        running.kill()
