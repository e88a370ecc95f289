"""%%consume: in a bare shell with a memory layer, and in a real kernel."""

import time
from collections.abc import Iterator

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.channel import Channel
from nbchannels.consuming import services_of, unconsume
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.magics.consuming import ConsumeMagics
from tests.integration.kernels import Patient
from tests.kernel.conftest import PATIENCE, RunningServer, no_server_of_this_computer, server

__all__ = ["no_server_of_this_computer", "server"]


@pytest.fixture
def shell():
    before = channel_layers.set("default", InMemoryChannelLayer())
    shell = InteractiveShell()
    shell.register_magics(ConsumeMagics)
    yield shell
    unconsume()
    shell.history_manager.end_session()
    channel_layers.set("default", before)


def services():
    return list(services_of(channel_layers["default"]))


def test_the_cell_runs_for_each_message_and_answers(shell, capsys):
    shell.user_ns["seen"] = seen = []
    body = 'seen.append(1)\nreturn {"y": message["x"] ** 2}'
    shell.run_cell_magic("consume", "square --reply", body)
    assert capsys.readouterr().out == "each message of channel 'square' runs this cell\n"
    assert Channel("square").ask({"x": 3})["y"] == 9
    assert seen == [1]


def test_options(shell):
    shell.run_cell_magic("consume", "work --on main --capacity 7 --expiry 2.5", "pass")
    (service,) = services()
    assert (service.channels, service.capacity, service.expiry) == (["work"], 7, 2.5)
    assert service.place == "loop"  # no notebook's loop runs here
    assert service.name == "work"


@pytest.mark.parametrize("line", ['"work"', "'work'"])
def test_quotes_around_the_name_are_none_of_it(shell, line):
    shell.run_cell_magic("consume", line, "pass")
    assert services()[0].channels == ["work"]


def test_again_replaces(shell):
    for _ in range(2):
        shell.run_cell_magic("consume", "work", "pass")
    assert len(services()) == 1


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [
        ("", "pass", "%%consume work"),
        ("work", "", "the cell body is empty"),
        ("work", "  \n", "%%consume work"),
        ("work --on moon", "pass", "on='moon': a consumer runs on 'thread'"),
        ("a/b", "pass", "'a/b'"),
        ("work --capacity many", "pass", "invalid int value"),
        ("work --capacity 0", "pass", "capacity is 0"),
        ("work more", "pass", "unrecognized arguments: more"),
    ],
)
def test_errors_show_the_right_call(shell, line, cell, said):
    with pytest.raises(UsageError) as caught:
        shell.run_cell_magic("consume", line, cell)
    assert said in str(caught.value)
    assert services() == []


def test_a_syntax_error_is_one(shell):
    with pytest.raises(SyntaxError) as caught:
        shell.run_cell_magic("consume", "work", "x = = 1")
    assert caught.value.lineno == 2
    assert services() == []


def test_help(shell):
    said = shell.find_cell_magic("consume").__doc__
    for word in ("%%consume work", "--reply", "--on", "global", "%channels stop"):
        assert word in said


# --- In a real kernel ---


@pytest.fixture(scope="module")
def kernel(server: RunningServer) -> Iterator[Patient]:
    found = Patient(server)
    found.run("%load_ext nbchannels\nimport nbchannels as nb, asyncio, time")
    yield found
    found.end()


class Cells:
    """What is printed, by the cell that it appears in."""

    def __init__(self, kernel):
        self.client = kernel.client
        self.printed: dict[str, str] = {}

    def begin(self, code):
        return self.client.execute(code)

    def run(self, code):
        cell = self.begin(code)
        self.client.get_shell_msg(timeout=PATIENCE)
        return cell

    def until(self, cell, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.printed.get(cell, ""):
            assert time.monotonic() < deadline, self.printed
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            parent, content = message["parent_header"].get("msg_id"), message["content"]
            if message["msg_type"] == "stream":
                self.printed[parent] = self.printed.get(parent, "") + content["text"]
            elif message["msg_type"] == "error":
                text_of = "\n".join(content["traceback"])
                self.printed[parent] = self.printed.get(parent, "") + text_of


@pytest.mark.integration
@pytest.mark.slow
class TestInAKernel:
    def test_prints_appear_in_its_own_cell_while_others_run_and_after(self, kernel):
        cells = Cells(kernel)
        own = cells.run("%%consume loud\nprint('got', message['n'])")
        busy = cells.begin("nb.Channel('loud').send({'n': 1})\ntime.sleep(0.5)\nprint('slept')")
        cells.until(own, "got 1")
        assert "slept" not in cells.printed.get(busy, "")
        cells.until(busy, "slept")
        kernel.client.get_shell_msg(timeout=PATIENCE)
        nb_send = cells.run("nb.Channel('loud').send({'n': 2}, wait=False);")
        cells.until(own, "got 2")
        assert cells.printed[busy] == "slept\n"
        assert nb_send not in cells.printed

    def test_with_await_it_runs_between_cells_and_prints_in_its_own(self, kernel):
        cells = Cells(kernel)
        own = cells.run(
            "%%consume soft\nimport threading\nawait asyncio.sleep(0)\n"
            "print(message['n'], threading.current_thread().name)"
        )
        other = cells.run("nb.Channel('soft').send({'n': 1});")
        cells.until(own, "1 MainThread")
        assert other not in cells.printed

    def test_a_failure_shows_its_line_in_its_own_cell(self, kernel):
        cells = Cells(kernel)
        own = cells.run("%%consume fails\nx = 0\n1 / x")
        other = cells.run("nb.Channel('fails').send({});")
        cells.until(own, "ZeroDivisionError")
        assert "line 3, in fails" in cells.printed[own]
        assert "1 / x" in cells.printed[own]
        assert other not in cells.printed

    def test_a_syntax_error_is_shown_at_its_line(self, kernel):
        cells = Cells(kernel)
        wrong = cells.run("%%consume wrong\nx = 1\ny = = 2")
        cells.until(wrong, "invalid syntax")
        assert "line 3" in cells.printed[wrong].replace("\x1b[39m", "")
        assert "y = = 2" in cells.printed[wrong]

    def test_stopping(self, kernel):
        kernel.run("%%consume gone\nprint('got it')")
        out, error = kernel.run("%channels stop gone")
        assert (out, error) == ("channel 'gone': 1 consumer of this kernel ended\n", "")
        assert "gone" not in kernel.run("%channels consumers")[0]
