"""Where consumers run."""

import asyncio
import contextvars
import threading

import pytest

from nbchannels.places import is_async, main_loop, on_loop, on_own_loop

pytestmark = pytest.mark.asyncio
WORD = contextvars.ContextVar("word", default="outside")


class Caller:
    """An object with a coroutine method."""

    async def __call__(self, message):
        return message


async def coroutine(message):
    return WORD.get(), threading.get_ident()


async def test_what_makes_a_coroutine():
    assert is_async(coroutine)
    assert is_async(Caller())
    assert not is_async(len)
    assert not is_async(None)


async def test_the_main_loop_is_that_of_the_main_thread():
    assert main_loop() is asyncio.get_running_loop()
    assert await asyncio.to_thread(main_loop) is None


async def test_in_its_context():
    context = contextvars.copy_context()
    context.run(WORD.set, "inside")
    word, _ = await on_own_loop(context, coroutine(None))
    assert (word, WORD.get()) == ("inside", "outside")


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
async def test_what_it_raises_is_raised_here_and_ends_no_loop(error):
    async def fails():
        raise error

    with pytest.raises(type(error)):
        await on_own_loop(contextvars.copy_context(), fails())


async def test_on_another_loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        _, ident = await on_loop(loop, contextvars.copy_context(), coroutine(None))
        assert ident == thread.ident

        async def fails():
            raise SystemExit(1)

        with pytest.raises(SystemExit):
            await on_loop(loop, contextvars.copy_context(), fails())
        assert loop.is_running()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def test_on_a_loop_that_has_ended():
    loop = asyncio.new_event_loop()
    loop.close()
    waiting = coroutine(None)
    with pytest.raises(RuntimeError):
        await on_loop(loop, contextvars.copy_context(), waiting)
    waiting.close()
