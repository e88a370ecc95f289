"""The sockets of a real server in this process: who comes in, what closes them, who is held up."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from nbchannels.encoding import JSON, Encoded
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import PUBLISH, Record
from nbchannels.server import gateway
from nbchannels.server.host import Host

Opened = WebSocketClientConnection | int
Open = Callable[..., Awaitable[Any]]
PATIENCE = 5.0


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that this loop does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it is the server's own state
            await asyncio.sleep(0)


async def hear(socket: WebSocketClientConnection) -> Any:
    """The next message: a control record, bytes, or the code and reason of the close."""
    message = await asyncio.wait_for(socket.read_message(), PATIENCE)
    if message is None:
        return socket.close_code, socket.close_reason
    return json.loads(message) if isinstance(message, str) else message


async def hello(socket: WebSocketClientConnection, **more: Any) -> Any:
    said = {"op": "hello", "client": "script", "version": "1", "producer": "p"}
    await socket.write_message(json.dumps(said | more))
    return await hear(socket)


@pytest.fixture
def limits() -> dict[str, Any]:
    return {}


@pytest.fixture
def jp_server_config(limits: dict[str, Any]) -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"nbchannels": True}}, "NbChannels": limits}


@pytest.fixture
def address(jp_serverapp: Any, http_server: Any, jp_http_port: int, jp_base_url: str) -> str:
    return f"ws://127.0.0.1:{jp_http_port}{jp_base_url}nbchannels/"


@pytest.fixture
def knock(host: Host, address: str, jp_auth_header: dict[str, str], jp_asyncio_loop: Any) -> Any:
    """``await knock("ws", Origin=…)``: the open socket, or the HTTP status that refused it."""
    opened: list[WebSocketClientConnection] = []

    async def upgrade(path: str = "ws", *, login: bool = True, **headers: str) -> Opened:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = HTTPRequest(address + path, headers=names | (jp_auth_header if login else {}))
        try:
            socket = await websocket_connect(request, subprotocols=[gateway.SUBPROTOCOL])
        except HTTPClientError as error:
            return error.code
        opened.append(socket)
        return socket

    yield upgrade
    for socket in opened:
        socket.close()
    jp_asyncio_loop.run_until_complete(until(lambda: not host.hub.connections))


@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        (None, "welcome"),
        ("http://127.0.0.1:{port}", "welcome"),
        ("http://127.0.0.1:1", 403),
        ("http://localhost:{port}", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
async def test_origins(knock: Open, jp_http_port: int, origin: str | None, answer: Any):
    headers = {"Origin": origin.format(port=jp_http_port)} if origin else {}
    socket = await knock(**headers)
    assert (socket if isinstance(socket, int) else (await hello(socket))["op"]) == answer


@pytest.mark.parametrize("site", ["same-origin", "none", "cross-site"])
async def test_what_a_browser_says_of_the_site_does_not_help(knock: Open, site: str):
    assert await knock(Origin="https://evil.example", Sec_Fetch_Site=site) == 403


async def test_no_login_no_socket(knock: Open):
    assert await knock(login=False) == 403


async def test_a_kernels_door_is_shut_to_browsers_and_open_to_a_proof_only(
    knock: Open, jp_http_port: int
):
    origin = f"http://127.0.0.1:{jp_http_port}"
    assert await knock("kernel", login=False, Origin=origin) == 403
    socket = await knock("kernel", login=False)
    assert (await hear(socket))["op"] == "challenge"
    await socket.write_message(json.dumps({"op": "proof", "kernel": "x", "nonce": "", "mac": ""}))
    assert await hear(socket) == (4500, "wrong proof")


async def test_the_subprotocol_and_the_welcome(knock: Open, host: Host):
    socket = await knock()
    assert socket.selected_subprotocol == "nbchannels.v1"
    welcome = await hello(socket, label="x" * 1000)
    assert welcome["server"] == host.server_id
    assert welcome["limits"]["message"] == 16 * 2**20
    (described,) = host.hub.describe()
    assert (described["kind"], len(described["label"])) == ("script", 200)


async def test_patience_for_hello_and_for_a_proof(
    knock: Open, host: Host, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gateway, "PATIENCE", 0.05)
    page, kernel = await knock(), await knock("kernel", login=False)
    assert (await hear(kernel))["op"] == "challenge"
    assert await hear(page) == (4502, "no hello in time")
    assert await hear(kernel) == (4500, "no proof in time")
    assert host.hub.counters["refused"] == 2


async def test_a_greeted_socket_is_not_hurried(knock: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gateway, "PATIENCE", 0.05)
    socket = await knock()
    await hello(socket)
    await asyncio.sleep(0.1)  # what is tested is that nothing happens
    await socket.write_message('{"op": "call", "id": 1, "method": "names"}')
    assert (await hear(socket))["op"] == "result"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 4501),
        ("[]", 4501),
        ('{"op": "subscribe"}', 4501),
        ('{"op": "hello", "client": "page", "version": "1", "producer": "p"}', 4501),
        ('{"op": "subscribe", "group": "a", "mode": "' + "é" * 500 + '"}', 4501),
        ('{"op": "subscribe", "group": "a", "mode": "\\ud800"}', 4501),
        ('{"op": "call", "id": 1, "method": "read", "arguments": {"since":"\\ud800"}}', 4501),
        ('{"op": "call", "id": 0, "method": "names"}', 4501),
        ('{"op": "call", "id": 4294967296, "method": "read"}', 4501),
        (f'{{"op": "subscribe", "group": "{"a" * 70_000}"}}', 4501),
        (b"", 4501),
        (b"\0" * 40, 4501),
    ],
)
async def test_bad_frames(
    knock: Open, host: Host, caplog: pytest.LogCaptureFixture, message: str | bytes, code: int
):
    socket = await knock()
    await hello(socket)
    await socket.write_message(message, binary=isinstance(message, bytes))
    assert (await hear(socket))[0] == code
    assert host.hub.counters["protocol_errors"] == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "message",
    [
        '{"op": "unsubscribe", "group": "\\ud800"}',
        '{"op": "call", "id": 1, "method": "\\ud800"}',
        '{"op": "call", "id": 1, "method": "group_add", "arguments": {"group": "\\ud800"}}',
    ],
)
async def test_half_a_surrogate_pair_in_a_name_is_answered(knock: Open, message: str):
    socket = await knock()
    await hello(socket)
    await socket.write_message(message)
    assert (await hear(socket))["op"] == "error"


async def test_a_bad_hello_before_and_a_producer_too_long(knock: Open):
    early = await knock()
    await early.write_message(b"x", binary=True)
    assert (await hear(early))[0] == 4502
    assert (await hello(await knock(), producer="p" * 201))[0] == 4501


async def test_our_own_mistake_closes_one_connection_and_no_other(
    knock: Open, host: Host, monkeypatch: pytest.MonkeyPatch
):
    def names() -> None:
        raise ZeroDivisionError

    one, two = await knock(), await knock()
    await hello(one, producer="1")
    await hello(two, producer="2")
    with monkeypatch.context() as patch:
        patch.setattr(host.layer, "names", names)
        await one.write_message('{"op": "call", "id": 1, "method": "names"}')
        assert (await hear(one))[0] == 4004
    await two.write_message('{"op": "call", "id": 1, "method": "names"}')
    assert (await hear(two))["op"] == "result"


class TestTooLarge:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"max_message": 1000}

    async def test_a_body_over_the_limit_and_a_frame_that_only_announces_one(
        self, knock: Open, raw: Any
    ):
        socket = await knock()
        await hello(socket)
        record = Record(PUBLISH, JSON, 0, "a", 0, 0, 1, 0.0, 0, b"x" * 1001)
        await socket.write_message(encode_record(record), binary=True)
        assert (await hear(socket))[0] == 1009
        client = await raw("p")
        client.writer.write(struct.pack("!BBQ", 0x82, 0x80 | 127, 2**40))
        assert await client.read() == struct.pack("!H", 1009) + b"message too big"


class TestHowMany:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"max_connections": 3, "max_connections_per_user": 2}

    async def test_of_one_user_and_of_all(self, knock: Open, host: Host):
        one, two = await knock(), await knock()
        await hello(one, producer="1")
        await hello(two, producer="2")
        code, reason = await hello(await knock(), producer="3")
        assert code == 4504
        assert reason == "2 connections of one user, the limit; close some pages"
        # A client that comes again is not one more: its old socket is not known to be dead.
        again = await knock()
        assert (await hello(again, producer="1"))["op"] == "welcome"
        assert (await hear(one))[0] == 4000
        two.close()
        await until(lambda: len(host.hub.connections) == 1)
        assert (await hello(await knock(), producer="3"))["op"] == "welcome"


class TestHowManyOfAll:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"max_connections": 1}

    async def test_the_server_has_a_limit(self, knock: Open):
        assert (await hello(await knock(), producer="1"))["op"] == "welcome"
        assert (await hello(await knock(), producer="2"))[0] == 4504
        assert (await hello(await knock(), producer="1"))["op"] == "welcome"


class Raw:
    """A WebSocket client that reads only when asked to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, **control: Any) -> None:
        data = json.dumps(control).encode()
        self.writer.write(struct.pack("!BBH", 0x81, 0x80 | 126, len(data)) + bytes(4) + data)

    async def read(self) -> Any:
        opcode, size = await self.reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        data = await self.reader.readexactly(size)
        return json.loads(data) if opcode & 15 == 1 else data


