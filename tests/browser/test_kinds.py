"""Values, logs and tables: drawn, brought up to date, resumed, hostile, in both themes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.accessibility import Axe, described
from tests.browser.conftest import serving, visiting
from tests.browser.driving import AWAY, SCREENSHOTS, NotebookPage, View, Visitor
from tests.browser.jupyter import Jupyter, shown_view
from tests.browser.test_inspector_hostile import VECTORS, Guard

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MACHINES = [
    {"name": f"node-{n}", "cpu": 11.5 + 17 * n, "jobs": 3 * n, "ok": n != 4} for n in range(6)
]
RECORDS = [
    ("info", "app.web", "GET /index 200"),
    ("debug", "app.db", "select 1 took 0.4 ms"),
    ("warning", "app.db", "slow query: 812 ms"),
    ("error", "worker", "job 17 failed\nZeroDivisionError: division by zero"),
    ("info", "worker", "job 18 done"),
]


@dataclass
class Board:
    """A page with one view of each kind, on a server of its own."""

    server: Jupyter
    visitor: Visitor
    notebook: NotebookPage

    def view(self, kind: str) -> View:
        return self.notebook.view(kind).look()

    def find(self, kind: str, selector: str) -> Locator:
        return self.view(kind).element.locator(selector)


@pytest.fixture(scope="module")
def board(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with serving(tmp_path_factory.mktemp("kinds")) as server:
        for n, machine in enumerate(MACHINES):
            server.post("machines", machine)
            server.post("sensors", {"cpu": 50 + 6 * n, "temperature": 21.5 - n / 4, "host": "a"})
        for level, logger, message in RECORDS:
            server.post("app", {"level": level, "logger": logger, "message": message})
        views = {
            "value": shown_view(
                "sensors",
                "value",
                unit={"cpu": "%", "temperature": "°C"},
                warn={"cpu": 60},
                alarm={"cpu": 75},
            ),
            "log": shown_view("app", "log", title="Application", height=220),
            "table": shown_view("machines", "table", key="name", height=240),
            "rows": shown_view("rows", "table", mode="append", height=240),
        }
        server.write_notebook("kinds.ipynb", dict.fromkeys(views, ""), views)
        with visiting(browser, server) as visitor:
            notebook = visitor.open("kinds.ipynb")
            for kind in views:
                notebook.view(kind).look().wait_for_chip("live")
            yield Board(server, visitor, notebook)


def test_they_are_up_to_date(board: Board):
    cpu = board.find("value", ".nbc-tile[aria-label=cpu]")
    expect(cpu.locator(".nbc-amount")).to_have_text("80")
    expect(cpu.locator(".nbc-threshold")).to_have_text("alarm ≥\u202f75")
    expect(cpu.locator(".nbc-curve path").last).to_have_attribute(
        "d", re.compile(r"^M[\d.]+ [\d.]+L")
    )
    board.server.post("sensors", {"cpu": 62})
    expect(cpu.locator(".nbc-amount")).to_have_text("62")
    expect(cpu.locator(".nbc-threshold")).to_have_text("warning ≥\u202f60")
    expect(cpu.locator(".nbc-change")).to_contain_text("18")

    texts = board.find("log", ".nbc-text")
    expect(texts).to_have_text([message for _, _, message in RECORDS])
    expect(board.find("table", ".nbc-window .nbc-cells")).to_have_count(len(MACHINES))


def test_a_log_follows_its_end_until_one_scrolls_up(board: Board):
    server, log = board.server, board.view("log")
    texts = log.element.locator(".nbc-text")
    jump = log.element.locator(".nbc-jump")
    for n in range(40):
        server.post("app", {"level": "info", "message": f"line {n}"})
    expect(texts.last).to_have_text("line 39")
    expect(texts.last).to_be_in_viewport()
    expect(jump).to_be_hidden()
    scroller = log.element.get_by_role("log")
    scroller.evaluate("scroller => scroller.scrollTo(0, 0)")
    expect(jump).to_have_text("↓ to the end")
    first = texts.first.text_content()
    for n in range(40, 43):
        server.post("app", {"level": "info", "message": f"line {n}"})
    expect(jump).to_have_text("↓ 3 new lines")
    assert texts.first.text_content() == first
    assert scroller.evaluate("scroller => scroller.scrollTop") == 0
    jump.click()
    expect(texts.last).to_have_text("line 42")
    expect(texts.last).to_be_in_viewport()
    expect(jump).to_be_hidden()
    # By words, by level, wrapped.
    log.element.get_by_label("Filter the lines").fill("JOB")
    expect(texts).to_have_text([RECORDS[3][2], RECORDS[4][2]])
    log.element.get_by_label("Least level").select_option("error")
    expect(texts).to_have_text([RECORDS[3][2]])
    log.element.get_by_label("Least level").select_option("all")
    log.element.get_by_label("Filter the lines").fill("")
    expect(texts.last).to_have_text("line 42")
    server.post("app", {"level": "info", "message": "long " * 100})
    expect(texts.last).to_contain_text("long long")
    wide = "scroller => scroller.scrollWidth > scroller.clientWidth"
    assert scroller.evaluate(wide)
    log.element.get_by_label("Wrap long lines").click()
    expect(texts.last).to_be_in_viewport()
    assert not scroller.evaluate(wide)
    log.element.get_by_label("Wrap long lines").click()


def test_a_table_is_sorted_filtered_and_its_changes_flash(board: Board):
    server, table = board.server, board.view("table")
    names = table.element.locator(".nbc-window .nbc-cells > :first-child")
    cpu = table.element.get_by_role("columnheader", name="cpu")
    cpu.get_by_role("button").click()
    cpu.get_by_role("button").press("Enter")
    expect(cpu).to_have_attribute("aria-sort", "descending")
    expect(names).to_have_text([f"node-{n}" for n in (5, 4, 3, 2, 1, 0)])
    server.post("machines", {"name": "node-2", "cpu": 99.5})
    expect(names).to_have_text([f"node-{n}" for n in (2, 5, 4, 3, 1, 0)])
    moving = "cell => cell.dataset.changed !== undefined"
    changed = table.element.locator(".nbc-window .nbc-cell", has_text="99.50")
    assert changed.evaluate(moving)
    table.element.get_by_label("Filter the rows").fill("node-4")
    expect(names).to_have_text(["node-4"])
    expect(table.element.locator(".nbc-shown")).to_have_text("1 of 6 rows")
    table.element.get_by_label("Filter the rows").fill("")
    expect(names).to_have_count(6)


def test_a_hundred_thousand_rows_are_scrolled_through(board: Board):
    count = 100_000
    numbers = list(range(count))
    board.server.post("rows", {"n": numbers, "half": [n / 2 for n in numbers]})
    table = board.view("rows")
    expect(table.element.locator(".nbc-shown")).to_have_text("100\u202f000 rows")
    rows = table.element.locator(".nbc-window .nbc-cells")
    expect(rows.last).to_contain_text("99\u202f999")
    table.element.get_by_role("table").evaluate("table => table.scrollTo(0, 26 * 50_000)")
    expect(rows.filter(has_text="50\u202f003")).to_be_in_viewport()
    assert rows.count() < 60
    half = table.element.get_by_role("columnheader", name="half").get_by_role("button")
    half.click()
    half.click()
    table.element.get_by_role("table").evaluate("table => table.scrollTo(0, 0)")
    expect(rows.first).to_contain_text("99\u202f999")
    board.server.clear("rows")
    expect(table.element.locator(".nbc-empty")).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_they_follow_the_theme_and_have_no_barriers(board: Board, theme: str):
    notebook = board.notebook
    for level, logger, message in RECORDS:
        board.server.post("app", {"level": level, "logger": logger, "message": message, "n": 1})
    notebook.theme(theme)
    dark = theme.endswith("Dark")
    for kind in ("value", "log", "table"):
        element = board.view(kind).element
        background = element.evaluate("view => getComputedStyle(view).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) == dark
        if kind == "log":
            expect(board.find("log", ".nbc-text").last).to_have_text(RECORDS[-1][2])
        found = Axe(notebook.page).look(f'[data-cell="{kind}"] .nbchannels-view')
        assert not found["violations"], described(found["violations"])
        element.screenshot(path=SCREENSHOTS / f"live-{kind}-{'dark' if dark else 'light'}.png")


def test_hostile_messages_stay_text(board: Board):
    guard = Guard(board.notebook)
    server = board.server
    for vector in VECTORS:
        server.post("app", {"level": vector, "logger": vector, "message": vector, vector: vector})
        server.post("machines", {"name": vector, "cpu": vector, vector: [vector]})
    server.post("sensors", {"cpu": 1, **{vector: n for n, vector in enumerate(VECTORS)}})
    expect(board.find("log", ".nbc-text").last).to_have_text(VECTORS[-1])
    expect(board.find("table", ".nbc-shown")).to_have_text(f"{len(VECTORS) + 6} rows")
    expect(board.find("value", ".nbc-tile").last).to_contain_text("<")
    guard.check()
    server.clear("machines", "app", "sensors")


def test_a_log_fills_a_tab_of_the_main_area(board: Board):
    board.notebook.command("nbchannels:open-log", group="app")
    panel = board.notebook.page.locator(".nbc-plot-panel")
    expect(panel.get_by_role("log")).to_be_visible()
    board.server.post("app", {"message": "in a tab"})
    expect(panel.locator(".nbc-text").last).to_have_text("in a tab")
    board.notebook.page.locator(".lm-TabBar-tab", has_text="app").locator(
        ".lm-TabBar-tabCloseIcon"
    ).click()
    expect(panel).to_have_count(0)
    board.server.clear("app")


def test_they_resume_after_a_restart_and_show_the_gap(board: Board):
    server = board.server
    board.visitor.allow(*AWAY)
    server.post("app", {"message": "before"})
    server.post("sensors", {"cpu": 1})
    server.post("machines", {"name": "node-0", "cpu": 1})
    server.post("rows", {"t": 1, "n": 1})
    for kind, words in {"log": "before", "value": "cpu", "table": "node-0", "rows": "n"}.items():
        board.view(kind).wait_for_text(words)
    server.kill()
    board.view("value").wait_for_chip("reconnecting · stale")
    server.start()
    for kind in ("value", "log", "table", "rows"):
        board.view(kind).wait_for_chip("live")
    server.post("app", {"message": "after"})
    server.post("sensors", {"cpu": 2})
    server.post("machines", {"name": "node-0", "cpu": 2})
    server.post("rows", {"t": 2, "n": 2})
    for kind in ("value", "log", "table", "rows"):
        board.view(kind).wait_for_chip("live · gaps 1")
    expect(board.find("log", ".nbc-text")).to_have_text(["before", "server restarted", "after"])
    expect(board.find("rows", ".nbc-window .nbc-missing")).to_have_text("server restarted")
    expect(board.find("value", ".nbc-amount")).to_have_text("2")
    expect(board.find("value", ".nbc-curve-gap")).to_have_attribute("d", "M150.0 0V40")
    expect(board.find("table", ".nbc-window .nbc-cells")).to_have_count(1)


def test_in_a_box_of_widgets_they_draw_and_take_settings(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook(
        "kinds-boxed.ipynb",
        {
            "box": "import ipywidgets\nimport nbchannels as nb\n"
            'group = nb.Group("boxed-kinds")\n'
            "value, log, table = views = nb.LiveValue(group), nb.LiveLog(group), "
            "nb.LiveTable(group)\n"
            "ipywidgets.VBox(views)",
            "send": 'group.send({"y": 1.5})',
            "change": 'value.unit = {"y": "km"}\nlog.title = "Lines"\ntable.columns = "y"',
        },
    )
    notebook = visitor.open("kinds-boxed.ipynb", "notebook")
    notebook.run("box", "send")
    views = [notebook.view("box", f".widget-vbox > :nth-child({n})") for n in (1, 2, 3)]
    for view, words in zip(views, ("1.5", "y=1.5", "1.5"), strict=True):
        view.look().wait_for_chip("live")
        view.wait_for_text(words)
    notebook.run("change")
    views[0].look().wait_for_text("km")
    views[1].look().wait_for_text("Lines")
    header = views[2].look().element.get_by_role("columnheader")
    expect(header).to_have_text(["y"])
