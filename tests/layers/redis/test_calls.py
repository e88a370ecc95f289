import asyncio

from hypothesis import given
from hypothesis import strategies as st
from redis.connection import PythonRespSerializer

from nbchannels.layers.redis.calls import Call, packed

WORDS = st.one_of(st.text(), st.binary(), st.integers(), st.floats(allow_nan=False))


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_a_command_is_written_as_redis_py_writes_it(words):
    theirs = PythonRespSerializer(6000, lambda word: _encode(word)).pack("ECHO", *words)
    assert packed(["ECHO", *words]) == b"".join(theirs)


def _encode(word):
    if isinstance(word, bytes):
        return word
    return word.encode("utf-8", "surrogatepass") if isinstance(word, str) else repr(word).encode()


def test_a_call_is_late_as_long_as_somebody_waits():
    async def late():
        call = Call(("PING",), None, asyncio.get_running_loop().create_future(), 10.0, None)
        before = [call.is_late(now) for now in (9.9, 10.0, 11.0)]
        call.future.set_result(None)
        return before, call.is_late(11.0)

    assert asyncio.run(late()) == ([False, True, True], False)
