"""Interrupt, restart, fork, reload and death of a kernel: no hang, no traceback, nothing left."""

import json
import os
import signal
import time

import pytest

from tests.integration.kernels import (
    QUIET,
    Patient,
    api,
    connected,
    eventually,
    problems,
)

pytestmark = pytest.mark.integration
#: Seconds within which a cell ends after its interrupt.
SOON = 15.0
THREADS = (
    "import threading; print(sorted(t.name for t in threading.enumerate() if 'nbch' in t.name))"
)
# Tells when the cell's main thread really waits, so that no interrupt comes too early.
WATCH = """
import sys, threading, time
def watch(function, main=threading.main_thread().ident):
    while True:
        frame = sys._current_frames()[main]
        while frame is not None and frame.f_code.co_name != function:
            frame = frame.f_back
        if frame is not None:
            print("it waits", flush=True)
            return
        time.sleep(0.01)
def soon(function):
    threading.Thread(target=watch, args=(function,)).start()
"""


# An idle loop does not look at ipykernel's interrupts, not even in `await asyncio.sleep(100)`.
TICK = """
import asyncio
async def tick():
    while True: await asyncio.sleep(0.05)
ticking = asyncio.ensure_future(tick())
"""


@pytest.fixture
def kernel(server):
    since = (server.folder / "log").stat().st_size
    found = Patient(server)
    yield found
    server.thaw()
    found.end()
    eventually(lambda: connected(server, found), [])
    assert problems(server, since) == []


@pytest.fixture
def frozen(server):
    """Call it to stop the server's process; it goes on at the end of the test at the latest."""
    yield server.freeze
    server.thaw()


def group(server, name):
    return api(server, f"groups/{name}")


def numbers(kernel, name):
    """The fields ``n`` of a group's history."""
    out, _ = kernel.run(f"print([m['n'] for m in nb.Group({name!r}).history(10000)])")
    return json.loads(out)


# --- Interrupt ---


def test_an_interrupt_ends_a_send_that_waits_for_its_acknowledgement(server, kernel, frozen):
    kernel.run(QUIET + WATCH + "nb.Group('waits').send({'n': 0})")
    frozen()
    kernel.begin("soon('wait_for'); nb.Group('waits').send({'n': 1}, timeout=60)")
    kernel.told("it waits")
    began = time.monotonic()
    kernel.interrupt_directly()
    _, error = kernel.finish()
    assert time.monotonic() - began < SOON
    assert error.startswith("KeyboardInterrupt")
    server.thaw()
    out, error = kernel.run("print(nb.Group('waits').send({'n': 2}).offset)")
    assert error == ""
    # The one that was interrupted was written, so it is there: once, and in its place.
    assert (out, numbers(kernel, "waits")) == ("3\n", [0, 1, 2])
    out, _ = kernel.run("print(nb.get_channel_layer().connection.session.publisher.unacknowledged)")
    assert out == "0\n"


def test_an_interrupt_ends_the_wait_for_room_and_leaves_the_queue_usable(server, kernel, frozen):
    kernel.run(QUIET + WATCH + "nb.Group('full').send({'n': 0})")
    frozen()
    kernel.begin(
        "soon('_await_done')\n"
        "for n in range(1, 5000): last = n; nb.Group('full').send({'n': n}, wait=False)"
    )
    kernel.told("it waits")
    began = time.monotonic()
    kernel.interrupt_directly()
    _, error = kernel.finish()
    assert time.monotonic() - began < SOON
    assert "KeyboardInterrupt" in error
    server.thaw()
    out, error = kernel.run("print(last, nb.Group('full').send({'n': last}).offset)")
    assert error == ""
    last, offset = map(int, out.split())
    assert (last, offset) == (1001, 1002)
    assert numbers(kernel, "full") == list(range(last + 1))


