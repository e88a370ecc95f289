"""Chromium on a real JupyterLab: servers, the browser, and whoever sits before it."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.driving import PATIENCE, Visitor
from tests.browser.inspecting import Inspector, Live
from tests.browser.jupyter import ROOT, Jupyter

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What refreshes is awaited for as long as everything else.
expect.set_options(timeout=PATIENCE)
FAILURES = ROOT / "test-results" / "failures"

_servers: list[Jupyter] = []
_visitors: list[Visitor] = []


# The package, not the session: the loop behind Playwright would disturb async tests elsewhere.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def serving(folder: Any, **options: Any) -> Iterator[Jupyter]:
    server = Jupyter(folder, **options)
    _servers.append(server)
    try:
        yield server
    finally:
        _servers.remove(server)
        server.stop()


@contextmanager
def visiting(browser: Browser, server: Jupyter) -> Iterator[Visitor]:
    visitor = Visitor(browser, server)
    _visitors.append(visitor)
    try:
        yield visitor
        assert visitor.errors == []
    finally:
        _visitors.remove(visitor)
        visitor.close()


@pytest.fixture(scope="package")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """The server that all tests share."""
    with serving(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def own_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Jupyter]]:
    """Servers of this test alone, which it may kill."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            serving(tmp_path_factory.mktemp("jupyter"), **options)
        )


@pytest.fixture
def visitor(browser: Browser, jupyter: Jupyter) -> Iterator[Visitor]:
    """Someone who opens notebooks; in the end no page may have had an error."""
    with visiting(browser, jupyter) as visitor:
        yield visitor


@pytest.fixture(scope="package")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The system that the tests of the inspector look at: begun once, as it takes its time."""
    folder = tmp_path_factory.mktemp("live")
    with (
        serving(folder, options=["--NbChannels.redact=server_secret"]) as server,
        visiting(browser, server) as visitor,
    ):
        system = Live(server, visitor)
        yield system
        system.end_script()


@pytest.fixture
def inspector(live: Live) -> Iterator[Inspector]:
    """The inspector of the live system, as it is before anything is selected."""
    live.inspector.settle()
    yield live.inspector
    assert live.visitor.errors == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """On failure: what the servers wrote, and what was wrong on the pages, with a picture."""
    outcome: Any = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for server in _servers:
        report.sections.append(("Jupyter's log", server.log.read_text()[-6000:]))
    for number, visitor in enumerate(_visitors):
        report.sections.append(("errors on the pages", "\n".join(visitor.errors)))
        for place, page in enumerate(visitor.pages):
            FAILURES.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w.-]+", "_", item.name)
            path = FAILURES / f"{name}-{report.when}-{number}-{place}.png"
            try:
                page.screenshot(path=path, timeout=5000)
            except Exception as error:  # a page that hangs has no picture
                report.sections.append(("no picture", str(error)))
