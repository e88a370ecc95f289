"""Loading, loading again, unloading; failures told at cell end."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.magics.extension import load, unload
from nbchannels.pending import note_unseen, take_unseen


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
