"""Loading, loading again, unloading; failures told at cell end."""

from concurrent.futures import Future

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.bridge import bridge
from nbchannels.exceptions import ChannelFull, ServerNotFound
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.magics import extension as module
from nbchannels.magics.extension import load, unload
from nbchannels.pending import note_unseen, take_unseen


class Failing(InMemoryChannelLayer):
    """A layer whose sends are decided later, and fail unless they are looked at."""

    def submit(self, kind, name, encoded, **options):
        future = Future()
        if kind == "group":
            future.set_exception(ChannelFull("it is full"))
        else:
            bridge.call(future.set_exception, ChannelFull("it is full"))
        return future


@pytest.fixture
def shell():
    shell = InteractiveShell()
    yield shell
    shell.history_manager.end_session()


def test_loading_twice_registers_once_and_adds_no_names(shell):
    before = set(shell.user_ns)
    matchers = len(shell.Completer.custom_matchers)
    for _ in range(2):
        load(shell)
    assert set(shell.user_ns) == before
    assert len(shell.Completer.custom_matchers) == matchers + 1
    assert "channels" in shell.magics_manager.magics["line"]
    for _ in range(2):
        unload(shell)
    assert len(shell.Completer.custom_matchers) == matchers


def test_failures_nobody_looked_at_are_told_when_the_cell_ends(shell, capsys):
    take_unseen()
    load(shell)
    note_unseen("group 'index': it failed")
    shell.run_cell("1 + 1")
    assert "nbchannels: group 'index': it failed" in capsys.readouterr().err
    shell.run_cell("1 + 1")
    assert "it failed" not in capsys.readouterr().err
    unload(shell)


def test_unloading_takes_everything_back(shell):
    magics = shell.magics_manager.magics["line"]
    before = dict(magics)
    callbacks = list(shell.events.callbacks["post_run_cell"])
    before_cells = list(shell.events.callbacks["pre_run_cell"])
    load(shell)
    assert {"channels", "send", "group_send", "watch"} <= set(magics)
    assert "consume" in shell.magics_manager.magics["cell"]
    unload(shell)
    assert set(magics) == set(before)
    assert "consume" not in shell.magics_manager.magics["cell"]
    assert shell.events.callbacks["post_run_cell"] == callbacks
    assert shell.events.callbacks["pre_run_cell"] == before_cells
    load(shell)
    assert "watch" in magics
    unload(shell)


def test_the_magics_of_another_extension_stay(shell):
    load(shell)
    shell.register_magic_function(lambda line: "theirs", magic_name="send")
    unload(shell)
    assert shell.run_line_magic("send", "x") == "theirs"


def test_the_commands_load_and_unload_it(shell):
    for command in ("%load_ext nbchannels", "%reload_ext nbchannels", "%unload_ext nbchannels"):
        shell.run_cell(command).raise_error()
        assert ("watch" in shell.magics_manager.magics["line"]) is ("unload" not in command)


def test_a_send_that_fails_is_told_under_its_cell_once(shell, capsys):
    before = channel_layers.set("default", Failing())
    take_unseen()
    load(shell)
    try:
        shell.run_cell("import nbchannels as nb; r = nb.Group('index').send({}, wait=False)")
        assert capsys.readouterr().err == "nbchannels: group 'index': it is full\n"
        # Whoever looks at it has seen it.
        cell = "r = nb.Channel('work').send({}, wait=False)\ntry: r.wait()\nexcept Exception: pass"
        shell.run_cell(cell)
        assert "it is full" not in capsys.readouterr().err
    finally:
        unload(shell)
        channel_layers.set("default", before)


def test_in_a_kernel_it_begins_to_connect(shell, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(module, "connect", lambda: asked.append(1))
    load(shell)
    assert asked == []
    monkeypatch.setattr(module, "kernel_identity", lambda: object())
    load(shell)
    assert asked == [1]

    def nowhere():
        raise ServerNotFound("no server; run: pip install nbchannels")

    monkeypatch.setattr(module, "connect", nowhere)
    load(shell)
    assert capsys.readouterr().err == "nbchannels: no server; run: pip install nbchannels\n"
    unload(shell)
