"""``Response``: headers and body in any shape."""

import pytest

from nbchannels.handler import Response


@pytest.mark.parametrize(
    "headers",
    [
        {"A-b": "\xe4", "C": "d"},
        {b"A-b": b"\xe4", b"C": b"d"},
        [("A-b", "\xe4"), (b"C", "d")],
        iter([("A-b", "\xe4"), ("C", "d")]),
    ],
)
def test_headers(headers):
    assert Response(200, headers).pairs() == [(b"A-b", b"\xe4"), (b"C", b"d")]


def test_repeated_headers_keep_their_order():
    pairs = [("Set-Cookie", "b=1"), ("A", "1"), ("Set-Cookie", "a=1")]
    assert Response(headers=pairs).pairs() == [(n.encode(), v.encode()) for n, v in pairs]


def test_the_least():
    assert (Response().status, Response().pairs(), Response().parts()) == (200, [], b"")


def test_bodies():
    assert Response(body="ä").parts() == "ä".encode()
    assert list(Response(body=iter([b"a", "ä"])).parts()) == [b"a", "ä".encode()]
