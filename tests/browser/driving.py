"""Pages with a notebook, driven by what one can see and by the application inside them."""

import re
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.jupyter import ROOT, Jupyter

INSIDE = Path(__file__).with_name("inside.js")
SCREENSHOTS = ROOT / "test-results" / "screenshots"
PATIENCE = 20_000  # milliseconds

App = Literal["lab", "notebook"]
PATHS: dict[App, str] = {"lab": "lab/tree/", "notebook": "notebooks/"}

#: Errors on a page that come without any extension too, and harm nobody.
KNOWN = (
    # Notebook 7.6.
    r"^page error: Cannot read properties of undefined \(reading 'schema'\)$",
    # Notebook 7.6 where JupyterLab has left a workspace.
    r"^page error: Command 'filebrowser:open-path' not registered\.$",
    # JupyterLab 4.6 when a kernel is shut down soon after its start.
    r"^console: Could not restore the debugger state: Canceled future for debug_request",
    # Both ask once more for the session of a kernel that was removed under them.
    r"status of 404 .*/api/sessions/[0-9a-f-]{36}\?\d+\)",
)
#: What a browser says about a server that is not there, and JupyterLab 4.6 when it is back: the
#: kernels of the one that died are gone.
AWAY = (
    r"net::ERR_",
    r"WebSocket",
    r"Failed to fetch",
    r"NetworkError",
    r"status of 50\d",
    r"status of 404 .*/api/kernels/[0-9a-f-]{36}\?\d+\)",
    r"^page error: Cannot read properties of null \(reading 'kernel'\)$",
)


def click(found: Locator, button: Literal["left", "right"] = "left") -> None:
    """Click what is found now: an element of a list shows one row after the other, or none."""
    for attempt in range(10):
        try:
            found.click(button=button, timeout=2_000)
        except PlaywrightTimeout:
            if attempt == 9:
                raise
        else:
            return


class View:
    """A view in the output of a cell."""

    def __init__(self, notebook: "NotebookPage", cell: str, within: str = "") -> None:
        self.notebook = notebook
        self.cell = cell
        self.selector = f'[data-cell="{cell}"] {within} .nbchannels-view'
        self.element: Locator = notebook.page.locator(self.selector).first

    def look(self) -> "View":
        """Bring it onto the screen: what cannot be seen is not drawn."""
        self.element.wait_for(timeout=PATIENCE)
        self.element.scroll_into_view_if_needed()
        return self

    def _wait(self, condition: str, argument: Any, timeout: int) -> Any:
        return self.notebook.wait(
            "([selector, argument]) => { const view = document.querySelector(selector);"
            f" return view !== null && ({condition}); }}",
            [self.selector, argument],
            timeout,
        )

    def wait_for_chip(self, start: str, timeout: int = PATIENCE) -> None:
        self._wait(
            "view.querySelector('.nbc-chip').textContent.startsWith(argument)", start, timeout
        )

    def expect_chip(self, text: str) -> None:
        """The chip says this and no more, once it has said it for the first time."""
        expect(self.element.locator(".nbc-chip")).to_have_text(text)

    def wait_for_legend(self, name: str, value: str, timeout: int = PATIENCE) -> None:
        """Wait until the legend says this value of this series."""
        self._wait(
            "[...view.querySelectorAll('.nbc-entry')].some(entry =>"
            " entry.querySelector('.nbc-name').textContent === argument[0] &&"
            " entry.querySelector('.nbc-value').textContent === argument[1])",
            [name, value],
            timeout,
        )

    def wait_for_change_of_legend(self, before: dict[str, str], timeout: int = PATIENCE) -> None:
        self._wait(
            "[...view.querySelectorAll('.nbc-entry')].some(entry =>"
            " argument[entry.querySelector('.nbc-name').textContent]"
            " !== entry.querySelector('.nbc-value').textContent)",
            before,
            timeout,
        )

    @property
    def legend(self) -> dict[str, str]:
        return self.element.locator(".nbc-entries").evaluate(
            "entries => Object.fromEntries([...entries.querySelectorAll('.nbc-entry')].map(entry =>"
            " [entry.querySelector('.nbc-name').textContent,"
            "  entry.querySelector('.nbc-value').textContent]))"
        )

    def wait_for_text(self, part: str, timeout: int = PATIENCE) -> None:
        """Wait until these words can be seen somewhere in the view."""
        self._wait("view.innerText.includes(argument)", part, timeout)

    def wait_until_empty(self, timeout: int = PATIENCE) -> None:
        self._wait(
            "!view.querySelector('.nbc-empty').hidden"
            " && view.querySelectorAll('.nbc-entry').length === 0",
            None,
            timeout,
        )

    # What our renderer's own views hold.

    def wait_for_points(self, least: int, timeout: int = PATIENCE) -> None:
        self.notebook.wait("([cell, n]) => nbtest.points(cell) >= n", [self.cell, least], timeout)

    def wait_for_paint(self, least: int = 100) -> None:
        """Wait until something coloured is painted on the canvas."""
        self.look()
        self.notebook.wait("([cell, n]) => nbtest.coloured(cell) >= n", [self.cell, least])

    @property
    def plot(self) -> Any:
        return self.notebook.page.evaluate("cell => nbtest.plot(cell)", self.cell)


