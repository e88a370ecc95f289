"""Tickets: once, in time, by the one they were given to."""

import pytest

from nbchannels.server.tickets import LIFETIME, Tickets


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(clock: Clock) -> Tickets:
    return Tickets(clock)


def test_a_ticket_is_good_once(tickets: Tickets):
    ticket = tickets.issue("ada")
    assert tickets.redeem(ticket, "ada")
    assert not tickets.redeem(ticket, "ada")
    assert tickets.counters == {"issued": 1, "redeemed": 1, "refused": 1, "dropped": 0}


def test_it_is_long_and_fits_into_a_json_text(tickets: Tickets):
    found = {tickets.issue("ada") for _ in range(100)}
    assert len(found) == 100
    assert all(len(ticket) == 43 and ticket.isascii() for ticket in found)


@pytest.mark.parametrize(("age", "good"), [(LIFETIME - 0.1, True), (LIFETIME, False)])
def test_it_ends(tickets: Tickets, clock: Clock, age: float, good: bool):
    ticket = tickets.issue("ada")
    clock.now += age
    assert tickets.redeem(ticket, "ada") is good


def test_another_user_cannot_use_it_and_it_is_gone_then(tickets: Tickets):
    ticket = tickets.issue("ada")
    assert not tickets.redeem(ticket, "eve")
    assert not tickets.redeem(ticket, "ada")


def test_it_is_bound_to_the_session(tickets: Tickets):
    ticket = tickets.issue("ada", "one")
    assert not tickets.redeem(ticket, "ada", "two")
    assert tickets.redeem(tickets.issue("ada", "one"), "ada", "one")


def test_user_and_session_are_not_confused(tickets: Tickets):
    assert not tickets.redeem(tickets.issue("ab", "c"), "a", "bc")


@pytest.mark.parametrize("ticket", ["", "x", "\ud800", "ü" * 1000])
def test_what_is_no_ticket_is_refused(tickets: Tickets, ticket: str):
    assert not tickets.redeem(ticket, "ada")
    assert not tickets.redeem(ticket, "")


def test_there_are_so_many_at_most_and_the_oldest_goes(clock: Clock):
    tickets = Tickets(clock, limit=3)
    issued = [tickets.issue("ada") for _ in range(4)]
    assert len(tickets) == 3
    assert tickets.counters["dropped"] == 1
    assert [tickets.redeem(ticket, "ada") for ticket in issued] == [False, True, True, True]


def test_what_is_too_old_is_forgotten_and_not_counted_as_dropped(tickets: Tickets, clock: Clock):
    for _ in range(5):
        tickets.issue("ada")
    clock.now += LIFETIME
    tickets.issue("ada")
    assert len(tickets) == 1
    assert tickets.counters["dropped"] == 0


def test_the_ticket_itself_is_not_kept(tickets: Tickets):
    ticket = tickets.issue("ada")
    assert ticket not in repr(vars(tickets))
