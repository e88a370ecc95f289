"""A hub with connections whose sockets only remember."""

import asyncio
import json

from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.protocol.codec import decode_records, encode_record
from nbchannels.protocol.events import PUBLISH, RECEIPT_WANTED, SEND, Record, Welcome
from nbchannels.protocol.server import ServerSession
from nbchannels.server.clients import Client
from nbchannels.server.connection import Connection
from nbchannels.server.hub import Hub

LIMITS = {"subscriptions": 3, "window": 512, "window_bytes": 2**20}


class Transport:
    """A socket that keeps what it is given."""

    def __init__(self):
        self.writable = True
        self.stalled_since = None
        self.out = []
        self.closed = None

    def send_text(self, text):
        self.out.append(json.loads(text))

    def send_batch(self, batch):
        if self.writable:
            self.out.append(batch)
        return self.writable

    def send_bytes(self, data):
        self.out += decode_records(data)

    def close(self, code, reason):
        self.closed = (code, reason)

    def take(self):
        """What came since, with the records of batches one by one."""
        out, self.out = self.out, []
        return [
            x
            for item in out
            for x in (decode_records(item.data) if hasattr(item, "data") else [item])
        ]

    def controls(self, op):
        return [item for item in self.take() if isinstance(item, dict) and item["op"] == op]


class Policy:
    """Allows everything but what is in ``denied``, and at once, but while ``slow`` is unset."""

    def __init__(self):
        self.denied = set()
        self.asked = []
        self.slow = None

    async def allows(self, user, action, kind, name):
        self.asked.append((action, kind, name))
        if self.slow is not None:
            await self.slow.wait()
        return (action, name) not in self.denied

    def permits(self, action, kind, name):
        return (action, name) not in self.denied


class Rig:
    """One server's worth."""

    def __init__(self, made=None, **layer):
        self.layer = made or InMemoryChannelLayer(**layer)
        self.hub = Hub(self.layer, heartbeat=20.0)
        self.policy = Policy()

    async def connect(self, producer="p", principal="user:ada", kind="page", **hello):
        """A connection that has said hello."""
        transport = Transport()
        session = ServerSession(kernel=False, max_message=2**20)
        connection = Connection(self.hub, transport, self.policy, session, LIMITS, "ada")
        connection.client = Client(producer, principal, kind, "Ada")
        said = session.receive_text(
            json.dumps(
                {"op": "hello", "client": kind, "version": "1", "producer": producer} | hello
            )
        )
        await connection.greet(said, Welcome("s", "1", self.hub.number()))
        return connection, transport


async def say(connection, **control):
    """The client sends a control record."""
    await connection.receive_text(json.dumps(control))


async def publish(connection, name, sequence, kind=PUBLISH, body=b"{}"):
    """The client sends a data record, wanting its receipt."""
    record = Record(kind, 1, RECEIPT_WANTED, name, 0, 0, sequence, 0.0, 0, body)
    await connection.receive_bytes(encode_record(record))


async def send(connection, name, sequence, body=b"{}"):
    """`publish` to a channel."""
    await publish(connection, name, sequence, SEND, body)


async def turn():
    """Let the loop turn: what was called soon has been called."""
    for _ in range(3):
        await asyncio.sleep(0)


async def until(condition):
    """Let the loop turn until this holds."""
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0)
