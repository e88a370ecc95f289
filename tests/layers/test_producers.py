"""A retry is appended once."""

from nbchannels.layers.producers import MEMORY, Producer, Producers


def test_a_repetition_is_known_with_its_position():
    producers = Producers()
    assert producers.seen(Producer("p", 1), 0.0) is None
    producers.note(Producer("p", 1), 10, 99, 0.0)
    assert producers.seen(Producer("p", 1), 1.0) == (10, 99)
    assert producers.seen(Producer("p", 2), 1.0) is None
    assert producers.seen(Producer("q", 1), 1.0) is None


def test_holes_are_allowed_and_older_numbers_are_repetitions():
    producers = Producers()
    producers.note(Producer("p", 5), 1, 1, 0.0)
    assert producers.seen(Producer("p", 9), 0.0) is None
    assert producers.seen(Producer("p", 3), 0.0) == (None, None)


def test_old_positions_and_old_producers_are_forgotten():
    producers = Producers()
    for n in range(100):
        producers.note(Producer("p", n), n, n, 0.0)
    assert producers.seen(Producer("p", 0), 0.0) == (None, None)
    assert producers.seen(Producer("p", 99), 0.0) == (99, 99)
    assert not producers.stale(MEMORY)
    assert producers.stale(MEMORY + 1)
    assert producers.seen(Producer("p", 99), MEMORY + 1) is None
    for n in range(2000):
        producers.note(Producer(f"q{n}", 1), 1, 1, 0.0)
    assert producers.seen(Producer("q0", 1), 0.0) is None
    assert producers.seen(Producer("q1999", 1), 0.0) == (1, 1)
