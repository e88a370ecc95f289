"""A server that dies and comes back, and one that has no extension."""

import logging
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import visiting
from tests.browser.driving import AWAY
from tests.browser.jupyter import Jupyter, shown_view

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
LOG = logging.getLogger(__name__)


def test_after_kill_9_the_page_tries_within_5_seconds_and_shows_the_gap(
    browser: Browser, own_jupyter: Callable[..., Jupyter]
):
    server = own_jupyter()
    server.write_notebook("crash.ipynb", {"view": ""}, {"view": shown_view("crash")})
    with visiting(browser, server) as visitor:
        visitor.allow(*AWAY)
        notebook = visitor.open("crash.ipynb")
        view = notebook.view("view").look()
        view.wait_for_chip("live")
        for y in range(5):
            server.post("crash", {"y": y})
        view.wait_for_points(5)
        view.wait_for_legend("y", "4")
        assert view.plot["gaps"] == []

        server.kill()
        view.wait_for_chip("reconnecting · stale")
        notebook.wait(
            "() => { const { retryAt } = nbtest.client().state;"
            " return retryAt !== undefined && retryAt - Date.now() / 1000 <= 5; }"
        )
        assert view.plot["runs"][0]["series"]["y"]["y"][:5] == [0, 1, 2, 3, 4]
        server.start()  # and it answers
        answered = time.monotonic()
        view.wait_for_chip("live")
        LOG.info("live again after %.2f s", time.monotonic() - answered)

        for y in range(5, 10):
            server.post("crash", {"y": y})
        view.wait_for_legend("y", "9")
        view.wait_for_chip("live · gaps 1")
        plot = view.plot
        (gap,) = plot["gaps"]
        (run,) = plot["runs"]
        ys, xs = run["series"]["y"]["y"], run["series"]["y"]["x"]
        # The line is interrupted there, and what came before is still shown.
        assert [y for y in ys if y == y] == list(range(10))
        assert ys[5] != ys[5]
        assert (gap["from"], gap["to"]) == (xs[4], xs[6])
        assert "server restarted" in gap["text"]

        # It can be seen, and pointed at.
        over = view.element.locator(".u-over")
        box = over.bounding_box()
        assert box is not None
        low, high = plot["range"]
        middle = (gap["from"] + gap["to"]) / 2
        tag = view.element.locator(".nbc-cursor-tag.nbc-alert")
        lost = notebook.page.locator(".jp-Dialog .jp-Dialog-footer button")
        for tried in range(40):
            # JupyterLab tells of the lost server when it likes, over everything else.
            for dialog in lost.all():
                dialog.click()
            notebook.page.mouse.move(
                box["x"] + (middle - low) / (high - low) * box["width"],
                box["y"] + box["height"] / 2 + tried % 2,
            )
            if tag.count() > 0:
                break
            notebook.page.wait_for_timeout(250)
        expect(tag).to_contain_text("server restarted")
        notebook.picture("gap-after-a-crash")


def test_a_server_without_the_extension_is_told_in_a_sentence(
    browser: Browser, own_jupyter: Callable[..., Jupyter]
):
    server = own_jupyter(extension=False)
    server.write_notebook("offline.ipynb", {"view": ""}, {"view": shown_view("any")})
    with visiting(browser, server) as visitor:
        visitor.allow(r"status of 404 .*/nbchannels/api/ticket")
        notebook = visitor.open("offline.ipynb")
        view = notebook.view("view").look()
        view.wait_for_chip("offline")
        view.wait_for_text("This Jupyter server does not have the nbchannels extension")
        view.wait_for_text('run "pip install nbchannels" in the environment of the server')
        notebook.picture("offline")
