"""What the inspector costs: frames while scrolling, traffic, the server's CPU; nothing when hidden.

A real Jupyter server with 500 groups, 200 clients and 5,000 messages a second, and JupyterLab in a
real Chromium beside it. The sidebar is collapsed and opened in turn (ABAB…), with the sections
Groups, Messages and Clients; each opened span stands between two collapsed ones, and its cost is
what it is above their mean, so that a change of the machine's speed meets both.

* frames: intervals of requestAnimationFrame while the mouse wheel turns over a list;
* traffic: WebSocket frames in both directions and HTTP requests to nbchannels, of a page that has
  no view, so that all of them are the inspector's own;
* server: CPU time of its process, in percent of a core. A browser that paints takes caches and
  cores from everybody: the crowd, which does the same all the time, needs a tenth more meanwhile.
  So CPU time is counted in that of the crowd; what the clock says is printed below it;
* hidden: the same counts while the sidebar is collapsed, on a page without and one with a view.

Goals: at least 50 frames/s (median and 5th percentile), at most 20 messages/s and 100 kB/s, at most
3 % of a core, and hidden nothing at all. It takes about five minutes.
"""

import argparse
import importlib.metadata
import json
import math
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.crowd import Crowd, Plan
from benchmarks.traffic import Traffic, asked
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.jupyter import Jupyter, shown_view

GROUPS, CLIENTS, EACH, RATE = 500, 200, 5, 5000
SECTIONS = ("groups", "messages", "clients")
#: Seconds: the server records messages for ten more when nobody looks; an opened section settles.
FORGOTTEN, SETTLED = 11.0, 3.0
SCROLLED, WITH_VIEW = 5.0, 25.0
GOALS = {"fps": 50, "messages": 20, "bytes": 100_000, "cpu": 3.0}

FRAMES = """() => {
  const times = globalThis.frameTimes = [];
  const step = time => {
    if (globalThis.frameTimes === times) {
      times.push(time);
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
}"""
TAKE_FRAMES = (
    "() => { const times = globalThis.frameTimes; globalThis.frameTimes = null; return times; }"
)
EXPANDED = """names => {
  const titles = document.querySelectorAll('#nbchannels-inspector .jp-AccordionPanel-title');
  for (const title of titles) {
    const label = title.querySelector('.lm-AccordionPanel-titleLabel');
    const isOpen = title.getAttribute('aria-expanded') === 'true';
    if (isOpen !== names.includes(label.textContent.toLowerCase())) { label.click(); }
  }
}"""
OPEN = "async () => { await jupyterapp.commands.execute('nbchannels:open-inspector'); }"
CLOSE = "() => { jupyterapp.shell.collapseRight(); }"


