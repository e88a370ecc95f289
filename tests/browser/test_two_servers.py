"""Two Jupyter servers on one Redis: the same plot on a page of each."""

import os
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import visiting
from tests.browser.driving import SCREENSHOTS
from tests.browser.jupyter import Jupyter
from tests.redis.servers import RedisServer, why_no_redis

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PLOT = 'import nbchannels as nb\nnb.LivePlot("shared", y="value")'
SEND = 'print(nb.Group("shared").send({"value": 30}))'


def test_a_page_on_each_shows_the_same_plot_moving_both_ways(
    browser: Browser, own_jupyter: Callable[..., Jupyter], tmp_path: Path
):
    reason = why_no_redis(os.environ)
    if reason:
        pytest.skip(reason)
    with RedisServer(tmp_path / "redis") as redis:
        layer = {
            "BACKEND": "nbchannels.layers.RedisChannelLayer",
            "CONFIG": {"hosts": [redis.url], "patience": 2},
        }
        options = [f"--NbChannels.channel_layers={ {'default': layer}!r}"]
        one, two = own_jupyter(options=options), own_jupyter(options=options)
        with visiting(browser, one) as here, visiting(browser, two) as there:
            for server in (one, two):
                server.write_notebook("shared.ipynb", {"plot": PLOT, "send": SEND})
            pages = [here.open("shared.ipynb"), there.open("shared.ipynb")]
            plots = []
            for page in pages:
                page.run("plot")
                plot = page.view("plot").look()
                plot.wait_for_chip("live")
                plots.append(plot)
            # A program at one server, a program at the other, a cell of each.
            one.post("shared", {"value": 10})
            two.post("shared", {"value": 20})
            for page in pages:
                page.run("send")
            for plot in plots:
                plot.wait_for_points(4)
                (run,) = plot.plot["runs"]
                assert run["series"]["value"]["y"] == [10, 20, 30, 30]
            # Redis stands still: the pictures stay, and say that nothing new comes.
            redis.freeze()
            try:
                for server in (one, two):  # whoever sends finds out
                    with pytest.raises(urllib.error.HTTPError, match="503"):
                        server.post("shared", {"value": 35})
                for plot in plots:
                    plot.wait_for_chip("stale", 40_000)
                here.pages[0].screenshot(path=SCREENSHOTS / "two-servers-stale.png")
            finally:
                redis.thaw()
            for plot in plots:
                plot.wait_for_chip("live")
            one.post("shared", {"value": 40})
            for plot in plots:
                plot.wait_for_legend("value", "40")
                assert plot.look().plot["gaps"] == []
            here.pages[0].screenshot(path=SCREENSHOTS / "two-servers.png")
