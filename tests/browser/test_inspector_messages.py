"""Messages as they go by: filters, pause, previews, copies, what is sent again, what is hidden."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.driving import PATIENCE
from tests.browser.inspecting import Inspector, Live

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

HIDDEN = "•••"


@pytest.fixture
def spoken(inspector: Inspector, live: Live) -> None:
    """Messages of every kind are in the list: those of before were recorded for nobody."""
    live.speak()


def wait_for_only(inspector: Inspector, *wanted: str) -> None:
    """Wait until the rows are of these groups and channels, and of no other."""
    inspector.notebook.wait(
        """wanted => {
          const found = new Set([...document.querySelectorAll(
            '#nbchannels-section-messages .nbc-row:not([hidden]) .nbc-row-name')]
            .map(name => name.textContent));
          return found.size === wanted.length && wanted.every(name => found.has(name));
        }""",
        list(wanted),
    )


def test_filters_by_name_text_kind_size_and_sender(inspector: Inspector, live: Live, spoken: None):
    inspector.only("Messages")
    section = inspector.section("messages")
    name = section.get_by_role("searchbox", name="Only groups and channels")
    text = section.get_by_role("searchbox", name="Only messages that contain")
    name.fill("lab.[bi]*")
    wait_for_only(inspector, "lab.bytes", "lab.images")
    name.fill("lab.*")
    text.fill('"two"')
    wait_for_only(inspector, "lab.loss")
    text.fill("no message has this")
    expect(section.locator(".nbc-nothing-yet")).to_have_text("No message has matched yet.Copy")
    text.fill("")
    name.fill("lab.*")
    more = section.locator("..").get_by_role("button", name="More filters")
    expect(more).to_have_attribute("aria-pressed", "false")
    more.click()
    expect(more).to_have_attribute("aria-pressed", "true")
    kind = section.get_by_role("combobox", name="Groups or channels")
    name.fill("lab.[mu]*")
    kind.select_option("channel")
    wait_for_only(inspector, "lab.measure", "lab.unread")
    kind.select_option("")
    name.fill("lab.*")
    least = section.get_by_role("searchbox", name="at least so many bytes")
    least.fill("8000")
    wait_for_only(inspector, "lab.frames", "lab.images")
    least.fill("many")
    expect(least).to_have_attribute("aria-invalid", "true")
    least.fill("")
    expect(least).to_have_attribute("aria-invalid", "false")
    name.fill("lab.feed")
    wait_for_only(inspector, "lab.feed")
    facts = inspector.select("messages", "lab.feed").locator(".nbc-facts")
    expect(facts).to_contain_text("connection")
    number = (facts.inner_text().split("connection ")[1]).split()[0]
    inspector.close("messages")
    name.fill("")
    sender = section.get_by_role("searchbox", name="the connection with this number")
    sender.fill(number)
    wait_for_only(inspector, "lab.feed")
    sender.fill("")
    name.fill("lab.loss")
    wait_for_only(inspector, "lab.loss")
    more.click()
    expect(sender).to_be_hidden()


def test_a_pause_holds_the_list_and_loses_nothing(inspector: Inspector, live: Live):
    inspector.seek("lab.paused")
    live.server.post("lab.paused", {"n": 0})
    row = inspector.rows("messages")
    expect(row).to_have_count(1)
    title = inspector.title("Messages")
    title.get_by_role("button", name="Pause").click()
    state = inspector.section("messages").get_by_role("status")
    expect(state).to_contain_text("Paused.")
    for n in range(1, 4):
        live.server.post("lab.paused", {"n": n})
    # Two looks of the section beside it: the list had as much time.
    inspector.only("Messages", "Groups")
    expect(inspector.row("groups", "lab.paused")).to_contain_text("4 kept")
    expect(row).to_have_count(1)
    title.get_by_role("button", name="Go on").click()
    expect(row).to_have_count(4)
    expect(state).to_be_hidden()
    title.get_by_role("button", name="Empty the list").click()
    expect(row).to_have_count(0)


def test_arrays_images_and_bytes_are_described(inspector: Inspector, live: Live, spoken: None):
    inspector.seek("lab.frames")
    expect(inspector.row("messages", "lab.frames")).to_contain_text("⟨float64 64×64⟩")
    detail = inspector.select("messages", "lab.frames")
    expect(detail.get_by_role("tree")).to_contain_text("array float64 64×64 · 33 kB")
    inspector.close("messages")
    inspector.seek("lab.images")
    detail = inspector.select("messages", "lab.images")
    expect(detail.get_by_role("tree")).to_contain_text("array uint8 48×60×3")
    inspector.close("messages")
    inspector.seek("lab.bytes")
    detail = inspector.select("messages", "lab.bytes")
    expect(detail.get_by_role("tree")).to_contain_text("base64")
    detail.locator("summary").click()
    expect(detail.locator(".nbc-hex pre")).to_contain_text("00 01 20 6e")
    inspector.pictures("bytes")
    inspector.close("messages")
    inspector.seek("lab.raw")
    request = urllib.request.Request(
        f"{live.server.url}nbchannels/api/groups/lab.raw",
        data=bytes(range(64)),
        headers={
            "Authorization": f"token {live.server.token}",
            "Content-Type": "application/octet-stream",
        },
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (200, 202)
    detail = inspector.select("messages", "lab.raw")
    expect(detail.locator(".nbc-facts")).to_contain_text("64 B · raw")
    expect(detail.locator(".nbc-hex pre")).to_contain_text("00 01 02 03")


def test_what_is_copied_runs_and_sends_the_same(inspector: Inspector, live: Live, spoken: None):
    inspector.seek("lab.loss")
    inspector.select("messages", "lab.loss").get_by_role("tree").wait_for(timeout=PATIENCE)
    inspector.act("messages", "Copy")
    message = json.loads(inspector.copied("deep"))
    inspector.act("messages", "curl")
    line = inspector.copied("curl --request")
    assert live.server.token not in line
    inspector.act("messages", "Python")
    code = inspector.copied("import nbchannels")
    before = live.sent("lab.loss")
    done = subprocess.run(
        ["sh", "-c", f"{line} --silent --fail-with-body"],
        env=live.server.outside,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert live.sent("lab.loss") == before + 1
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=live.server.outside,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert live.sent("lab.loss") == before + 2
    assert live.messages("lab.loss")[-2:] == [message, message]


def test_a_message_is_changed_and_sent(inspector: Inspector, live: Live, spoken: None):
    inspector.seek("lab.loss")
    inspector.select("messages", "lab.loss").get_by_role("tree").wait_for(timeout=PATIENCE)
    inspector.act("messages", "Edit…")
    content = inspector.form.locator("textarea")
    expect(content).to_have_value(re.compile("deep"))
    content.fill('{"y": 77}')
    inspector.form.get_by_role("button", name="Send").click()
    answer = inspector.form.get_by_role("status")
    expect(answer).to_contain_text("Sent: 3 subscribers, offset")
    inspector.confirm("Close")
    assert live.messages("lab.loss")[-1] == {"y": 77}


def test_hidden_values_are_hidden_in_list_tree_copy_and_bytes(inspector: Inspector, live: Live):
    inspector.settings(redact=["*password*"])
    inspector.seek("lab.secret")
    live.server.post(
        "lab.secret",
        {"user": "ada", "Password2": "hush-mine", "in": {"server_secret": "hush-theirs"}},
    )
    row = inspector.row("messages", "lab.secret")
    expect(row).to_contain_text('user: "ada"')
    expect(row).to_contain_text(f'Password2: "{HIDDEN}"')
    detail = inspector.select("messages", "lab.secret")
    expect(detail.get_by_role("tree")).to_contain_text(f'Password2: "{HIDDEN}"')
    expect(detail.get_by_role("tree")).to_contain_text(f'server_secret: "{HIDDEN}"')
    expect(detail.locator(".nbc-hex")).to_have_count(0)
    inspector.pictures("hidden")
    inspector.act("messages", "Copy")
    assert json.loads(inspector.copied("ada")) == {
        "user": "ada", "Password2": HIDDEN, "in": {"server_secret": HIDDEN},
    }  # fmt: skip
    for label, word in (("curl", "curl --request"), ("Python", "import nbchannels")):
        inspector.act("messages", label)
        assert "hush" not in inspector.copied(word)
    assert "hush" not in inspector.sidebar.inner_text()
    # It would not be the same message: it is shown before it is sent.
    inspector.act("messages", "Send again")
    expect(inspector.form).to_contain_text("Some values are hidden (•••)")
    assert "hush" not in inspector.form.locator("textarea").input_value()
    inspector.confirm("Close")
    assert live.sent("lab.secret") == 1
    inspector.close("messages")
    # The reader's own rule is lifted; the server's is not.
    inspector.settings()
    inspector.title("Messages").get_by_role("button", name="Empty the list").click()
    inspector.seek("lab.secret")
    expect(inspector.row("messages", "lab.secret")).to_contain_text("hush-mine")
    assert "hush-theirs" not in inspector.section("messages").inner_text()


def test_the_list_is_bounded_and_says_what_it_left_out(inspector: Inspector, live: Live):
    inspector.settings(messages=50)
    inspector.seek("lab.many")
    live.execute(
        "with nb.Group('lab.many').batch() as out:\n"
        "    for n in range(400):\n        out.send({'n': n})"
    )
    expect(inspector.row("messages", "n: 399")).to_be_visible()
    status = inspector.section("messages").get_by_role("status")
    expect(status).to_contain_text("A sample:")
    expect(status).to_contain_text("more went by")
    expect(inspector.rows("messages").first).to_have_attribute("aria-setsize", "50")
    inspector.pictures("sample")
    inspector.settings()
