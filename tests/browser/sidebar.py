"""The inspector's sidebar, by what one can see of it, for tests that look at it on the side."""

from typing import Any

from playwright.sync_api import Locator

from tests.browser.driving import PATIENCE, NotebookPage, click

BADGE = "() => document.querySelector('.lm-TabBar-tab.nbc-badged')?.dataset.nbcBadge ?? ''"
CHIP = "() => document.querySelector('.nbc-status-chip')?.textContent ?? ''"


class Sidebar:
    """The sidebar of a page, open or closed."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.element = self.page.locator("#nbchannels-inspector")

    def open(self, section: str | None = None) -> "Sidebar":
        arguments = {} if section is None else {"section": section}
        self.notebook.command("nbchannels:open-inspector", **arguments)
        self.element.locator(".nbc-state[data-tone=good]").wait_for(timeout=PATIENCE)
        return self

    def section(self, name: str) -> Locator:
        return self.page.locator(f"#nbchannels-section-{name}")

    def row(self, section: str, text: str) -> Locator:
        return self.section(section).locator(".nbc-row:visible", has_text=text).first

    def pick(self, section: str, text: str) -> None:
        """Click a row."""
        click(self.row(section, text))

    @property
    def opened(self) -> list[str]:
        """Titles of the open sections."""
        return self.element.locator(
            ".jp-AccordionPanel-title[aria-expanded=true] .lm-AccordionPanel-titleLabel"
        ).all_inner_texts()

    def toggle(self, *labels: str) -> None:
        """Open these sections and close all others."""
        for title in self.element.locator(".jp-AccordionPanel-title").all():
            label = title.locator(".lm-AccordionPanel-titleLabel")
            if (title.get_attribute("aria-expanded") == "true") != (label.inner_text() in labels):
                label.click()

    def names(self, section: str) -> list[str]:
        """The names of the rows that can be seen."""
        return self.section(section).locator(".nbc-row:visible .nbc-row-name").all_inner_texts()

    # While it is closed.

    def wait_for_badge(self, text: str | None = None) -> None:
        """Wait for a number at the icon; ``None``: any. Empty: for none."""
        condition = "badge !== ''" if text is None else "badge === text"
        self.notebook.wait(
            f"text => {{ const badge = ({BADGE})(); return {condition}; }}", text or ""
        )

    def wait_for_chip(self, text: str) -> None:
        """Wait until the chip in the status bar says this."""
        self.notebook.wait(f"text => ({CHIP})() === text", text)

    def wait_until_told(self) -> None:
        """Wait until what the server said last of its problems has come."""
        self.notebook.wait(
            "() => { const told = nbtest.client().statistics('nbchannels.problems');"
            " return told !== null && told.delivered > 0 && told.delivered === told.top; }"
        )

    def call(self, method: str, **arguments: Any) -> None:
        self.page.evaluate(
            "async ([method, args]) => { await nbtest.client().call(method, args); }",
            [method, arguments],
        )
