"""Fan-out of one 256-byte message to 1,000 sockets: our gateway beside two bare loops, in one run.

The server process has three kinds of sockets on one tornado loop: our gateway's; ``bare``, to
which a prepared frame is written in a plain loop; ``plain``, which calls ``write_message``. A
second process holds 1,000 connections of a kind at a time, reads everything, and (ours)
acknowledges as a client does. Measured is the server process's CPU time, and the wall clock until
the last byte has been read, per delivery.

* one at a time: a message is sent when the one before has reached everybody;
* bursts: 50 messages in one turn of the loop.

Goals: one at a time at least 0.6 x the bare loop, in bursts at least 0.4 x, and above
``write_message`` in both.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import statistics
import struct
import sys
import time

from jupyter_server.serverapp import ServerApp
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketHandler

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server.gateway import PageSocket, frame
from nbchannels.server.host import Host

SOCKETS = 1000
PASSES = 3  # of all three kinds in turn, so that a change of the machine's speed meets all
ONE_BY_ONE = 50
BURSTS, BURST = 8, 50
BODY = json.dumps({"t": 1700000000.5, "text": "x" * 224}).encode()
RECORD = 40 + len(BODY) + -len(BODY) % 8
TOKEN = "benchmark"


# The client process.


class Reader(asyncio.Protocol):
    """One raw WebSocket client: counts bytes, and acknowledges whole records."""

    def __init__(self, counter, path, acknowledge):
        self.counter = counter
        self.path = path
        self.acknowledge = acknowledge
        self.open = False
        self.buffer = b""
        self.log = None
        self.offset = self.acked = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: nbchannels.v1\r\n"
            f"Authorization: token {TOKEN}\r\n\r\n".encode()
        )

    def send_text(self, record):
        data = json.dumps(record).encode()
        head = (
            struct.pack("!BB", 0x81, 0x80 | len(data))
            if len(data) < 126
            else struct.pack("!BBH", 0x81, 0x80 | 126, len(data))
        )
        self.transport.write(head + bytes(4) + data)  # masked with zeros

    def data_received(self, data):
        if not self.open:
            self.buffer += data
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self.open = True
            self.buffer = b""
            data = rest
            if self.acknowledge:
                self.send_text(
                    {"op": "hello", "client": "script", "version": "0", "producer": f"{id(self):x}",
                     "subscriptions": [{"group": "index", "since": "now"}]}
                )  # fmt: skip
            else:
                self.counter.ready()
        self.buffer += data
        self.take_frames()

    def take_frames(self):
        buffer, at = self.buffer, 0
        while len(buffer) - at >= 2:
            opcode, size = buffer[at] & 15, buffer[at + 1]
            head = 2
            if size == 126:
                head, size = 4, int.from_bytes(buffer[at + 2 : at + 4], "big")
            elif size == 127:
                head, size = 10, int.from_bytes(buffer[at + 2 : at + 10], "big")
            if len(buffer) - at < head + size:
                break
            at += head
            if opcode == 2:
                count = size // RECORD
                self.offset += count
                if self.acknowledge and self.offset - self.acked >= 256:
                    self.acked = self.offset
                    self.send_text({"op": "ack", "logs": [[self.log, self.offset]]})
                self.counter.delivered(count)
            elif opcode == 1:
                record = json.loads(buffer[at : at + size])
                if record["op"] == "subscribed":
                    self.log = record["id"]
                    self.offset = self.acked = record["offset"]
                    self.counter.ready()
            at += size
        self.buffer = buffer[at:]


class Counter:
    """Tells the server each time all sockets have everything."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.opened = self.count = 0
        self.expected = None

    def ready(self):
        self.opened += 1
        if self.opened == SOCKETS:
            self.pipe.send("ready")

    def delivered(self, count):
        self.count += count
        if self.count == self.expected:
            self.expected = None
            self.pipe.send("all")


async def hold(pipe, port, path):
    """Hold the connections of one kind until told to let them go."""
    loop = asyncio.get_running_loop()
    counter, done = Counter(pipe), loop.create_future()

    def heard():
        message = pipe.recv()
        if message is None:
            done.set_result(None)
        else:
            counter.expected = message
            counter.delivered(0)

    readers = []
    for _ in range(SOCKETS):
        _, reader = await loop.create_connection(
            lambda: Reader(counter, path, path == "/ws"), "127.0.0.1", port
        )
        readers.append(reader)
    loop.add_reader(pipe.fileno(), heard)
    await done
    loop.remove_reader(pipe.fileno())
    for reader in readers:
        reader.transport.close()


