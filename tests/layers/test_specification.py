"""What a class of others has to have, and what its errors are here."""

import pytest

from nbchannels.exceptions import (
    ChannelFull,
    EncodingError,
    InvalidName,
    LayerUnavailable,
    MessageTooLarge,
)
from nbchannels.layers.specification import (
    METHODS,
    closer_of,
    has_specification,
    option_of,
    translated,
)


class Bare:
    async def nothing(self, *_):
        pass


for _name in METHODS:
    setattr(Bare, _name, Bare.nothing)


class Looped:
    """Knows its options on a running loop only."""

    def __getattr__(self, name):
        raise RuntimeError("no running event loop")


class Full(Exception):
    pass


class TooLarge(Exception):
    pass


Full.__name__, TooLarge.__name__ = "ChannelFull", "MessageTooLarge"


def test_what_it_has_to_have():
    assert has_specification(Bare())
    assert not has_specification(object())
    assert not has_specification(Looped())
    assert option_of(Looped(), "capacity") is None
    bare = Bare()
    assert option_of(bare, "capacity") is None
    bare.capacity = 5
    assert option_of(bare, "capacity") == 5


def test_how_it_is_closed():
    bare = Bare()
    assert closer_of(bare) is None
    bare.flush = bare.nothing
    assert closer_of(bare) is None, "that would forget what others have"
    bare.close_pools = bare.nothing
    assert closer_of(bare) == bare.close_pools


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (Full(), ChannelFull, "says Bare"),
        (TooLarge("9 MB"), MessageTooLarge, "too large for Bare: MessageTooLarge: 9 MB"),
        (TypeError("a set"), EncodingError, "does not take this message.*a set"),
        (OverflowError(), EncodingError, "OverflowError; send text"),
        (ConnectionError("away"), LayerUnavailable, "Bare does not answer .ConnectionError: away"),
        (TimeoutError(), LayerUnavailable, "Bare does not answer .TimeoutError"),
        (KeyError("x"), LayerUnavailable, "KeyError"),
    ],
)
def test_errors(error, kind, said):
    found = translated(error, "Bare", "channel", "work", 0)
    assert type(found) is kind
    with pytest.raises(kind, match=said):
        raise found


def test_errors_with_their_values():
    assert translated(Full(), "Bare", "channel", "work", 7).capacity == 7
    ours = InvalidName("x")
    assert translated(ours, "Bare", "channel", "work", 0) is ours
