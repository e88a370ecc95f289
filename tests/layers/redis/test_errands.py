import asyncio

import pytest

from nbchannels.layers.redis.errands import Answer, Errand


def on_loop(test):
    """Run a coroutine function on a loop of its own."""
    return lambda *arguments: asyncio.run(test(*arguments))


@on_loop
async def test_it_begins_and_goes_on_at_once():
    done = []
    first, second = (Answer(loop=asyncio.get_running_loop()) for _ in range(2))

    async def errand():
        done.append("begun")
        done.append(await first)
        done.append(await second)

    found = Errand(errand(), lambda one: done.append(one.is_over))
    assert done == ["begun"]
    first.set_result(1)
    assert done == ["begun", 1]
    assert not found.is_over
    second.set_result(2)
    assert done == ["begun", 1, 2, True]
    await found.over


@on_loop
async def test_what_does_not_wait_is_over_at_once():
    async def errand():
        return None

    assert Errand(errand()).is_over


@on_loop
async def test_it_waits_for_whatever_a_task_waits_for():
    done = []
    loop = asyncio.get_running_loop()
    plain = loop.create_future()

    async def errand():
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        done.append(await plain)
        done.extend(await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0.001, "b")))
        await asyncio.wait([plain], timeout=1)

    found = Errand(errand())
    loop.call_later(0.01, plain.set_result, "plain")
    await found.over
    assert done == ["plain", "a", "b"]


@on_loop
async def test_two_wait_for_one_answer():
    done = []
    answer = Answer(loop=asyncio.get_running_loop())

    async def errand(name):
        done.append((name, await answer))

    errands = [Errand(errand(name)) for name in "ab"]
    answer.set_result(1)
    await asyncio.wait([one.over for one in errands])
    assert done == [("a", 1), ("b", 1)]


@on_loop
async def test_an_error_comes_to_where_it_is_waited_for():
    done = []
    answer = Answer(loop=asyncio.get_running_loop())

    async def errand():
        with pytest.raises(ValueError, match="no"):
            await answer
        done.append("caught")

    Errand(errand())
    answer.set_exception(ValueError("no"))
    assert done == ["caught"]


@on_loop
async def test_what_nobody_catches_is_told():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def errand():
        raise ValueError("nobody sees this")

    assert Errand(errand()).is_over
    (context,) = told
    assert str(context["exception"]) == "nobody sees this"
    assert "test_what_nobody_catches_is_told" in context["message"]


@pytest.mark.parametrize("kind", ["answer", "plain"])
def test_cancelling(kind):
    async def test():
        done = []
        loop = asyncio.get_running_loop()
        future = Answer(loop=loop) if kind == "answer" else loop.create_future()

        async def errand():
            try:
                await future
            except asyncio.CancelledError:
                done.append("cancelled")
                raise

        found = Errand(errand())
        found.cancel()
        await found.over
        found.cancel()
        return done

    assert asyncio.run(test()) == ["cancelled"]


@on_loop
async def test_what_is_forgiven_is_not_told():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def errand():
        raise LookupError("it is there again later")

    assert Errand(errand(), None, LookupError).is_over
    assert told == []
