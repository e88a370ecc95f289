"""A crowd for a Jupyter server: clients that subscribe, and one that publishes at a steady rate.

All of it is one process, with raw WebSockets, so that it takes little of the machine that is
measured. Each client reads everything and acknowledges once a second, as scripts do.
"""

import asyncio
import json
import secrets
import struct
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

from nbchannels.encoding import JSON
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import PUBLISH, Record

#: Seconds between two batches, and records that are not accepted yet at most.
BEAT, MOST_OPEN = 0.05, 10_000


class Plan(NamedTuple):
    """What the crowd does."""

    port: int
    token: str
    groups: int
    clients: int
    #: Groups that a client subscribes to.
    each: int
    #: Messages a second, over all groups in turn.
    rate: int


class Counts(NamedTuple):
    """What it has done until now; ``cpu`` and ``when`` are seconds."""

    accepted: int
    delivered: int
    skipped: int
    cpu: float
    when: float


def group_name(number: int) -> str:
    return f"load.{number:03}"


class _Client(asyncio.Protocol):
    """One raw WebSocket client."""

    def __init__(self, crowd: "_Crowd", label: str, groups: list[str]) -> None:
        self.crowd, self.label, self.groups = crowd, label, groups
        self.ready = asyncio.get_running_loop().create_future()
        self.offsets: dict[int, int] = {}
        self.changed: set[int] = set()
        self._is_open = False
        self._buffer = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        plan = self.crowd.plan
        transport.write(
            f"GET /nbchannels/ws HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: nbchannels.v1\r\n"
            f"Authorization: token {plan.token}\r\n\r\n".encode()
        )

    def connection_lost(self, error) -> None:
        self.crowd.lost(f"{self.label} lost its connection: {error}")

    def send(self, data: bytes, opcode: int = 1) -> None:
        """Send one message, masked with zeros."""
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
        self.transport.write(b"".join((head, bytes(4), data)))

    def tell(self, **record) -> None:
        self.send(json.dumps(record).encode())

    def acknowledge(self) -> None:
        if self.changed:
            self.tell(op="ack", logs=[[log, self.offsets[log]] for log in self.changed])
            self.changed.clear()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        if not self._is_open:
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            assert b" 101 " in head, head
            self._is_open = True
            subscriptions = [{"group": group, "since": "now"} for group in self.groups]
            self.tell(op="hello", client="script", version="0", producer=secrets.token_hex(16),
                      label=self.label, subscriptions=subscriptions)  # fmt: skip
        at, end = 0, len(buffer)
        while end - at >= 2:
            opcode, size = buffer[at] & 15, buffer[at + 1]
            start = at + 2
            if size == 126:
                start, size = at + 4, int.from_bytes(buffer[at + 2 : at + 4], "big")
            elif size == 127:
                start, size = at + 10, int.from_bytes(buffer[at + 2 : at + 10], "big")
            if end - start < size:
                break
            at = start + size
            if opcode == 2:
                self._records(buffer, start, at)
            elif opcode == 1:
                self._control(json.loads(buffer[start:at]))
            elif opcode == 8:
                self.crowd.lost(f"{self.label} was closed: {buffer[start:at]!r}")
        self._buffer = buffer[at:]

    def _records(self, buffer: bytes, at: int, end: int) -> None:
        count = 0
        while at < end:
            label = buffer[at + 3]
            size, log = struct.unpack_from("<II", buffer, at + 4)
            (self.offsets[log],) = struct.unpack_from("<Q", buffer, at + 16)
            self.changed.add(log)
            at += 40 + label + -label % 8 + size + -size % 8
            count += 1
        self.crowd.delivered += count

    def _control(self, record) -> None:
        match record["op"]:
            case "welcome" if not self.groups:
                self.ready.set_result(None)
            case "subscribed":
                self.groups.remove(record["group"])
                if not self.groups and not self.ready.done():
                    self.ready.set_result(None)
            case "accepted":
                for _, _, sequence in record["targets"]:
                    self.crowd.accepted = max(self.crowd.accepted, sequence)
            case "heartbeat":
                self.tell(op="heartbeat")
            case "rejected" | "error" | "gap":
                self.crowd.lost(f"{self.label}: {record}")


