"""The inspector as one sees it, and a system with enough going on to look at."""

import subprocess
import sys
from typing import Any, Literal

from playwright.sync_api import Locator, Page, expect

from tests.browser.driving import PATIENCE, NotebookPage, Visitor, click
from tests.browser.jupyter import Jupyter

PANELS = ("Groups", "Messages", "Channels", "Consumers", "Problems", "Clients", "Layer")

#: What is copied, kept in the page: a clipboard cannot be read everywhere.
KEEP_COPIES = """() => {
  document.addEventListener('copy', event => {
    globalThis.copied = event.clipboardData.getData('text/plain');
  });
}"""


class Inspector:
    """The sidebar, by what one can see of it."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook = notebook
        self.page: Page = notebook.page
        self.sidebar = self.page.locator("#nbchannels-inspector")
        self.dialog = self.page.locator(".jp-Dialog")
        self.toasts = self.page.locator(".Toastify__toast")

    def open(self) -> "Inspector":
        self.notebook.command("nbchannels:open-inspector")
        self.sidebar.locator(".nbc-state[data-tone=good]").wait_for(timeout=PATIENCE)
        return self

    def hide(self) -> None:
        if self.sidebar.is_visible():
            self.notebook.command("application:toggle-right-area")
        self.sidebar.wait_for(state="hidden", timeout=PATIENCE)

    def widen(self, width: int) -> None:
        """Give the sidebar so many CSS pixels, by its handle."""
        box = self.sidebar.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] - 2, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] - width - 2, middle, steps=4)
        self.page.mouse.up()

    def title(self, name: str) -> Locator:
        return self.sidebar.locator(
            ".jp-AccordionPanel-title",
            has=self.page.locator(f".lm-AccordionPanel-titleLabel:text-is('{name}')"),
        )

    def only(self, *names: str) -> "Inspector":
        """Open these sections and close all others."""
        for title in self.sidebar.locator(".jp-AccordionPanel-title").all():
            label = title.locator(".lm-AccordionPanel-titleLabel").inner_text()
            if (title.get_attribute("aria-expanded") == "true") != (label in names):
                title.locator(".lm-AccordionPanel-titleLabel").click()
        return self

    def section(self, name: str) -> Locator:
        return self.page.locator(f"#nbchannels-section-{name}")

    def row(self, section: str, text: str) -> Locator:
        return self.section(section).locator(".nbc-row:visible", has_text=text).first

    def rows(self, section: str) -> Locator:
        return self.section(section).locator(".nbc-row:visible")

    def pick(self, section: str, text: str, button: Literal["left", "right"] = "left") -> None:
        """Click a row."""
        click(self.row(section, text), button)

    def select(self, section: str, text: str) -> Locator:
        """Select a row and return its details; a list moves while it is clicked, then once more."""
        selected = self.section(section).locator(".nbc-row[aria-selected=true]").first
        for attempt in range(10):
            self.pick(section, text)
            try:
                expect(selected).to_contain_text(text, timeout=2_000)
            except AssertionError:
                if attempt == 9:
                    raise
            else:
                break
        detail = self.section(section).locator(".nbc-detail")
        detail.wait_for(timeout=PATIENCE)
        return detail

    def seek(self, name: str) -> None:
        """Show the messages of this group or channel alone."""
        self.only("Messages")
        self.notebook.command("nbchannels:show-messages", name=name)

    def close(self, section: str) -> None:
        self.section(section).locator(".nbc-detail-head button").click()

    def act(self, section: str, label: str) -> None:
        self.section(section).locator(".nbc-action", has_text=label).click()

    def menu(self, section: str, text: str) -> list[str]:
        """The labels of a row's menu, which stays open."""
        self.pick(section, text, "right")
        items = self.page.locator(".lm-Menu:visible .lm-Menu-item[data-type=command]")
        items.first.wait_for(timeout=PATIENCE)
        return [
            label
            for label in items.locator(".lm-Menu-itemLabel").all_inner_texts()
            if not label.startswith("Shift+")
        ]

    def choose(self, section: str, text: str, label: str) -> None:
        """Choose from a row's menu."""
        self.menu(section, text)
        self.page.locator(".lm-Menu-item", has_text=label).click()

    def confirm(self, button: str) -> None:
        self.dialog.locator("button", has_text=button).last.click()
        self.dialog.wait_for(state="detached", timeout=PATIENCE)

    def told(self, words: str) -> None:
        """A notice said this, and may have gone by itself; then all notices are put away."""
        self.notebook.wait("words => nbtest.told.some(one => one.includes(words))", words)
        self.dismiss()

    def dismiss(self) -> None:
        self.page.evaluate("() => { nbtest.told.length = 0; nbtest.dismiss(); }")
        expect(self.toasts).to_have_count(0)

    @property
    def form(self) -> Locator:
        return self.page.locator(".nbc-form")

    def copied(self, part: str) -> str:
        """What was copied, once it has these words."""
        self.notebook.wait("part => (globalThis.copied ?? '').includes(part)", part)
        found: str = self.page.evaluate("() => globalThis.copied")
        self.page.evaluate("() => { globalThis.copied = ''; }")
        return found

    def settings(self, **values: Any) -> None:
        """Change what the settings editor would change; without values, back to what they were."""
        self.page.evaluate("values => nbtest.settings('nbchannels:inspector', values)", values)

    def pictures(self, name: str) -> None:
        """In light and in dark."""
        for theme in ("Dark", "Light"):
            self.notebook.theme(f"JupyterLab {theme}")
            self.notebook.picture(f"inspector-{name}-{theme.lower()}")

    def settle(self) -> None:
        """Back to where every test begins: in sight, nothing selected, no filter, no dialog."""
        self.page.evaluate(
            "() => { for (const one of document.querySelectorAll('.jp-Dialog .jp-mod-reject'))"
            " one.click(); }"
        )
        expect(self.dialog).to_have_count(0)
        if self.page.locator(".lm-Menu").count() > 0:
            self.page.keyboard.press("Escape")
        expect(self.page.locator(".lm-Menu")).to_have_count(0)
        self.dismiss()
        self.open()
        self.sidebar.locator(".nbc-detail:not([hidden]) .nbc-detail-head button").evaluate_all(
            "buttons => { for (const one of buttons) one.click(); }"
        )
        self.sidebar.locator("button[aria-label='More filters'][aria-pressed=true]").evaluate_all(
            "buttons => { for (const one of buttons) one.click(); }"
        )
        self.sidebar.locator("input[type=search]").evaluate_all(
            "fields => { for (const one of fields) if (one.value !== '') {"
            " one.value = ''; one.dispatchEvent(new Event('input')); } }"
        )


