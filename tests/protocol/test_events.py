"""The words of the wire: their tags are the ops of the document, and no two are the same."""

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec import UNSET

from nbchannels.protocol.codec import decode_client_control, encode_control
from nbchannels.protocol.events import (
    ClientControl,
    Event,
    Gap,
    Last,
    Position,
    ServerControl,
    Subscribe,
    Unknown,
    WirePosition,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wire-protocol.md").read_text()


@pytest.mark.parametrize("union", [ClientControl, ServerControl])
def test_every_op_stands_in_the_document_once(union: object) -> None:
    ops = [c.__struct_config__.tag for c in get_args(union) if c is not Unknown]
    assert len(set(ops)) == len(ops)
    for op in ops:
        assert f'"op":"{op}"' in DOCUMENT, op


def test_every_event_of_the_document_is_described() -> None:
    told = set(re.findall(r'\{"event":"(\w+)"', DOCUMENT))
    assert told
    assert told == set(re.findall(r"^    ``(\w+)``", Event.__doc__ or "", re.MULTILINE))


def test_a_gap_says_from_and_to() -> None:
    assert '"from":2,"to":5' in encode_control(Gap(7, 2, 5, "trimmed"))


def test_a_subscription_begins_at_one_place() -> None:
    since = Subscribe("index", "log", Last(5))
    assert (
        encode_control(since)
        == '{"op":"subscribe","group":"index","mode":"log","since":{"last":5}}'
    )
    place = Subscribe("index", "log", UNSET, WirePosition(*Position("aa", 3, 4)))
    assert "since" not in encode_control(place)
    assert decode_client_control(encode_control(place)) == place
