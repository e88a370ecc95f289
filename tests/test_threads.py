"""Users' synchronous code runs beside the loop."""

import asyncio
import contextvars
import os
import threading
import time

import pytest

from nbchannels import threads as module
from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import WouldDeadlock
from nbchannels.threads import HomeLoop, Threads

pytestmark = pytest.mark.asyncio

variable = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def pool():
    return Threads("test", most=2)


async def test_a_function_runs_on_a_daemon_thread(pool):
    thread = await pool.run(threading.current_thread)
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert thread.name == "test"


async def test_arguments_result_and_context_variables_go_along(pool):
    variable.set("here")
    assert await pool.run(lambda a, *, b: (a, b, variable.get()), 1, b=2) == (1, 2, "here")


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3)])
async def test_an_exception_is_raised_where_it_is_awaited(pool, error):
    def fail():
        raise error

    with pytest.raises(type(error)) as raised:
        await pool.run(fail)
    assert raised.value is error


async def test_stop_iteration_does_not_get_lost(pool):
    with pytest.raises(RuntimeError, match="StopIteration"):
        await pool.run(lambda: next(iter(())))


async def test_the_loop_goes_on_while_a_function_blocks(pool):
    go = threading.Event()
    task = asyncio.ensure_future(pool.run(go.wait, 10))
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    assert await task


async def test_threads_are_bounded_and_used_again(pool):
    barrier, running, most = threading.Lock(), 0, 0

    def work():
        nonlocal running, most
        with barrier:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with barrier:
            running -= 1
        return threading.get_ident()

    idents = await asyncio.gather(*(pool.run(work) for _ in range(20)))
    assert most <= 2
    assert len(set(idents)) <= 2


async def test_idle_threads_end(pool, monkeypatch):
    monkeypatch.setattr(module, "IDLE", 0.01)
    thread = await pool.run(threading.current_thread)
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    assert pool._count == 0
    assert await pool.run(lambda: 1) == 1


async def test_a_long_wait_for_a_thread_is_told():
    pool = Threads("test", most=2, patience=0.01)
    diagnoses.clear()
    told, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    stop = diagnoses.listen(lambda d: loop.call_soon_threadsafe(told.set))
    tasks = [asyncio.ensure_future(pool.run(go.wait, 10)) for _ in range(3)]
    try:
        async with asyncio.timeout(5):
            await told.wait()
    finally:
        stop()
        go.set()
    assert all(await asyncio.gather(*tasks))
    (busy,) = diagnoses.recent()
    assert busy.kind == "threads-busy"
    assert "0.01 s, further" in busy.sentence


async def test_a_pool_without_patience_tells_nothing():
    pool = Threads("test", most=1, patience=None)
    diagnoses.clear()
    assert await asyncio.gather(*(pool.run(time.sleep, 0.001) for _ in range(3))) == [None] * 3
    assert diagnoses.recent() == []


async def test_a_thread_that_cannot_be_started_is_an_error_and_not_counted(pool, monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start"):
            await pool.run(lambda: 1)
    assert await asyncio.gather(*(pool.run(lambda: 2) for _ in range(3))) == [2, 2, 2]


async def test_cancelling_leaves_the_function_alone_and_skips_those_that_wait(pool):
    go, ran = threading.Event(), []
    blocked = [asyncio.ensure_future(pool.run(go.wait, 10)) for _ in range(2)]
    waiting = asyncio.ensure_future(pool.run(ran.append, 1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await asyncio.gather(*blocked)
    assert await pool.run(lambda: 2) == 2
    assert ran == []


async def test_a_loop_that_is_closed_meanwhile_hurts_no_thread(pool):
    go = threading.Event()

    def other_loop():
        loop = asyncio.new_event_loop()
        task = loop.create_task(pool.run(go.wait, 10))
        loop.run_until_complete(asyncio.sleep(0))
        task._log_destroy_pending = False
        loop.close()

    await asyncio.to_thread(other_loop)
    go.set()
    assert await pool.run(lambda: 1) == 1
    assert await pool.run(lambda: 2) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
async def test_a_forked_child_starts_its_own(pool):
    await pool.run(lambda: 1)
    pool.forked()
    assert await pool.run(lambda: 2) == 2


# HomeLoop


async def test_a_thread_calls_the_loop_and_waits(pool):
    home = HomeLoop()

    async def answer():
        return asyncio.get_running_loop()

    assert await pool.run(lambda: home.call(answer(), "answer")) is home.loop
    assert home.here
    assert not await pool.run(lambda: home.here)


async def test_an_exception_comes_back(pool):
    home = HomeLoop()

    async def fail():
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await pool.run(lambda: home.call(fail(), "fail"))


async def test_on_the_loops_own_thread_it_would_deadlock():
    home = HomeLoop()

    async def answer():
        return 1

    with pytest.raises(WouldDeadlock, match=r"Index\.send.*await it"):
        home.call(answer(), "Index.send")


async def test_a_loop_that_ended_is_an_error(pool):
    def end():
        async def make():
            return HomeLoop()

        home = asyncio.run(make())

        async def answer():
            return 1

        return lambda: home.call(answer(), "Index.send")

    call = await asyncio.to_thread(end)
    with pytest.raises(RuntimeError):
        await pool.run(call)


@pytest.mark.slow
async def test_a_loop_that_stops_meanwhile_is_an_error(pool):
    loop = asyncio.new_event_loop()

    async def make():
        return HomeLoop()

    home = await asyncio.to_thread(loop.run_until_complete, make())

    async def answer():
        return 1

    with pytest.raises(RuntimeError, match=r"Index\.send.*has ended"):
        await pool.run(lambda: home.call(answer(), "Index.send"))
    await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0))
    loop.close()
