"""The conformance suite on a kernel's own main loop, over its own proof (HMAC) instead of a token.

``tests/kernel/test_contract.py`` runs it as a script does.
"""

import json

import pytest

from tests.integration.kernels import Patient, connected, eventually, problems

pytestmark = pytest.mark.integration

SUITE = """
import asyncio, inspect, json, time, warnings
import nbchannels as nb
from nbchannels.testing.layers import LayerContract
warnings.simplefilter("ignore")

layer = nb.get_channel_layer()
ran, failed = [], {}
for name, test in inspect.getmembers(LayerContract, inspect.iscoroutinefunction):
    if not name.startswith("test") or [*inspect.signature(test).parameters] != ["self", "layer"]:
        continue
    await layer.flush()
    try:
        await asyncio.wait_for(test(LayerContract(), layer), 10)
    except BaseException as error:
        failed[name] = repr(error)
    ran.append(name)
"""
REPORT = """
found = layer.connection.found
def is_ours(task):
    # By its module, not by its path: the checkout's folder is called nbchannels, too.
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and frame.f_globals.get("__name__", "").startswith("nbchannels.")
for _ in range(100):  # what was cancelled ends in its own time
    tasks = [t for t in asyncio.all_tasks() if is_ours(t)]
    if not tasks:
        break
    await asyncio.sleep(0.05)
print(json.dumps([len(ran), failed, found.kernel is not None, found.token, len(tasks)]))
"""


@pytest.fixture
def kernel(server):
    since = (server.folder / "log").stat().st_size
    found = Patient(server)
    yield found
    found.end()
    eventually(lambda: connected(server, found), [])
    assert problems(server, since) == []


def test_a_kernels_layer_is_a_layer_like_any_other(server, kernel):
    _, error = kernel.run(SUITE)
    assert error == ""
    out, error = kernel.run(REPORT)
    assert error == ""
    ran, failed, by_proof, token, tasks = json.loads(out)
    assert failed == {}
    assert ran > 30
    assert (by_proof, token, tasks) == (True, None, 0)
    assert len(connected(server, kernel)) == 1
