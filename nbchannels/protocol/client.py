"""The client's side of the wire protocol: a page, a kernel or a script, without any IO.

::

    CLOSED ──connected()──▶ CONNECTING ──welcome──▶ OPEN
      ▲                          │                   │
      └──disconnected(), or the session emits close──┘

The host opens a WebSocket and says `connected`; it hands everything that comes to `receive`, calls
`tick` at `deadline`, writes whatever `take` returns, and says `disconnected` at the end. All of
them but `take` return events. After a ``close`` event the session waits for the next connection;
subscriptions, unacknowledged records and credits survive and are told to the server again. Calls
do not survive: each open one ends with the error ``unavailable``.

Which control record may come in which state, and what it does, is the table at the end.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from nbchannels.exceptions import LocalProtocolError, RemoteProtocolError
from nbchannels.protocol.codec import (
    MAX_CONTROL,
    decode_records,
    decode_server_control,
    encode_control,
)
from nbchannels.protocol.events import (
    DELIVERY,
    ENTRY,
    MESSAGE,
    Accepted,
    Alive,
    Call,
    Challenge,
    Control,
    Event,
    Failure,
    Gap,
    GoAway,
    Heartbeat,
    LayerState,
    Mode,
    Outcome,
    Position,
    Record,
    Rejected,
    Result,
    ServerProof,
    Since,
    Subscribed,
    Unknown,
    Unsubscribed,
    Welcome,
)
from nbchannels.protocol.opening import ClientKind, Handshake, Introduction, KernelIdentity
from nbchannels.protocol.publisher import Outgoing, Publisher
from nbchannels.protocol.subscriber import Subscriber
from nbchannels.protocol.subscription import GroupState, Hole
from nbchannels.typing import Kind

__all__ = ["SILENCE", "ClientSession", "KernelIdentity", "Outgoing", "State"]

State: TypeAlias = Literal["CLOSED", "CONNECTING", "OPEN"]
#: A client that hears nothing for so many seconds connects again.
SILENCE = 30.0
#: The pause before the next attempt where the server names none, in seconds.
_RETRY = 0.25


class ClientSession:
    """One client instance over all its connections.

    Attributes:
        state: ``CLOSED``, ``CONNECTING`` or ``OPEN``.
        publisher: what was sent and is not acknowledged; its counts are the host's bounds.
        subscriber: what is read.
        introduction: ticket, process-local channels, memberships for the next ``hello``.
        deliveries: consumers, credit and leases.
        welcome: the server's last welcome.
    """

    def __init__(
        self,
        client: ClientKind,
        version: str,
        producer: str,
        *,
        identity: KernelIdentity | None = None,
        label: str | None = None,
    ) -> None:
        self.state: State = "CLOSED"
        self.publisher = Publisher()
        self.subscriber = Subscriber()
        self.introduction = Introduction(client, version, producer, label)
        self.deliveries = self.introduction.deliveries
        self.welcome: Welcome | None = None
        self._identity = identity
        self._start(0.0)

    def _start(self, now: float) -> None:
        """Everything that belongs to one connection only."""
        self._heard_at = now
        self._handshake = Handshake(self._identity)
        self._said_hello = False
        self._consumers_told: frozenset[int] = frozenset()
        self._urgent: deque[str] = deque()
        self._calls: set[int] = set()
        self._last_call = 0

    # --- The connection ---

    def connected(self, now: float) -> None:
        """A WebSocket is open."""
        if self.state != "CLOSED":
            raise LocalProtocolError(f"connected in state {self.state}")
        self._start(now)
        self.state = "CONNECTING"
        if self._handshake.done:
            self._hello()

    def disconnected(self) -> list[Event]:
        """The WebSocket is closed."""
        if self.state == "CLOSED":
            return []
        self.state = "CLOSED"
        error = {
            "code": "unavailable",
            "message": "the connection to the server was lost before it answered; ask again",
            "temporary": True,
        }
        events = [Event("error", control=Failure(call, error)) for call in sorted(self._calls)]
        self.subscriber.interrupted()
        self.publisher.rewind()
        self._start(self._heard_at)
        return events

    def receive(self, data: str | bytes, now: float) -> list[Event]:
        """One WebSocket message came."""
        events: list[Event] = []
        if self.state == "CLOSED":
            return events
        self._heard_at = now
        try:
            if isinstance(data, str):
                self._control(decode_server_control(data), events, now)
            else:
                self._records(decode_records(data), events, now)
        except RemoteProtocolError as error:
            events += self._close(error.close_code, str(error))
        except Hole as hole:
            events += self._close(4006, str(hole))
        return events

    def tick(self, now: float) -> list[Event]:
        """Time has passed."""
        if self.state == "CLOSED":
            return []
        if now - self._heard_at >= SILENCE:
            return self._close(4003, f"nothing heard for {now - self._heard_at:.0f} s")
        self.subscriber.tick(now)
        self.publisher.tick(now)
        return []

    def deadline(self) -> float | None:
        """When `tick` should be called next; ``None`` without a connection."""
        if self.state == "CLOSED":
            return None
        times = (self._heard_at + SILENCE, self.subscriber.deadline(), self.publisher.deadline())
        return min(time for time in times if time is not None)

    def take(self) -> str | bytes | None:
        """The next WebSocket message to write: a control record (text) or joined data records.

        What was taken counts as written. ``None``: nothing to write now.
        """
        if self._urgent:
            return self._urgent.popleft()
        if self.state != "OPEN":
            return None
        acknowledgement = self.subscriber.acknowledge()
        if acknowledgement is not None:
            return encode_control(acknowledgement)
        return self.publisher.take()

    # --- What the user does ---

    def subscribe(
        self,
        group: str,
        *,
        mode: Mode = "log",
        since: Since = "now",
        position: Position | None = None,
    ) -> GroupState:
        """Subscribe to a group, or change the subscription to it."""
        state = self.subscriber.subscribe(group, mode, since, position)
        if self._said_hello:
            self._say(self.subscriber.ask(state))
        return state

    def unsubscribe(self, group: str) -> None:
        """End the subscription to a group; nothing of it is emitted from here on."""
        control = self.subscriber.unsubscribe(group, self._said_hello)
        if control is not None:
            self._say(control)

    def publish(
        self, kind: Kind, name: str, codec: int, body: bytes | memoryview, receipt: bool = False
    ) -> Outgoing:
        """Send a record to a group or a channel, now or as soon as there is a connection."""
        return self.publisher.publish(kind, name, codec, body, receipt)

    def withdraw(self, outgoing: Outgoing) -> bool:
        """Give a record up; whether it is certain that the server does not have it."""
        return self.publisher.withdraw(outgoing)

    def call(self, method: str, arguments: dict[str, Any]) -> int:
        """Ask the server something; it is written after everything published before.

        Returns:
            The number that ``result`` or ``error`` will bear.

        Raises:
            LocalProtocolError: there is no connection.
        """
        if self.state != "OPEN":
            raise LocalProtocolError(f"call {method!r} in state {self.state}")
        self._last_call += 1
        text = encode_control(Call(self._last_call, method, arguments))
        if len(text) > MAX_CONTROL:
            raise LocalProtocolError(
                f"call {method!r} of {len(text):,} bytes, over {MAX_CONTROL:,}"
            )
        self._calls.add(self._last_call)
        self.publisher.follow(text)
        return self._last_call

    def credit(self, channel: str, credit: int) -> None:
        """Be ready for so many more deliveries of a channel; replaces what was said before."""
        control = self.deliveries.credit(channel, credit)
        if self.state == "OPEN":
            self._say(control)

    def settle(
        self, leases: list[tuple[int, Outcome]], errors: dict[int, dict[str, str]] | None = None
    ) -> None:
        """Say what became of leased messages, now or at the next connection.

        Args:
            leases: pairs of a lease's number and its outcome.
            errors: of failed ones, by number: ``error`` and ``traceback``.
        """
        control = self.deliveries.settle(leases, errors or {})
        if control is not None and self.state == "OPEN":
            self._say(control)

    # --- Inside ---

    def _say(self, control: Control) -> None:
        self._urgent.append(encode_control(control))

    def _hello(self) -> None:
        """Tell everything; subscriptions that have no room in one control record follow it."""
        groups = [*self.subscriber.groups.values()]
        hello, told = self.introduction.hello(state.request() for state in groups)
        self._consumers_told = frozenset(consumer["number"] for consumer in hello.consumers)
        self._say(hello)
        self._said_hello = True
        for state in groups[:told]:
            state.asked()
        for state in groups[told:]:
            self._say(self.subscriber.ask(state))

    def _close(self, code: int, reason: str) -> list[Event]:
        return [Event("close", detail=(code, reason)), *self.disconnected()]

    # --- What comes ---

    def _records(self, records: list[Record], events: list[Event], now: float) -> None:
        if self.state != "OPEN":
            raise RemoteProtocolError("state", f"data records in state {self.state}")
        take = self.subscriber.message
        for record in records:
            if record.kind == MESSAGE:
                state = take(record, now)
                if state is not None:
                    events.append(Event("message", state, None, record))
            elif record.kind == DELIVERY:
                self.deliveries.delivered(record)
                events.append(Event("delivery", record=record))
            elif record.kind == ENTRY:
                if record.id in self._calls:
                    events.append(Event("entry", record=record))
            else:
                raise RemoteProtocolError("kind", f"a record of kind {record.kind} for the server")

    def _control(self, control: Any, events: list[Event], now: float) -> None:
        handler = _TABLE.get((self.state, type(control)))
        if handler is None:
            raise RemoteProtocolError(
                "state", f"control record {type(control).__name__} in state {self.state}"
            )
        handler(self, control, events, now)

    def _on_challenge(self, control: Challenge, events: list[Event], now: float) -> None:
        self._say(self._handshake.challenge(control))

    def _on_proof(self, control: ServerProof, events: list[Event], now: float) -> None:
        self._handshake.proof(control)
        self._hello()

    def _on_welcome(self, control: Welcome, events: list[Event], now: float) -> None:
        if not self._said_hello:
            raise RemoteProtocolError("state", "a welcome before hello")
        if self.welcome is not None and self.welcome.server != control.server:
            self.deliveries.forget_leases()
        self.welcome = control
        self.state = "OPEN"
        self.subscriber.welcomed(control)
        events.append(Event("welcomed", control=control))
        for credit in self.deliveries.credits():
            self._say(credit)
        for number, consumer in self.deliveries.consumers.items():
            if number not in self._consumers_told:
                self.call("consume", consumer)

    def _on_subscribed(self, control: Subscribed, events: list[Event], now: float) -> None:
        state = self.subscriber.subscribed(control)
        if state is not None:
            events.append(Event("subscribed", state, control))

    def _on_unsubscribed(self, control: Unsubscribed, events: list[Event], now: float) -> None:
        if self.subscriber.unsubscribed(control):
            events.append(Event("unsubscribed", control=control))

    def _on_gap(self, control: Gap, events: list[Event], now: float) -> None:
        state = self.subscriber.gap(control)
        if state is not None:
            events.append(Event("gap", state, control))

    def _on_heartbeat(self, control: Heartbeat, events: list[Event], now: float) -> None:
        self.subscriber.heartbeat(control)
        while (acknowledgement := self.subscriber.acknowledge()) is not None:
            self._say(acknowledgement)
        self._say(Alive())

    def _on_accepted(self, control: Accepted, events: list[Event], now: float) -> None:
        for outgoing, receipt in self.publisher.accepted(control):
            events.append(Event("accepted", outgoing, None, None, receipt))

    def _on_rejected(self, control: Rejected, events: list[Event], now: float) -> None:
        retry = control.retry if control.error.get("temporary") else None
        if control.error.get("temporary") and retry is None:
            retry = _RETRY
        outgoing = self.publisher.reject(control.kind, control.name, control.sequence, retry, now)
        if outgoing is not None:
            events.append(Event("rejected", outgoing, control, None, control.error))

    def _on_result(self, control: Result, events: list[Event], now: float) -> None:
        if control.id in self._calls:
            self._calls.discard(control.id)
            events.append(Event("result", control=control))

    def _on_error(self, control: Failure, events: list[Event], now: float) -> None:
        if control.id is None or control.id in self._calls:
            self._calls.discard(control.id or 0)
            events.append(Event("error", control=control))

    def _on_news(self, control: GoAway | LayerState, events: list[Event], now: float) -> None:
        events.append(Event("goaway" if isinstance(control, GoAway) else "layer", control=control))

    def _on_unknown(self, control: Unknown, events: list[Event], now: float) -> None:
        """An op of a later version: ignored."""


_Handler: TypeAlias = Callable[[ClientSession, Any, list[Event], float], None]

#: What may come in which state, and what it does; anything else closes the connection with 4501.
_TABLE: dict[tuple[State, type[Control]], _Handler] = {
    ("CONNECTING", Challenge): ClientSession._on_challenge,
    ("CONNECTING", ServerProof): ClientSession._on_proof,
    ("CONNECTING", Welcome): ClientSession._on_welcome,
    ("CONNECTING", Failure): ClientSession._on_error,
    ("CONNECTING", GoAway): ClientSession._on_news,
    ("CONNECTING", Unknown): ClientSession._on_unknown,
    ("OPEN", Subscribed): ClientSession._on_subscribed,
    ("OPEN", Unsubscribed): ClientSession._on_unsubscribed,
    ("OPEN", Gap): ClientSession._on_gap,
    ("OPEN", Heartbeat): ClientSession._on_heartbeat,
    ("OPEN", Accepted): ClientSession._on_accepted,
    ("OPEN", Rejected): ClientSession._on_rejected,
    ("OPEN", Result): ClientSession._on_result,
    ("OPEN", Failure): ClientSession._on_error,
    ("OPEN", GoAway): ClientSession._on_news,
    ("OPEN", LayerState): ClientSession._on_news,
    ("OPEN", Unknown): ClientSession._on_unknown,
}
