"""The notebook on consumers, run from beginning to end in JupyterLab."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import visiting
from tests.browser.driving import NotebookPage
from tests.browser.jupyter import Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
NAME = "02-consumers.ipynb"


@pytest.fixture(scope="module")
def notebook(browser: Browser, jupyter: Jupyter) -> Iterator[NotebookPage]:
    jupyter.clear("measured")
    with visiting(browser, jupyter) as visitor:
        visitor.allow("404")  # the page of the notebook asks for no icon that there is
        found = visitor.open(NAME)
        found.begin_command("notebook:run-all-cells")
        found.wait(
            "() => nbtest.panel().content.widgets.filter(c => c.model.type === 'code')"
            ".every(c => /\\d/.test(nbtest.prompt(c.model.id)))",
            timeout=150_000,
        )
        yield found


def shown(notebook: NotebookPage, cell: str) -> str:
    """The text of a cell's outputs."""
    found = []
    for output in notebook.page.evaluate("cell => nbtest.outputs(cell)", cell):
        text = output.get("text") or output.get("data", {}).get("text/plain") or ""
        found.append(text if isinstance(text, str) else "".join(text))
    return "\n".join(found)


def show(notebook: NotebookPage, cell: str, name: str) -> None:
    notebook.page.evaluate(
        "cell => nbtest.panel().content.widgets.find(c => c.model.id === cell)"
        ".node.scrollIntoView({block: 'center'})",
        cell,
    )
    notebook.picture(f"consumers-{name}")


def test_every_cell_runs(notebook: NotebookPage):
    assert {cell: notebook.errors(cell) for cell in notebook.cells() if notebook.errors(cell)} == {}


def test_a_consumer_prints_into_its_own_cell(notebook: NotebookPage):
    notebook.wait("() => nbtest.text('consumer').includes('no_such_module.py')")
    assert "working on" in shown(notebook, "consumer")
    assert "FileNotFoundError" in shown(notebook, "consumer")
    show(notebook, "consumer", "own-cell")


def test_two_kernels_share_the_work(notebook: NotebookPage):
    show(notebook, "plot", "plot")
    assert "1 receiver" in shown(notebook, "receipt")


def test_nothing_is_lost_with_a_kernel(notebook: NotebookPage):
    assert "modules were measured" in shown(notebook, "killed")
    assert "branches" in shown(notebook, "table")
    show(notebook, "table", "table")


def test_the_dead_letter_is_shown(notebook: NotebookPage):
    assert "no_such_module.py" in shown(notebook, "dead")
    show(notebook, "dead", "dead")


def test_questions_have_answers(notebook: NotebookPage):
    assert "asyncio.events" in shown(notebook, "ask")
    assert "nobody serves channel 'descripe'" in shown(notebook, "nobody")
    show(notebook, "nobody", "ask")


def test_a_page_comes_from_the_kernel(notebook: NotebookPage):
    show(notebook, "frame", "page")
    frame = notebook.page.frame_locator("iframe[src*='nbchannels/http/module']")
    expect(frame.locator("body")).to_contain_text("asyncio.base_events")
    assert "json.decoder" in shown(notebook, "curl")


def test_the_doctor_has_been(notebook: NotebookPage):
    assert "measure" in shown(notebook, "status")
    show(notebook, "doctor", "doctor")