class _Crowd:
    def __init__(self, plan: Plan, pipe: Connection) -> None:
        self.plan, self.pipe = plan, pipe
        self.sent = self.accepted = self.delivered = self.skipped = 0
        self._ended = asyncio.get_running_loop().create_future()

    def lost(self, sentence: str) -> None:
        if not self._ended.done():
            self._ended.set_exception(RuntimeError(sentence))

    async def run(self) -> None:
        """Until told to end, or something breaks."""
        loop = asyncio.get_running_loop()
        plan = self.plan
        clients = []
        for number in range(plan.clients):
            first = number * plan.each
            groups = [group_name((first + i) % plan.groups) for i in range(plan.each)]
            clients.append(await self._connect(f"crowd {number:03}", groups))
        publisher = await self._connect("publisher", [])
        loop.add_reader(self.pipe.fileno(), self._asked)
        tasks = [loop.create_task(self._publish(publisher)), loop.create_task(self._read(clients))]
        self.pipe.send("ready")
        try:
            await asyncio.wait([self._ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in [self._ended, *tasks]:
                if task.done():
                    task.result()
        except RuntimeError as error:
            self.pipe.send(error)
        finally:
            for task in tasks:
                task.cancel()

    async def _connect(self, label: str, groups: list[str]) -> _Client:
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: _Client(self, label, groups), "127.0.0.1", self.plan.port
        )
        await asyncio.wait_for(client.ready, 30)
        return client

    def _asked(self) -> None:
        if self.pipe.recv() is None:
            if not self._ended.done():
                self._ended.set_result(None)
        else:
            self.pipe.send(
                Counts(self.accepted, self.delivered, self.skipped, time.process_time(),
                       time.monotonic())
            )  # fmt: skip

    async def _publish(self, publisher: _Client) -> None:
        groups, batch = self.plan.groups, int(self.plan.rate * BEAT)
        begun = time.monotonic()
        for beat in range(1, 10**9):
            if self.sent - self.accepted > MOST_OPEN:
                self.skipped += batch  # the server does not keep up: told, not hidden
            else:
                records = []
                for _ in range(batch):
                    self.sent += 1
                    name = group_name(self.sent % groups)
                    body = b'{"host":"%s","t":%d,"y":%.6f,"state":"running","tags":["a","b"]}' % (
                        name.encode(), self.sent, self.sent % 1000 / 7,
                    )  # fmt: skip
                    records.append(
                        encode_record(Record(PUBLISH, JSON, 0, name, 0, 0, self.sent, 0.0, 0, body))
                    )
                for start in range(0, batch, 250):
                    publisher.send(b"".join(records[start : start + 250]), 2)
            await asyncio.sleep(max(0.0, begun + beat * BEAT - time.monotonic()))

    async def _read(self, clients: list[_Client]) -> None:
        """Acknowledge, each client once a second, one after the other."""
        while True:
            for start in range(20):
                await asyncio.sleep(0.05)
                for client in clients[start::20]:
                    client.acknowledge()


def _process(pipe: Connection, plan: Plan) -> None:
    async def run() -> None:
        await _Crowd(plan, pipe).run()

    asyncio.run(run())


class Crowd:
    """The process; usable in a ``with``.

    Raises:
        RuntimeError: a client lost its connection, missed something or was refused.
    """

    def __init__(self, plan: Plan) -> None:
        context = get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_process, args=(there, plan), daemon=True)

    def __enter__(self) -> "Crowd":
        self._process.start()
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._pipe.send(None)
            self._process.join(10)
        self._process.kill()

    def counts(self) -> Counts:
        self._pipe.send("counts")
        return self._answer()

    def _answer(self):
        if not self._pipe.poll(60):
            raise RuntimeError("the crowd does not answer")
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer
