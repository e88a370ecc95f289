"""Someone without a mouse: what has the focus, whether one sees it, and how to get elsewhere."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.inspecting import Inspector

#: Keys until something must have been reached.
MOST = 60
#: Of a ring to what is around it, as WCAG 1.4.11 wants it.
CONTRAST = 3

RING = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const numbers = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(one => one / 255)
      .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = node => {
    for (let one = node.parentElement; one !== null; one = one.parentElement) {
      const found = numbers(getComputedStyle(one).backgroundColor);
      if (found[3] > 250) {
        return found;
      }
    }
    return [255, 255, 255, 255];
  };
  const focused = document.activeElement;
  const about = [focused, focused.querySelector(':scope > .nbc-tree-line')].filter(Boolean);
  let best = 0;
  for (const one of about) {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(one);
    const colours = [];
    if (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) {
      // "auto" is drawn by the browser, in colours of its own.
      colours.push(outlineStyle === 'auto' ? null : outlineColor);
    }
    if (boxShadow !== 'none') {
      colours.push(boxShadow.match(/^(rgba?|color)\\([^)]*\\)/)?.[0] ?? 'transparent');
    }
    for (const colour of colours) {
      const [a, b] = [colour === null ? 21 : light(numbers(colour)), light(behind(one))];
      best = Math.max(best, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
  }
  return best;
}"""


class Keys:
    """Someone without a mouse."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector
        self.page = inspector.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            # A list paints with the next frame.
            self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    @property
    def where(self) -> str:
        """What has the focus, for people."""
        found: str = self.page.evaluate(
            "() => document.activeElement.cloneNode(false).outerHTML.slice(0, 200)"
        )
        return found

    def has(self, target: Locator) -> bool:
        found: bool = target.evaluate("target => target === document.activeElement")
        return found

    def reach(self, target: Locator, key: str = "Tab") -> None:
        """Press a key until this has the focus."""
        expect(target).to_be_visible()
        seen = [self.where]
        for _ in range(MOST):
            if self.has(target):
                return
            self.press(key)
            seen.append(self.where)
        pytest.fail("not reached:\n" + "\n".join(seen))

    def ringed(self) -> None:
        """What has the focus shows it."""
        contrast = self.page.evaluate(RING)
        assert contrast >= CONTRAST, f"{contrast:.2f} of {self.where}"

    def kept(self) -> None:
        """The focus is somewhere."""
        self.inspector.notebook.wait(
            "() => document.activeElement !== null && document.activeElement !== document.body"
        )

    # In the sidebar.

    def begin(self, section: str) -> None:
        """To the title of a section, as the command that shows the inspector leaves one."""
        self.inspector.title(section).focus()

    def find(self, section: str, name: str) -> Locator:
        """Filter a list, go to it, and open the details of its first row."""
        self.begin(section)
        place = self.inspector.section(section.lower())
        self.reach(place.get_by_role("searchbox").first)
        self.press("Control+a")
        self.type(name)
        # A filter is applied a moment after the last key, and closes the details.
        self.inspector.notebook.wait(
            """([section, name]) => {
              const rows = [...document.querySelectorAll(
                `#nbchannels-section-${section} .nbc-row:not([hidden])`)];
              return rows.length > 0 && rows.every(row => row.textContent.includes(name));
            }""",
            [section.lower(), name],
        )
        return self.open_first(section, name)

    def open_first(self, section: str, name: str) -> Locator:
        place = self.inspector.section(section.lower())
        expect(place.locator(".nbc-row[aria-posinset='1']:visible")).to_contain_text(name)
        self.reach(place.get_by_role("listbox"))
        self.press("Home", "Enter")
        detail = place.locator(".nbc-detail")
        expect(detail).to_be_visible()
        self.kept()
        return detail

    def run(self, section: str, label: str) -> None:
        """Go to a button of the details, and press it."""
        button = self.inspector.section(section.lower()).locator(".nbc-action", has_text=label)
        self.reach(button)
        self.ringed()
        self.press("Enter")

    def choose(self, section: str, label: str) -> None:
        """Open the menu of the row, and choose."""
        self.begin(section)
        listbox = self.inspector.section(section.lower()).get_by_role("listbox")
        self.reach(listbox)
        self.press("Shift+F10")
        active = self.page.locator(".lm-Menu-item.lm-mod-active .lm-Menu-itemLabel")
        expect(self.page.locator(".lm-Menu")).to_be_visible()
        for _ in range(MOST):
            if active.count() > 0 and active.inner_text() == label:
                break
            self.press("ArrowDown")
        expect(active).to_have_text(label)
        self.press("Enter")
        expect(self.page.locator(".lm-Menu")).to_have_count(0)
        self.kept()

    def answer(self, label: str) -> None:
        """Go to a button of a dialog, and press it."""
        button = self.inspector.dialog.locator("button", has_text=label).last
        self.reach(button)
        self.press("Enter")
        expect(self.inspector.dialog).to_have_count(0)
        self.kept()
