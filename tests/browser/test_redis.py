"""The notebook on many servers and Redis, run from beginning to end in JupyterLab."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import visiting
from tests.browser.driving import NotebookPage
from tests.browser.jupyter import Jupyter
from tests.browser.test_consumers import shown
from tests.redis.servers import why_no_redis

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
NAME = "05-redis.ipynb"


@pytest.fixture(scope="module")
def notebook(browser: Browser, jupyter: Jupyter) -> Iterator[NotebookPage]:
    reason = why_no_redis(os.environ)
    if reason:
        pytest.skip(reason)
    with visiting(browser, jupyter) as visitor:
        found = visitor.open(NAME)
        found.begin_command("notebook:run-all-cells")
        found.wait(
            "() => nbtest.panel().content.widgets.filter(c => c.model.type === 'code')"
            ".every(c => /\\d/.test(nbtest.prompt(c.model.id)))",
            timeout=180_000,
        )
        yield found


def test_every_cell_runs(notebook: NotebookPage):
    assert {cell: notebook.errors(cell) for cell in notebook.cells() if notebook.errors(cell)} == {}


def test_it_says_where_it_is_and_that_the_page_is_elsewhere(notebook: NotebookPage):
    assert "directly: not through a Jupyter server" in shown(notebook, "status")
    told = "\n".join(shown(notebook, cell) for cell in notebook.cells())
    assert "its Jupyter server has a layer of its own (memory)" in told


def test_the_work_is_done_once_by_both(notebook: NotebookPage):
    assert "colleague" in shown(notebook, "results")
    assert "this notebook" in shown(notebook, "results")
    number, results, different = (
        int(part.split()[0]) for part in shown(notebook, "once").split(", ")
    )
    assert number == results
    assert different <= number


def test_both_are_present(notebook: NotebookPage):
    assert NAME in shown(notebook, "who")
    assert len(shown(notebook, "who").strip().splitlines()) == 2


def test_the_site_and_the_notebook_share_its_groups_and_channels(notebook: NotebookPage):
    assert "Django site at" in shown(notebook, "site")
    told = shown(notebook, "orders")
    assert "'type': 'order.placed', 'loaves': 2" in told
    assert "'loaves': 12, 'by': \"the site's oven\"" in told


def test_an_outage_is_told_and_passes(notebook: NotebookPage):
    assert "does not answer" in shown(notebook, "pause")
    assert "○ Redis at" in shown(notebook, "trouble")
    assert "the last: 'it is back'" in shown(notebook, "resume")
    notebook.picture("redis-notebook")
