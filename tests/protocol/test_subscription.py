"""A client's place in one log: nothing twice, no silent hole, a position that can be resumed."""

import pytest
from msgspec import UNSET

from nbchannels.protocol.events import (
    MESSAGE,
    Gap,
    Last,
    Position,
    Record,
    Subscribed,
    WirePosition,
)
from nbchannels.protocol.subscription import GroupState, Hole


def message(offset: int, size: int = 48) -> Record:
    return Record(MESSAGE, 1, 0, "", 7, 100 + offset, offset, 0.0, 0, b"{}", size)


@pytest.fixture
def state() -> GroupState:
    found = GroupState("index", "log", "now", None)
    found.asked()
    found.subscribed(Subscribed("index", 7, "aa", 3, 103, 5, True))
    return found


def take(state: GroupState, offset: int) -> bool:
    return state.message(message(offset), 10, 10_000, 1.0)


def test_the_position_is_that_of_the_last_message(state: GroupState) -> None:
    assert state.position == Position("aa", 3, 103)
    assert take(state, 4)
    assert state.position == Position("aa", 4, 104)
    assert (state.received, state.top, state.lag) == (4, 5, 1)


def test_a_message_seen_before_is_not_new(state: GroupState) -> None:
    assert not take(state, 3)
    assert state.position == Position("aa", 3, 103)


def test_a_hole_is_found(state: GroupState) -> None:
    with pytest.raises(Hole, match="offset 5 came after 3"):
        take(state, 5)


def test_a_gap_is_stepped_over_but_never_resumed_from(state: GroupState) -> None:
    assert state.gap(Gap(7, 4, 6, "trimmed"))
    assert not state.gap(Gap(7, 4, 6, "trimmed"))
    assert take(state, 7)
    assert state.gap(Gap(7, 8, 9, "conflated"))
    assert (state.received, state.position) == (9, Position("aa", 7, 107))


def test_a_gap_after_a_hole_is_a_hole(state: GroupState) -> None:
    with pytest.raises(Hole):
        state.gap(Gap(7, 5, 6, "trimmed"))


def test_an_unanswered_request_is_repeated_as_it_was() -> None:
    state = GroupState("index", "latest", Last(5), None)
    state.asked()
    state.interrupted()
    assert state.request().since == Last(5)
    assert state.request().position is UNSET


def test_an_interrupted_subscription_resumes_where_it_was(state: GroupState) -> None:
    take(state, 4)
    state.interrupted()
    assert state.request().position == WirePosition("aa", 4, 104)
    assert state.request().since is UNSET


def test_a_new_beginning_counts_once_it_is_answered(state: GroupState) -> None:
    take(state, 4)
    state.want("log", "earliest", None)
    state.asked()
    take(state, 5)
    state.interrupted()
    assert state.request().since == "earliest"
    state.asked()
    state.subscribed(Subscribed("index", 9, "aa", 0, 0, 5, True))
    state.interrupted()
    assert state.request().position == WirePosition("aa", 0, 0)


@pytest.mark.parametrize(("window", "window_bytes"), [(4, 10_000), (100, 192)])
def test_half_a_window_is_acknowledged(state: GroupState, window: int, window_bytes: int) -> None:
    state.message(message(4), window, window_bytes, 1.0)
    assert not state.due
    state.message(message(5), window, window_bytes, 1.0)
    assert state.due
    assert state.acknowledged() == (7, 5)
    assert not state.due


def test_a_heartbeat_tells_loss_from_lag(state: GroupState) -> None:
    state.heartbeat(sent=3, top=50)
    assert state.lag == 47
    with pytest.raises(Hole, match="offset 4 was sent, 3 came"):
        state.heartbeat(sent=4, top=50)
