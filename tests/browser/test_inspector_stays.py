"""What the inspector remembers, what it follows, and what of it survives a reload and a restart."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import visiting
from tests.browser.driving import AWAY, PATIENCE, NotebookPage, Visitor
from tests.browser.jupyter import Jupyter, shown_view
from tests.browser.sidebar import Sidebar

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

#: What was kept of the layout, in the workspace of whoever looks.
KEPT = "lab/api/workspaces"


def wait_until_kept(notebook: NotebookPage, server: Jupyter, *words: str) -> None:
    """Wait until the workspace holds all of these; it is written when nothing changes."""
    kept = ""
    for _ in range(80):
        kept = json.dumps(server.ask("GET", KEPT))
        if all(word in kept for word in words):
            return
        notebook.page.wait_for_timeout(250)
    pytest.fail(f"{words} were not kept: {kept[-3000:]}")


def test_sections_filters_and_pause_are_as_they_were(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook("stays.ipynb", {"a": ""})
    jupyter.post("stays.one", {"secret": "swordfish"})
    jupyter.post("other.one", {"y": 1})
    notebook = visitor.open("stays.ipynb")
    sidebar = Sidebar(notebook).open()
    sidebar.toggle("Groups", "Messages", "Problems")
    sidebar.section("groups").locator("input").fill("Stays.")
    sidebar.section("groups").locator("select").select_option("rate")
    sidebar.element.locator("button[title='More filters']").click()
    sidebar.section("messages").locator("input").first.fill("stays.*")
    notebook.command("nbchannels:pause-messages")
    sidebar.section("messages").locator(".nbc-status", has_text="Paused").wait_for(timeout=PATIENCE)
    wait_until_kept(notebook, jupyter, '"Stays."', '"stays.*"', '"paused": true')
    kept = json.dumps(jupyter.ask("GET", KEPT))
    assert "swordfish" not in kept
    assert "stays.one" not in kept

    notebook.page.goto(f"{jupyter.url}lab/tree/stays.ipynb?token={jupyter.token}")
    notebook.wait_until_ready()
    again = Sidebar(notebook).open()
    notebook.wait(
        "() => [...document.querySelectorAll("
        "'#nbchannels-inspector .jp-AccordionPanel-title[aria-expanded=true]"
        " .lm-AccordionPanel-titleLabel')].map(one => one.textContent).join()"
        " === 'Groups,Messages,Problems'"
    )
    groups = again.section("groups")
    assert groups.locator("input").input_value() == "Stays."
    assert groups.locator("select").input_value() == "rate"
    notebook.wait(
        "() => [...document.querySelectorAll('#nbchannels-section-groups .nbc-row')]"
        ".filter(row => row.offsetHeight > 0).map(row =>"
        " row.querySelector('.nbc-row-name').textContent).join() === 'stays.one'"
    )
    messages = again.section("messages")
    messages.locator(".nbc-status", has_text="Paused").wait_for(timeout=PATIENCE)
    assert messages.locator("input").first.input_value() == "stays.*"
    assert messages.locator("select").is_visible()
    notebook.picture("inspector-as-it-was")


def test_it_follows_the_notebook_in_front(visitor: Visitor, jupyter: Jupyter):
    cells = {
        "begin": "import nbchannels as nb",
        "send": 'nb.Group("{0}.sent").send({{"y": 1}})\nnb.Channel("{0}.asked").send({{"n": 1}})',
        "watch": 'ear = nb.Group("{0}.watched").subscribe(print)',
        "consume": '@nb.consume("{0}.work")\ndef {0}(message):\n    pass',
    }
    for name in ("first", "second"):
        jupyter.write_notebook(
            f"{name}.ipynb",
            {cell: source.format(name) for cell, source in cells.items()} | {"view": ""},
            {"view": shown_view(f"{name}.viewed")},
        )
    for name in ("first", "second", "neither"):
        jupyter.post(f"{name}.viewed", {"y": 1})
    notebook = visitor.open("first.ipynb")
    notebook.run("begin", "send", "watch", "consume")
    notebook.command("docmanager:open", path="second.ipynb")
    notebook.wait("() => nbtest.panel()?.context.path === 'second.ipynb'")
    notebook.wait_until_ready()
    notebook.run("begin", "send", "watch", "consume")
    sidebar = Sidebar(notebook).open()
    sidebar.toggle("Groups", "Channels", "Consumers", "Clients")
    groups = sidebar.section("groups").locator("input")
    groups.fill("neither.")  # other tests have made more groups than there is room for
    sidebar.row("groups", "neither.viewed").wait_for(timeout=PATIENCE)
    groups.fill("")
    follow = sidebar.element.locator(".nbc-follow")
    assert follow.inner_text() == "Only this notebook"
    follow.click()
    shown = (
        "section => [...document.querySelectorAll(`#nbchannels-section-${section} .nbc-row`)]"
        ".filter(row => row.offsetHeight > 0)"
        ".map(row => row.querySelector('.nbc-row-name').textContent).sort().join()"
    )

    def wait_for_rows(section: str, names: list[str]) -> None:
        condition = f"([section, names]) => ({shown})(section) === names"
        notebook.wait(condition, [section, ",".join(sorted(names))])

    for name in ("second", "first"):
        notebook.command("docmanager:open", path=f"{name}.ipynb")
        sidebar.element.locator(".nbc-follow", has_text=f"Only {name}.ipynb").wait_for(
            timeout=PATIENCE
        )
        wait_for_rows("groups", [f"{name}.{what}" for what in ("sent", "viewed", "watched")])
        wait_for_rows("channels", [f"{name}.asked"])
        wait_for_rows("consumers", [f"{name}.work"])
        notebook.wait(
            f"name => ({shown})('clients').split(',').includes(name)"
            f" && !({shown})('clients').includes(name === 'first.ipynb' ? 'second' : 'first')",
            f"{name}.ipynb",
        )
        notebook.picture(f"inspector-follows-{name}")
    notebook.command("nbchannels:follow-notebook")
    groups.fill("neither.")
    sidebar.row("groups", "neither.viewed").wait_for(timeout=PATIENCE)


def test_a_plot_in_a_tab_survives_a_restart_and_a_reload(
    browser: Browser, own_jupyter: Callable[..., Jupyter]
):
    server = own_jupyter()
    server.write_notebook("tab.ipynb", {"a": ""})
    with visiting(browser, server) as visitor:
        visitor.allow(*AWAY)
        notebook = visitor.open("tab.ipynb")
        for y in range(5):
            server.post("tab", {"y": y})
        notebook.command("nbchannels:open-plot", group="tab")
        panel = notebook.page.locator(".nbc-plot-panel")
        value = panel.locator(".nbc-value")
        chip = "() => document.querySelector('.nbc-plot-panel .nbc-chip').textContent"
        panel.locator(".nbc-value", has_text="4").wait_for(timeout=PATIENCE)
        wait_until_kept(notebook, server, "nbchannels-plots:tab")
        sidebar = Sidebar(notebook)
        sidebar.wait_for_chip("Channels live")
        for kind in ("first", "second"):
            sidebar.call("report", kind=kind, sentence="something went wrong")
        sidebar.wait_for_badge("2")

        # The server dies and comes back, on the same port.
        server.kill()
        notebook.wait(f"() => ({chip})().startsWith('reconnecting')")
        assert value.first.inner_text() == "4"  # what was known stays
        server.start()
        notebook.wait(f"() => ({chip})().startsWith('live')")
        sidebar.wait_for_badge("")  # the problems of another server
        sidebar.call("report", kind="third", sentence="something went wrong")
        sidebar.wait_for_badge("1")
        server.post("tab", {"y": 9})
        panel.locator(".nbc-value", has_text="9").wait_for(timeout=PATIENCE)
        notebook.wait(f"() => ({chip})() === 'live · gaps 1'")
        notebook.picture("inspector-plot-after-a-restart")

        # The page is loaded anew, with the layout that the server has kept.
        notebook.page.goto(f"{server.url}lab?token={server.token}")
        panel.locator(".nbc-value", has_text="9").wait_for(timeout=PATIENCE)
        notebook.wait(f"() => ({chip})().startsWith('live')")
        server.post("tab", {"y": 11})
        panel.locator(".nbc-value", has_text="11").wait_for(timeout=PATIENCE)
        assert panel.count() == 1

        # And a server that has died while the page was closed.
        server.kill()
        server.start()
        notebook.page.goto(f"{server.url}lab?token={server.token}")
        panel.wait_for(timeout=PATIENCE)
        notebook.wait(f"() => ({chip})().startsWith('live')")
        server.post("tab", {"y": 13})
        panel.locator(".nbc-value", has_text="13").wait_for(timeout=PATIENCE)


def test_it_has_room_at_narrow_widths(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook("narrow.ipynb", {"a": ""})
    jupyter.post("narrow.with.a.rather.long.name.that.has.no.room", {"y": 1})
    notebook = visitor.open("narrow.ipynb")
    sidebar = Sidebar(notebook).open()
    sidebar.toggle("Groups", "Problems")
    sidebar.section("groups").locator("input").fill("narrow.")
    sidebar.row("groups", "narrow.").wait_for(timeout=PATIENCE)
    for width in (1280, 900, 700):
        notebook.page.set_viewport_size({"width": width, "height": 700})
        # Nothing is cut off at the side, and the line at the top is whole.
        notebook.wait(
            "() => { const root = document.querySelector('#nbchannels-inspector');"
            " const box = root.getBoundingClientRect();"
            " return box.width > 100 && [...root.querySelectorAll("
            "'.nbc-state-line, .nbc-follow, .nbc-tool, .nbc-search, .nbc-row')]"
            ".filter(one => one.offsetHeight > 0).every(one => {"
            " const { left, right } = one.getBoundingClientRect();"
            " return left >= box.left - 1 && right <= box.right + 1; }); }"
        )
        follow = sidebar.element.locator(".nbc-follow").bounding_box()
        header = sidebar.element.locator(".jp-SidePanel-header").bounding_box()
        assert follow is not None
        assert header is not None
        assert header["y"] <= follow["y"]
        assert follow["y"] + follow["height"] <= header["y"] + header["height"]
        notebook.picture(f"inspector-narrow-{width}")


def test_in_notebook_7_it_tells_follows_and_remembers(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook(
        "seven-too.ipynb",
        {
            "begin": "import nbchannels as nb",
            "send": 'nb.Group("seven.alone").send({"y": 1})',
        },
    )
    jupyter.post("not.of.seven", {"y": 1})
    notebook = visitor.open("seven-too.ipynb", "notebook")
    notebook.run("begin")
    sidebar = Sidebar(notebook)
    notebook.wait("() => nbtest.client().statistics('nbchannels.problems') !== null")
    notebook.run("send")
    sidebar.open("problems")
    sidebar.row("problems", "'seven.alone'").wait_for(timeout=PATIENCE)
    sidebar.element.locator(".nbc-follow").click()
    sidebar.toggle("Groups", "Problems")
    sidebar.row("groups", "seven.alone").wait_for(timeout=PATIENCE)
    notebook.wait(
        "() => ![...document.querySelectorAll('#nbchannels-section-groups .nbc-row-name')]"
        ".some(one => one.offsetHeight > 0 && one.textContent === 'not.of.seven')"
    )
    notebook.picture("inspector-notebook-7-follows")
    in_palette = notebook.page.evaluate(
        "() => jupyterapp.commands.hasCommand('nbchannels:follow-notebook')"
        " && jupyterapp.commands.isToggled('nbchannels:follow-notebook')"
    )
    assert in_palette
