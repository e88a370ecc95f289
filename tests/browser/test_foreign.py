"""A notebook on a server that has joined a Django site."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import visiting
from tests.browser.jupyter import Jupyter, shown_view
from tests.layers.redis_server import RedisServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_the_chip_says_that_the_channels_are_anothers(
    browser: Browser, own_jupyter: Callable[..., Jupyter], tmp_path: Path
):
    redis = RedisServer(tmp_path)
    try:
        config = {"hosts": [redis.url]}
        backend = "channels_redis.core.RedisChannelLayer"
        server = own_jupyter(layers={"default": {"BACKEND": backend, "CONFIG": config}})
        server.write_notebook("site.ipynb", {"view": ""}, {"view": shown_view("index")})
        with visiting(browser, server) as visitor:
            notebook = visitor.open("site.ipynb")
            view = notebook.view("view").look()
            view.wait_for_chip("live · foreign")
            for y in range(5):
                server.post("index", {"y": y})
            view.wait_for_points(5)
            view.wait_for_paint()
            notebook.picture("foreign")
    finally:
        redis.stop()