class NotebookPage:
    """A page with one notebook."""

    def __init__(self, page: Page, server: Jupyter) -> None:
        self.page = page
        self.server = server

    def open(self, name: str, app: App = "lab") -> "NotebookPage":
        query = "?reset" if app == "lab" else "?"
        self.page.goto(f"{self.server.url}{PATHS[app]}{name}{query}&token={self.server.token}")
        self.wait_until_ready()
        return self

    def reload(self) -> None:
        self.page.reload()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self.wait("() => nbtest.ready()", None, 40_000)

    def wait(self, condition: str, argument: Any = None, timeout: int = PATIENCE) -> Any:
        """Wait until a condition in the page holds, and return its value."""
        return self.page.wait_for_function(condition, arg=argument, timeout=timeout).json_value()

    def run(self, *cells: str) -> None:
        """Run cells one after the other, each to its end; none may fail."""
        for cell in cells:
            self.page.evaluate("cell => nbtest.run(cell)", cell)
            assert not self.errors(cell), self.text(cell)

    def begin(self, cell: str) -> None:
        """Have a cell run, and do not wait for it."""
        self.page.evaluate("cell => { void nbtest.run(cell); }", cell)

    def command(self, name: str, /, **arguments: Any) -> None:
        self.page.evaluate(
            "async ([name, args]) => { await jupyterapp.commands.execute(name, args); }",
            [name, arguments],
        )

    def begin_command(self, name: str) -> None:
        self.page.evaluate("name => { void jupyterapp.commands.execute(name); }", name)

    def save(self) -> None:
        self.page.evaluate("async () => { await nbtest.panel().context.save(); }")

    def shut_down_kernel(self) -> None:
        """As the menu does."""
        self.page.evaluate("async () => { await nbtest.panel().sessionContext.shutdown(); }")

    def text(self, cell: str) -> str:
        return self.page.evaluate("cell => nbtest.text(cell)", cell)

    def errors(self, cell: str) -> list[Any]:
        outputs = self.page.evaluate("cell => nbtest.outputs(cell)", cell)
        return [output for output in outputs if output["output_type"] == "error"]

    def cells(self) -> list[str]:
        return self.page.evaluate(
            "() => nbtest.panel().content.widgets"
            ".filter(cell => cell.model.type === 'code').map(cell => cell.model.id)"
        )

    def view(self, cell: str, within: str = "") -> View:
        return View(self, cell, within)

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=name)
        light = "true" if name.endswith("Light") else "false"
        self.wait("light => document.body.dataset.jpThemeLight === light", light)
        # JupyterLab covers the page meanwhile.
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=PATIENCE)

    def picture(self, name: str) -> None:
        """Keep what the page looks like, once nothing moves any more that comes to an end."""
        self.page.evaluate("async () => { await nbtest.still(); }")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


class Visitor:
    """Someone's browser: contexts, their pages, and the errors in them."""

    def __init__(self, browser: Browser, server: Jupyter) -> None:
        self.browser = browser
        self.server = server
        self.allowed = list(KNOWN)
        self.contexts: list[BrowserContext] = []
        self.notebooks: list[NotebookPage] = []
        self._errors: list[str] = []

    def open(self, name: str, app: App = "lab") -> NotebookPage:
        """A notebook in a browser that knows nothing of the others."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_init_script(path=INSIDE)
        context.on("weberror", lambda error: self._errors.append(f"page error: {error.error}"))
        context.on("console", self._hear)
        self.contexts.append(context)
        notebook = NotebookPage(context.new_page(), self.server)
        self.notebooks.append(notebook)
        return notebook.open(name, app)

    def allow(self, *patterns: str) -> None:
        """Errors that belong to what this test does."""
        self.allowed += patterns

    @property
    def errors(self) -> list[str]:
        """What went wrong on a page, and is not on the list."""
        return [
            error
            for error in self._errors
            if not any(re.search(pattern, error) for pattern in self.allowed)
        ]

    @property
    def pages(self) -> list[Page]:
        return [page for context in self.contexts for page in context.pages]

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            where = message.location.get("url", "")
            self._errors.append(f"console: {message.text} ({where})")