class Meter:
    """CPU time, of the server and of who else has a share in the machine."""

    def __init__(self, server: Jupyter, crowd: Crowd, chromium: psutil.Process) -> None:
        self._server = psutil.Process(server.process.pid)
        self._crowd, self._chromium = crowd, chromium
        self.restart()

    def _chromium_cpu(self) -> float:
        total = 0.0
        for process in [self._chromium, *self._chromium.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def _now(self):
        times = self._server.cpu_times()
        when = time.monotonic()
        return self._crowd.counts(), when, times.user + times.system, self._chromium_cpu()

    def restart(self) -> None:
        self._begin = self._now()

    def read(self) -> dict[str, float]:
        """Since the last call, in seconds and per second; percent of a core."""
        (before, begin, server, chromium), now = self._begin, self._now()
        counts, end = now[:2]
        # The crowd reads its clock when it comes to answer: its figures are per its own seconds.
        seconds = counts.when - before.when
        self._begin = now
        return {
            "seconds": end - begin,
            "server": (now[2] - server) / (end - begin) * 100,
            "chromium": (now[3] - chromium) / (end - begin) * 100,
            "crowd": (counts.cpu - before.cpu) / seconds * 100,
            "sent": (counts.accepted - before.accepted) / seconds,
            "delivered": (counts.delivered - before.delivered) / seconds,
            "skipped": counts.skipped - before.skipped,
        }


def frames(page: Page, seconds: float, section: str | None) -> dict[str, float]:
    """Frames a second while a list is scrolled; without a section, while nothing is done."""
    begun, steps, travelled = time.monotonic(), 0, 0.0
    if section is not None:
        place = page.locator(f"#nbchannels-section-{section} .nbc-list")
        box = place.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        top = place.evaluate("list => list.scrollTop")
    page.evaluate(FRAMES)
    while time.monotonic() - begun < seconds:
        if section is None:
            page.wait_for_timeout(100)
            continue
        page.mouse.wheel(0, 90 if steps % 80 < 40 else -90)
        steps += 1
        if steps % 20 == 0:
            now = place.evaluate("list => list.scrollTop")
            travelled += abs(now - top)
            top = now
    times = page.evaluate(TAKE_FRAMES)
    fps = sorted(1000 / (b - a) for a, b in zip(times, times[1:], strict=False) if b > a)
    return {
        "p50": statistics.median(fps),
        "p5": fps[len(fps) // 20],
        "mean": (len(times) - 1) / (times[-1] - times[0]) * 1000,
        "wheel": steps / seconds,
        "pixels": travelled,
    }


def hidden_with_view(browser, server: Jupyter, seconds: float) -> dict[str, object]:
    """What a page with a view, and the sidebar collapsed, sends and gets for the inspector."""
    server.write_notebook("watching.ipynb", {"view": ""}, {"view": shown_view("quiet")})
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    traffic = Traffic(page)
    page.goto(f"{server.url}lab/tree/watching.ipynb?reset&token={server.token}")
    page.locator(".nbc-chip", has_text="live").first.wait_for(timeout=40_000)
    page.evaluate(CLOSE)
    page.wait_for_timeout(2000)
    traffic.take()
    page.wait_for_timeout(seconds * 1000)
    kinds = traffic.take()
    page.context.close()
    return {"messages": asked(kinds), "kinds": kinds}


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, object]:
    server = Jupyter(folder)
    try:
        plan = Plan(server.port, server.token, GROUPS, CLIENTS, EACH, RATE)
        with sync_playwright() as playwright, Crowd(plan) as crowd:
            path = next(filter(None, map(shutil.which, CHROMIUM)), None)
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            try:
                return look(browser, server, crowd, rounds, seconds) | {"chromium": browser.version}
            finally:
                browser.close()
    finally:
        server.stop()


def chromium_process() -> psutil.Process:
    """What Playwright has started."""
    return next(
        child
        for child in psutil.Process().children(recursive=True)
        if "chrom" in child.name() and "--type=" not in " ".join(child.cmdline())
    )


def look(browser, server: Jupyter, crowd: Crowd, rounds: int, seconds: float) -> dict[str, object]:
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    traffic = Traffic(page)
    page.goto(f"{server.url}lab?reset&token={server.token}")
    page.wait_for_function("() => globalThis.jupyterapp?.restored", timeout=40_000)
    page.evaluate("async () => { await jupyterapp.restored; }")
    page.evaluate(OPEN)
    page.evaluate(EXPANDED, list(SECTIONS))
    page.locator("#nbchannels-section-groups .nbc-row:visible").first.wait_for(timeout=20_000)
    page.evaluate(CLOSE)
    meter = Meter(server, crowd, chromium_process())
    spans: list[dict[str, float]] = []
    for number in range(2 * rounds + 1):
        is_open = number % 2 == 1
        page.evaluate(OPEN if is_open else CLOSE)
        if is_open:
            page.locator("#nbchannels-section-groups .nbc-row:visible").first.wait_for()
        page.wait_for_timeout((SETTLED if is_open else FORGOTTEN) * 1000)
        traffic.take()
        meter.restart()
        page.wait_for_timeout(seconds * 1000)
        found = meter.read() | {"open": is_open, "kinds": traffic.take()}
        spans.append(found)
        print(
            f"  {'open     ' if is_open else 'collapsed'} server {found['server']:5.1f} %  "
            f"crowd {found['crowd']:5.1f} %  chromium {found['chromium']:5.1f} %  "
            f"sent {found['sent']:6.0f}/s  delivered {found['delivered']:6.0f}/s",
            file=sys.stderr,
        )
    idle = frames(page, SCROLLED / 2, None)
    page.evaluate(OPEN)
    page.wait_for_timeout(SETTLED * 1000)
    scrolled = {section: frames(page, SCROLLED, section) for section in SECTIONS}
    page.evaluate(CLOSE)
    page.wait_for_timeout(500)
    page.close()
    with_view = hidden_with_view(browser, server, WITH_VIEW)
    return {
        "spans": spans, "idle": idle, "scrolled": scrolled,
        "hidden_with_view": with_view,
    }  # fmt: skip


def added(spans) -> dict[str, list[int]]:
    total: dict[str, list[int]] = {}
    for span in spans:
        for kind, (number, size) in span["kinds"].items():
            known = total.setdefault(kind, [0, 0])
            known[0] += number
            known[1] += size
    return total


def differences(figures: list[float]) -> list[float]:
    """What the figure of each opened span is above the mean of its neighbours."""
    return [figures[i] - (figures[i - 1] + figures[i + 1]) / 2 for i in range(1, len(figures), 2)]


def error(figures: list[float]) -> float:
    """The standard error of their mean."""
    return statistics.stdev(figures) / math.sqrt(len(figures)) if len(figures) > 1 else math.nan


def summary(found) -> dict[str, object]:
    spans = found["spans"]
    plain = differences([span["server"] for span in spans])
    # The crowd does the same whether anybody looks or not: what it takes is the machine's speed.
    usual = statistics.mean(span["crowd"] for span in spans if not span["open"])
    costs = differences([span["server"] * usual / span["crowd"] for span in spans])
    opened = [span for span in spans if span["open"]]
    seconds = sum(span["seconds"] for span in opened)
    kinds = added(opened)
    hidden = [span for span in spans if not span["open"]]
    return {
        "cpu": statistics.mean(costs),
        "error": error(costs),
        "costs": costs,
        "plain": [statistics.mean(plain), error(plain)],
        "messages": sum(number for number, _ in kinds.values()) / seconds,
        "bytes": sum(size for _, size in kinds.values()) / seconds,
        "kinds": {kind: [n / seconds, size / seconds] for kind, (n, size) in kinds.items()},
        "hidden": asked(added(hidden)),
        "heartbeats": sum(n for kind, (n, _) in added(hidden).items() if "heartbeat" in kind),
        "hidden_seconds": sum(span["seconds"] for span in hidden),
        "server": statistics.mean(span["server"] for span in spans if not span["open"]),
        "crowd": statistics.mean(span["crowd"] for span in spans),
        "chromium": [
            statistics.mean(span["chromium"] for span in spans if span["open"] is is_open)
            for is_open in (False, True)
        ],
        "sent": statistics.mean(span["sent"] for span in spans),
        "delivered": statistics.mean(span["delivered"] for span in spans),
        "skipped": sum(span["skipped"] for span in spans),
    }


def _fps(figures) -> str:
    return f"p50 {figures['p50']:.0f}, p5 {figures['p5']:.0f}"


def table(found, told) -> None:
    print(
        f"\n{GROUPS} groups, {CLIENTS} clients, {told['sent']:,.0f} messages/s sent, "
        f"{told['delivered']:,.0f} delivered; {told['skipped']} held back"
    )
    print(
        f"percent of a core: server {told['server']:.1f}, crowd {told['crowd']:.1f}, Chromium "
        f"{told['chromium'][0]:.1f} collapsed, {told['chromium'][1]:.1f} open; "
        f"{os.cpu_count()} cores"
    )
    print(f"\n{'':28}{'measured':>22}   goal")

    def row(name, measured, goal, good):
        print(f"{name:28}{measured:>22}   {goal:12} {'ok' if good else 'MISSED'}")

    idle = found["idle"]
    print(f"{'frames/s, collapsed':28}{_fps(idle):>22}")
    for section, figures in found["scrolled"].items():
        row(
            f"frames/s, {section}", _fps(figures),
            f">= {GOALS['fps']}", min(figures["p50"], figures["p5"]) >= GOALS["fps"],
        )  # fmt: skip
    row("messages/s", f"{told['messages']:.1f}", f"<= {GOALS['messages']}",
        told["messages"] <= GOALS["messages"])  # fmt: skip
    row("kB/s", f"{told['bytes'] / 1000:.1f}", f"<= {GOALS['bytes'] // 1000}",
        told["bytes"] <= GOALS["bytes"])  # fmt: skip
    row("server, % of a core", f"{told['cpu']:.1f} ± {told['error']:.1f}", f"<= {GOALS['cpu']:g}",
        told["cpu"] <= GOALS["cpu"])  # fmt: skip
    plain, its_error = told["plain"]
    print(f"{'as the clock says':28}{f'{plain:.1f} ± {its_error:.1f}':>22}")
    row(f"hidden, in {told['hidden_seconds']:.0f} s", f"{told['hidden']} messages", "0",
        not told["hidden"])  # fmt: skip
    print(f"{'its connection, 30 s more':28}{told['heartbeats']:>11} heartbeats")
    with_view = found["hidden_with_view"]["messages"]
    row(f"hidden, a view, in {WITH_VIEW:.0f} s", f"{with_view} messages", "0", not with_view)
    print("\nwhat goes over the wire while it is open, a second:")
    for kind, (number, size) in sorted(told["kinds"].items(), key=lambda item: -item[1][1]):
        print(f"  {kind:28} {number:6.2f}   {size / 1000:8.2f} kB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6, help="opened spans (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8, help="of a span (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.rounds, options.seconds)
    told = summary(found)
    table(found, told)
    versions = {
        name: importlib.metadata.version(name)
        for name in ("nbchannels", "jupyter_server", "jupyterlab", "tornado")
    }
    about = {"python": platform.python_version(), "chromium": found.pop("chromium")} | versions
    about |= {"cores": os.cpu_count(), "load": load}
    frames_told = {"idle": found["idle"]} | found["scrolled"]
    print(f"\n{json.dumps(about | told | {'frames': frames_told})}")
    if options.json is not None:
        options.json.write_text(json.dumps(found | {"summary": told, "about": about}, indent=1))


if __name__ == "__main__":
    main()
