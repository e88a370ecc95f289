"""Groups that are bound to what shows them."""

import asyncio
import threading

import ipywidgets
import pytest

from nbchannels.bridges.binding import _bindings, bind
from nbchannels.exceptions import InvalidName
from tests.bridges.test_targets import Figure
from tests.integration.kernels import Patient
from tests.kernel.conftest import RunningServer


class Seen:
    """Keeps the values of a field, and can be waited for."""

    def __init__(self, field="n"):
        self.field = field
        self.values = []
        self.changed = threading.Condition()

    def __call__(self, message):
        with self.changed:
            self.values.append(message[self.field])
            self.changed.notify_all()

    def until(self, last):
        with self.changed:
            assert self.changed.wait_for(lambda: self.values[-1:] == [last], 20), self.values


@pytest.fixture(autouse=True)
def nothing_stays_bound():
    yield
    for binding in list(_bindings.known.values()):
        binding.stop()


def test_a_function_gets_the_newest(group):
    seen = Seen()
    with bind(group, seen) as binding:
        for n in range(300):
            group.send({"n": n})
        seen.until(299)
        assert binding.is_active
        assert repr(binding).startswith("<Seen bound to group 'run': active, ")
    assert seen.values == sorted(seen.values)
    assert not binding.is_active
    assert (group.name, id(seen)) not in _bindings.known


def test_it_begins_with_the_newest_of_the_history(group):
    for n in range(5):
        group.send({"n": n})
    seen = Seen()
    bind(group, seen)
    seen.until(4)
    assert seen.values == [4]


def test_without_history(group):
    group.send({"n": 1})
    seen = Seen()
    bind(group, seen, history=0)
    group.send({"n": 2})
    seen.until(2)
    assert seen.values == [2]


def test_a_picture_loses_nothing(group):
    figure = Figure()
    for n in range(500):
        group.send({"step": n, "a": n})
    arrived = threading.Event()
    binding = bind(group, figure)
    last = Seen("step")
    for n in range(500, 1000):
        group.send({"step": n, "a": n})
    watching = threading.Thread(target=_until, args=(figure, 1000, arrived), daemon=True)
    watching.start()
    assert arrived.wait(30)
    assert list(figure.data[0].y) == list(range(1000))
    assert binding.messages == 1000
    assert binding.updates < 1000
    assert not last.values


def _until(figure, count, arrived):
    while not (figure.data and len(figure.data[0].y) == count):
        threading.Event().wait(0.01)
    arrived.set()


def test_a_widget(group):
    slider = ipywidgets.FloatSlider()
    changed = threading.Event()
    slider.observe(lambda change: changed.set(), "value")
    bind(group, slider)
    group.send({"lr": 0.5})
    assert changed.wait(20)
    assert slider.value == 0.5


def test_a_coroutine_function(group):
    seen = Seen()

    async def show(message):
        await asyncio.sleep(0)
        seen(message)

    bind(group, show)
    group.send({"n": 1})
    seen.until(1)


def test_binding_again_replaces(group):
    seen = Seen()
    first, second = bind(group, seen), bind(group, seen)
    assert not first.is_active
    assert second.is_active
    other = bind(group, Seen())
    assert second.is_active
    assert other.is_active


def test_errors_are_told_once_each_and_end_nothing(group, told):
    seen = Seen()

    def show(message):
        seen(message)
        raise ValueError("odd" if message["n"] % 2 else "even")

    binding = bind(group, show)
    for n in range(6):
        group.send({"n": n})
        seen.until(n)
    group.send({"n": 6})
    seen.until(6)
    binding.stop()
    sentences = [sentence for kind, sentence in told() if kind == "binding-failed"]
    assert len(sentences) == 2
    assert "show, bound to group 'run', failed: ValueError: even" in sentences[0]
    assert binding.errors >= 6
    assert "ValueError" in binding.last_error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rollover": 0}, "rollover is an int: 0; it takes a number of points"),
        ({"history": -1}, "history is an int: -1; it takes a number of messages"),
        ({"every": 0}, "every is an int: 0; it takes seconds above 0"),
    ],
)
def test_options_that_cannot_be(group, options, said):
    with pytest.raises(ValueError, match=said):
        bind(group, print, **options)
    with pytest.raises(InvalidName):
        bind("my run", print)
    with pytest.raises(TypeError, match="bind takes a function"):
        bind(group, 5)


@pytest.mark.integration
@pytest.mark.slow
def test_in_a_kernel_widgets_follow_between_cells(tmp_path):
    server = RunningServer(tmp_path)
    try:
        kernel = Patient(server)
        kernel.run(
            "import asyncio, threading, warnings, ipywidgets, nbchannels as nb\n"
            "warnings.simplefilter('ignore')\n"
            "slider, where = ipywidgets.FloatSlider(), []\n"
            "moved = asyncio.Event()\n"
            "def note(change):\n"
            "    where.append(threading.current_thread() is threading.main_thread())\n"
            "    if change.new == 3.0: moved.set()\n"
            "slider.observe(note, 'value')\n"
            "binding = nb.bind('lr', slider)\n"
        )
        out, error = kernel.run(
            "for n in range(1, 4): nb.Group('lr').send({'value': float(n)})\n"
            "await asyncio.wait_for(moved.wait(), 20)\n"
            "print(slider.value, all(where), binding.errors)"
        )
        assert (out, error) == ("3.0 True 0\n", "")
        kernel.end()
    finally:
        server.kill()
