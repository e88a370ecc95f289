"""Pauses between attempts: jittered, doubling, and short again after some health."""

from nbchannels.kernel.backoff import FIRST, HEALTHY, MOST, Backoff, chance


def test_the_pauses_double_up_to_the_most() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    pauses = [backoff.next(float(i)) for i in range(8)]
    assert pauses == [FIRST, 0.5, 1.0, 2.0, 4.0, MOST, MOST, MOST]


def test_full_jitter_may_be_nothing_at_all() -> None:
    assert Backoff(chance=lambda: 0.0).next(0.0) == 0.0


def test_health_begins_anew() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    for i in range(5):
        backoff.next(float(i))
    assert backoff.next(4 + HEALTHY + 1) == FIRST


def test_chance_is_between_0_and_1_and_not_always_the_same() -> None:
    found = {chance() for _ in range(100)}
    assert len(found) > 50
    assert all(0 <= value < 1 for value in found)
