"""axe-core finds no barrier in any panel, dialog or menu of the inspector, in light and in dark."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessibility import Axe, described
from tests.browser.conftest import visiting
from tests.browser.inspecting import PANELS, Inspector, Live

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

THEMES = ("JupyterLab Dark", "JupyterLab Light")
SIDEBAR = "#nbchannels-inspector"
#: What axe says of elements that it cannot measure by their nature: a number of one digit, and a
#: field in which nobody has written.
UNMEASURED = ("Element content is too short", "Element has no value")
#: Titles of sections are JupyterLab's, of the third order; Notebook 7 has none of the second.
HEADINGS = ("heading-order",)
CUT_OFF = "Element's background color could not be determined because it"


@pytest.fixture(scope="module")
def axe(live: Live) -> Axe:
    return Axe(live.page)


def assert_free(
    axe: Axe,
    inspector: Inspector,
    *selectors: str,
    unmeasured: tuple[str, ...] = UNMEASURED,
    foreign: tuple[str, ...] = (),
) -> None:
    """No barrier, in both themes, and nothing else that axe cannot tell."""
    for theme in THEMES:
        inspector.notebook.theme(theme)
        found = axe.look(*selectors)
        ours = [one for one in found["violations"] if one["rule"] not in foreign]
        assert not ours, f"{theme}\n{described(ours)}"
        open_ = [one for one in found["incomplete"] if not one["why"].startswith(unmeasured)]
        assert not open_, f"{theme}\n{described(open_)}"


def groups(inspector: Inspector, live: Live) -> None:
    # Three, and another page that shows the plot by now.
    expect(inspector.select("groups", "lab.loss").locator(".nbc-person").nth(2)).to_be_visible()


def messages(inspector: Inspector, live: Live) -> None:
    live.speak()
    inspector.seek("lab.loss")
    inspector.title("Messages").get_by_role("button", name="More filters").click()
    inspector.select("messages", "lab.loss").get_by_role("tree").wait_for()


def channels(inspector: Inspector, live: Live) -> None:
    inspector.select("channels", "lab.")


def consumers(inspector: Inspector, live: Live) -> None:
    inspector.select("consumers", "lab.measure").locator(".nbc-trace").wait_for()


def problems(inspector: Inspector, live: Live) -> None:
    inspector.select("problems", "lab.measure #").get_by_role("tree").wait_for()


def clients(inspector: Inspector, live: Live) -> None:
    inspector.select("clients", live.script_key).locator(".nbc-tag").wait_for()


def layer(inspector: Inspector, live: Live) -> None:
    inspector.section("layer").get_by_role("meter").first.wait_for()


@pytest.mark.parametrize("panel", [groups, messages, channels, consumers, problems, clients, layer])
def test_a_panel_with_its_details(
    inspector: Inspector, axe: Axe, live: Live, panel: Callable[[Inspector, Live], None]
):
    inspector.only(panel.__name__.capitalize())
    panel(inspector, live)
    assert_free(axe, inspector, SIDEBAR)


def test_all_panels_at_once_and_none(inspector: Inspector, axe: Axe):
    inspector.only(*PANELS)
    # Where there is so little room the last row of a list is cut off.
    assert_free(axe, inspector, SIDEBAR, ".nbc-status-item", unmeasured=(*UNMEASURED, CUT_OFF))
    inspector.only()
    assert_free(axe, inspector, SIDEBAR)


def test_a_panel_without_anything(inspector: Inspector, axe: Axe):
    inspector.seek("lab.nothing")
    expect(inspector.section("messages").locator(".nbc-nothing-yet")).to_be_visible()
    inspector.only("Messages", "Groups")
    inspector.section("groups").get_by_role("searchbox").fill("nothing like this")
    expect(inspector.section("groups").locator(".nbc-nothing-yet")).to_be_visible()
    assert_free(axe, inspector, SIDEBAR)


def test_the_form_for_a_message(inspector: Inspector, axe: Axe):
    inspector.notebook.begin_command("nbchannels:send-message")
    inspector.form.locator("input").fill("lab.sent")
    inspector.form.locator("textarea").fill("{not json")
    expect(inspector.form.get_by_role("alert")).to_contain_text("no JSON yet")
    assert_free(axe, inspector, ".jp-Dialog-content")
    inspector.form.locator("textarea").fill('{"y": 1}')
    inspector.form.get_by_role("button", name="Send").click()
    expect(inspector.form.get_by_role("status")).to_contain_text("Sent:")
    assert_free(axe, inspector, ".jp-Dialog-content")
    inspector.confirm("Close")


def test_a_question(inspector: Inspector, axe: Axe):
    inspector.only("Groups")
    inspector.choose("groups", "lab.loss", "Clear Group…")
    assert_free(axe, inspector, ".jp-Dialog-content")
    inspector.confirm("Cancel")


def test_the_menu_of_a_row(inspector: Inspector, axe: Axe):
    inspector.only("Groups")
    inspector.menu("groups", "lab.loss")
    found = axe.look(".lm-Menu")
    # The lines between the items are Lumino's: axe takes them for children that can be reached.
    wrong = [one for one in found["violations"] if "separator" not in one["html"]]
    assert [one["rule"] for one in wrong if one["rule"] != "aria-required-children"] == []
    inspector.page.keyboard.press("Escape")


def test_the_live_plot_in_a_tab(inspector: Inspector, axe: Axe, live: Live):
    inspector.notebook.command("nbchannels:open-plot", group="lab.loss")
    inspector.page.locator(".nbc-plot-panel .nbc-entry").first.wait_for()
    assert_free(axe, inspector, ".nbc-plot-panel")
    inspector.notebook.command("application:close")
    live.front()


def test_notebook_7(live: Live, browser: Browser):
    live.front()
    with visiting(browser, live.server) as visitor:
        inspector = Inspector(visitor.open("bench.ipynb", "notebook")).open()
        axe = Axe(inspector.page)
        for panel in (groups, consumers, problems):
            inspector.only(panel.__name__.capitalize())
            panel(inspector, live)
            assert_free(axe, inspector, SIDEBAR, foreign=HEADINGS)
        inspector.seek("lab.feed")
        inspector.select("messages", "lab.feed").get_by_role("tree").wait_for()
        assert_free(axe, inspector, SIDEBAR, foreign=HEADINGS)
        inspector.notebook.picture("inspector-notebook-7-messages")


@pytest.mark.parametrize("theme", THEMES)
def test_a_planted_fault_is_found(inspector: Inspector, axe: Axe, theme: str):
    """The check is alive: what is hard to read, and what has no name, is told."""
    inspector.notebook.theme(theme)
    inspector.only("Groups")
    inspector.page.evaluate(
        """() => {
          const panel = document.querySelector('#nbchannels-section-groups .nbc-panel');
          const faint = document.createElement('div');
          faint.className = 'planted';
          faint.textContent = 'hard to read';
          faint.style.cssText = 'color: #808080; background: #909090; flex: none';
          const nameless = document.createElement('button');
          nameless.className = 'planted';
          panel.prepend(faint, nameless);
        }"""
    )
    found = axe.look(SIDEBAR)
    inspector.page.evaluate(
        "() => { for (const one of document.querySelectorAll('.planted')) one.remove(); }"
    )
    rules = {one["rule"]: one for one in found["violations"] if ".planted" in one["target"]}
    assert {"color-contrast", "button-name"} <= set(rules), described(found["violations"])
    assert rules["color-contrast"]["impact"] == "serious"
