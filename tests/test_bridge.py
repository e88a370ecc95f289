"""The bridge: from any thread, interruptible, and gone without a trace at the end."""

import asyncio
import contextvars
import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

import nbchannels.bridge
from nbchannels.bridge import Bridge, async_to_sync, bridge, user_bridge
from nbchannels.exceptions import WouldDeadlock

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
PATIENCE = 10


@pytest.fixture
def own() -> Iterator[Bridge]:
    found = Bridge("test-bridge")
    yield found
    found.stop()


async def where() -> str:
    return threading.current_thread().name


async def fail() -> None:
    raise LookupError("not here")


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
    )


# --- Running ---


def test_a_coroutine_runs_on_the_thread_of_its_bridge() -> None:
    assert bridge.run(where()) == "nbchannels"
    assert user_bridge.run(where()) == "nbchannels-user"


def test_the_thread_is_a_daemon_that_debuggers_leave_alone(own: Bridge) -> None:
    own.run(where())
    (thread,) = [t for t in threading.enumerate() if t.name == "test-bridge"]
    assert thread.daemon
    assert thread.pydev_do_not_trace  # type: ignore[attr-defined]


def test_it_starts_when_it_is_used(own: Bridge) -> None:
    assert "not started" in repr(own)
    assert not own.here
    own.run(where())
    assert "running" in repr(own)


def test_an_exception_comes_through(own: Bridge) -> None:
    with pytest.raises(LookupError, match="not here"):
        own.run(fail())


@pytest.mark.asyncio
async def test_it_works_where_a_loop_runs(own: Bridge) -> None:
    assert own.run(where()) == "test-bridge"


