"""The inspector in JupyterLab and Notebook 7: where it is, what it costs, what it survives."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import visiting
from tests.browser.driving import AWAY, PATIENCE, Visitor
from tests.browser.inspecting import Inspector, Live
from tests.browser.jupyter import Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

COUNT_CALLS = """() => {
  const client = nbtest.client();
  const original = client.call.bind(client);
  globalThis.asked = [];
  globalThis.open = 0;
  client.call = (method, args) => {
    asked.push(method);
    open += 1;
    return original(method, args).finally(() => { open -= 1; });
  };
}"""
#: Several times the seconds between two looks.
QUIET = 2000


def test_a_message_is_a_tree(inspector: Inspector, live: Live):
    live.speak()
    inspector.seek("lab.loss")
    expect(inspector.row("messages", "deep")).to_be_visible()
    detail = inspector.select("messages", "deep")
    tree = detail.get_by_role("tree")
    expect(tree).to_contain_text("deep")
    tree.get_by_role("treeitem").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        inspector.page.keyboard.press(key)
    inspector.pictures("message")
    inspector.page.keyboard.press("Escape")
    expect(detail).to_be_hidden()


def test_a_message_is_written_in_a_dialog(inspector: Inspector):
    inspector.only("Groups")
    inspector.select("groups", "lab.loss")
    inspector.act("groups", "Send…")
    form = inspector.form
    expect(form.locator("input")).to_have_value("lab.loss")
    assert (form.locator("textarea").bounding_box() or {})["height"] > 120
    form.locator("textarea").fill("{not json")
    expect(form.get_by_role("button", name="Send")).to_be_disabled()
    expect(form.get_by_role("alert")).to_contain_text("no JSON yet")
    inspector.pictures("send-problem")
    form.locator("textarea").fill('{"y": 42}')
    form.locator("textarea").press("Control+Enter")
    expect(form.locator(".nbc-answer[data-tone=good]")).to_contain_text("3 subscribers")
    inspector.notebook.wait(
        "() => [...document.querySelectorAll('.nbc-form datalist option')]"
        ".some(one => one.value === 'lab.frames')"
    )
    inspector.pictures("send")
    inspector.confirm("Close")


def test_all_commands_say_what_they_are(inspector: Inspector):
    wrong = inspector.page.evaluate(
        """async () => {
          const { commands } = jupyterapp;
          const ours = commands.listCommands().filter(id => id.startsWith('nbchannels:'));
          const described = await Promise.all(ours.map(id => commands.describedBy(id)));
          return [ours.length, ours.filter((id, i) => !commands.label(id) || !commands.caption(id)
            || !commands.icon(id) || described[i].args?.type !== 'object')];
        }"""
    )
    assert wrong[0] >= 16
    assert wrong[1] == []


def test_the_status_bar_opens_it(inspector: Inspector):
    chip = inspector.page.locator(".nbc-status-chip")
    expect(chip).to_contain_text("Channels live")
    inspector.hide()
    chip.click()
    expect(inspector.sidebar).to_be_visible()


def test_hidden_or_collapsed_it_asks_nothing(inspector: Inspector):
    inspector.settings(interval=0.5)
    inspector.page.evaluate(COUNT_CALLS)
    inspector.only("Groups")
    inspector.notebook.wait("() => asked.filter(one => one === 'inspect').length >= 2")
    inspector.only()
    assert_silent(inspector)
    inspector.only("Groups", "Messages")
    inspector.notebook.wait("() => asked.includes('tail_read')")
    inspector.hide()
    assert_silent(inspector)
    inspector.settings()
    inspector.open()


def assert_silent(inspector: Inspector) -> None:
    """After what was under way, nothing is asked."""
    inspector.notebook.wait("() => open === 0")
    # The answer to the last may ask for its next page.
    inspector.page.wait_for_timeout(200)
    inspector.notebook.wait("() => open === 0")
    inspector.page.evaluate("() => { asked.length = 0; }")
    inspector.page.wait_for_timeout(QUIET)
    assert inspector.page.evaluate("() => asked") == []


def test_a_live_plot_in_a_tab_is_there_after_a_reload(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook("tabbed.ipynb", {"a": ""})
    notebook = visitor.open("tabbed.ipynb")
    for y in range(5):
        jupyter.post("tabbed", {"y": y})
    notebook.command("nbchannels:open-plot", group="tabbed")
    panel = notebook.page.locator(".nbc-plot-panel")
    panel.locator(".nbc-value", has_text="4").wait_for(timeout=PATIENCE)
    notebook.picture("inspector-plot")
    notebook.command("nbchannels:open-plot", group="tabbed")
    expect(panel).to_have_count(1)
    # The layout is saved when nothing has changed for a while.
    for _ in range(40):
        kept = jupyter.ask("GET", "lab/api/workspaces")
        if "nbchannels-plots:tabbed" in json.dumps(kept):
            break
        notebook.page.wait_for_timeout(250)
    else:
        pytest.fail(f"the layout was not saved with the plot: {kept}")
    notebook.page.goto(f"{jupyter.url}lab?token={jupyter.token}")
    panel.locator(".nbc-value", has_text="4").wait_for(timeout=PATIENCE)


def test_it_is_in_notebook_7_too(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook("seven.ipynb", {"a": ""})
    jupyter.post("seven", {"y": 7})
    notebook = visitor.open("seven.ipynb", "notebook")
    inspector = Inspector(notebook).open()
    inspector.row("groups", "seven").wait_for(timeout=PATIENCE)
    notebook.command("nbchannels:open-plot", group="seven")
    value = notebook.page.locator(".nbc-plot-panel .nbc-value", has_text="7")
    expect(value).to_be_visible()
    assert (notebook.page.locator(".nbc-plot-panel").bounding_box() or {})["height"] >= 300
    notebook.picture("inspector-notebook-7")


def test_500_groups_scroll_with_few_rows(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook(
        "many.ipynb",
        {
            "make": "import nbchannels as nb\n"
            "for n in range(500):\n"
            '    nb.Group(f"many.{n:03}").send({"y": n})\n'
        },
    )
    notebook = visitor.open("many.ipynb")
    inspector = Inspector(notebook).open()
    inspector.only("Groups")
    notebook.run("make")
    inspector.row("groups", "many.000").wait_for(timeout=PATIENCE)
    frames: dict[str, Any] = notebook.page.evaluate(
        """() => new Promise(resolve => {
          const list = document.querySelector('#nbchannels-section-groups .nbc-list');
          const begin = performance.now();
          let frames = 0;
          const step = now => {
            frames += 1;
            list.scrollTop = (now - begin) * 6;
            if (now - begin < 2000) {
              requestAnimationFrame(step);
            } else {
              resolve({ frames, rows: list.querySelectorAll('.nbc-row').length,
                        top: list.scrollTop });
            }
          };
          requestAnimationFrame(step);
        })"""
    )
    # How many a second is for bench_inspector; a busy machine paints fewer.
    assert frames["frames"] >= 10, frames
    assert frames["rows"] < 60
    assert frames["top"] > 10_000


def test_it_waits_for_a_server_that_is_away(browser: Browser, own_jupyter: Callable[..., Jupyter]):
    server = own_jupyter()
    server.write_notebook("away.ipynb", {"a": ""})
    with visiting(browser, server) as visitor:
        visitor.allow(*AWAY)
        notebook = visitor.open("away.ipynb")
        inspector = Inspector(notebook).open()
        server.post("away", {"y": 1})
        inspector.row("groups", "away").wait_for(timeout=PATIENCE)
        server.kill()
        state = inspector.sidebar.locator(".nbc-state-line .nbc-state")
        inspector.sidebar.locator(".nbc-state[data-tone=busy]").wait_for(timeout=PATIENCE)
        expect(state).to_contain_text("reconnecting")
        # What was known stays to be read.
        expect(inspector.row("groups", "away")).to_be_visible()
        notebook.picture("inspector-away")
        server.start()
        inspector.sidebar.locator(".nbc-state[data-tone=good]").wait_for(timeout=PATIENCE)
        server.post("back", {"y": 1})
        inspector.row("groups", "back").wait_for(timeout=PATIENCE)
