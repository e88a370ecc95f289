"""The OpenAPI document tells of every route, and every answer is as it says."""

import time
from typing import Any

import jsonschema
import pytest

from nbchannels.encoding import encode
from nbchannels.server.clients import Client
from nbchannels.server.host import Host, Limits
from nbchannels.server.openapi import OPERATIONS, document
from nbchannels.server.rest import MissingHandler
from nbchannels.server.routes import ROUTES
from tests.server.conftest import Call
from tests.server.test_rest_work import bury

DOCUMENT = document("/a%40b/", "0.1.0", Limits())


def test_every_route_and_method_is_documented_and_nothing_else():
    served = {
        (route.path, verb)
        for route in ROUTES
        if route.path.startswith("api/") and route.handler is not MissingHandler
        for verb in route.handler.verbs()
    }
    assert set(OPERATIONS) == served
    documented = {
        ("api" + path, verb.upper())
        for path, item in DOCUMENT["paths"].items()
        for verb in item
        if verb != "parameters"
    }
    assert documented == served


def test_it_says_where_it_is():
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["servers"] == [{"url": "/a%40b/nbchannels/api"}]
    assert document("/", "0", Limits())["servers"] == [{"url": "/nbchannels/api"}]


def test_operation_ids_are_unique():
    found = [
        item[verb]["operationId"]
        for item in DOCUMENT["paths"].values()
        for verb in item
        if verb != "parameters"
    ]
    assert len(found) == len(set(found)) == len(OPERATIONS)


def test_every_reference_leads_somewhere():
    schemas = DOCUMENT["components"]["schemas"]

    def references(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    found = set(references(DOCUMENT))
    assert found == {f"#/components/schemas/{name}" for name in schemas}
    for name in schemas:
        jsonschema.Draft202012Validator.check_schema(schemas[name])


def check(value: Any, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize(("path", "verb"), sorted(OPERATIONS))
async def test_answers_are_as_documented(call: Call, host: Host, path: str, verb: str):
    host.hub.look()
    await host.layer.group_send("index", {"value": 1})
    await host.layer.group_add("index", "member")
    client = host.hub.clients.arrive(Client("p", "user:ada", "page", "Ada", "a.ipynb"))
    client.left_groups, client.away_since = frozenset({"index"}), time.monotonic()
    host.layer.submit("group", "index", encode({"value": float("nan"), "data": b"x" * 1000}))
    await host.layer.send("index", {"value": 1})
    await host.layer.new_channel()
    await bury(host)
    bodies: list[Any] = [None]
    if OPERATIONS[path, verb].takes:
        bodies = [{"value": 1}, [{"value": 1}, {}]]
    for body in bodies:
        if body is not None:
            check(body, "Body")
        name = "1" if "dead" in path or "tail" in path else "index"
        name = client.key if "clients" in path else name
        answer = await call(verb, path.replace("{name}", name), body)
        assert answer.status == 200
        check(answer.value, OPERATIONS[path, verb].answer)


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("GET", "api/groups/no", None, 404),
        ("GET", "api/groups/no/messages", None, 404),
        ("GET", "api/dead-letters?limit=none", None, 400),
        ("GET", "api/dead-letters/one", None, 400),
        ("DELETE", "api/dead-letters/7", None, 404),
        ("POST", "api/dead-letters/7/resend", None, 404),
        ("GET", "api/groups/index/messages?limit=0", None, 400),
        ("POST", "api/groups/index", [], 400),
        ("POST", "api/groups/a!b", {}, 400),
        ("POST", "api/channels/nbchannels.x", {}, 403),
        ("POST", "api/groups/index", b"x" * (16 * 2**20 + 1), 413),
        ("POST", "api/groups/index", [{}] * 10_001, 413),
        ("DELETE", "api/channels/a!b!c", None, 400),
        ("PUT", "api/status", {}, 405),
        ("GET", "api/groups/no/presence", None, 404),
        ("DELETE", "api/clients/page-0", None, 404),
        ("GET", "api/tail/0", None, 404),
        ("GET", "api/tail/one", None, 400),
        ("GET", "api/tail?limit=51", None, 400),
        ("GET", "api/tail?after=-1", None, 400),
        ("GET", "api/tail?kind=both", None, 400),
        ("TRACE", "api/status", None, 405),
    ],
)
async def test_errors_are_as_documented(call: Call, verb: str, path: str, body: Any, status: int):
    answer = await call(verb, path, body)
    assert answer.status == status
    check(answer.value, "Error")
    if status == 405:
        assert answer.headers["Allow"] == "GET"


async def test_the_server_serves_it(call: Call, host: Host, jp_base_url: str):
    answer = await call("GET", "api/openapi.json")
    assert answer.value == document(jp_base_url, host.version, host.limits)
