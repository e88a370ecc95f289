"""What the server answers itself."""

import pytest

from nbchannels.exceptions import ChannelFull, ChannelsError, LayerUnavailable, MessageTooLarge
from nbchannels.server.refusals import (
    Lost,
    Refused,
    lost,
    no_answer,
    nobody_serves,
    too_large,
    unsent,
)


def test_nobody_serves_says_what_to_write():
    refused = nobody_serves("http.request", "GET /x", "replies")
    assert refused.status == 503
    assert refused.headers["Retry-After"] == "1"
    assert "GET /x" in str(refused)
    assert "@nb.consume('http.request')" in str(refused)


def test_no_answer_names_the_limit():
    refused = no_answer("GET /x", 1.5)
    assert (refused.status, "1.5 s" in str(refused)) == (504, True)


def test_too_large_names_both_sizes_and_the_remedy():
    refused = too_large(2_000_000, 1_000_000)
    assert refused.status == 413
    assert all(part in str(refused) for part in ("2,000,000", "1,000,000", "max_upload"))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ChannelFull(channel="http.request", capacity=3), 503),
        (LayerUnavailable("gone"), 503),
        (MessageTooLarge(size=3, limit=2), 413),
        (ChannelsError("what"), 500),
    ],
)
def test_unsent(error, status):
    refused = unsent("GET /x", error)
    assert refused.status == status
    assert str(error) in str(refused)
    assert ("Retry-After" in refused.headers) == (status == 503)


@pytest.mark.parametrize(("why", "status"), [("died", 503), ("failed", 500), ("expired", 503)])
def test_lost(why, status):
    refused = lost("GET /x", Lost(why, "the sentence"))
    assert (refused.status, "the sentence" in str(refused)) == (status, True)


def test_a_plain_refusal_has_no_headers():
    assert dict(Refused(400, "no").headers) == {}
