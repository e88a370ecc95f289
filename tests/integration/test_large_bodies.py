"""Bodies that are larger than a message, between a real server and a notebook, both ways."""

import contextlib
import hashlib
import socket
import time
import urllib.request

import pytest

from tests.kernel.test_layer import Kernel

pytestmark = [pytest.mark.integration, pytest.mark.slow]
PATIENCE = 30.0
CONSUMERS = """
import hashlib
import nbchannels as nb
import tornado.web
from nbchannels import handler
BLOCK = bytes(range(256)) * 1024

class Digest(tornado.web.RequestHandler):
    def post(self, how):
        self.write(hashlib.sha256(self.request.body).hexdigest())

class Blocks(tornado.web.RequestHandler):
    async def get(self):
        for _ in range(80):
            self.write(BLOCK)
            await self.flush()

class Endless(Blocks):
    async def get(self):
        while True:
            await super().get()

handler.configure([("/endless", Endless), ("/(sync|async)/digest", Digest), ("/blocks", Blocks)])
nb.consume("http.request", path="^/(?:blocks|endless)")(handler.ViewConsumer())

@nb.consume("http.request", path="^/sync/")
def in_a_thread(message):
    for reply in handler.AsgiHandler(message):
        message.reply_channel.send(reply)

@nb.consume("http.request", path="^/async/")
async def between_the_cells(message):
    async for reply in handler.AsgiHandler(message):
        await message.reply_channel.asend(reply)
"""


@pytest.fixture(scope="module")
def kernel(server):
    kernel = Kernel(server)
    assert kernel.run(CONSUMERS)[1] == ""
    yield kernel
    kernel.end()


def ask(server, path, body=None):
    request = urllib.request.Request(
        f"{server.url}nbchannels/http/{path}",
        data=body,
        headers={
            "Authorization": f"token {server.token}",
            "Content-Type": "application/octet-stream",  # urllib's own says that it is a form
        },
    )
    return urllib.request.urlopen(request, timeout=PATIENCE)


@pytest.mark.parametrize("how", ["sync", "async"])
def test_an_upload_arrives_whole(server, kernel, how):
    body = bytes(range(251)) * 40_000  # 10 MB in twenty chunks
    with ask(server, f"{how}/digest", body) as answer:
        assert answer.read().decode() == hashlib.sha256(body).hexdigest()


def test_a_slow_client_gets_a_large_download_whole(server, kernel):
    got, size = hashlib.sha256(), 0
    with ask(server, "blocks") as answer:
        while part := answer.read(2**20):
            got.update(part)
            size += len(part)
            time.sleep(0.02)
    block = bytes(range(256)) * 1024
    assert size == 80 * len(block)
    assert got.hexdigest() == hashlib.sha256(80 * block).hexdigest()


def test_a_client_that_goes_in_the_midst_of_its_upload(server, kernel):
    head = (
        f"POST /base/nbchannels/http/sync/digest HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: token {server.token}\r\nContent-Length: 8000000\r\n\r\n"
    )
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as client:
        client.sendall(head.encode() + bytes(3_000_000))
    begun = time.monotonic()
    with ask(server, "sync/digest", b"next") as answer:
        assert answer.read().decode() == hashlib.sha256(b"next").hexdigest()
    assert time.monotonic() - begun < 10  # the consumer did not wait for the rest


def test_a_client_that_goes_in_the_midst_of_its_download(server, kernel):
    head = (
        f"GET /base/nbchannels/http/endless HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: token {server.token}\r\n\r\n"
    )
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as client:
        client.sendall(head.encode())
        assert b"200 OK" in client.recv(1000)
    begun = time.monotonic()
    with ask(server, "sync/digest", b"next") as answer:
        assert answer.read().decode() == hashlib.sha256(b"next").hexdigest()
    assert time.monotonic() - begun < 10  # the thread for consumers is free again
