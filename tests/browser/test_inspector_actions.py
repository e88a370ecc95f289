"""What one can do in the inspector, on the live system: what it says, and what becomes of it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.driving import PATIENCE
from tests.browser.inspecting import PANELS, Inspector, Live

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SOURCE = "() => nbtest.panel().content.activeCell.model.sharedModel.getSource()"


def test_every_panel_shows_its_part_of_the_system(inspector: Inspector, live: Live):
    inspector.only("Groups")
    expect(inspector.row("groups", "lab.loss")).to_contain_text("3 subscribers · ")
    people = inspector.select("groups", "lab.loss").locator(".nbc-person")
    expect(people).to_have_count(3)
    for who in ("feeder.py", "watch.ipynb", "page"):
        expect(people.filter(has_text=who)).to_have_count(1)
    # In a narrow sidebar too the name is there to be read.
    inspector.notebook.wait(
        "() => [...document.querySelectorAll('.nbc-person-name')].every(n => n.clientWidth > 40)"
    )
    inspector.pictures("live-groups")
    inspector.only("Channels")
    row = inspector.row("channels", "lab.lonely")
    expect(row).to_contain_text("1 waiting · nobody receives")
    expect(inspector.select("channels", "lab.lonely")).to_contain_text(
        "insert a cell with a consumer"
    )
    inspector.pictures("live-channels")
    inspector.only("Consumers")
    expect(inspector.row("consumers", "lab.measure")).to_contain_text("cannot measure -3")
    detail = inspector.select("consumers", "lab.measure")
    expect(detail.locator(".nbc-facts")).to_contain_text("worker.ipynb (kernel, thread)")
    expect(detail.locator(".nbc-trace")).to_contain_text("ValueError: cannot measure -3")
    expect(inspector.row("consumers", "lab.sort")).to_contain_text("sort in worker.ipynb")
    inspector.pictures("live-consumers")
    inspector.only("Problems")
    expect(inspector.row("problems", "lab.measure #")).to_contain_text("cannot measure -3")
    detail = inspector.select("problems", "lab.measure #")
    expect(detail.locator(".nbc-trace").first).to_contain_text("ValueError: cannot measure -3")
    inspector.pictures("live-problems")
    inspector.only("Clients")
    kinds = {"bench.ipynb": "kernel", "watch.ipynb": "kernel", "worker.ipynb": "kernel",
             "feeder.py": "script"}  # fmt: skip
    for name, kind in kinds.items():
        expect(inspector.row("clients", name).locator(".nbc-kind")).to_have_text(kind)
    expect(inspector.select("clients", live.script_key).locator(".nbc-tag")).to_have_text(
        "lab.loss"
    )
    inspector.pictures("live-clients")
    inspector.only("Layer")
    layer = inspector.section("layer")
    expect(layer.get_by_role("meter")).to_have_count(4)
    for name in ("History", "Waiting", "Groups", "Channels"):
        expect(layer.get_by_role("meter", name=name)).to_have_attribute(
            "aria-valuenow", re.compile(r"^[1-9]\d*$")
        )
    facts = layer.locator("dt", has_text="Dead letters").locator("+ dd")
    expect(facts).to_have_text("1")
    inspector.pictures("live-layer")
    inspector.only(*PANELS)
    expect(inspector.sidebar.locator(".nbc-section:visible")).to_have_count(7)
    inspector.pictures("live-all")


def test_the_order_of_rows_is_chosen(inspector: Inspector, live: Live):
    inspector.only("Groups")
    section = inspector.section("groups")
    first = section.locator(".nbc-row[aria-posinset='1'] .nbc-row-name")
    order = section.get_by_role("combobox", name="Order: Groups")
    order.select_option("rate")
    expect(first).to_have_text("lab.feed")
    order.select_option("bytes")
    expect(first).to_have_text("lab.frames")
    order.select_option("name")
    section.get_by_role("searchbox").fill("LOSS")
    expect(inspector.rows("groups")).to_have_count(1)
    expect(first).to_have_text("lab.loss")
    section.get_by_role("searchbox").fill("nothing like this")
    expect(section.locator(".nbc-nothing-yet")).to_contain_text("Nothing matches the filter.")
    section.get_by_role("searchbox").fill("")
    expect(inspector.row("groups", "lab.feed")).to_be_visible()


def test_commands_stand_in_the_palette_and_run_from_there(inspector: Inspector, live: Live):
    page = inspector.page
    inspector.notebook.command("apputils:activate-command-palette")
    palette = page.locator(".lm-CommandPalette")
    search = palette.locator("input")
    search.fill("channels")
    labels = palette.locator(".lm-CommandPalette-item .lm-CommandPalette-itemLabel")
    expect(labels.filter(has_text="Show Channels")).to_have_count(1)
    search.fill("Send a Message")
    expect(labels.first).to_have_text("Send a Message…")
    search.press("Enter")
    expect(inspector.form.locator("input")).to_be_focused()
    inspector.form.locator("input").fill("lab.sent")
    inspector.form.locator("textarea").fill('{"from": "the palette"}')
    inspector.form.locator("textarea").press("Control+Enter")
    expect(inspector.form.get_by_role("status")).to_contain_text("Sent: 0 subscribers, offset")
    inspector.confirm("Close")
    assert live.messages("lab.sent")[-1] == {"from": "the palette"}


def test_cells_are_inserted_and_run(inspector: Inspector, live: Live):
    cells = len(inspector.notebook.cells())
    inspector.only("Groups")
    inspector.select("groups", "lab.loss")
    inspector.act("groups", "Cell")
    inspector.notebook.wait(f"() => ({SOURCE})() === 'nb.LivePlot(\"lab.loss\")'")
    inspector.close("groups")
    inspector.only("Channels")
    inspector.choose("channels", "lab.lonely", "Insert Cell with Consumer")
    inspector.notebook.wait(f"() => ({SOURCE})().includes('@nb.consume(\"lab.lonely\")')")
    assert len(inspector.notebook.cells()) == cells + 2
    inspector.notebook.command("notebook:run-cell")
    # What waited is received.
    expect(inspector.row("channels", "lab.lonely")).to_contain_text("empty · 1 receiver")
    inspector.only("Consumers")
    expect(inspector.row("consumers", "lab.lonely")).to_contain_text("on_lab_lonely in bench.ipynb")


def test_a_group_is_cleared_after_a_question(inspector: Inspector, live: Live):
    live.server.post("lab.cleared", {"n": 1})
    inspector.only("Groups")
    inspector.select("groups", "lab.cleared")
    inspector.act("groups", "Clear")
    expect(inspector.dialog).to_contain_text('All messages that group "lab.cleared" keeps')
    inspector.pictures("question")
    inspector.confirm("Cancel")
    assert live.messages("lab.cleared") == [{"n": 1}]
    inspector.choose("groups", "lab.cleared", "Clear Group…")
    inspector.confirm("Clear")
    inspector.told('Group "lab.cleared" is empty.')
    assert live.messages("lab.cleared") == []


def test_a_dead_letter_is_sent_again_and_discarded(inspector: Inspector, live: Live):
    inspector.only("Problems")
    title = inspector.select("problems", "lab.measure #").locator(".nbc-detail-title")
    expect(title).to_contain_text("Dead letter")
    number = int(title.inner_text().split()[2])
    inspector.act("problems", "Send again")
    inspector.told("The dead letter is in its channel again.")
    inspector.close("problems")
    # It fails again, and is another dead letter.
    row = inspector.row("problems", f"lab.measure #{number + 1}")
    expect(row).to_be_visible()
    inspector.choose("problems", f"lab.measure #{number + 1}", "Discard Dead Letter…")
    inspector.confirm("Cancel")
    expect(row).to_be_visible()
    inspector.choose("problems", f"lab.measure #{number + 1}", "Discard Dead Letter…")
    inspector.confirm("Discard")
    inspector.told("The dead letter was thrown away.")
    expect(row).to_have_count(0)
    # There shall be one to look at.
    live.execute('nb.Channel("lab.measure").send({"n": -4})')
    expect(inspector.row("problems", "lab.measure #")).to_contain_text("cannot measure -4")


def test_a_failure_is_told_of_once_while_nobody_looks(inspector: Inspector, live: Live):
    inspector.hide()
    chip = inspector.page.locator(".nbc-status-chip")
    before = live.problems
    live.execute('nb.Channel("lab.measure").send({"n": -5})')
    toast = inspector.toasts.filter(
        has_text='measure of worker.ipynb failed on channel "lab.measure"'
    )
    expect(toast).to_contain_text("cannot measure -5")
    inspector.pictures("notice")
    expect(chip).to_have_text(f"Channels live · {before + 1} problems")
    # Another is counted, and no second notice stands beside the first.
    live.execute('nb.Channel("lab.measure").send({"n": -6})')
    expect(chip).to_have_text(f"Channels live · {before + 2} problems")
    toast.get_by_role("button", name="Show").click()
    expect(inspector.row("problems", "cannot measure -6")).to_be_visible()


def test_a_client_is_disconnected(inspector: Inspector, live: Live):
    inspector.only("Clients")
    assert live.script is not None
    inspector.select("clients", live.script_key)
    inspector.act("clients", "Disconnect…")
    expect(inspector.dialog).to_contain_text("feeder.py gets no more messages")
    inspector.confirm("Cancel")
    expect(inspector.row("clients", "feeder.py")).to_be_visible()
    assert live.script.poll() is None
    inspector.act("clients", "Disconnect…")
    inspector.confirm("Disconnect")
    inspector.told("feeder.py was disconnected.")
    # It says why it cannot go on, and ends.
    assert live.script.wait(timeout=PATIENCE / 1000) != 0
    assert "disconnected" in live.script_log.read_text()
    inspector.close("clients")
    live.begin_script()
    inspector.only("Groups")
    expect(inspector.row("groups", "lab.loss")).to_contain_text("3 subscribers · ")


def test_the_running_panel_lists_what_runs_and_ends_it(inspector: Inspector, live: Live):
    inspector.notebook.command("running:show-panel")
    running = inspector.page.locator(".jp-RunningSessions")
    running.get_by_role("button", name="Refresh List").click()
    group = running.locator(".jp-RunningSessions-section", has_text="Channels")
    for words in ("lab.measure → measure", "lab.sort → sort", "lab.feed, lab.loss"):
        expect(group.get_by_text(words).first).to_be_visible()
    item = group.locator(".jp-RunningSessions-item", has_text="feeder.py")
    inspector.pictures("live-running")
    item.hover()
    item.locator(".jp-RunningSessions-itemShutdown").click()
    expect(inspector.dialog).to_contain_text("feeder.py gets no more messages")
    inspector.confirm("Disconnect")
    inspector.told("feeder.py was disconnected.")
    assert live.script is not None
    assert live.script.wait(timeout=PATIENCE / 1000) != 0
    item.wait_for(state="detached", timeout=PATIENCE)
    live.begin_script()
    group.get_by_text("lab.measure → measure").click()
    inspector.notebook.command("filebrowser:activate")
    expect(inspector.row("consumers", "lab.measure")).to_be_visible()


def test_the_settings_change_how_often_it_looks(inspector: Inspector, live: Live):
    inspector.only("Groups")
    times = """seconds => new Promise(resolve => {
      const client = nbtest.client();
      const original = client.call;
      const seen = [];
      client.call = function (method, args) {
        if (method === 'inspect' && args.panel === 'groups' && seen.push(performance.now()) === 3) {
          client.call = original;
          resolve((seen[2] - seen[1]) / 1000);
        }
        return original.call(client, method, args);
      };
    })"""
    inspector.settings(interval=1.5)
    assert inspector.page.evaluate(times) >= 1.4
    inspector.settings(interval=0.5)
    assert inspector.page.evaluate(times) >= 0.4
    inspector.settings()


def test_a_list_without_anything_says_why(inspector: Inspector, live: Live):
    inspector.seek("lab.nothing")
    expect(inspector.section("messages").locator(".nbc-nothing-yet")).to_contain_text(
        "No message has matched yet."
    )
    inspector.section("messages").get_by_role("searchbox").first.fill("")
    expect(inspector.row("messages", "lab.feed")).to_be_visible()
