"""The words of the wire: data records, control records, and what a client session tells its host.

``docs/wire-protocol.md`` is the specification. A new wire message starts with a vector in
``tests/vectors/v1/`` and then here.
"""

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from nbchannels.typing import Kind

__all__ = [
    "DELIVERY",
    "ENTRY",
    "MESSAGE",
    "PUBLISH",
    "RECEIPT_WANTED",
    "REDELIVERED",
    "RETRIED",
    "SEND",
    "ClientControl",
    "Event",
    "Outcome",
    "Position",
    "Record",
    "ServerControl",
    "Since",
    "Start",
]

# Kinds of data records.
PUBLISH, SEND, MESSAGE, DELIVERY, ENTRY = range(1, 6)
# Flags of data records.
REDELIVERED, RETRIED, RECEIPT_WANTED = 1, 2, 4


class Record(NamedTuple):
    """One data record. ``size`` is its length on the wire; ``body`` may be a view of the frame."""

    kind: int
    codec: int
    flags: int
    name: str
    id: int
    tag: int
    sequence: int
    time: float
    sender: int
    body: bytes | memoryview
    size: int = 0


class Position(NamedTuple):
    """After the entry at ``offset`` of the log ``epoch``, which had ``tag``."""

    epoch: str
    offset: int
    tag: int


class WirePosition(msgspec.Struct, frozen=True):
    """A `Position` as JSON."""

    epoch: str
    offset: int
    tag: int


class Last(msgspec.Struct, frozen=True):
    """Since the last n messages."""

    last: int


Since: TypeAlias = Literal["now", "earliest"] | Last
#: Where to begin: after the newest entry, at the oldest kept, with the last n, or at a position.
Start: TypeAlias = Since | Position
Mode: TypeAlias = Literal["log", "latest"]
#: What became of a leased message; see `nbchannels.layers.leases`.
Outcome: TypeAlias = Literal["done", "return", "later", "fail"]


class Subscription(msgspec.Struct, frozen=True):
    """What a client wants of a group: inside ``hello``, and the fields of ``subscribe``."""

    group: str
    mode: Mode = "log"
    since: Since | UnsetType = UNSET
    position: WirePosition | UnsetType = UNSET


class Control(msgspec.Struct, frozen=True, tag_field="op"):
    """A control record; its ``op`` is the tag of the class."""


class Hello(Control, frozen=True, tag="hello"):
    client: Literal["page", "kernel", "script"]
    version: str
    producer: str
    ticket: str | None = None
    label: str | None = None
    subscriptions: list[Subscription] = []
    channels: list[str] = []
    memberships: list[tuple[str, str]] = []
    consumers: list[dict[str, Any]] = []
    leases: list[int] | UnsetType = UNSET
    settled: list[tuple[int, Outcome]] | UnsetType = UNSET


class KernelProof(Control, frozen=True, tag="proof"):
    """The kernel knows its connection key."""

    kernel: str
    nonce: str
    mac: str


class Subscribe(Control, frozen=True, tag="subscribe"):
    """Begin, or change, the subscription to a group."""

    group: str
    mode: Mode = "log"
    since: Since | UnsetType = UNSET
    position: WirePosition | UnsetType = UNSET


class Unsubscribe(Control, frozen=True, tag="unsubscribe"):
    """End it."""

    group: str


class Ack(Control, frozen=True, tag="ack"):
    """Processed up to these offsets."""

    logs: list[tuple[int, int]]


class Credit(Control, frozen=True, tag="credit"):
    """Ready for so many deliveries of a channel."""

    channel: str
    credit: int


class Settle(Control, frozen=True, tag="settle"):
    """What became of leased messages."""

    leases: list[tuple[int, Outcome]]
    errors: list[tuple[int, dict[str, str]]] | UnsetType = UNSET


class Call(Control, frozen=True, tag="call"):
    """Everything cold."""

    id: int
    method: str
    arguments: dict[str, Any] = {}


class Withdraw(Control, frozen=True, tag="withdraw"):
    """The producer gave this record up."""

    kind: Kind
    name: str
    sequence: int


class Alive(Control, frozen=True, tag="heartbeat"):
    """The answer to a heartbeat."""