@pytest.fixture
def raw(
    host: Host, jp_http_port: int, address: str, jp_auth_header: dict[str, str],
    jp_asyncio_loop: Any,
) -> Any:  # fmt: skip
    """``await raw(producer, …)``: a `Raw` that has said hello."""
    clients: list[Raw] = []

    async def connect(producer: str, **more: Any) -> Raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", jp_http_port, limit=4096)
        clients.append(client := Raw(reader, writer))
        path = address.partition(str(jp_http_port))[2] + "ws"
        token = jp_auth_header["Authorization"]
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{jp_http_port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: {token}\r\n\r\n".encode()
        )
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        client.say(op="hello", client="script", version="1", producer=producer, **more)
        assert (await client.read())["op"] == "welcome"
        return client

    yield connect
    for client in clients:
        client.writer.transport.abort()
    jp_asyncio_loop.run_until_complete(until(lambda: not host.hub.connections))


def transport_of(host: Host, producer: str) -> Any:
    """The server's end of a client's socket."""
    return next(
        connection.transport  # type: ignore[attr-defined]
        for connection in host.hub.connections.values()
        if connection.client.producer == producer
    )


def offsets_of(message: bytes) -> list[int]:
    found, at = [], 0
    while at < len(message):
        size = int.from_bytes(message[at + 4 : at + 8], "little")
        found.append(int.from_bytes(message[at + 16 : at + 24], "little"))
        at += 40 + (size + 7) // 8 * 8
    return found


