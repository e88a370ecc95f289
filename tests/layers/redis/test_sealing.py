import sys

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import EncodingError, ImproperlyConfigured, InvalidChannelLayerError
from nbchannels.layers.redis.sealing import Seal

PLAIN = Encoded(JSON, b'{"secret": 1}')


def test_without_keys_nothing_is_done():
    for none in (None, []):
        seal = Seal(none)
        assert seal.seal(PLAIN) is PLAIN
        assert seal.open(PLAIN) is PLAIN


def test_a_message_is_encrypted_and_any_key_opens_it():
    sealed = Seal(["old"]).seal(PLAIN)
    assert b"secret" not in sealed.body
    assert sealed.codec == JSON
    assert Seal([b"new", "old"]).open(sealed) == PLAIN


@pytest.mark.parametrize(
    "change", [lambda body: body, lambda body: body[:-4] + b"AAAA", bytes.lower]
)
def test_a_wrong_key_and_a_forged_message_are_told(change):
    sealed = Seal(["right"]).seal(PLAIN)
    keys = ["wrong"] if change(sealed.body) == sealed.body else ["right"]
    with pytest.raises(EncodingError, match="symmetric_encryption_keys"):
        Seal(keys).open(Encoded(JSON, change(sealed.body)))


def test_a_key_alone_is_no_list():
    with pytest.raises(InvalidChannelLayerError, match=r"\['secret'\]"):
        Seal("secret")


def test_the_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ImproperlyConfigured, match=r"nbchannels\[encryption\]"):
        Seal(["secret"])
