"""The notebook on recordings, run from beginning to end in JupyterLab."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import visiting
from tests.browser.driving import NotebookPage
from tests.browser.jupyter import Jupyter
from tests.browser.test_consumers import shown

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
NAME = "04-record-and-replay.ipynb"


@pytest.fixture(scope="module")
def notebook(browser: Browser, jupyter: Jupyter) -> Iterator[NotebookPage]:
    jupyter.clear("compression", "again", "login")
    with visiting(browser, jupyter) as visitor:
        found = visitor.open(NAME)
        found.begin_command("notebook:run-all-cells")
        found.wait(
            "() => nbtest.panel().content.widgets.filter(c => c.model.type === 'code')"
            ".every(c => /\\d/.test(nbtest.prompt(c.model.id)))",
            timeout=150_000,
        )
        yield found


def show(notebook: NotebookPage, cell: str) -> None:
    notebook.page.evaluate(
        "cell => nbtest.panel().content.widgets.find(c => c.model.id === cell)"
        ".node.scrollIntoView({block: 'center'})",
        cell,
    )
    notebook.picture(f"record-{cell}")


def test_every_cell_runs(notebook: NotebookPage):
    assert {cell: notebook.errors(cell) for cell in notebook.cells() if notebook.errors(cell)} == {}


def test_the_run_is_recorded(notebook: NotebookPage):
    assert shown(notebook, "record").startswith("<recorded group 'compression' into ")
    assert "90 messages ('compression' 90)" in shown(notebook, "recording")
    assert "mean" in shown(notebook, "table")
    show(notebook, "recording")


def test_it_is_replayed_number_for_number(notebook: NotebookPage):
    assert shown(notebook, "replay").startswith("<replay paused compression.mcap")
    assert "90 of 90 messages" in shown(notebook, "faster")
    assert "number for number the same" in shown(notebook, "same")
    first, second = notebook.view("plot"), notebook.view("again")
    second.wait_for_points(2 * 90)
    runs = [view.plot["runs"][0]["series"]["lzma"]["y"] for view in (first, second)]
    assert runs[0][:90] == runs[1]
    second.wait_for_paint()
    show(notebook, "again")


def test_a_killed_recording_says_so(notebook: NotebookPage):
    assert "40 messages" in shown(notebook, "killed")
    assert "NOT CLOSED" in shown(notebook, "killed")
    show(notebook, "killed")


def test_a_password_is_in_no_file(notebook: NotebookPage):
    assert "'password': '•••'" in shown(notebook, "redact")
    assert "sesame" not in shown(notebook, "redact")


def test_the_terminal_says_what_is_in_the_file(notebook: NotebookPage):
    assert "compression  " in shown(notebook, "info")
    show(notebook, "info")