def test_an_interrupt_in_a_batch_says_how_many_are_not_known(server, kernel, frozen):
    kernel.run(QUIET + WATCH + "nb.Group('batch').send({'n': 0})")
    frozen()
    kernel.begin(
        "soon('_finish')\n"
        "with nb.Group('batch').batch(timeout=60) as out:\n"
        "    for n in range(1, 300): out.send({'n': n})"
    )
    kernel.told("it waits")
    kernel.interrupt_directly()
    _, error = kernel.finish(SOON)
    assert error.startswith("KeyboardInterrupt")
    server.thaw()
    out, error = kernel.run("print(nb.Group('batch').send({'n': 300}).offset)")
    assert error == ""
    found = numbers(kernel, "batch")
    assert found == sorted(set(found))
    assert (found[0], found[-1], len(found)) == (0, 300, int(out))


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("for m in nb.Group('idle').listen(): pass", "__next__"),
        ("nb.Channel('idle').receive()", "receive"),
        ("async for m in nb.Group('idle'): pass", "select"),
        ("await nb.Channel('idle').areceive()", "select"),
    ],
    ids=["listen", "receive", "async-for", "areceive"],
)
def test_an_interrupt_ends_a_wait_for_messages_and_its_subscription(server, kernel, code, function):
    kernel.run(QUIET + WATCH + TICK + "nb.Group('idle').send({})")
    kernel.begin(f"soon({function!r})\n{code}")
    kernel.told("it waits")
    kernel.interrupt()
    _, error = kernel.finish(SOON)
    assert "KeyboardInterrupt" in error or "CancelledError" in error
    eventually(lambda: group(server, "idle")["subscribers"], 0)
    # The channel has no receiver any more: what is sent stays there.
    kernel.run("nb.Channel('idle').send({'n': 1})")
    out, error = kernel.run("print(nb.Channel('idle').receive(5)['n'])")
    assert (out, error) == ("1\n", "")


# --- Loading, reloading ---


def test_loading_and_reloading_again_and_again(server, kernel):
    out, error = kernel.run(
        "%load_ext nbchannels\n%load_ext nbchannels\n" + QUIET + "nb.Group('twice').send({})\n"
        "s = nb.Group('twice').subscribe(lambda m: None)\n"
        "%load_ext nbchannels\n%reload_ext nbchannels\n"
        "%unload_ext nbchannels\n%load_ext nbchannels\n"
        "ip = get_ipython()\n"
        "callbacks = ip.events.callbacks['post_run_cell']\n"
        "print(sum('tell_failures' in repr(c) for c in callbacks))\n"
        "print(sum('NameCompletion' in repr(m) for m in ip.Completer.custom_matchers))\n"
    )
    assert out.splitlines()[-2:] == ["1", "1"]
    assert "Error" not in error
    assert "Traceback" not in error
    assert kernel.run(THREADS)[0] == "['nbchannels', 'nbchannels twice']\n"
    assert len(connected(server, kernel)) == 1
    assert group(server, "twice")["subscribers"] == 1


def test_autoreload_of_touched_modules_leaves_the_connection(server, kernel, tmp_path):
    # A copy of the package, so that its files can be changed.
    out, error = kernel.run(
        "import importlib.util, shutil, sys\n"
        "home = importlib.util.find_spec('nbchannels').submodule_search_locations[0]\n"
        f"shutil.copytree(home, {str(tmp_path / 'nbchannels')!r})\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "%load_ext autoreload\n%autoreload 2\n%load_ext nbchannels\n" + QUIET
    )
    assert "Error" not in error, error
    out, _ = kernel.run(
        "got = []\n"
        "s = nb.Group('reload').subscribe(lambda m: got.append(m['n']))\n"
        "nb.Group('reload').send({'n': 0}); print(nb.__file__)"
    )
    assert out.startswith(str(tmp_path))
    names = ("channel", "bridge", "pending", "reading", "kernel/layer", "kernel/connection")
    names += ("kernel/outbox", "layers/manager", "magics/extension", "exceptions", "message")
    for n, name in enumerate(names, 1):
        path = tmp_path / "nbchannels" / f"{name}.py"
        path.write_text(path.read_text() + f"\n# {n}\n")
        os.utime(path, (time.time() + 10 * n, time.time() + 10 * n))
        out, error = kernel.run(f"print(nb.Group('reload').send({{'n': {n}}}).offset)")
        assert (out, error) == (f"{n + 1}\n", ""), name
    out, error = kernel.run(
        "import time\n"
        f"while len(got) < {len(names) + 1}: time.sleep(0.01)\n"
        "print(got == [*range(len(got))]); s.close()"
    )
    assert (out, error) == ("True\n", "")
    out, error = kernel.run(
        "%reload_ext nbchannels\nprint(nb.Group('reload').send({'n': 99}).name)"
    )
    assert out.endswith("reload\n"), error
    assert len(connected(server, kernel)) == 1
    assert kernel.run(THREADS)[0].count("'nbchannels'") == 1


# --- Forks ---

