"""What waits to be sent, in a kernel and at its end: with a real server."""

import threading

import pytest

from nbchannels.bridges.outlets import Outlet, Parcel, flush_all
from nbchannels.exceptions import LayerUnavailable, MessageTooLarge
from tests.integration.kernels import Patient, eventually
from tests.kernel.conftest import RunningServer


class Texts(Outlet):
    """Sends what is put in, one message each."""

    def begin_anew(self):
        super().begin_anew()
        self.texts = []

    @property
    def is_empty(self):
        return not self.texts

    def take(self):
        texts, self.texts = self.texts, []
        return [Parcel({"text": text}) for text in texts]

    def put(self, text):
        with self.lock:
            self.texts.append(text)
            is_announced = self.is_announced
        if not is_announced:
            self.announce()


def texts(group):
    return [message["text"] for message in group.history(1000)]


def test_what_is_put_in_arrives_in_its_order(group):
    outlet = Texts(group)
    for i in range(200):
        outlet.put(i)
    assert outlet.flush(20)
    assert texts(group) == list(range(200))


def test_the_thread_sends_by_itself(group, layer):
    arrived = threading.Event()
    outlet = Texts(group)
    outlet.put(0)
    with group.subscribe(lambda message: arrived.set()):
        outlet.put(1)
        assert arrived.wait(20)


def test_one_that_fails_does_not_stop_the_others(group, layer, told):
    bad, good = Texts(group), Texts(group)
    bad.put(0)
    good.put(1)
    bad.take = lambda: 1 / 0
    bad.put(2)
    arrived = threading.Event()
    with group.subscribe(lambda message: arrived.set()):
        good.put(3)
        assert arrived.wait(20)
    flush_all()
    assert any("ZeroDivisionError" in sentence for _, sentence in told())


def test_what_nobody_thought_of_is_told_and_raised(group, layer, told):
    outlet = Texts(group)
    outlet.put(0)
    layer.encode = lambda content: 1 / 0
    outlet.put(1)
    outlet.flush(5, seen=True)
    with pytest.raises(LayerUnavailable, match="ZeroDivisionError: division by zero"):
        outlet.raise_error()


def test_one_that_is_too_large_and_cannot_be_divided(group, layer):
    layer.max_message = 100
    outlet = Texts(group)
    with pytest.raises(MessageTooLarge):
        outlet.put("a" * 200)
    outlet.put("b")
    assert outlet.flush(5)
    assert texts(group) == ["b"]


# With a real server.


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


@pytest.fixture
def kernel(server):
    found = Patient(server)
    yield found
    found.end()


COUNT = """
import nbchannels as nb
print(sum(len(message["loss"]) for message in nb.Group(%r).history(10_000)))
"""


@pytest.mark.integration
@pytest.mark.slow
def test_what_a_cell_logs_is_there_when_it_ends(kernel):
    out, error = kernel.run(
        "import nbchannels as nb\nfor i in range(1000): nb.log('run', loss=i / 2)"
    )
    assert not out
    assert "no one listens to group 'run'" in error
    # Read in the next cell's own words: no flush in between.
    assert kernel.run(COUNT % "run")[0] == "1000\n"


@pytest.mark.integration
@pytest.mark.slow
def test_what_is_logged_when_a_kernel_is_shut_down_arrives(server, kernel):
    other = Patient(server)
    other.run("import nbchannels as nb; nb.log('end', loss=0.0)")
    other.run(
        "import threading\n"
        "def later():\n"
        "    import atexit\n"
        "    atexit.register(lambda: [nb.log('end', loss=1.0) for _ in range(99)])\n"
        "later()"
    )
    other.end()
    eventually(lambda: kernel.run(COUNT % "end")[0], "100\n")


@pytest.mark.integration
@pytest.mark.slow
def test_a_failure_is_told_below_the_cell_and_raised_by_the_next_row(kernel):
    kernel.run("import nbchannels as nb; nb.log('run', loss=0.0)")
    kernel.run(
        "from nbchannels.exceptions import PermissionDenied\n"
        "layer = nb.get_channel_layer()\n"
        "submit = layer.submit\n"
        "def refuse(*a, **k): raise PermissionDenied('not for you')\n"
        "layer.submit = refuse\n"
    )
    _, error = kernel.run("nb.log('run', loss=1.0)")
    assert "group 'run': 1 row could not be sent: not for you" in error
    _, error = kernel.run("nb.log('run', loss=1.0)")
    assert "PermissionDenied: not for you" in error
