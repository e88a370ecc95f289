"""How a client opens a connection: the proofs of a kernel, and ``hello``, which says everything."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, TypeAlias

from msgspec import UNSET

from nbchannels.exceptions import RemoteProtocolError
from nbchannels.protocol.codec import MAX_CONTROL
from nbchannels.protocol.deliveries import Deliveries
from nbchannels.protocol.events import (
    Challenge,
    Hello,
    KernelProof,
    ServerProof,
    Subscription,
)
from nbchannels.protocol.proof import kernel_mac, new_nonce, same, server_mac

__all__ = ["ClientKind", "Handshake", "Introduction", "KernelIdentity"]

ClientKind: TypeAlias = Literal["page", "kernel", "script"]

#: What the fixed fields of ``hello`` take, generously.
_FIXED = 4096


class KernelIdentity(NamedTuple):
    """Who a kernel is, and what it proves that with."""

    kernel: str
    connection_key: bytes
    nonce: Callable[[], str] = new_nonce


class Handshake:
    """The mutual proof on one connection; whoever has no identity needs none.

    Attributes:
        done: whether ``hello`` may be said.
    """

    def __init__(self, identity: KernelIdentity | None) -> None:
        self._identity = identity
        self._expected: str | None = None
        self.done = identity is None

    def challenge(self, control: Challenge) -> KernelProof:
        """Answer the server's challenge."""
        if self._identity is None or self._expected is not None:
            raise RemoteProtocolError("state", "a challenge that was not due")
        kernel, key, nonce = self._identity
        words = (control.server, kernel, control.nonce, nonce())
        self._expected = server_mac(key, *words)
        return KernelProof(kernel, words[3], kernel_mac(key, *words))

    def proof(self, control: ServerProof) -> None:
        """Check the server's own proof.

        Raises:
            RemoteProtocolError: with 4500: it is not the server that started this kernel.
        """
        if self._expected is None or self.done:
            raise RemoteProtocolError("state", "a proof that was not due")
        if not same(control.mac, self._expected):
            raise RemoteProtocolError(
                "proof",
                "the server at this address does not know this kernel's connection key: "
                "it is not the server that started this kernel",
                4500,
            )
        self.done = True


class Introduction:
    """What a client says of itself at each connection.

    Attributes:
        ticket: for the next ``hello``.
        label: what the inspector calls this client.
        channels: its process-local channels, oldest first.
        memberships: the groups that these are in, as ``(group, channel)``.
        deliveries: its consumers and leases.
    """

    def __init__(self, client: ClientKind, version: str, producer: str, label: str | None) -> None:
        self.ticket: str | None = None
        self.label = label
        self.channels: dict[str, None] = {}
        self.memberships: dict[tuple[str, str], None] = {}
        self.deliveries = Deliveries()
        self._client: ClientKind = client
        self._version = version
        self._producer = producer

    def hello(self, subscriptions: Iterable[Subscription]) -> tuple[Hello, int]:
        """The ``hello`` with as much as one control record holds.

        Returns:
            It, and how many of the subscriptions are in it. These and the consumers that are not
            in it have to follow. Leases that have no room are given up: the server delivers them
            again.
        """
        room = _Room(self.label)
        mine = self.deliveries
        settled = [pair for pair in mine.settled if room.take(30)] or UNSET
        leases = [number for number in mine.leases if room.take(18)] or UNSET
        consumers = [c for c in mine.consumers.values() if room.take(len(repr(c)) * 2 + 50)]
        told = [s for s in subscriptions if room.take(len(s.group) + 140)]
        channels = [name for name in reversed(self.channels) if room.take(len(name) + 3)]
        memberships = [pair for pair in self.memberships if room.take(len("".join(pair)) + 8)]
        hello = Hello(
            self._client, self._version, self._producer, self.ticket, self.label,
            told, channels[::-1], memberships, consumers, leases, settled,
        )  # fmt: skip
        return hello, len(told)


class _Room:
    """What still has room in a control record; once something had none, nothing has."""

    def __init__(self, label: str | None) -> None:
        self._left = MAX_CONTROL - _FIXED - 6 * len(label or "")

    def take(self, size: int) -> bool:
        """Whether something of this size fits; it then counts as being in."""
        self._left -= size
        return self._left >= 0
