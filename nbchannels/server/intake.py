"""What a client sends: each record goes to the layer, and is answered.

The records of one message are all handed to the layer first, in their order; then what became of
them is waited for. So a message costs one round trip to wherever the layer lives, whatever the
number of its records, and none where the layer answers at once.
"""

import asyncio
from concurrent.futures import Future
from typing import Protocol, TypeAlias

from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.producers import Producer
from nbchannels.protocol.events import PUBLISH, RETRIED, Record
from nbchannels.protocol.server import ServerSession
from nbchannels.receipt import Receipt
from nbchannels.server.clients import Client
from nbchannels.server.rights import Rights
from nbchannels.typing import Kind

__all__ = ["Intake"]

Outcome: TypeAlias = Receipt | ChannelsError


class Sender(Protocol):
    """The connection.

    Attributes:
        heard: when something came, in monotonic seconds: rights are as of then.
    """

    layer: HostedLayer
    session: ServerSession
    rights: Rights
    client: Client
    number: int
    heard: float

    async def require(self, action: str, kind: str, name: str) -> None:
        """Check a right."""


class Intake:
    """The sending side of one connection, which calls it for one message after another.

    Args:
        connection: of the client that sends.
    """

    def __init__(self, connection: Sender) -> None:
        self._connection = connection

    async def receive(self, records: list[Record]) -> None:
        """Hand records to the layer, and tell the session what became of each, in their order."""
        connection = self._connection
        session, layer, rights = connection.session, connection.layer, connection.rights
        untold: list[tuple[Record, Outcome | Future[Receipt]]] = []
        for record in records:
            outcome: Outcome | Future[Receipt] | None = session.waits_for(record)
            if outcome is None:
                kind = _kind(record)
                try:
                    if not rights.has("write", kind, record.name, connection.heard):
                        await connection.require("write", kind, record.name)
                    outcome = layer.submit(
                        kind,
                        record.name,
                        Encoded(record.codec, bytes(record.body)),
                        producer=self._producer(record),
                        sender=connection.number,
                        flags=record.flags & RETRIED,
                    )
                except ChannelsError as error:
                    outcome = error
            if not untold and not isinstance(outcome, Future):
                self._tell(record, outcome)
                continue
            untold.append((record, outcome))
            if isinstance(outcome, ChannelsError) and outcome.temporary:
                # Which of the next records can be taken depends on it, and on those before it.
                await self._tell_all(untold)
                untold = []
        await self._tell_all(untold)

    async def _tell_all(self, untold: list[tuple[Record, Outcome | Future[Receipt]]]) -> None:
        """Wait until all is known; then tell the session.

        Nothing may be left under way, whatever happens: the layer refuses what follows until it
        hears that its refusal was told.
        """
        known: list[tuple[Record, Outcome]] = []
        mistakes: list[Exception] = []
        for record, outcome in untold:
            if not isinstance(outcome, Future):
                known.append((record, outcome))
                continue
            try:
                receipt: Receipt = await asyncio.wrap_future(outcome)
                known.append((record, receipt))
            except ChannelsError as error:
                known.append((record, error))
            except asyncio.CancelledError:  # nobody is told any more
                for untold_record, _ in untold:
                    self._refusal_told(untold_record)
                raise
            except Exception as error:
                mistakes.append(error)
        for record, found in known:
            self._tell(record, found)
            if isinstance(found, ChannelsError) and found.temporary:
                self._refusal_told(record)
        if mistakes:
            raise mistakes[0]

    def _refusal_told(self, record: Record) -> None:
        producer = self._producer(record)
        self._connection.layer.refusal_told(_kind(record), record.name, producer)

    def _tell(self, record: Record, outcome: Outcome) -> None:
        if isinstance(outcome, Receipt):
            self._connection.session.accepted(record, outcome)
        else:
            self._connection.session.rejected(record, outcome)

    def _producer(self, record: Record) -> Producer:
        return Producer(self._connection.client.producer, record.sequence)


def _kind(record: Record) -> Kind:
    return "group" if record.kind == PUBLISH else "channel"
