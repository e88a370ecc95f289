"""What a consumer holds is plain data."""

from nbchannels.layers.leases import MOST_RETRIES, MOST_RETURNS, Lease


def test_a_lease_is_of_a_fresh_message_unless_it_says_otherwise():
    lease = Lease("work", 7, {"n": 1}, 12.5)
    assert (lease.channel, lease.number, lease.message, lease.time) == ("work", 7, {"n": 1}, 12.5)
    assert (lease.redelivered, lease.retries) == (False, 0)


def test_both_ways_to_the_dead_letters_are_as_long_as_those_of_channels_1():
    assert (MOST_RETRIES, MOST_RETURNS) == (10, 10)