BENCH = {
    "import": "import nbchannels as nb\nimport numpy as np",
    "view": 'nb.LivePlot("lab.loss")',
    "send": "for y in range(5):\n"
    '    nb.Group("lab.loss").send({"y": y, "deep": {"list": [1, {"two": 2}]}})\n'
    'nb.Group("lab.frames").send({"frame": np.zeros((64, 64)), "name": "zeros"})\n'
    'nb.Group("lab.images").send({"image": np.zeros((48, 60, 3), dtype=np.uint8)})\n'
    'nb.Group("lab.bytes").send({"blob": b"\\x00\\x01 nbchannels"})',
    "work": 'for n in (1, 2, -3):\n    nb.Channel("lab.measure").send({"n": n})\n'
    'nb.Channel("lab.lonely").send({"n": 1})',
    "free": "",
}
WATCH = {
    "watch": 'import nbchannels as nb\nseen = []\nnb.Group("lab.loss").subscribe(seen.append)\n'
    'nb.LivePlot("lab.feed")'
}
WORKER = """
import nbchannels as nb

@nb.consume("lab.measure")
def measure(message):
    if message["n"] < 0:
        raise ValueError(f"cannot measure {message['n']}")

@nb.consume("lab.sort")
async def sort(message):
    return None
"""
#: It ends when nobody holds its input any more.
SCRIPT = """
import sys, threading
import nbchannels as nb

kept = []
nb.Group("lab.loss").subscribe(kept.append)
nb.Group("lab.feed").send({"n": 0})
print("ready", flush=True)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
n = 0
while not ended.wait(0.5):
    n += 1
    nb.Group("lab.feed").send({"n": n, "level": n % 7})
"""