FORK = """
import os
child = os.fork()
if not child:
    code = 1
    try:
        code = 0 if all(nb.Group('fork').send({'n': n}).offset for n in (1, 2)) else 2
    finally:
        os._exit(code)
print(os.waitpid(child, 0)[1], nb.Group('fork').send({'n': 3}).offset)
"""
POOL = """
import multiprocessing
def work(n):
    return nb.Group('fork').send({'n': n}).offset is not None
with multiprocessing.get_context('fork').Pool(3) as pool:
    print(all(pool.map(work, range(30))))
print(len(nb.Group('fork').history(100)), nb.Group('fork').send({'n': 99}).offset)
"""


def test_children_of_a_fork_send_on_their_own_connections(server, kernel):
    kernel.run(
        QUIET + "nb.Group('fork').send({'n': 0})\n"
        "got = []; s = nb.Group('fork').subscribe(lambda m: got.append(m['n']))"
    )
    assert kernel.run(FORK) == ("0 4\n", "")
    assert kernel.run(POOL) == ("True\n34 35\n", "")
    out, error = kernel.run(
        "import time\nwhile len(got) < 34: time.sleep(0.01)\nprint(got[:3], sorted(got[3:-1]))"
    )
    assert (out, error) == (f"[1, 2, 3] {[*range(30)]}\n", "")
    eventually(lambda: len(connected(server, kernel)), 1)
    assert group(server, "fork")["subscribers"] == 1


# --- Restart and death ---

BUSY = (
    QUIET
    + """
GROUP, CHANNEL = 'busy.{0}', 'letters.{0}'
layer = nb.get_channel_layer()
name = await layer.new_channel()
await layer.group_add(GROUP, name)
subscription = nb.Group(GROUP).subscribe(lambda m: None)
nb.Channel(CHANNEL).send({'n': 1})
import asyncio
task = asyncio.ensure_future(layer.receive('more.{0}'))
for n in range(200): nb.Group(GROUP).send({'n': n}, wait=False)
print(nb.Group(GROUP).send({'n': 200}).members)
"""
)


def busy(kernel, name):
    """Have a kernel do a little of everything."""
    out, error = kernel.run(BUSY.replace("{0}", name))
    assert out == "1\n"
    assert "1 of the 1 member channels" in error, "it takes 100, and nobody receives from it"


def is_left(server, name):
    """Members and subscribers of the group that the kernel was in."""
    facts = group(server, f"busy.{name}")
    return facts["members"], facts["subscribers"]


def test_a_restart_leaves_no_subscription_and_no_member(server, kernel):
    for _ in range(2):
        busy(kernel, "restart")
        assert len(connected(server, kernel)) == 1
        assert is_left(server, "restart") == (1, 1)
        kernel.restart()
        eventually(lambda: connected(server, kernel), [])
        eventually(lambda: is_left(server, "restart"), (0, 0), 5)


def test_a_kernel_that_is_killed_leaves_nothing_and_comes_back(server, kernel):
    busy(kernel, "kill")
    os.kill(kernel.pid, signal.SIGKILL)
    eventually(lambda: connected(server, kernel), [])
    # Jupyter starts it again, under the same id: it proves itself again.
    kernel.comes_back()
    eventually(lambda: is_left(server, "kill"), (0, 0), 5)
    out = kernel.run(QUIET + "print(nb.Group('busy.kill').send({'n': 201}).offset)")
    assert out == ("202\n", "")


def test_a_kernel_that_is_shut_down_leaves_nothing(server):
    since = (server.folder / "log").stat().st_size
    kernel = Patient(server)
    busy(kernel, "end")
    kernel.end()
    eventually(lambda: connected(server, kernel), [])
    eventually(lambda: is_left(server, "end"), (0, 0), 5)
    assert problems(server, since) == []


def test_a_kernel_shut_down_while_the_server_takes_nothing_ends_at_once(server, frozen):
    since = (server.folder / "log").stat().st_size
    kernel = Patient(server)
    kernel.run(QUIET + "nb.Group('end').send({'n': 0})")
    frozen()
    kernel.begin("for n in range(1, 500): nb.Group('end').send({'n': n}, wait=False)")
    kernel.finish()
    began = time.monotonic()
    kernel.client.shutdown()
    eventually(lambda: running(kernel.pid), False, 10)
    assert time.monotonic() - began < 20
    server.thaw()
    kernel.end()
    assert problems(server, since) == []


def running(pid):
    """Whether a process does anything; one that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
