"""The proofs of the kernel handshake against the shared vector."""

import json
from pathlib import Path

from nbchannels.protocol.proof import kernel_mac, new_nonce, same, server_mac

(CASE,) = json.loads((Path(__file__).parents[1] / "vectors" / "v1" / "proof.json").read_text())[
    "cases"
]
WORDS = tuple(CASE[key] for key in ("server", "kernel", "server_nonce", "kernel_nonce"))
KEY = CASE["connection_key"].encode()


def test_the_macs_are_those_of_the_vector() -> None:
    assert kernel_mac(KEY, *WORDS) == CASE["kernel_mac"]
    assert server_mac(KEY, *WORDS) == CASE["server_mac"]


def test_every_word_and_the_key_are_bound() -> None:
    proofs = {kernel_mac(KEY, *WORDS), server_mac(KEY, *WORDS), kernel_mac(b"other", *WORDS)}
    for i in range(4):
        proofs.add(kernel_mac(KEY, *(w + "x" if i == j else w for j, w in enumerate(WORDS))))
    assert len(proofs) == 7


def test_nonces_differ_and_have_32_digits() -> None:
    nonces = {new_nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert all(len(nonce) == 32 and int(nonce, 16) >= 0 for nonce in nonces)


def test_same_compares_also_what_is_no_ascii() -> None:
    assert same("aa", "aa")
    assert not same("aa", "ab")
    assert not same("ü", "aa")