class Live:
    """A Jupyter server with two notebooks, a worker's kernel, a script, and what went wrong."""

    def __init__(self, server: Jupyter, visitor: Visitor) -> None:
        self.server = server
        self.visitor = visitor
        self.script: subprocess.Popen[str] | None = None
        self.script_log = server.folder / "script.log"
        server.write_notebook("bench.ipynb", BENCH)
        server.write_notebook("watch.ipynb", WATCH)
        server.write_notebook("worker.ipynb", {"a": WORKER})
        (server.work / "feeder.py").write_text(SCRIPT)
        self.notebook = visitor.open("bench.ipynb")
        self.page = self.notebook.page
        self.page.evaluate(KEEP_COPIES)
        self.begin_worker()
        self.notebook.command("docmanager:open", path="watch.ipynb")
        self.notebook.wait("() => nbtest.panel()?.context.path === 'watch.ipynb'")
        self.notebook.wait_until_ready()
        self.notebook.run("watch")
        self.front()
        self.notebook.run("import", "view")
        self.inspector = Inspector(self.notebook).open()
        self.begin_script()
        # Messages are recorded while somebody looks.
        self.inspector.only("Messages")
        self.inspector.row("messages", "lab.feed").wait_for(timeout=PATIENCE)
        self.notebook.run("send", "work")
        self.inspector.row("messages", "lab.lonely").wait_for(timeout=PATIENCE)

    def front(self) -> None:
        """Bring the first notebook to the front."""
        self.notebook.command("docmanager:open", path="bench.ipynb")
        self.notebook.wait("() => nbtest.panel()?.context.path === 'bench.ipynb'")
        self.notebook.wait_until_ready()

    def begin_worker(self) -> None:
        """A notebook whose kernel runs, with nobody looking at it."""
        self.page.evaluate("([path, code]) => nbtest.begin(path, code)", ["worker.ipynb", WORKER])

    def begin_script(self) -> None:
        self.end_script()
        with self.script_log.open("w") as log:
            self.script = subprocess.Popen(
                [sys.executable, "feeder.py"],
                cwd=self.server.work,
                env=self.server.outside,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.script.stdout is not None
        assert self.script.stdout.readline() == "ready\n", self.script_log.read_text()

    def speak(self) -> None:
        """Send some of everything, while the list of messages is open and somebody records."""
        self.inspector.only("Messages")
        self.inspector.title("Messages").get_by_role("button", name="Empty the list").click()
        self.inspector.row("messages", "lab.feed").wait_for(timeout=PATIENCE)
        self.execute(BENCH["send"])
        self.execute('nb.Channel("lab.measure").send({"n": 1})')
        self.execute('nb.Channel("lab.unread").send({"n": 1})')
        self.inspector.row("messages", "lab.unread").wait_for(timeout=PATIENCE)

    @property
    def script_key(self) -> str:
        """What the server calls the script that runs."""
        clients = self.server.ask("GET", "nbchannels/api/clients")["clients"]
        (found,) = [c for c in clients if c["label"] == "feeder.py" and c["connected"]]
        return str(found["key"])

    def execute(self, code: str) -> None:
        """In the kernel of the first notebook, without a cell."""
        self.page.evaluate("code => nbtest.execute(code)", code)

    def messages(self, group: str) -> list[Any]:
        """What a group keeps, oldest first."""
        told = self.server.ask("GET", f"nbchannels/api/groups/{group}/messages")
        return [one["message"] for one in told["messages"]]

    def sent(self, group: str) -> int:
        """How many messages a group was ever sent."""
        groups = self.server.ask("GET", "nbchannels/api/groups")["groups"]
        return next((int(one["offset"]) for one in groups if one["name"] == group), 0)

    @property
    def problems(self) -> int:
        """Dead letters and diagnoses that the server keeps."""
        letters = self.server.ask("GET", "nbchannels/api/dead-letters")["dead_letters"]
        return len(letters) + len(self.server.ask("GET", "nbchannels/api/diagnoses")["diagnoses"])

    def end_script(self) -> None:
        if self.script is not None:
            self.script.communicate(timeout=20)
            self.script = None
