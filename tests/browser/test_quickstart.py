"""The quickstart, as a newcomer has it: in JupyterLab and in Notebook 7, from beginning to end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import visiting
from tests.browser.driving import App, NotebookPage, Visitor
from tests.browser.jupyter import Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
NAME = "01-quickstart.ipynb"


@dataclass
class Story:
    """The notebook after all its cells were run, and what was seen meanwhile."""

    app: App
    notebook: NotebookPage
    visitor: Visitor
    #: Looks at the sensors plot while the kernel slept.
    asleep: list[dict[str, Any]] = field(default_factory=list)


LOOK = """() => ({
  points: nbtest.points('sensors-plot'),
  legend: document.querySelector('[data-cell="sensors-plot"] .nbc-entries').innerText,
  painted: nbtest.coloured('sensors-plot'),
  kernel: nbtest.kernelStatus(),
  prompt: nbtest.prompt('busy'),
  printed: nbtest.text('busy')
})"""


@pytest.fixture(scope="module", params=["lab", "notebook"])
def story(request: pytest.FixtureRequest, browser: Browser, jupyter: Jupyter) -> Iterator[Story]:
    app: App = request.param
    name = f"quickstart-{app}.ipynb"
    source = (jupyter.work / NAME).read_text()
    # Whoever has seen it once need not wait as long again.
    (jupyter.work / name).write_text(
        source if app == "lab" else source.replace("time.sleep(20)", "time.sleep(12)")
    )
    jupyter.clear("hello", "helo", "sensors", "index")
    with visiting(browser, jupyter) as visitor:
        notebook = visitor.open(name, app)
        story = Story(app, notebook, visitor)
        notebook.begin_command("notebook:run-all-cells")
        notebook.wait(
            "() => nbtest.prompt('busy').includes('*')"
            " && !nbtest.prompt('sensors-plot').includes('*')"
            " && nbtest.plots('sensors-plot').length === 1",
            timeout=40_000,
        )
        notebook.view("sensors-plot").wait_for_paint()
        for _ in range(3):
            story.asleep.append(notebook.page.evaluate(LOOK))
            notebook.wait("n => nbtest.points('sensors-plot') >= n", story.asleep[-1]["points"] + 8)
        notebook.wait("() => nbtest.text('busy') !== ''", timeout=40_000)
        notebook.wait(
            "() => nbtest.panel().content.widgets.filter(c => c.model.type === 'code')"
            ".every(c => /\\d/.test(nbtest.prompt(c.model.id)))"
        )
        notebook.save()
        yield story


def test_every_cell_runs_without_a_complaint(story: Story):
    told = {}
    for cell in story.notebook.cells():
        outputs = story.notebook.page.evaluate("cell => nbtest.outputs(cell)", cell)
        assert [output for output in outputs if output["output_type"] == "error"] == []
        stderr = "".join(o["text"] for o in outputs if o.get("name") == "stderr")
        if stderr:
            told[cell] = stderr
    # The one it means to show: a mistyped name.
    assert set(told) == {"typo"}
    assert "no one listens to group 'helo'; did you mean 'hello'?" in told["typo"]


def test_the_plots_show_points(story: Story):
    for cell in ("watch", "sensors-plot", "weekly"):
        view = story.notebook.view(cell)
        view.wait_for_paint()
        view.wait_for_chip("live")
        view.expect_chip("live")
    (run,) = story.notebook.view("watch").plot["runs"]
    assert set(run["series"]) == {"sine", "cosine"}
    assert run["series"]["sine"]["x"] == list(range(201))
    assert story.notebook.view("weekly").plot["runs"][0]["series"]["text"]["y"] == [
        3, 1, 4, 1, 5, 9, 2
    ]  # fmt: skip


def test_the_sensors_plot_moves_while_the_kernel_sleeps(story: Story):
    assert all(look["kernel"] == "busy" and "*" in look["prompt"] for look in story.asleep)
    assert all(look["printed"] == "" for look in story.asleep)
    points = [look["points"] for look in story.asleep]
    assert points == sorted(set(points))
    assert len({look["legend"] for look in story.asleep}) > 1
    assert story.notebook.text("busy") == "awake again\n"


def test_a_setting_from_python_has_changed_the_weekly_chart(story: Story):
    figure = story.notebook.view("weekly").look().element.get_by_role("figure")
    expect(figure).to_have_attribute("aria-label", re.compile("^Live bar plot of group index"))


def test_the_weekly_chart_moves_on_an_http_post(story: Story):
    weekly = story.notebook.view("weekly").look()
    for number in ("4", "8"):
        receipt = story.notebook.server.post("index", {"text": [1, 2, 3, 4, 5, 6, int(number)]})
        assert receipt["subscribers"] >= 1
        weekly.wait_for_legend("text", number)
    assert weekly.plot["runs"][-1]["series"]["text"]["y"] == [1, 2, 3, 4, 5, 6, 8]


def test_a_second_browser_sees_the_same(story: Story):
    first = story.notebook
    second = story.visitor.open(f"quickstart-{story.app}.ipynb", story.app)
    for cell in ("watch", "weekly"):
        second.view(cell).wait_for_paint()
        second.view(cell).wait_for_chip("live")
        assert second.view(cell).plot["runs"] == first.view(cell).plot["runs"]
    for number in ("3", "7"):
        first.server.post("index", {"text": [7, 6, 5, 4, 3, 2, int(number)]})
        for page in (first, second):
            page.view("weekly").look().wait_for_legend("text", number)
    first.server.post("hello", {"step": 201, "sine": 0.25, "cosine": -0.5})
    for page in (first, second):
        view = page.view("watch").look()
        view.wait_for_legend("sine", "0.2500")
        view.wait_for_legend("cosine", "−0.5000")
    assert second.view("watch").plot["runs"] == first.view("watch").plot["runs"]


def test_the_cell_run_again_begins_a_new_run_in_order(story: Story):
    before = story.notebook.view("watch").plot["runs"]
    story.notebook.run("send")
    view = story.notebook.view("watch").look()
    view.wait_for_points(sum(len(run["series"]["sine"]["x"]) * 2 for run in before) + 400)
    view.wait_for_text(f"run {len(before) + 1}")
    runs = view.plot["runs"]
    assert runs[:-1] == before
    for name in ("sine", "cosine"):
        assert runs[-1]["series"][name]["x"] == list(range(200))


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_looks_as_it_should(story: Story, theme: str):
    notebook = story.notebook
    notebook.theme(f"JupyterLab {theme}")
    try:
        for cell in ("watch", "sensors-plot", "weekly", "state"):
            if cell != "state":
                notebook.view(cell).wait_for_paint()
            notebook.page.locator(f'[data-cell="{cell}"]').evaluate(
                "async node => { node.scrollIntoView({ block: 'center' });"
                " await new Promise(requestAnimationFrame);"
                " await new Promise(requestAnimationFrame); }"
            )
            notebook.picture(f"quickstart-{story.app}-{theme.lower()}-{cell}")
        surface = notebook.view("watch").element.evaluate(
            "view => getComputedStyle(view).backgroundColor"
        )
        channels = [int(part) for part in surface[surface.index("(") + 1 : -1].split(",")[:3]]
        assert (min(channels) > 200) if theme == "Light" else (max(channels) < 80)
    finally:
        notebook.theme("JupyterLab Light")


def test_without_a_kernel_it_draws_its_history_and_goes_on(story: Story):
    notebook, server = story.notebook, story.notebook.server
    before = {cell: notebook.view(cell).plot["runs"] for cell in ("watch", "weekly")}
    notebook.save()
    notebook.shut_down_kernel()
    notebook.reload()
    # Opening a notebook starts a kernel: this one knows nothing, and goes too.
    for page in story.visitor.notebooks:
        page.shut_down_kernel()
    for kernel in server.kernels:
        server.ask("DELETE", f"api/kernels/{kernel}")
    assert server.kernels == []
    for cell in ("watch", "weekly"):
        view = notebook.view(cell)
        view.wait_for_paint()
        view.wait_for_chip("live")
        view.wait_for_points(
            sum(len(s["x"]) for run in before[cell] for s in run["series"].values())
        )
        assert view.plot["runs"] == before[cell]
    for number in ("2", "9"):
        server.post("index", {"text": [1, 1, 1, 1, 1, 1, int(number)]})
        notebook.view("weekly").look().wait_for_legend("text", number)
    server.post("hello", {"step": 300, "sine": 0.75, "cosine": 0.125})
    notebook.view("watch").look().wait_for_legend("sine", "0.7500")
    server.post("sensors", {"cpu": 12.5, "memory": 99.5})
    notebook.view("sensors-plot").look().wait_for_legend("memory", "99.50")
    assert server.kernels == []
    notebook.picture(f"quickstart-{story.app}-without-kernel")


def test_nothing_went_wrong_on_the_pages(story: Story):
    assert story.visitor.errors == []
