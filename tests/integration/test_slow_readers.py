"""A client that stops reading costs the server a bounded amount, and nobody else any time."""

import asyncio
import contextlib
import json
import struct
import time

import pytest

from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.testing.reading import drain, next_items
from tests.integration.doors import upgrade

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.integration,
    pytest.mark.usefixtures("close_sockets"),
]
MIB = 2**20
BODY = {"blob": "x" * (64 * 1024)}


def memory_of(process):
    """Resident bytes of a process."""
    with open(f"/proc/{process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


class RawClient:
    """A WebSocket client over a bare TCP stream, which reads only when asked to."""

    async def open(self, server, producer):
        """Connect, say hello and subscribe; from here on nothing is read."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port)
        self.writer.write(
            f"GET /base/nbchannels/ws HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: token {server.token}\r\n\r\n".encode()
        )
        assert b" 101 " in await self.reader.readuntil(b"\r\n\r\n")
        self.say(
            op="hello", client="script", version="1", producer=producer,
            subscriptions=[{"group": "flood", "since": "now"}],
        )  # fmt: skip
        assert [json.loads(await self.read())["op"] for _ in range(2)] == ["welcome", "subscribed"]
        return self

    def say(self, **control):
        data = json.dumps(control).encode()
        head = struct.pack("!BB", 0x81, 0x80 | len(data)) if len(data) < 126 else b""
        head = head or struct.pack("!BBH", 0x81, 0x80 | 126, len(data))
        self.writer.write(head + bytes(4) + data)  # masked with zeros

    async def read(self):
        """The next message: text or bytes."""
        opcode, size = await self.reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        data = await self.reader.readexactly(size)
        return data.decode() if opcode & 15 == 1 else data

    async def close(self):
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def test_readers_that_stop_cost_little_and_delay_nobody(server):
    layer = KernelChannelLayer(find=server.found)
    stuck = [await RawClient().open(server, f"stuck-{n}") for n in range(20)]
    cursor = await layer.subscribe("flood")
    for _ in range(300):  # the log is at its bound of 16 MiB
        await layer.group_send("flood", BODY)
    await drain(cursor, 300)
    before = memory_of(server.process)
    slowest = 0.0
    for _ in range(1500):
        started = time.perf_counter()
        await layer.group_send("flood", BODY)
        await next_items(cursor, 1)
        slowest = max(slowest, time.perf_counter() - started)
    grown = memory_of(server.process) - before
    # 96 MiB went by. Without a bound, 20 readers would hold references to all of it.
    assert grown < 24 * MIB, f"{grown / MIB:.0f} MiB"
    assert slowest < 1.0
    # One of them reads again: it gets a gap at its place, and goes on to the newest.
    socket, last, gaps = stuck[0], 0, 0
    async with asyncio.timeout(20):
        while last < 1800:
            message = await socket.read()
            if isinstance(message, str):
                record = json.loads(message)
                if record["op"] == "gap":
                    assert record["from"] == last + 1
                    last, gaps = record["to"], gaps + 1
                continue
            offsets = offsets_of(message)
            assert offsets[0] == last + 1
            last = offsets[-1]
            log = int.from_bytes(message[8:12], "little")
            socket.say(op="ack", logs=[[log, last]])
    assert gaps == 1
    for each in stuck:
        await each.close()
    cursor.close()
    await layer.close()


def offsets_of(message):
    """The offsets of the records in a binary message."""
    found, at = [], 0
    while at < len(message):
        size = int.from_bytes(message[at + 4 : at + 8], "little")
        found.append(int.from_bytes(message[at + 16 : at + 24], "little"))
        at += 40 + (size + 7) // 8 * 8
    return found


async def test_an_upgrade_after_that_is_as_quick_as_ever(server):
    started = time.perf_counter()
    socket = await upgrade(server, Authorization=f"token {server.token}")
    assert time.perf_counter() - started < 10
    socket.close()
