"""What people who mean ill write into messages, errors and names of files stays text."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.browser.driving import NotebookPage, Visitor
from tests.browser.inspecting import Inspector
from tests.browser.jupyter import ROOT, Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

VECTORS = [
    vector
    for vector in json.loads((ROOT / "tests" / "vectors" / "hostile.json").read_text())
    if "\ud800" not in vector  # no message can hold it
]
#: Dead letters that the list shows.
SHOWN = 20
#: No file has a longer name, and none has these.
FILES = [v for v in VECTORS if not {"/", "\0"} & set(v) and len(v) < 100][:6]

#: Every kind of element that the inspector and JupyterLab's own lists make, and no other.
WATCH = """() => {
  globalThis.strange = [];
  const evil = new Set(['script', 'iframe', 'img', 'object', 'embed', 'video', 'audio', 'source',
    'marquee', 'math', 'mtext', 'base', 'meta', 'template', 'noscript', 'xss', 'x', 'animate',
    'foreignObject', 'foreignobject', 'title', 'body', 'table', 'p', 'scr<script']);
  const look = node => {
    if (node.nodeType !== Node.ELEMENT_NODE) {
      return;
    }
    for (const one of [node, ...node.querySelectorAll('*')]) {
      // JupyterLab loads parts of itself when they are needed.
      if (one.localName === 'script' && one.src.startsWith(`${location.origin}/static/`)) {
        continue;
      }
      const handlers = [...one.attributes].filter(({ name, value }) =>
        name.startsWith('on') || /javascript:/i.test(value) && ['href', 'src', 'data', 'action',
          'formaction', 'background', 'xlink:href', 'style'].includes(name));
      if (evil.has(one.localName) || handlers.length > 0) {
        strange.push(one.outerHTML.slice(0, 200));
      }
    }
  };
  new MutationObserver(records => {
    for (const { addedNodes } of records) {
      addedNodes.forEach(look);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
}"""

CONSUMER = """
import nbchannels as nb

@nb.consume("evil.work")
def work(message):
    raise ValueError(message["evil"])

nb.Group("evil.watched").subscribe([].append)
"""
SCRIPT = """
import sys
import nbchannels as nb

nb.Group("evil.watched").subscribe([].append)
nb.Group("evil.watched").send({})
print("ready", flush=True)
sys.stdin.read()
"""


class Guard:
    """Who sees what a page must never do."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.page = notebook.page
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", self._hear)
        self.page.evaluate(WATCH)

    def check(self) -> None:
        """No script ran, nothing was loaded, no element came out of a text."""
        ours = NotebookOnly(self.page.url)
        assert [url for url in self.asked if not ours.has(url)] == []
        assert self.dialogs == []
        assert self.page.evaluate("() => globalThis.strange") == []
        assert self.page.evaluate("() => globalThis.pwned") is None

    def _hear(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


class NotebookOnly:
    """What a page of Jupyter asks of its own server."""

    PLACES = ("api/", "nbchannels/", "lab/", "static/", "files/", "lsp/")

    def __init__(self, url: str) -> None:
        self.base = url.split("/lab")[0] + "/"

    def has(self, url: str) -> bool:
        return url.startswith(tuple(self.base + place for place in self.PLACES))


@pytest.fixture
def notebook(visitor: Visitor, jupyter: Jupyter) -> NotebookPage:
    jupyter.write_notebook("evil.ipynb", {"a": ""})
    return visitor.open("evil.ipynb")


#: Where the selected row of a section stands in its list; 0: nowhere.
PLACE = """section => {
  const list = document.querySelector(`#nbchannels-section-${section} [role=listbox]`);
  return Number(list.querySelector('[aria-selected=true]:not([hidden])')?.ariaPosInSet ?? 0);
}"""


def walk(inspector: Inspector, section: str, count: int) -> None:
    """Open so many rows of a list, one after the other; what comes meanwhile stands above them."""
    place = inspector.section(section)
    place.get_by_role("listbox").focus()
    inspector.page.keyboard.press("Home")
    inspector.page.keyboard.press("Enter")
    place.locator(".nbc-detail").wait_for()
    moved = f"([section, before]) => ({PLACE})(section) > before"
    for position in range(1, count + 1):
        for attempt in range(10):
            try:
                inspector.notebook.wait(moved, [section, position - 1], 2_000)
                break
            except PlaywrightTimeout:
                if attempt == 9:
                    raise
                # What was selected has gone meanwhile: on with what took its place.
                inspector.page.keyboard.press("ArrowDown")
        if position < count:
            inspector.page.keyboard.press("ArrowDown")


def test_the_guard_sees_what_it_looks_for(notebook: NotebookPage, visitor: Visitor):
    visitor.allow("ERR_UNKNOWN_URL_SCHEME")
    guard = Guard(notebook)
    guard.check()
    notebook.page.evaluate(
        "() => document.body.insertAdjacentHTML('beforeend',"
        " '<img src=x:x onerror=globalThis.pwned=1>')"
    )
    notebook.wait("() => globalThis.pwned === 1")
    with pytest.raises(AssertionError):
        guard.check()
    notebook.page.evaluate("() => { strange.length = 0; delete globalThis.pwned; }")
    guard.asked.clear()
    guard.check()


def test_messages(notebook: NotebookPage, jupyter: Jupyter):
    assert len(VECTORS) >= 60
    inspector = Inspector(notebook).open()
    guard = Guard(notebook)
    inspector.seek("evil.*")
    jupyter.post("evil.first", {"n": 0})
    expect(inspector.row("messages", "evil.first")).to_be_visible()
    inspector.title("Messages").get_by_role("button", name="Empty the list").click()
    for start in range(0, len(VECTORS), 20):
        # As many as one look takes.
        for vector in VECTORS[start : start + 20]:
            jupyter.post("evil.said", {vector: [vector, {"deep": {vector: vector}}]})
        end = min(start + 20, len(VECTORS))
        expect(inspector.rows("messages").first).to_have_attribute("aria-setsize", str(end))
    walk(inspector, "messages", len(VECTORS))
    tree = inspector.section("messages").get_by_role("tree")
    expect(tree).to_contain_text(VECTORS[0])
    inspector.act("messages", "Edit…")
    expect(inspector.form.locator("textarea")).to_have_value(
        json.dumps({VECTORS[0]: [VECTORS[0], {"deep": {VECTORS[0]: VECTORS[0]}}]}, indent=2)
    )
    inspector.confirm("Close")
    guard.check()


def test_errors_and_tracebacks(notebook: NotebookPage, jupyter: Jupyter):
    notebook.page.evaluate("([path, code]) => nbtest.begin(path, code)", ["worker.ipynb", CONSUMER])
    inspector = Inspector(notebook).open()
    guard = Guard(notebook)
    inspector.only("Problems")
    jupyter.ask("POST", "nbchannels/api/channels/evil.work", {"evil": "the first"})
    name = inspector.row("problems", "evil.work #").locator(".nbc-row-name")
    expect(name).to_be_visible()
    first = int(name.inner_text().split("#")[1])
    for start in range(0, len(VECTORS), SHOWN):
        part = VECTORS[start : start + SHOWN]
        for vector in part:
            jupyter.ask("POST", "nbchannels/api/channels/evil.work", {"evil": vector})
        # The list keeps to the newest; the last of each part is at its top.
        expect(inspector.row("problems", f"evil.work #{first + start + len(part)}")).to_be_visible()
        walk(inspector, "problems", len(part))
        inspector.close("problems")
        # Who is at the top sees what comes.
        inspector.section("problems").get_by_role("listbox").evaluate("list => list.scrollTo(0, 0)")
    inspector.only("Consumers")
    inspector.select("consumers", "evil.work").locator(".nbc-error").wait_for()
    # A notice, while nobody looks: of this failure, or of one before it that was told late.
    inspector.dismiss()
    inspector.hide()
    jupyter.ask("POST", "nbchannels/api/channels/evil.work", {"evil": VECTORS[1]})
    notebook.wait("() => nbtest.told.some(one => one.includes('failed'))")
    guard.check()


def test_names_of_files(notebook: NotebookPage, jupyter: Jupyter):
    inspector = Inspector(notebook).open()
    guard = Guard(notebook)
    scripts = []
    for name in FILES:
        (Path(jupyter.work) / name).write_text(SCRIPT)
        scripts.append(
            subprocess.Popen(
                [sys.executable, name],
                cwd=jupyter.work,
                env=jupyter.outside,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    try:
        for script in scripts:
            assert script.stdout is not None
            assert script.stdout.readline() == "ready\n"
        notebook.page.evaluate(
            "([path, code]) => nbtest.begin(path, code)", [f"{VECTORS[1]}.ipynb", CONSUMER]
        )
        inspector.only("Clients")
        for name in (*FILES, f"{VECTORS[1]}.ipynb"):
            expect(inspector.rows("clients").filter(has_text=name).first).to_be_visible()
        walk(inspector, "clients", len(FILES) + 2)
        inspector.only("Groups")
        people = inspector.select("groups", "evil.watched").locator(".nbc-person")
        expect(people.filter(has_text=FILES[0]).first).to_be_visible()
        inspector.only("Consumers")
        # Other kernels have a consumer of this channel too.
        inspector.select("consumers", f"work in {VECTORS[1]}")
        inspector.act("consumers", "Disconnect…")
        expect(inspector.dialog).to_contain_text(VECTORS[1])
        inspector.confirm("Cancel")
        notebook.command("running:show-panel")
        running = notebook.page.locator(".jp-RunningSessions")
        running.get_by_role("button", name="Refresh List").click()
        expect(running.get_by_text("evil.watched").first).to_be_visible()
        guard.check()
    finally:
        for script in scripts:
            script.communicate(timeout=20)
