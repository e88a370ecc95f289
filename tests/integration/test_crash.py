"""The server is killed or does nothing for a while: senders go on, listeners are told the truth."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.kernels import QUIET, Patient, api, eventually, problems
from tests.integration.test_lifecycle import running
from tests.kernel.conftest import PATIENCE, RunningServer

pytestmark = pytest.mark.integration
TOTAL = 6000

# What is not queued because the queue is full may be sent again: that is what the error says.
SENDER = f"""
import sys, time, warnings
import nbchannels as nb
warnings.simplefilter("ignore")
full = 0
with nb.Group("crash").batch(timeout=60) as out:
    for n in range({TOTAL}):
        while True:
            try:
                out.send({{"n": n, "filler": "x" * 200}})
                break
            except nb.SendTimeout:
                full += 1
        if n % 20 == 0:
            time.sleep(0.005)
        if n == 1500:
            print("under way", flush=True)
receipt = nb.Group("crash").send({{"n": {TOTAL}}})
print(out.count, receipt.subscribers)
"""
# It knows where it was told what is missing: the sentence stands between the messages.
LISTENER = f"""
import json, warnings
import nbchannels as nb
got = []
warnings.showwarning = lambda message, *_, **__: got.append(str(message))
warnings.simplefilter("always")
for message in nb.Group("crash").listen():
    got.append(message["n"])
    if message["n"] == {TOTAL}:
        break
print(json.dumps(got))
"""


@pytest.fixture
def own_server(tmp_path_factory):
    """A server that can be killed; its listener and its sender, each a process of its own."""
    server = RunningServer(tmp_path_factory.mktemp("crash"))
    started = []

    def start(code):
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code],
            env=server.environment | {"PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    server.script = start
    yield server
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    server.kill()


def begin(server):
    """A listener and a sender that is under way."""
    listener = server.script(LISTENER)
    eventually(lambda: subscribers(server), 1)
    sender = server.script(SENDER)
    assert sender.stdout.readline() == "under way\n"
    return listener, sender


def subscribers(server):
    names = [group["name"] for group in api(server, "groups")["groups"]]
    return api(server, "groups/crash")["subscribers"] if "crash" in names else 0


def ended(process):
    out, error = process.communicate(timeout=60)
    # asyncio, in its debug mode, tells what took long: that is the machine's affair.
    told = [line for line in error.splitlines() if not line.startswith("Executing <")]
    assert (process.returncode, told) == (0, [])
    return out


def test_a_server_that_stands_still_for_some_seconds_loses_nothing(own_server):
    listener, sender = begin(own_server)
    own_server.freeze()
    time.sleep(3)
    own_server.thaw()
    assert ended(sender) == f"{TOTAL} 1\n"
    assert json.loads(ended(listener)) == list(range(TOTAL + 1))


def test_a_server_that_is_killed_and_started_again(own_server):
    listener, sender = begin(own_server)
    own_server.kill()
    own_server.start()
    # Which of the two comes back first is chance.
    assert ended(sender) in (f"{TOTAL} 0\n", f"{TOTAL} 1\n")
    got = json.loads(ended(listener))
    sentences = [item for item in got if isinstance(item, str)]
    assert len(sentences) == 1
    assert "the server was restarted" in sentences[0]
    at = got.index(sentences[0])
    before, after = got[:at], got[at + 1 :]
    assert before == list(range(len(before)))
    # What had been acknowledged and not read is gone, and that was said. What had not been
    # acknowledged was sent again, in its order.
    assert after == list(range(after[0], TOTAL + 1))
    assert len(before) > 100
    history = api(own_server, "groups/crash")
    assert history["messages"] == len(after)


def test_a_send_whose_server_is_killed_names_what_is_not_known(own_server):
    code = QUIET + (
        "import time\nnb.Group('crash').send({'n': 0}); print('go', flush=True); input()\n"
        "with nb.Group('crash').batch(timeout=1) as out:\n"
        "    for n in range(100): out.send({'n': n})\n"
    )
    sender = subprocess.Popen(
        [sys.executable, "-c", code],
        env=own_server.environment | {"PYTHONPATH": str(Path.cwd())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert sender.stdout.readline() == "go\n"
        own_server.freeze()
        began = time.monotonic()
        _, error = sender.communicate("\n", timeout=PATIENCE)
    finally:
        sender.kill()
        sender.wait()
    assert time.monotonic() - began < 20
    lines = error.splitlines()
    assert lines[-2].startswith("nbchannels.exceptions.DeliveryUnknown: written, but not")
    assert "it may have arrived" in lines[-2]
    assert lines[-1] == "100 of the batch's 100 messages were not acknowledged"


def test_a_kernel_whose_server_is_killed_ends_without_a_traceback(own_server):
    kernel = Patient(own_server)
    kernel.run(QUIET + "s = nb.Group('crash').subscribe(lambda m: None)")
    kernel.begin(
        "n = 0\nwhile True:\n"
        "    nb.Group('crash').send({'n': n}, wait=False); n += 1\n"
        "    if n == 500: print('under way', flush=True)"
    )
    kernel.told("under way")
    own_server.kill()
    eventually(lambda: running(kernel.pid), False)  # ipykernel ends without its parent
    kernel.client.stop_channels()
    assert problems(own_server) == []
    assert not any(running(pid) for pid in children_of(own_server))


def children_of(server):
    """Processes that were started in the server's environment and are there yet."""
    runtime = f"JUPYTER_RUNTIME_DIR={server.runtime}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if runtime in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]
