"""What a notebook shows below its cells: in a real kernel, and the parts of it here."""

import logging
import time
from collections.abc import Iterator

import pytest

from nbchannels.diagnoses import Diagnosis
from nbchannels.kernel import notebook
from nbchannels.kernel.notebook import begin, show, shown_place
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.integration.kernels import Patient, api, eventually
from tests.kernel.conftest import RunningServer

PATIENCE = 20.0


@pytest.fixture(scope="module")
def kernel(server: RunningServer) -> Iterator[Patient]:
    found = Patient(server)
    found.run("import nbchannels as nb, time, threading, warnings\nlayer = nb.get_channel_layer()")
    yield found
    found.end()


REPORT = "from nbchannels.diagnoses import report\n"


def streams(kernel, printed, until):
    """Collect what is printed by parent cell, until the function says that it is enough."""
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, printed
        message = kernel.client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "stream":
            parent = message["parent_header"]["msg_id"]
            printed[parent] = printed.get(parent, "") + message["content"]["text"]


# --- Here: no kernel ---


def test_elsewhere_nothing_begins():
    handlers = list(logging.getLogger("nbchannels").handlers)
    layer = InMemoryChannelLayer()
    begin(layer)
    assert notebook._begun.shells == []
    assert "group_send" not in vars(layer)
    assert logging.getLogger("nbchannels").handlers == handlers


def test_outside_of_consumers_nothing_is_printed_at_once(capsys):
    assert show(Diagnosis("no-handler", "add def tick")) is False
    assert show(Diagnosis("consumer-failed", "printed where it ran")) is True
    assert capsys.readouterr().err == ""


def test_places_without_a_notebook_stay_as_they_are():
    assert shown_place("/tmp/a.py, line 3") == "/tmp/a.py, line 3"
    assert shown_place("somewhere") == "somewhere"


# --- In a real kernel ---


@pytest.mark.integration
class TestInAKernel:
    def test_a_diagnosis_is_shown_once_under_its_cell(self, kernel):
        cell = REPORT + "for _ in range(3): report('k', 'do this', subject='s', detail='there')"
        assert kernel.run(cell) == ("", "nbchannels: do this (there)\n")
        assert kernel.run("1") == ("", "")

    def test_the_same_mistake_in_the_next_cell_is_told_again(self, kernel):
        for count in ("", " (2 times)", " (3 times)"):
            _, error = kernel.run(REPORT + "report('k', 'again', subject='again')")
            assert error == f"nbchannels: again{count}\n"

    def test_one_that_comes_between_cells_is_shown_by_the_next(self, kernel):
        kernel.run(REPORT + "timer = threading.Timer(0.1, report, ('k', 'late'))\ntimer.start()")
        out, error = kernel.run("timer.join()")
        assert (out, error) == ("", "nbchannels: late\n")

    def test_a_traceback_stands_below_its_sentence(self, kernel):
        _, error = kernel.run(REPORT + "report('k', 'it failed', detail='Traceback\\n  line')")
        assert error == "nbchannels: it failed\nTraceback\n  line\n"

    def test_the_library_logs_into_the_ring_and_not_into_a_cell(self, kernel):
        out, error = kernel.run(
            "import logging\nlogging.getLogger('nbchannels').error('something odd')\n"
        )
        assert (out, error) == ("", "")
        kernel.run("%load_ext nbchannels")
        assert "something odd" in kernel.run("%channels log")[0]
        assert kernel.run("print(len(logging.getLogger('nbchannels').handlers))")[0] == "1\n"

    def test_the_server_keeps_it_with_its_count(self, kernel, server):
        kernel.run(REPORT + "report('told', 'for the inspector', subject='server')")
        kernel.run("report('told', 'for the inspector', subject='server', detail='d' * 9000)")

        def kept():
            found = [d for d in api(server, "diagnoses")["diagnoses"] if d["kind"] == "told"]
            return [(d["where"], d["count"], len(d["detail"])) for d in found]

        eventually(kept, [("kernel", 2, 2000)])

    @pytest.mark.parametrize(
        "cell",
        [
            "layer.group_send('index', {'y': 1})",
            "layer.group_send('index', {'y': 1}); 5",
            "def f():\n    layer.group_send('index', {'y': 1})\nf()",
            "layer.group_send('index', {'y': 1}) and None",
        ],
    )
    def test_a_coroutine_that_a_cell_drops(self, kernel, cell):
        _, error = kernel.run(cell)
        assert error.startswith("nbchannels: un-awaited channel_layer.group_send(...)")
        assert "async_to_sync(channel_layer.group_send)(...)" in error
        assert 'Group("name").send({...})' in error
        assert "(Cell In[" in error
        assert "RuntimeWarning" not in error

    def test_awaited_it_is_as_ever(self, kernel):
        out, error = kernel.run(
            "print((await layer.group_send('index', {'y': 1})).offset)\n"
            "print(nb.async_to_sync(layer.group_statistics)('index')['messages'])"
        )
        assert error == ""
        assert out == "1\n1\n"

    def test_a_diagnosis_of_a_consumer_belongs_to_its_cell(self, kernel):
        cell = kernel.client.execute(
            "@nb.consume('told')\n"
            "def told(message):\n"
            "    print('got', message['n'])\n"
            "    return message['n']\n"
        )
        kernel.client.get_shell_msg(timeout=PATIENCE)
        other = kernel.client.execute("nb.Channel('told').send({'n': 1})\ntime.sleep(0.5)")
        printed: dict[str, str] = {}
        streams(kernel, printed, lambda: "returned" in printed.get(cell, ""))
        kernel.client.get_shell_msg(timeout=PATIENCE)
        last = kernel.client.execute("print('after')")
        streams(kernel, printed, lambda: "after" in printed.get(last, ""))
        kernel.client.get_shell_msg(timeout=PATIENCE)
        assert "nbchannels: told returned an int: 1; nobody gets it" in printed[cell]
        assert other not in printed
        assert printed[last] == "after\n"

    def test_unloading_the_magics_leaves_the_diagnoses(self, kernel):
        kernel.run("%load_ext nbchannels\n%unload_ext nbchannels")
        assert kernel.run(REPORT + "report('k', 'still told')")[1] == "nbchannels: still told\n"

    def test_a_reload_changes_nothing(self, kernel):
        kernel.run(
            "import importlib, nbchannels.diagnoses, nbchannels.kernel.diagnoses as kd\n"
            "import nbchannels.kernel.notebook as kn\n"
            "for module in (nbchannels.diagnoses, kd, kn): importlib.reload(module)\n"
            "kn.begin(layer)"
        )
        _, error = kernel.run(REPORT + "report('k', 'after the reload')")
        assert error == "nbchannels: after the reload\n"
