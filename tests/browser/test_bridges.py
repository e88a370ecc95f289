"""The short ways from a cell to a page: rows of ``log`` in a plot, notifications."""

import pytest
from playwright.sync_api import expect

from tests.browser.driving import App, Visitor
from tests.browser.jupyter import Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HOSTILE = "<img src=x onerror='document.title=1'>"


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_rows_are_drawn_and_notifications_shown(visitor: Visitor, jupyter: Jupyter, app: App):
    group = f"run-{app}"
    jupyter.write_notebook(
        f"{group}.ipynb",
        {
            "view": f'import nbchannels as nb\nnb.LivePlot("{group}", x="step")',
            "log": "for i in range(200):\n"
            f'    nb.log("{group}", loss=1 / (i + 1))\n'
            f'    if i % 50 == 0: nb.log("{group}", validation=0.5)',
            "tell": f'nb.notify("{group}", "{HOSTILE} has ended", "success")',
            "many": f'for i in range(5): nb.notify("{group}", f"event {{i}}", "warning")',
        },
    )
    notebook = visitor.open(f"{group}.ipynb", app)
    notebook.run("view", "log")
    view = notebook.view("view")
    view.wait_for_paint()
    notebook.wait("() => nbtest.plot('view').range[1] >= 203")
    text = view.element.inner_text()
    assert "loss" in text
    assert "validation" in text
    notebook.run("tell")
    toasts = notebook.page.locator(".Toastify__toast")
    told = toasts.filter(has_text="has ended")
    told.wait_for()
    expect(told).to_contain_text(f"{group}: {HOSTILE} has ended")
    assert told.locator("img").count() == 0
    notebook.run("many")
    # How many of them are held back depends on how fast they come; the newest is always shown.
    expect(toasts.filter(has_text="event 4")).to_be_visible(timeout=20_000)
    notebook.picture(f"notifications-{app}")
