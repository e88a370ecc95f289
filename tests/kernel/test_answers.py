"""HTTP requests and WebSockets answered by consumers in a notebook."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from nbchannels.bridge import bridge
from tests.kernel.conftest import RunningServer
from tests.kernel.test_layer import Kernel

pytestmark = [pytest.mark.integration, pytest.mark.slow]
PATIENCE = 30.0

LOADED = "%load_ext nbchannels\nimport nbchannels as nb\n"
TORNADO = (
    LOADED
    + """
import tornado.web
from nbchannels import handler

class Square(tornado.web.RequestHandler):
    def get(self, x):
        self.write({"y": int(x) ** 2})
    def post(self, x):
        self.write({"y": int(x) + len(self.request.body)})

handler.configure(tornado.web.Application([(r"/square/(\\d+)", Square)]))

@nb.consume("http.request", path=r"^/square/")
def answer(message):
    for reply in handler.AsgiHandler(message):
        message.reply_channel.send(reply)
"""
)


def request(server: RunningServer, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    asked = urllib.request.Request(
        f"{server.url}nbchannels/http/{path}",
        data=body,
        headers={"Authorization": f"token {server.token}"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def asked_by_twenty(server: RunningServer, count: int) -> list[tuple[int, int, bytes]]:
    def ask(x: int) -> tuple[int, int, bytes]:
        return x, *request(server, f"square/{x}")

    with ThreadPoolExecutor(20) as clients:
        return list(clients.map(ask, range(count)))


def test_a_notebook_answers_a_thousand_requests_while_a_cell_runs(server):
    kernel = Kernel(server)
    try:
        assert kernel.run(TORNADO)[1] == ""
        assert request(server, "square/3", b"abc") == (200, b'{"y": 6}')
        kernel.client.execute("import time; time.sleep(1.5)")
        answers = asked_by_twenty(server, 1000)
        assert kernel.client.get_shell_msg(timeout=PATIENCE)["content"]["status"] == "ok"
        assert all(status == 200 for _, status, _ in answers), answers[:3]
        assert all(json.loads(body) == {"y": x * x} for x, _, body in answers)
    finally:
        kernel.end()


def test_nobody_a_dead_kernel_a_failure_and_a_slow_one(server):
    status, body = request(server, "nothing")
    assert status == 503
    assert b"consume" in body
    kernel = Kernel(server)
    try:
        code = """
import os, time
@nb.consume("http.request", path="^/die")
def die(message):
    os.kill(os.getpid(), 9)
@nb.consume("http.request", path="^/fail")
def fail(message):
    raise ValueError("not today")
@nb.consume("http.request", path="^/bad")
def bad(message):
    message.reply_channel.send({"status": "fine"})
"""
        assert kernel.run(LOADED + code)[1] == ""
        status, body = request(server, "fail")
        assert (status, b"not today" in body) == (500, True)
        status, body = request(server, "bad")
        assert status == 500
        begun = time.monotonic()
        status, body = request(server, "die")
        assert (status, time.monotonic() - begun < 20) == (503, True)
        assert b"gone" in body
    finally:
        kernel.client.stop_channels()
        kernel.rest("DELETE", f"api/kernels/{kernel.id}")


ECHO = (
    LOADED
    + """
@nb.consume("websocket.connect")
def connect(message):
    message.reply_channel.send({"accept": True, "text": f"hello {message['path']}"})

@nb.consume("websocket.receive")
def receive(message):
    message.reply_channel.send({"text": f"{message['order']}: {message['text']} {os.getpid()}"})

@nb.consume("websocket.disconnect")
def disconnect(message):
    nb.Group("left").send({"code": message["code"]})
"""
)


async def talk(server: RunningServer) -> list[set[str]]:
    """Six sockets, ten frames each, all at once; who answered each of them."""
    url = server.url.replace("http", "ws") + "nbchannels/http/room/1"
    headers = {"Authorization": f"token {server.token}"}
    sockets = [await websocket_connect(HTTPRequest(url, headers=headers)) for _ in range(6)]
    for socket in sockets:
        assert await socket.read_message() == "hello /room/1"
    for n in range(1, 11):
        for socket in sockets:
            await socket.write_message(f"m{n}")
    owners: list[set[str]] = []
    for socket in sockets:
        got = [str(await socket.read_message()).rsplit(" ", 1) for _ in range(10)]
        assert [line for line, _ in got] == [f"{n}: m{n}" for n in range(1, 11)]
        owners.append({owner for _, owner in got})
    for socket in sockets:
        socket.close(1000)
        assert await socket.read_message() is None
    return owners


def group(server: RunningServer, name: str) -> Any:
    asked = urllib.request.Request(
        f"{server.url}nbchannels/api/groups/{name}",
        headers={"Authorization": f"token {server.token}"},
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def test_a_websocket_stays_with_the_kernel_that_took_it(server: RunningServer):
    kernels = [Kernel(server), Kernel(server)]
    try:
        for kernel in kernels:
            assert kernel.run(ECHO.replace("nb\n", "nb, os\n", 1))[1] == ""
        owners = bridge.run(talk(server), PATIENCE)
        assert all(len(owner) == 1 for owner in owners)
        deadline = time.monotonic() + PATIENCE
        while group(server, "left")["messages"] < 6:
            assert time.monotonic() < deadline, "not all disconnects arrived"
            time.sleep(0.05)
    finally:
        for kernel in kernels:
            kernel.end()
