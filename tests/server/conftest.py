"""A real Jupyter server with the extension, for the tests that ask for one.

pytest-jupyter's fixtures and hooks are imported here instead of being a plugin of the whole run:
its automatic fixtures would make a server application for every test of the project.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from jupyter_core.utils import ensure_event_loop
from jupyter_server.serverapp import ServerApp
from pytest_jupyter.jupyter_server import *  # noqa: F403

from nbchannels.server.host import Host


class Answer(NamedTuple):
    """What an HTTP request got."""

    status: int
    value: Any
    headers: Any

    @property
    def error(self) -> Any:
        return self.value["error"]


Call = Callable[..., Awaitable[Answer]]


@pytest.fixture
def jp_asyncio_loop():
    """The loop of the server and of the test; in pytest-jupyter it is there for every test."""
    loop = ensure_event_loop(prefer_selector_loop=True)
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def jp_server_cleanup(request):
    """Stop the server of the test, if it had one."""
    if "jp_asyncio_loop" not in request.fixturenames:
        yield
        return
    loop = request.getfixturevalue("jp_asyncio_loop")
    yield
    if ServerApp.initialized():
        app = ServerApp.instance()
        loop.run_until_complete(app._cleanup())
        if hasattr(app, "kernel_manager"):
            app.kernel_manager.context.destroy()
    ServerApp.clear_instance()


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"nbchannels": True}}}


@pytest.fixture
def host(jp_serverapp) -> Host:
    found = jp_serverapp.web_app.settings["nbchannels"]
    assert isinstance(found, Host)
    return found


@pytest.fixture
def call(jp_serverapp, http_server_client, jp_auth_header, jp_base_url) -> Call:
    """``await call("POST", "api/groups/index", {"value": 1})``; ``/api/me`` is Jupyter's."""

    async def fetch(
        verb: str, path: str, body: Any = None, *, login: bool = True, **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            sent |= jp_auth_header
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        base = jp_base_url if path.startswith("/") else f"{jp_base_url}nbchannels/"
        response = await http_server_client.fetch(
            base + path.removeprefix("/"),
            method=verb,
            headers=sent,
            body=body if body is not None else (b"" if verb in ("POST", "PUT", "PATCH") else None),
            allow_nonstandard_methods=True,
            follow_redirects=False,
            raise_error=False,
        )
        try:
            value = json.loads(response.body)
        except ValueError:
            value = response.body
        return Answer(response.code, value, response.headers)

    return fetch