def test_many_threads_may_use_it_at_once(own: Bridge) -> None:
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(own.run(where()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert got == ["test-bridge"] * 20
    assert len([t for t in threading.enumerate() if t.name == "test-bridge"]) == 1


def test_a_time_out_cancels_the_work(own: Bridge) -> None:
    cancelled = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        own.run(endless(), timeout=0.05)
    assert cancelled.wait(PATIENCE)


def test_the_works_own_time_out_is_not_the_waiters(own: Bridge) -> None:
    async def late() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        own.run(late(), timeout=PATIENCE)


@pytest.mark.skipif(os.name == "nt", reason="signals to the own process")
def test_an_interrupt_cancels_the_work(own: Bridge) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt() -> None:
        started.wait(PATIENCE)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    # Who runs the tests in the background of a shell has it ignored.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            own.run(endless())
    finally:
        signal.signal(signal.SIGINT, previous)
    assert cancelled.wait(PATIENCE)


def test_a_cancelled_coroutine_is_an_error_for_who_waits(own: Bridge) -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        own.run(give_up(), timeout=PATIENCE)


def test_a_future_that_is_cancelled_before_it_begins_never_runs(own: Bridge) -> None:
    gate, ran = threading.Event(), threading.Event()
    own.call(gate.wait, PATIENCE)

    async def work() -> None:
        ran.set()

    future = own.start(work())
    assert future.cancel()
    gate.set()
    own.run(where())
    assert not ran.is_set()


def test_system_exit_in_a_coroutine_does_not_end_the_thread(own: Bridge) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        own.run(leave())
    assert own.run(where()) == "test-bridge"


# --- Waiting ---


def test_wait_leaves_the_future_alone(own: Bridge) -> None:
    future: Future[int] = Future()
    with pytest.raises(TimeoutError):
        own.wait(future, 0.01)
    assert not future.cancelled()
    own.call(future.set_result, 5)
    assert own.wait(future, PATIENCE) == 5


def test_on_its_own_thread_it_would_deadlock(own: Bridge) -> None:
    async def run_inside() -> None:
        own.run(where())

    async def wait_inside() -> None:
        own.wait(Future())

    with pytest.raises(WouldDeadlock, match=r"await where\(\.\.\.\)"):
        own.run(run_inside())
    with pytest.raises(WouldDeadlock, match=r"await group\.asend\(\.\.\.\)"):
        own.run(wait_inside())


def test_what_is_done_can_be_had_on_its_own_thread(own: Bridge) -> None:
    future: Future[int] = Future()
    future.set_result(5)

    async def look() -> int:
        return own.wait(future)

    assert own.run(look()) == 5


# --- Context ---


def test_the_connection_sees_nothing_of_the_cell_and_users_coroutines_do() -> None:
    async def who() -> str:
        return WHO.get()

    token = WHO.set("cell 5")
    try:
        assert bridge.run(who()) == "nobody"
        assert user_bridge.run(who()) == "cell 5"
    finally:
        WHO.reset(token)


# --- async_to_sync ---


def test_async_to_sync_has_asgirefs_shape() -> None:
    @async_to_sync
    async def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    @async_to_sync()
    async def name() -> str:
        return await where()

    class Thing:
        @async_to_sync
        async def method(self) -> "Thing":
            return self

    thing = Thing()
    assert add(1, b=2) == 3
    assert add.__doc__ == "Add."
    assert name() == "nbchannels-user"
    assert thing.method() is thing
    assert async_to_sync(lambda: where(), force_new_loop=True)() == "nbchannels-user"


@pytest.mark.asyncio
async def test_async_to_sync_works_where_a_loop_runs() -> None:
    assert async_to_sync(where)() == "nbchannels-user"


def test_async_to_sync_inside_itself_would_deadlock() -> None:
    @async_to_sync
    async def outer() -> None:
        async_to_sync(where)()

    with pytest.raises(WouldDeadlock, match=r"await where\(\.\.\.\)"):
        outer()


def test_a_users_coroutine_may_wait_for_the_connection() -> None:
    @async_to_sync
    async def send() -> str:
        return bridge.run(where(), PATIENCE)

    assert send() == "nbchannels"


# --- Living ---


def test_a_stopped_bridge_starts_anew(own: Bridge) -> None:
    own.run(where())
    first = own.loop
    own.stop()
    assert first.is_closed()
    assert own.run(where()) == "test-bridge"
    assert own.loop is not first


def test_a_reload_keeps_the_thread() -> None:
    bridge.run(where())
    before = bridge.loop
    reloaded = importlib.reload(nbchannels.bridge)
    assert reloaded.bridge.loop is before
    assert bridge.loop is before
    assert len([t for t in threading.enumerate() if t.name == "nbchannels"]) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_starts_its_own_thread_and_leaves_the_parents_alone() -> None:
    done = run_script("""
import asyncio, os, sys, threading, warnings
from nbchannels.bridge import bridge, user_bridge
async def where():
    await asyncio.sleep(0.01)
    return threading.current_thread().name
class Listener:
    def forked(self): print("forked", flush=True)
    def exiting(self): print("exiting", flush=True)
listener = Listener()
bridge.listen(listener)
assert bridge.run(where()) == "nbchannels"
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork with threads
child = os.fork()
if not child:
    assert "not started" in repr(bridge)
    assert bridge.run(where(), 5) == "nbchannels"
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert bridge.run(where(), 5) == "nbchannels"
""")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "forked\nexiting\nexiting\n"


def test_exit_cancels_what_is_under_way_and_says_nothing() -> None:
    done = run_script("""
import asyncio, threading
from nbchannels.bridge import bridge, user_bridge
async def endless():
    try:
        await asyncio.Event().wait()
    finally:
        print("cancelled", flush=True)
async def begun():
    pass
bridge.start(endless()); user_bridge.start(endless())
bridge.run(begun()); user_bridge.run(begun())
""")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "cancelled\ncancelled\n"


def test_exit_does_not_wait_for_ever() -> None:
    done = run_script("""
import asyncio
from nbchannels.bridge import bridge
async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
async def begun():
    pass
bridge.start(stubborn()); bridge.run(begun())
import nbchannels.bridge
nbchannels.bridge.EXIT_PATIENCE = 0.05
print("end")
""")
    assert (done.returncode, done.stdout) == (0, "end\n")
