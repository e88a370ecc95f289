import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import EncodingError, InvalidChannelLayerError
from nbchannels.layers.redis.entries import (
    Entry,
    Keys,
    inbox_of,
    pack_entry,
    pack_letter,
    unpack_inbox,
    unpack_letter,
)
from nbchannels.protocol.events import RETRIED

BODIES = st.binary(max_size=50)
U32 = st.integers(0, 2**32 - 1)
U8 = st.integers(0, 255)


@given(
    body=BODIES, codec=U8, process=st.binary(min_size=8, max_size=8), sender=U32, flags=U8,
    tag=U32, offset=st.integers(1, 2**53),
)  # fmt: skip
def test_an_entry_comes_back_as_it_was(body, codec, process, sender, flags, tag, offset):
    packed = pack_entry(Encoded(codec, body), process, sender, flags)
    stored = struct.pack("<dI", 1234.5, tag) + packed  # as the script puts it in front
    assert Entry.unpack(offset, stored) == Entry(
        offset, tag, 1234.5, process, sender, flags, Encoded(codec, body)
    )


@given(body=BODIES, codec=U8, sender=U32, retries=U8)
def test_a_letter_comes_back_as_it_was(body, codec, sender, retries):
    packed = pack_letter(Encoded(codec, body), sender, retries)
    letter, expires = unpack_letter(b"1-0", struct.pack("<dd", 1.5, 61.5) + packed, b"")
    assert letter.encoded == Encoded(codec, body)
    assert (letter.time, expires, letter.sender, letter.retries) == (1.5, 61.5, sender, retries)
    assert (letter.redelivered, letter.returns) == (False, 0)
    assert letter.posted == (b"1-0", len(packed))
    assert letter.expires == float("inf"), "what is in hand does not wait"


def test_a_letter_that_came_back_is_marked_and_waits_anew():
    stored = struct.pack("<dd", 1.5, 61.5) + pack_letter(Encoded(JSON, b"{}"), 7)
    letter, expires = unpack_letter(b"1-0", stored, b"3 99.5")
    assert (letter.redelivered, letter.returns, expires) == (True, 3, 99.5)


def test_a_letter_that_was_written_again_is_marked():
    stored = struct.pack("<dd", 1.5, 61.5) + pack_letter(Encoded(JSON, b"{}"), 7, 0, RETRIED)
    assert unpack_letter(b"1-0", stored, b"")[0].redelivered


@given(body=BODIES, codec=U8, sender=U32)
def test_a_letter_of_an_inbox_has_its_address(body, codec, sender):
    address = b"specific.ab!cd"
    stored = struct.pack("<dB", 1.5, len(address)) + address
    stored += pack_letter(Encoded(codec, body), sender)
    channel, letter = unpack_inbox(stored, 60)
    assert channel == "specific.ab!cd"
    assert letter.encoded == Encoded(codec, body)
    assert (letter.time, letter.expires, letter.sender) == (1.5, 61.5, sender)


@pytest.mark.parametrize(
    "unpack",
    [
        lambda data: Entry.unpack(1, data),
        lambda data: unpack_letter(b"1-0", data, b""),
        lambda data: unpack_inbox(data, 60),
    ],
)
def test_what_is_none_of_ours_is_told(unpack):
    for data in (b"", b"hello", b"\xff" * 9):
        with pytest.raises(EncodingError, match="none of ours"):
            unpack(data)


def test_what_belongs_together_has_one_hash_tag():
    keys = Keys("nbc")

    def tags(*found):
        return {re.search(r"\{(.*?)\}", key).group(1) for key in found}

    assert tags(*(keys.group("index", part) for part in ("log", "meta", "by:x"))) == {"g:index"}
    assert tags(*(keys.channel("index", part) for part in ("queue", "meta"))) == {"c:index"}
    assert tags(*(keys.inbox("ab", part) for part in ("inbox", "full"))) == {"i:ab"}
    assert tags(*keys.dead) == {"dead"}
    everything = [keys.alive, *keys.dead, keys.group("g", "log"), keys.process("p", "channels")]
    assert all(key.startswith("nbc:{") for key in [*everything, keys.index("groups")])


@pytest.mark.parametrize("prefix", ["", "a b", "a*", "{a}", "a" * 65, "ä", "a\n"])
def test_a_prefix_means_nothing_in_a_pattern(prefix):
    with pytest.raises(InvalidChannelLayerError, match="prefix is"):
        Keys(prefix)


@pytest.mark.parametrize(
    ("channel", "inbox"),
    [("specific.ab12!cd", "ab12"), ("chat!x", "chat"), ("a.b.c!", "c"), (".!x", "")],
)
def test_whose_a_process_local_channel_is(channel, inbox):
    assert inbox_of(channel) == inbox
