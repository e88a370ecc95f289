"""Every action of the inspector with the keyboard alone; the focus is seen, and never lost."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.inspecting import PANELS, Inspector, Live
from tests.browser.keyboard import MOST, Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def keys(inspector: Inspector) -> Keys:
    return Keys(inspector)


def test_the_sidebar_is_reached_from_the_palette(inspector: Inspector, keys: Keys):
    inspector.hide()
    keys.press("Control+Shift+C")
    search = inspector.page.locator(".lm-CommandPalette input")
    expect(search).to_be_focused()
    keys.type("Show Channels")
    expect(inspector.page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(
        "Show Channels"
    )
    keys.press("Enter")
    expect(inspector.sidebar).to_be_visible()
    # JupyterLab gives the focus back to the notebook when its palette closes.
    keys.reach(inspector.title("Groups"))
    inspector.hide()
    chip = inspector.page.locator(".nbc-status-chip")
    keys.reach(chip)
    keys.ringed()
    keys.press("Enter")
    expect(inspector.sidebar).to_be_visible()
    inspector.notebook.wait(
        "() => document.querySelector('#nbchannels-inspector').contains(document.activeElement)"
    )


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_everything_has_a_ring_and_a_place_in_the_order(
    inspector: Inspector, keys: Keys, theme: str
):
    inspector.notebook.theme(theme)
    inspector.only("Groups")
    inspector.select("groups", "lab.loss")
    keys.begin("Groups")
    reached = set()
    for _ in range(MOST):
        keys.press("Tab")
        place: str | None = inspector.page.evaluate(
            """() => {
              const focused = document.activeElement;
              const sidebar = document.querySelector('#nbchannels-inspector');
              return sidebar.contains(focused)
                ? focused.getAttribute('aria-label') ?? focused.textContent : null;
            }"""
        )
        if place is None:
            break
        keys.ringed()
        reached.add(place)
    wanted = {"Send a message…", "Filter: Groups", "Order: Groups", "Groups",
              "Close the details", "Plot", "Cell", "Send…", "Messages", "Clear…", "Pause",
              "Ask now"}  # fmt: skip
    assert wanted <= reached, wanted - reached


def test_sections_open_and_close(inspector: Inspector, keys: Keys):
    inspector.only("Groups")
    keys.begin("Groups")
    for name in PANELS[1:]:
        title = inspector.title(name)
        keys.reach(title)
        keys.ringed()
        keys.press("Enter")
        expect(title).to_have_attribute("aria-expanded", "true")
        keys.press("Enter")
        expect(title).to_have_attribute("aria-expanded", "false")
        assert keys.has(title)


def test_a_list_is_a_listbox(inspector: Inspector, keys: Keys):
    inspector.only("Groups")
    keys.begin("Groups")
    section = inspector.section("groups")
    listbox = section.get_by_role("listbox", name="Groups")
    keys.reach(listbox)
    selected = listbox.locator("[role=option][aria-selected=true]")
    keys.press("Home")
    expect(selected).to_have_attribute("aria-posinset", "1")
    keys.press("ArrowDown")
    expect(selected).to_have_attribute("aria-posinset", "2")
    identity = selected.get_attribute("id")
    expect(listbox).to_have_attribute("aria-activedescendant", str(identity))
    keys.press("End")
    last = selected.get_attribute("aria-setsize")
    expect(selected).to_have_attribute("aria-posinset", str(last))
    keys.press("PageUp", "ArrowUp")
    keys.press("Home", "Enter")
    detail = section.locator(".nbc-detail")
    expect(detail).to_be_visible()
    # The details follow the arrows; Escape closes them and is back in the list.
    title = detail.locator(".nbc-detail-title")
    before = title.inner_text()
    keys.press("ArrowDown")
    expect(title).not_to_have_text(before)
    keys.reach(detail.get_by_role("button", name="Close the details"))
    keys.press("Escape")
    expect(detail).to_be_hidden()
    assert keys.has(listbox)


def test_actions_of_a_group(inspector: Inspector, keys: Keys, live: Live):
    live.server.post("lab.keys", {"n": 1})
    inspector.only("Groups")
    keys.find("Groups", "lab.keys")
    keys.run("Groups", "Send…")
    expect(inspector.form.locator("textarea")).to_be_focused()
    keys.press("Control+a")
    keys.type('{"by": "keys"}')
    keys.press("Control+Enter")
    expect(inspector.form.get_by_role("status")).to_contain_text("Sent:")
    keys.press("Escape")
    expect(inspector.dialog).to_have_count(0)
    keys.kept()
    assert live.messages("lab.keys")[-1] == {"by": "keys"}
    inspector.section("groups").locator(".nbc-action", has_text="Send…").focus()
    keys.run("Groups", "Clear…")
    keys.answer("Cancel")
    assert len(live.messages("lab.keys")) == 2
    keys.begin("Groups")
    keys.run("Groups", "Clear…")
    keys.answer("Clear")
    inspector.told("is empty")
    assert live.messages("lab.keys") == []
    keys.choose("Groups", "Copy Name")
    assert inspector.copied("lab.") == "lab.keys"
    keys.choose("Groups", "Copy as curl")
    assert "groups/lab.keys" in inspector.copied("curl")
    keys.choose("Groups", "Copy as Python")
    assert 'nb.Group("lab.keys")' in inspector.copied("import")
    cells = len(inspector.notebook.cells())
    keys.choose("Groups", "Insert Cell with Live Plot")
    inspector.notebook.wait("n => nbtest.panel().content.widgets.length === n", cells + 1)
    keys.choose("Groups", "Open Live Plot")
    plot = inspector.page.locator(".nbc-plot-panel")
    expect(plot).to_be_visible()
    inspector.notebook.command("application:close")
    live.front()
    keys.choose("Groups", "Show Messages")
    expect(inspector.section("messages").get_by_role("searchbox").first).to_have_value("lab.keys")


def test_actions_of_a_message(inspector: Inspector, keys: Keys, live: Live):
    inspector.only("Messages")
    live.server.post("lab.typed", {"n": 1, "in": {"deep": "x"}})
    detail = keys.find("Messages", "lab.typed")
    tree = detail.get_by_role("tree")
    expect(tree).to_be_visible()
    keys.run("Messages", "Copy")
    assert '"deep"' in inspector.copied("deep")
    keys.run("Messages", "Python")
    inspector.copied("import")
    keys.run("Messages", "curl")
    inspector.copied("curl")
    root = tree.get_by_role("treeitem").first
    keys.reach(root)
    keys.press("ArrowLeft")
    expect(root).to_have_attribute("aria-expanded", "false")
    keys.press("ArrowRight")
    expect(root).to_have_attribute("aria-expanded", "true")
    keys.press("End")
    keys.ringed()
    keys.press("Control+c")
    assert inspector.copied("x") == "x"
    summary = detail.locator("summary")
    keys.reach(summary)
    keys.press("Enter")
    expect(detail.locator(".nbc-hex pre")).to_be_visible()
    keys.begin("Messages")
    keys.run("Messages", "Send again")
    inspector.told("Sent again to lab.typed.")
    keys.begin("Messages")
    keys.run("Messages", "Edit…")
    expect(inspector.form.locator("textarea")).to_be_focused()
    keys.press("Control+Enter")
    expect(inspector.form.get_by_role("status")).to_contain_text("Sent:")
    keys.press("Escape")
    expect(inspector.dialog).to_have_count(0)
    keys.kept()
    assert len(live.messages("lab.typed")) == 3
    for label, state in (("Pause", "Go on"), ("Go on", "Pause")):
        keys.begin("Messages")
        keys.reach(inspector.title("Messages").get_by_role("button", name=label))
        keys.press("Space")
        assert keys.has(inspector.title("Messages").get_by_role("button", name=state))
    filters = inspector.title("Messages").get_by_role("button", name="More filters")
    # A toolbar is one stop; arrows go along it.
    keys.reach(filters, "ArrowRight")
    keys.ringed()
    keys.press("Space")
    sender = inspector.section("messages").get_by_role("searchbox", name="the connection")
    keys.reach(sender)


def channel(keys: Keys, inspector: Inspector, live: Live) -> None:
    live.execute('nb.Channel("lab.unread").send({"n": 1})')
    inspector.only("Channels")
    keys.find("Channels", "lab.unread")
    keys.run("Channels", "Cell")
    inspector.notebook.wait(
        "() => nbtest.panel().content.activeCell.model.sharedModel.getSource()"
        ".includes('lab.unread')"
    )
    keys.begin("Channels")
    keys.run("Channels", "Send…")
    expect(inspector.form.locator("input")).to_have_value("lab.unread")
    keys.answer("Close")


def consumer(keys: Keys, inspector: Inspector, live: Live) -> None:
    inspector.only("Consumers")
    detail = keys.find("Consumers", "lab.measure")
    keys.reach(detail.locator(".nbc-trace"))
    keys.ringed()
    keys.begin("Consumers")
    keys.run("Consumers", "Disconnect…")
    expect(inspector.dialog).to_contain_text("worker.ipynb")
    keys.answer("Cancel")


def problem(keys: Keys, inspector: Inspector, live: Live) -> None:
    live.execute('nb.Channel("lab.measure").send({"n": -7})')
    inspector.only("Problems")
    expect(inspector.row("problems", "lab.measure #")).to_contain_text("cannot measure -7")
    keys.begin("Problems")
    listbox = inspector.section("problems").get_by_role("listbox")
    keys.reach(listbox)
    keys.press("Home")
    selected = listbox.locator("[aria-selected=true]")
    for _ in range(MOST):
        if "lab.measure #" in selected.inner_text():
            break
        keys.press("ArrowDown")
    expect(selected).to_contain_text("lab.measure #")
    keys.press("Enter")
    keys.choose("Problems", "Discard Dead Letter…")
    keys.answer("Cancel")
    keys.begin("Problems")
    keys.run("Problems", "Send again")
    inspector.told("in its channel again")


def client(keys: Keys, inspector: Inspector, live: Live) -> None:
    inspector.only("Clients")
    keys.find("Clients", "feeder.py")
    keys.run("Clients", "Disconnect…")
    keys.answer("Cancel")
    keys.choose("Clients", "Disconnect Client…")
    keys.answer("Cancel")


def layer(keys: Keys, inspector: Inspector, live: Live) -> None:
    inspector.only("Layer", "Groups", "Channels")
    keys.begin("Layer")
    panel = inspector.section("layer").locator(".nbc-layer")
    panel.locator("dd").first.wait_for()
    keys.reach(panel)
    keys.press("End")
    inspector.notebook.wait("() => document.querySelector('.nbc-layer').scrollTop > 0")


@pytest.mark.parametrize("actions", [channel, consumer, problem, client, layer])
def test_actions_of_a(
    inspector: Inspector,
    keys: Keys,
    live: Live,
    actions: Callable[[Keys, Inspector, Live], None],
):
    actions(keys, inspector, live)
