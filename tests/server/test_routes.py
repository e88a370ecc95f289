"""Every route refuses without credentials: the list is the route table itself."""

import os
import warnings
from typing import Any

import pytest
from jupyter_server.serverapp import ServerWebApplication
from jupyter_server.utils import JupyterServerAuthWarning
from tornado.web import RequestHandler

from nbchannels.server.host import Host
from nbchannels.server.routes import ROUTES, Route, handlers
from tests.server.conftest import Call
from tests.server.test_rest_work import bury

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SOCKETS = ("ws", "kernel")
#: What has nothing to answer here: no such address, no application, no consumer.
EMPTY = {"api/manifest.json": 404, "app": 404, "app/manifest.json": 404} | {
    "http": 503,
    "http/manifest.json": 503,
    "api/clients/index": 404,
}


def answered(route: Route) -> list[str]:
    missing = RequestHandler._unimplemented_method
    return [verb for verb in VERBS if getattr(route.handler, verb.lower()) is not missing]


def address(route: Route) -> str:
    name = "1" if "dead-letters" in route.path or "tail" in route.path else "index"
    return route.path.replace("{name}", name).replace("{path}", "manifest.json")


HTTP = [
    (address(route), verb)
    for route in ROUTES
    if route.path not in SOCKETS
    for verb in answered(route)
]


def test_the_table_is_complete():
    """A new route is a new number here, and so a look at this file."""
    assert len(ROUTES) == 28
    assert len(HTTP) == 56
    assert sorted(route.path for route in ROUTES if "api" not in route.path) == [
        "app",
        "app/{path}",
        "http",
        "http/{path}",
        "kernel",
        "static/{path}",
        "ws",
    ]


def test_patterns_match_one_part_of_a_path_and_no_more():
    patterns = {
        route.path: pattern for route, (pattern, *_) in zip(ROUTES, handlers(), strict=True)
    }
    assert patterns["api/groups/{name}"] == "/nbchannels/api/groups/([^/]+)"
    assert patterns["api/openapi.json"] == r"/nbchannels/api/openapi\.json"
    assert patterns["static/{path}"] == "/nbchannels/static/(.*)"


@pytest.mark.parametrize(("path", "verb"), HTTP)
@pytest.mark.parametrize("credentials", ["none", "token", "cookie"])
async def test_it_refuses_without_credentials(
    call: Call, host: Host, jp_serverapp: Any, path: str, verb: str, credentials: str
):
    headers = {
        "none": {},
        "token": {"Authorization": "token wrong"},
        "cookie": {
            "Cookie": "username-127-0-0-1=2|1:0|10:1|x:y|wrong; _xsrf=a",
            "X-XSRFToken": "a",
        },
    }[credentials]
    before = await host.layer.statistics()
    answer = await call(
        verb, path, {"value": 1} if verb == "POST" else None, login=False, **headers
    )
    assert answer.status == 403
    assert await host.layer.statistics() == before
    assert (
        answer.value == b""
        if verb == "HEAD"
        else "not logged in" in str(answer.value) or path.startswith("static")
    )


@pytest.mark.parametrize(("path", "verb"), HTTP)
async def test_it_answers_with_credentials(call: Call, host: Host, path: str, verb: str):
    host.hub.look()
    await host.layer.group_send("index", {"value": 1})
    await host.layer.send("index", {"value": 1})
    await bury(host)
    answer = await call(verb, path, {"value": 1} if verb == "POST" else None)
    assert answer.status == EMPTY.get(path, 200)


@pytest.mark.parametrize("path", [*SOCKETS, "http/chat"])
async def test_an_upgrade_without_credentials_gets_no_socket(call: Call, host: Host, path: str):
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "http://evil.example"}
    answer = await call(
        "GET",
        path,
        login=False,
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="x" * 22 + "==",
        **upgrade,
    )
    assert answer.status == 403
    assert host.hub.connections == {}


class TestStrictServer:
    @pytest.fixture
    def jp_server_config(self) -> dict[str, Any]:
        return {
            "ServerApp": {
                "jpserver_extensions": {"nbchannels": True},
                "allow_unauthenticated_access": False,
            }
        }

    async def test_no_verb_is_undecorated(self, jp_serverapp: Any, call: Call):
        with warnings.catch_warnings():
            warnings.simplefilter("error", JupyterServerAuthWarning)
            jp_serverapp.web_app.add_handlers(
                ".*$", [("/again" + p, h, o) for p, h, o in handlers()]
            )
        assert isinstance(jp_serverapp.web_app, ServerWebApplication)
        assert (await call("GET", "api/status")).status == 200
        assert (await call("GET", "api/status", login=False)).status == 403
        assert (await call("POST", "api/groups/a", {}, login=False)).status == 403
        assert (await call("GET", "static/manifest.json", login=False)).status == 403
        assert (await call("GET", "http/x", login=False)).status == 403
        assert (await call("GET", "http/x")).status == 503


@pytest.mark.parametrize("path", ["ws", "kernel"])
async def test_a_plain_get_of_a_socket_is_no_success(call: Call, path: str):
    assert (await call("GET", path)).status == 400


def test_nothing_in_the_environment_is_needed():
    assert "JUPYTER_SERVER_ALLOW_UNAUTHENTICATED_ACCESS" not in os.environ