async def receive(client: Raw, count: int, *, says_so: bool = True) -> list[int]:
    """So many messages of a log, acknowledged as they come if it ``says_so``."""
    offsets: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(offsets) < count:
            message = await client.read()
            if isinstance(message, bytes):
                offsets += offsets_of(message)
                log = int.from_bytes(message[8:12], "little")
                if says_so:
                    client.say(op="ack", logs=[[log, offsets[-1]]])
    return offsets


class TestFlowControl:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"window": 100_000, "window_bytes": 2**30, "max_message": 2**20}

    async def test_who_stops_reading_is_not_written_to_and_holds_nobody_up(
        self, raw: Any, host: Host
    ):
        stuck = await raw("stuck", subscriptions=[{"group": "flood"}])
        quick = await raw("quick", subscriptions=[{"group": "flood"}])
        for client in (stuck, quick):
            assert (await client.read())["op"] == "subscribed"
        body = Encoded(JSON, b'{"blob": "' + b"x" * 50_000 + b'"}')
        transport = transport_of(host, "stuck")
        for n in range(200):  # 10 MB: more than the system's own buffers take
            host.layer.submit("group", "flood", body)
            assert await receive(quick, 1) == [n + 1]
        assert transport.stalled_since is not None
        waiting = len(transport.wire._write_buffer)
        assert 0 < waiting <= gateway.BUFFER + 2 * len(body.body)
        for _ in range(20):
            host.layer.submit("group", "flood", body)
        await receive(quick, 20)
        assert len(transport.wire._write_buffer) <= waiting
        # The window is not full: it was the socket, and reading is enough.
        assert await receive(stuck, 220, says_so=False) == list(range(1, 221))
        await until(lambda: transport.stalled_since is None)

    async def test_who_does_not_read_the_answers_may_ask_no_more(self, raw: Any, host: Host):
        body = Encoded(JSON, b'{"blob": "' + b"x" * 1_000_000 + b'"}')
        host.layer.submit("group", "large", body)
        client = await raw("greedy")
        transport = transport_of(host, "greedy")
        for n in range(40):
            client.say(op="call", id=n + 1, method="read", arguments={"group": "large"})
        await until(lambda: not transport.writable)
        for _ in range(100):  # the server has had its turns
            await asyncio.sleep(0)
        assert len(transport.wire._write_buffer) < gateway.BUFFER + 3 * len(body.body)
        async with asyncio.timeout(PATIENCE):
            for n in range(40):
                assert offsets_of(await client.read()) == [1]
                assert (await client.read())["id"] == n + 1

    async def test_a_stuck_socket_that_is_closed_leaves_nothing(self, raw: Any, host: Host):
        client = await raw("gone", subscriptions=[{"group": "flood"}])
        transport = transport_of(host, "gone")
        body = Encoded(JSON, b'{"blob": "' + b"x" * 1_000_000 + b'"}')
        while transport.writable:
            host.layer.submit("group", "flood", body)
            await asyncio.sleep(0)
        client.say(op="call", id=1, method="names")  # waits behind what is not read
        client.writer.transport.abort()
        await until(lambda: not host.hub.connections)
        assert not host.layer._registry.groups["flood"].cursors


async def test_going_away(knock: Open, host: Host):
    socket = await knock()
    await hello(socket)
    host.hub.shut_down("an update")
    goaway = await hear(socket)
    assert (goaway["op"], goaway["reason"]) == ("goaway", "an update")
    assert await hear(socket) == (4000, "an update")