def client(pipe):
    while (request := pipe.recv()) is not None:
        asyncio.run(hold(pipe, *request))


# The server process.

sockets = set()
all_gone = asyncio.Event()
all_gone.set()


class Bare(WebSocketHandler):
    def open(self):
        sockets.add(self)
        all_gone.clear()

    def on_close(self):
        sockets.discard(self)
        if not sockets:
            all_gone.set()

    def get_compression_options(self):
        return None

    def select_subprotocol(self, subprotocols):
        return "nbchannels.v1"


def send_ours(layer, messages):
    encoded = Encoded(JSON, BODY)
    for _ in range(messages):
        layer.submit("group", "index", encoded)


def send_bare(_, messages):
    prepared = frame(2, bytes(RECORD))
    for _ in range(messages):
        for socket in sockets:
            socket.ws_connection.stream.write(prepared)


def send_plain(_, messages):
    data = bytes(RECORD)
    for _ in range(messages):
        for socket in sockets:
            socket.write_message(data, binary=True)


async def measure(pipe, port, path, send, layer):
    loop = asyncio.get_running_loop()

    async def answer():
        return await asyncio.wait_for(loop.run_in_executor(None, pipe.recv), 120)

    pipe.send((port, path))
    assert await answer() == "ready"
    total = 0
    figures = {}
    for title, rounds, messages in (("one at a time", ONE_BY_ONE, 1), ("bursts", BURSTS, BURST)):
        cpu, wall = [], []
        for _ in range(rounds):
            total += SOCKETS * messages
            pipe.send(total)
            await asyncio.sleep(0.005)
            start_cpu, start = time.process_time(), time.perf_counter()
            send(layer, messages)
            await answer()
            wall.append((time.perf_counter() - start) / SOCKETS / messages)
            cpu.append((time.process_time() - start_cpu) / SOCKETS / messages)
        figures[title] = cpu, wall
    pipe.send(None)
    await all_gone.wait()
    return figures


async def run(pipe):
    logging.disable(logging.WARNING)
    app = ServerApp()
    app.initialize(
        [f"--IdentityProvider.token={TOKEN}", "--allow-root", "--no-browser", "--port=0"],
        new_httpserver=False,
    )
    layer = InMemoryChannelLayer()
    app.web_app.settings["nbchannels"] = Host(layer)
    app.web_app.add_handlers(".*$", [("/ws", PageSocket), ("/bare", Bare), ("/plain", Bare)])
    server = HTTPServer(app.web_app)
    listening = bind_sockets(0, "127.0.0.1")
    server.add_sockets(listening)
    port = listening[0].getsockname()[1]
    results = {}
    for title, path, send in PASSES * (
        ("plain write_message", "/plain", send_plain),
        ("bare loop of frames", "/bare", send_bare),
        ("nbchannels gateway", "/ws", send_ours),
    ):
        for name, (cpu, wall) in (await measure(pipe, port, path, send, layer)).items():
            known = results.setdefault(title, {}).setdefault(name, ([], []))
            known[0].extend(cpu)
            known[1].extend(wall)
    server.stop()
    return {
        title: {name: tuple(map(statistics.median, lists)) for name, lists in figures.items()}
        for title, figures in results.items()
    }


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    sys.argv[1:] = []
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=client, args=(theirs,), daemon=True
    )
    process.start()
    results = asyncio.run(run(ours))
    ours.send(None)
    process.join(5)
    bare = results["bare loop of frames"]
    plain = results["plain write_message"]
    for title, goal in (("one at a time", 0.6), ("bursts", 0.4)):
        print(f"\n{title}: {SOCKETS} sockets, a record of {RECORD} bytes")
        for name, figures in results.items():
            cpu, wall = figures[title]
            print(
                f"  {name:20} {cpu * 1e6:6.2f} us CPU, {wall * 1e6:6.2f} us wall a delivery; "
                f"x bare {bare[title][0] / cpu:5.2f} CPU, {bare[title][1] / wall:5.2f} wall; "
                f"x plain {plain[title][0] / cpu:5.2f} CPU, {plain[title][1] / wall:5.2f} wall"
            )
        print(f"  goal: at least {goal} x the bare loop, above 1 x write_message")


if __name__ == "__main__":
    main()
