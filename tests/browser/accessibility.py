"""Whether everybody can use what a page shows: axe-core on its elements, and the focus."""

from typing import Any

from playwright.sync_api import Page

from tests.browser.jupyter import ROOT

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"

#: JupyterLab's body has no height, so that axe took everything for hidden and measured no contrast.
HEIGHT = "html, body { height: 100vh !important; }"

RUN = """async selectors => {
  const include = selectors.filter(one => document.querySelector(one) !== null);
  const { violations, incomplete } = await axe.run({ include }, {
    resultTypes: ['violations', 'incomplete'],
    rules: { region: { enabled: false } }
  });
  const told = rules => rules.flatMap(({ id, impact, nodes }) => nodes.map(node => ({
    rule: id,
    impact: node.impact ?? impact,
    target: node.target.join(' '),
    html: node.html.slice(0, 200),
    why: [...node.any, ...node.all, ...node.none].map(one => one.message).join('; ')
  })));
  return { include, violations: told(violations), incomplete: told(incomplete) };
}"""


class Axe:
    """axe-core in a page: what it finds within some elements, and what it cannot tell."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.add_style_tag(content=HEIGHT)
        page.evaluate(AXE.read_text(encoding="utf-8"))

    def look(self, *selectors: str) -> dict[str, list[dict[str, Any]]]:
        """Barriers within the elements; each selector must have one that can be seen."""
        for selector in selectors:
            self.page.locator(selector).first.wait_for()
        found: dict[str, Any] = self.page.evaluate(RUN, list(selectors))
        assert found["include"] == list(selectors)
        return found


def described(findings: list[dict[str, Any]]) -> str:
    """Findings as lines for people."""
    return "\n".join(
        f"{one['impact']} {one['rule']}: {one['target']}\n    {one['html']}\n    {one['why']}"
        for one in findings
    )
