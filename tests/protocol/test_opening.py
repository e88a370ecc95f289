"""Opening a connection: who proves what, and how much one hello can say."""

import pytest

from nbchannels.exceptions import RemoteProtocolError
from nbchannels.protocol.codec import MAX_CONTROL, decode_client_control, encode_control
from nbchannels.protocol.events import Challenge, ServerProof, Subscription
from nbchannels.protocol.opening import Handshake, Introduction, KernelIdentity
from nbchannels.protocol.proof import kernel_mac, server_mac

WORDS = ("s1", "k-1", "0" * 32, "1" * 32)


@pytest.fixture
def handshake() -> Handshake:
    return Handshake(KernelIdentity("k-1", b"key", lambda: "1" * 32))


def test_both_prove_the_key(handshake: Handshake) -> None:
    assert not handshake.done
    assert handshake.challenge(Challenge("s1", "0" * 32)).mac == kernel_mac(b"key", *WORDS)
    assert not handshake.done
    handshake.proof(ServerProof(server_mac(b"key", *WORDS)))
    assert handshake.done


def test_a_server_without_the_key_is_refused(handshake: Handshake) -> None:
    handshake.challenge(Challenge("s1", "0" * 32))
    with pytest.raises(RemoteProtocolError, match="not the server that started") as caught:
        handshake.proof(ServerProof(kernel_mac(b"key", *WORDS)))  # its own proof sent back
    assert caught.value.close_code == 4500
    assert not handshake.done


def test_one_challenge_only_and_no_proof_before_it(handshake: Handshake) -> None:
    with pytest.raises(RemoteProtocolError):
        handshake.proof(ServerProof("0" * 64))
    handshake.challenge(Challenge("s1", "0" * 32))
    with pytest.raises(RemoteProtocolError):
        handshake.challenge(Challenge("s1", "0" * 32))


def test_who_is_no_kernel_answers_no_challenge() -> None:
    handshake = Handshake(None)
    assert handshake.done
    with pytest.raises(RemoteProtocolError):
        handshake.challenge(Challenge("s1", "0" * 32))


def test_hello_says_as_much_as_one_control_record_holds() -> None:
    introduction = Introduction("script", "0.1.0", "0" * 32, "ü" * 100)
    names = [f"specific.{i:080}!{i}" for i in range(2000)]
    introduction.channels = dict.fromkeys(names)
    subscriptions = [Subscription("g" * 99, since="now") for _ in range(256)]
    hello, told = introduction.hello(subscriptions)
    text = encode_control(hello)
    assert len(text.encode()) <= MAX_CONTROL
    assert decode_client_control(text) == hello
    assert told == len(hello.subscriptions) > 200
    introduction = Introduction("script", "0.1.0", "0" * 32, None)
    introduction.channels = dict.fromkeys(names)
    hello, *_ = introduction.hello([])
    assert len(hello.channels) > 500
    assert hello.channels == names[-len(hello.channels) :]
    assert len(encode_control(hello)) <= MAX_CONTROL
