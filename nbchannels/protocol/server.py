"""A connection as the server sees it: the handshake, and what is accepted. Sans-IO.

::

    PROVING   a kernel was challenged            → proof → GREETING
    GREETING  waiting for hello                  → hello → OPEN
    OPEN      everything else
    CLOSED    nothing comes or goes

The host hands messages in (`receive_text`, `receive_bytes`), acts on what comes out, and reports
what became of each record (`accepted`, `rejected`); `answers` has the control records to send.
"""

import enum
from collections import deque
from typing import Any

import msgspec

from nbchannels.exceptions import ChannelsError, OutOfOrder, RemoteProtocolError
from nbchannels.protocol.codec import (
    decode_client_control,
    decode_records,
    encode_control,
)
from nbchannels.protocol.events import (
    PUBLISH,
    RECEIPT_WANTED,
    SEND,
    Accepted,
    Call,
    ClientControl,
    Hello,
    KernelProof,
    Outcome,
    Position,
    Record,
    Rejected,
    Settle,
    Since,
    Start,
    Subscribe,
    Subscription,
    WirePosition,
    Withdraw,
)
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["ServerSession", "State", "held_of", "read_arguments", "settled_of", "start_of"]

#: Receipts in one `accepted` record, so that it stays under the limit of a control record.
RECEIPTS = 100
#: Seconds after which a record that was refused for a time is tried again.
RETRY = 0.5
#: Refused records that are remembered for one target.
REFUSED = 1024


class State(enum.Enum):
    """Where the handshake stands."""

    PROVING = enum.auto()
    GREETING = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


class ServerSession:
    """The protocol state of one connection.

    Args:
        kernel: whether a kernel must prove itself first.
        max_message: bytes of one body.
    """

    def __init__(self, *, kernel: bool, max_message: int) -> None:
        self.state = State.PROVING if kernel else State.GREETING
        self._max_message = max_message
        self._accepted: dict[tuple[Kind, str], int] = {}
        self._receipts: list[dict[str, Any]] = []
        self._rejected: list[Rejected] = []
        # By target: the records that were refused for a time; all others wait for the first.
        self._refused: dict[tuple[Kind, str], deque[int]] = {}

    def receive_text(self, text: str) -> ClientControl:
        """A control record came.

        Raises:
            RemoteProtocolError: close with its code.
        """
        control = decode_client_control(text)
        if self.state is State.OPEN:
            if isinstance(control, (Hello, KernelProof)):
                raise RemoteProtocolError("state", "a second hello")
            if isinstance(control, Withdraw):
                self._withdraw(control)
        elif self.state is State.GREETING:
            if not isinstance(control, Hello):
                raise RemoteProtocolError("state", "the first record must be hello", 4502)
        elif not isinstance(control, KernelProof):
            raise RemoteProtocolError("state", "a kernel proves itself first", 4500)
        return control

    def receive_bytes(self, data: bytes) -> list[Record]:
        """Data records came: PUBLISH or SEND, each to be answered by `accepted` or `rejected`.

        Raises:
            RemoteProtocolError: close with its code; none of the records may be used.
        """
        if self.state is not State.OPEN:
            raise RemoteProtocolError(
                "state", "data before hello", 4500 if self.state is State.PROVING else 4502
            )
        records = decode_records(data, self._max_message)
        for record in records:
            if record.kind != PUBLISH and record.kind != SEND:
                raise RemoteProtocolError("kind", f"a client does not send kind {record.kind}")
        return records

    def waits_for(self, record: Record) -> OutOfOrder | None:
        """Why this record cannot be taken yet: an earlier one to its target must come again."""
        if not self._refused:
            return None
        target = _target(record)
        refused = self._refused.get(target)
        if refused is None or record.sequence < refused[0]:
            return None
        if record.sequence == refused[0]:
            del self._refused[target]
            return None
        return OutOfOrder(
            f"record {record.sequence} to {target[0]} {target[1]!r} waits for record {refused[0]}, "
            "which was refused for a time"
        )

    def _withdraw(self, control: Withdraw) -> None:
        """The next one that was refused is waited for: later ones may be under way already."""
        target = (control.kind, control.name)
        refused = self._refused.get(target)
        if refused is None or control.sequence not in refused:
            return
        refused.remove(control.sequence)
        if not refused:
            del self._refused[target]

    def accepted(self, record: Record, receipt: Receipt) -> None:
        """The layer has taken this record."""
        target = _target(record)
        self._accepted[target] = record.sequence
        if record.flags & RECEIPT_WANTED:
            self._receipts.append(receipt.to_wire() | {"sequence": record.sequence})

    def rejected(self, record: Record, error: ChannelsError) -> None:
        """The layer has not taken this record."""
        target = _target(record)
        if error.temporary:
            refused = self._refused.setdefault(target, deque())
            if len(refused) < REFUSED and (not refused or record.sequence > refused[-1]):
                refused.append(record.sequence)
        self._rejected.append(
            Rejected(
                target[0],
                target[1],
                record.sequence,
                error.to_wire(),
                RETRY if error.temporary else None,
            )
        )

    @property
    def has_answers(self) -> bool:
        """Whether `answers` has something."""
        return bool(self._accepted or self._rejected)

    def answers(self) -> list[str]:
        """Control records that tell the client what became of its records, since the last call."""
        texts = [encode_control(rejected) for rejected in self._rejected]
        self._rejected = []
        targets = [(kind, name, sequence) for (kind, name), sequence in self._accepted.items()]
        receipts = self._receipts
        self._accepted, self._receipts = {}, []
        while targets or receipts:
            # The receipts travel before or with the cumulative acceptance of their records.
            last = len(receipts) <= RECEIPTS
            part = targets[:RECEIPTS] if last else []
            texts.append(encode_control(Accepted(part, receipts[:RECEIPTS])))
            del receipts[:RECEIPTS]
            del targets[: len(part)]
        return texts


def start_of(wanted: Subscribe | Subscription) -> Start:
    """Where a subscription shall begin."""
    if wanted.position is not msgspec.UNSET:
        position = wanted.position
        return Position(position.epoch, position.offset, position.tag)
    return "now" if wanted.since is msgspec.UNSET else wanted.since


class _ReadArguments(msgspec.Struct):
    group: str
    limit: int = 256
    since: Since = "earliest"
    position: WirePosition | None = None


def read_arguments(call: Call) -> tuple[str, Start, int]:
    """The arguments of ``call read``: group, start and limit.

    Raises:
        ChannelsError: they are not of their types.
    """
    try:
        asked = msgspec.convert(call.arguments, _ReadArguments)
    except msgspec.ValidationError as error:
        refused = ChannelsError(f"method 'read': {error}")
        refused.code = "bad_request"
        raise refused from error
    position = asked.position
    start = Position(position.epoch, position.offset, position.tag) if position else asked.since
    return asked.group, start, max(1, asked.limit)


def _target(record: Record) -> tuple[Kind, str]:
    return ("group" if record.kind == PUBLISH else "channel"), record.name


def settled_of(control: Settle) -> tuple[list[tuple[int, Outcome]], dict[int, dict[str, str]]]:
    """The outcomes by lease, and the errors of those that failed."""
    errors = {} if control.errors is msgspec.UNSET else dict(control.errors)
    return control.leases, errors


def held_of(hello: Hello) -> tuple[list[tuple[int, Outcome]], frozenset[int]]:
    """What a client settled before it reconnected, and the leases that it still holds."""
    settled = [] if hello.settled is msgspec.UNSET else hello.settled
    held = () if hello.leases is msgspec.UNSET else hello.leases
    return settled, frozenset(held)