class Unknown(Control, frozen=True, tag="unknown "):
    """An op that this version does not know."""

    name: str


ClientControl: TypeAlias = (
    Hello
    | KernelProof
    | Subscribe
    | Unsubscribe
    | Ack
    | Credit
    | Settle
    | Call
    | Withdraw
    | Alive
    | Unknown
)


class Challenge(Control, frozen=True, tag="challenge"):
    """Prove that you are a kernel of this server."""

    server: str
    nonce: str


class ServerProof(Control, frozen=True, tag="proof"):
    """The server knows the kernel's connection key, too."""

    mac: str


class Welcome(Control, frozen=True, tag="welcome"):
    """Who you are here, and the limits."""

    server: str
    version: str
    connection: int
    user: str = ""
    heartbeat: float = 20.0
    limits: dict[str, int] = {}
    layer: dict[str, Any] = {}


class Subscribed(Control, frozen=True, tag="subscribed"):
    """The MESSAGEs of log ``id`` follow after ``offset``."""

    group: str
    id: int
    epoch: str
    offset: int
    tag: int
    top: int
    recovered: bool
    reason: Literal["epoch", "trimmed", "tag"] | None = None
    cleared: bool = False
    lost: int | None = None


class Unsubscribed(Control, frozen=True, tag="unsubscribed"):
    """The subscription is over; ``error`` if the client did not ask for that."""

    group: str
    error: dict[str, Any] | None = None


class Gap(Control, frozen=True, tag="gap", rename={"first": "from", "last": "to"}):
    """The offsets ``first`` to ``last`` will not come."""

    id: int
    first: int
    last: int
    reason: Literal["trimmed", "conflated"]


class Accepted(Control, frozen=True, tag="accepted"):
    """Cumulative per target, and the receipts that were wanted."""

    targets: list[tuple[Kind, str, int]]
    receipts: list[dict[str, Any]] = []


class Rejected(Control, frozen=True, tag="rejected"):
    """One record was not accepted."""

    kind: Kind
    name: str
    sequence: int
    error: dict[str, Any]
    retry: float | None = None


class Result(Control, frozen=True, tag="result"):
    """The answer to a call."""

    id: int
    value: Any = None


class Failure(Control, frozen=True, tag="error"):
    """A call, or something without an id, failed."""

    id: int | None
    error: dict[str, Any]


class Heartbeat(Control, frozen=True, tag="heartbeat"):
    """``[log id, last offset sent, newest offset]``."""

    time: float
    logs: list[tuple[int, int, int]]


class LayerState(Control, frozen=True, tag="layer"):
    """The layer of the server does not answer, for this reason; ``None``: it answers again."""

    trouble: str | None


class GoAway(Control, frozen=True, tag="goaway"):
    """The server is about to stop."""

    reason: str
    spread: float


ServerControl: TypeAlias = (
    Challenge
    | ServerProof
    | Welcome
    | Subscribed
    | Unsubscribed
    | Gap
    | Accepted
    | Rejected
    | Result
    | Failure
    | Heartbeat
    | LayerState
    | GoAway
    | Unknown
)


class Event(NamedTuple):
    """What a client session tells its host. ``name`` is the word of the transcripts.

    ====================  ======================================================
    ``welcomed``          ``control``: `Welcome`
    ``subscribed``        ``subject``: the group's state, ``control``: `Subscribed`
    ``message``           ``subject``: the group's state, ``record``
    ``gap``               ``subject``: the group's state, ``control``: `Gap`
    ``accepted``          ``subject``: the outgoing record, ``detail``: receipt or None
    ``rejected``          ``subject``: the outgoing record, ``detail``: the error
    ``result``            ``control``: `Result`
    ``entry``             ``record``
    ``error``             ``control``: `Failure`
    ``delivery``          ``record``
    ``unsubscribed``      ``control``: `Unsubscribed`
    ``close``             ``detail``: (code, reason): close the socket and reconnect
    ``goaway``            ``control``: `GoAway`
    ``layer``             ``control``: `LayerState`
    ====================  ======================================================
    """

    name: str
    subject: Any = None
    control: Any = None
    record: Record | None = None
    detail: Any = None
