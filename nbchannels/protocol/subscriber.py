"""All the logs that a client reads over one connection: the other half of `Publisher`.

Control records and MESSAGEs name a log by its number; here it is found whose that is. What belongs
to a subscription that was taken back meanwhile is dropped without a word.
"""

from nbchannels.protocol.events import (
    Ack,
    Gap,
    Heartbeat,
    Mode,
    Position,
    Record,
    Since,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Welcome,
)
from nbchannels.protocol.subscription import GroupState

__all__ = ["Subscriber"]

#: An acknowledgement is sent so many seconds after the first unacknowledged message.
_ACK_DELAY = 1.0
#: Logs in one ``ack``: far below the size of a control record.
_ACKS = 1000


class Subscriber:
    """The subscriptions of a client.

    Attributes:
        groups: the subscriptions by group.
    """

    def __init__(self) -> None:
        self.groups: dict[str, GroupState] = {}
        self._logs: dict[int, GroupState] = {}
        self._dirty: dict[str, GroupState] = {}
        self._leaving: dict[str, int] = {}
        self._window = 512
        self._window_bytes = 2**20

    # --- The connection ---

    def welcomed(self, control: Welcome) -> None:
        """The server says how much it sends without an acknowledgement."""
        self._window = control.limits.get("window", self._window)
        self._window_bytes = control.limits.get("window_bytes", self._window_bytes)

    def interrupted(self) -> None:
        """The connection is lost."""
        for state in self.groups.values():
            state.interrupted()
        self._logs.clear()
        self._dirty.clear()
        self._leaving.clear()

    # --- What the user does ---

    def subscribe(
        self, group: str, mode: Mode, since: Since, position: Position | None
    ) -> GroupState:
        """Begin, or change, a subscription; the session says so if it is the time."""
        state = self.groups.get(group)
        if state is None:
            state = self.groups[group] = GroupState(group, mode, since, position)
        else:
            state.want(mode, since, position)
        return state

    def ask(self, state: GroupState) -> Subscribe:
        """The control record that asks for a subscription."""
        state.asked()
        return state.subscribe()

    def unsubscribe(self, group: str, said: bool) -> Unsubscribe | None:
        """End a subscription; ``said``: the server of this connection may know of it."""
        state = self.groups.pop(group, None)
        if state is None:
            return None
        self._drop(state)
        if not said:
            return None
        self._leaving[group] = self._leaving.get(group, 0) + 1
        return Unsubscribe(group)

    # --- What comes ---

    def message(self, record: Record, now: float) -> GroupState | None:
        """Whose new message this is; ``None``: nobody's, or not new."""
        state = self._logs.get(record.id)
        if state is None or not state.message(record, self._window, self._window_bytes, now):
            return None
        self._dirty[state.group] = state
        return state

    def subscribed(self, control: Subscribed) -> GroupState | None:
        """Whose subscription begins, or begins anew with another log."""
        state = self.groups.get(control.group)
        if state is None or self._leaving.get(control.group):
            return None
        self._drop(state)
        state.subscribed(control)
        self._logs[control.id] = state
        return state

    def unsubscribed(self, control: Unsubscribed) -> bool:
        """Whether this ends something: what was asked to end, or what the server ends."""
        leaving = self._leaving.pop(control.group, 0)
        if leaving > 1:
            self._leaving[control.group] = leaving - 1
        if leaving:
            return True
        if control.error is None or control.group not in self.groups:
            return False
        self._drop(self.groups.pop(control.group))
        return True

    def gap(self, control: Gap) -> GroupState | None:
        """Whose messages will not come."""
        state = self._logs.get(control.id)
        return state if state is not None and state.gap(control) else None

    def heartbeat(self, control: Heartbeat) -> None:
        """Compare what was sent with what came; acknowledge all that came."""
        for log_id, sent, top in control.logs:
            state = self._logs.get(log_id)
            if state is not None:
                state.heartbeat(sent, top)

    # --- Acknowledging ---

    def tick(self, now: float) -> None:
        """Messages that have waited long enough are acknowledged."""
        for state in self._dirty.values():
            if now - state.waits_since >= _ACK_DELAY:
                state.due = True

    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        if not self._dirty:
            return None
        return min(state.waits_since for state in self._dirty.values()) + _ACK_DELAY

    def acknowledge(self) -> Ack | None:
        """The acknowledgement that is due."""
        due = [state for state in self._dirty.values() if state.due][:_ACKS]
        for state in due:
            del self._dirty[state.group]
        return Ack([state.acknowledged() for state in due]) if due else None

    def _drop(self, state: GroupState) -> None:
        """What comes from the log it had is no longer its own."""
        self._dirty.pop(state.group, None)
        if state.log_id is not None and self._logs.get(state.log_id) is state:
            del self._logs[state.log_id]
