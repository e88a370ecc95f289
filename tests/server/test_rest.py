"""The REST API on a real server."""

import http.client
import json
import re
import socket
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server.host import Host
from tests.layers.distant import Distant
from tests.server.conftest import Call

INDEX = "api/groups/index"


async def test_status(call: Call, host: Host):
    await host.layer.group_send("index", {"value": 1})
    answer = await call("GET", "api/status")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    uptime = answer.value.pop("uptime")
    assert 0 <= uptime < 60
    assert answer.value == {
        "version": host.version,
        "protocol": "nbchannels.v1",
        "server": host.server_id,
        "layer": {"alias": "default", "backend": "memory", "trouble": None},
        "counts": {"groups": 1, "channels": 0, "connections": 0, "clients": 0},
    }


class TestTicket:
    async def test_it_is_good_once_for_its_user(self, call: Call, host: Host):
        answer = await call("POST", "api/ticket")
        assert answer.status == 200
        assert answer.value["expires"] == 30
        assert not host.tickets.redeem(answer.value["ticket"], "somebody else")
        assert host.tickets.counters["issued"] == 1

    async def test_only_by_post(self, call: Call):
        answer = await call("GET", "api/ticket")
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
        assert answer.error["message"] == "this address takes POST"


class Browser:
    """Has Jupyter's cookies, and no token."""

    def __init__(self, call: Call, token: str) -> None:
        self.call, self.token = call, token
        self.cookies: dict[str, str] = {}

    async def log_in(self) -> None:
        answer = await self.call(
            "GET", "api/status", Authorization=f"token {self.token}", login=False
        )
        self.keep(answer)
        self.cookies.setdefault("_xsrf", "made-up")

    def keep(self, answer: Any) -> None:
        for line in answer.headers.get_list("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value

    def headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}


@pytest.fixture
def browser(call: Call, jp_serverapp: Any) -> Browser:
    return Browser(call, jp_serverapp.identity_provider.token)


class TestCookies:
    async def test_reading_needs_only_the_cookie(self, browser: Browser, call: Call):
        await browser.log_in()
        assert (await call("GET", "api/status", login=False, **browser.headers())).status == 200

    @pytest.mark.parametrize(
        ("verb", "path"), [("POST", "api/ticket"), ("POST", INDEX), ("DELETE", INDEX)]
    )
    async def test_writing_needs_an_xsrf_token_too(
        self, browser: Browser, call: Call, host: Host, verb: str, path: str
    ):
        await host.layer.group_send("index", {})
        await browser.log_in()
        body = {"value": 1} if verb == "POST" else None
        refused = await call(verb, path, body, login=False, **browser.headers())
        assert refused.status == 403
        assert refused.error["code"] == "forbidden"
        assert "_xsrf" in refused.error["message"]
        assert host.tickets.counters["issued"] == 0
        assert (await host.layer.group_statistics("index"))["offset"] == 1
        token = {"X-XSRFToken": browser.cookies["_xsrf"]}
        granted = await call(verb, path, body, login=False, **browser.headers(), **token)
        assert granted.status == 200

    async def test_a_ticket_belongs_to_the_user_of_the_cookie(
        self, browser: Browser, call: Call, host: Host
    ):
        await browser.log_in()
        headers = browser.headers() | {"X-XSRFToken": browser.cookies["_xsrf"]}
        answer = await call("POST", "api/ticket", login=False, **headers)
        me = await call("GET", "/api/me", login=False, **headers)
        assert host.tickets.redeem(answer.value["ticket"], me.value["identity"]["username"])

    @pytest.mark.parametrize(
        "origin", ["http://evil.example", "null", "http://127.0.0.1.evil.example"]
    )
    async def test_a_foreign_page_gets_nothing(
        self, browser: Browser, call: Call, host: Host, origin: str
    ):
        await browser.log_in()
        token = {"X-XSRFToken": browser.cookies["_xsrf"]}
        for verb, path in [("GET", "api/status"), ("POST", INDEX), ("POST", "api/ticket")]:
            body = {} if verb == "POST" else None
            answer = await call(
                verb, path, body, login=False, Origin=origin, **browser.headers(), **token
            )
            assert answer.status in (403, 404)
        assert host.tickets.counters["issued"] == 0
        assert (await host.layer.statistics())["group_sent"] == 0

    async def test_a_foreign_host_name_gets_nothing(self, call: Call):
        assert (await call("GET", "api/status", Host="evil.example")).status == 403


class TestIngest:
    async def test_one_message(self, call: Call, host: Host):
        cursor = await host.layer.subscribe("index")
        answer = await call(
            "POST", INDEX, b'{"value": 1.50}', Content_Type="application/x-www-form-urlencoded"
        )
        assert answer.status == 200
        assert answer.value["text"].startswith("<sent to group 'index', 1 subscriber, offset 1")
        assert answer.value["subscribers"] == 1
        assert answer.value["offset"] == 1
        assert answer.value["hint"] is None
        (record,) = cursor.take()
        assert bytes(record.body) == b'{"value": 1.50}'
        assert record.sender == 0

    async def test_nobody_listens_is_no_error_but_said(self, call: Call, host: Host):
        await host.layer.subscribe("index")
        answer = await call("POST", "api/groups/idnex", {"value": 1})
        assert answer.status == 200
        assert answer.value["hint"] == "no one listens to group 'idnex'; did you mean 'index'?"

    async def test_many_messages(self, call: Call, host: Host):
        answer = await call("POST", INDEX, [{"n": n} for n in range(1200)])
        assert answer.status == 200
        assert answer.value["count"] == 1200
        assert [r["offset"] for r in answer.value["receipts"]] == list(range(1, 1201))
        assert answer.value["text"].startswith("1,200 sent; the last: <sent to group 'index'")

    async def test_one_bad_message_sends_none(self, call: Call, host: Host):
        answer = await call("POST", INDEX, [{"n": 1}, 5])
        assert answer.status == 400
        assert answer.error["code"] == "bad_message"
        assert answer.error["message"].startswith("body[1] is an int: 5")
        assert (await host.layer.statistics())["groups"] == 0

    async def test_to_a_channel(self, call: Call, host: Host):
        answer = await call("POST", "api/channels/work", {"n": 2**60})
        assert answer.value["kind"] == "channel"
        assert await host.layer.receive("work") == {"n": 2**60}

    async def test_to_a_process_local_channel(self, call: Call, host: Host):
        name = await host.layer.new_channel()
        assert (await call("POST", f"api/channels/{name}", {"n": 1})).status == 200
        assert await host.layer.receive(name) == {"n": 1}

    async def test_a_form_is_refused_with_the_line_to_type(self, call: Call):
        answer = await call(
            "POST", INDEX, b"value=1", Content_Type="application/x-www-form-urlencoded"
        )
        assert answer.status == 400
        said = answer.error["message"]
        assert re.search(
            r"""-d '\{"value": 1\}' http://\S+/a%40b/nbchannels/api/groups/index$""", said
        )

    async def test_no_token_of_the_query_is_shown(self, call: Call, jp_serverapp: Any):
        token = jp_serverapp.identity_provider.token
        answer = await call("POST", f"{INDEX}?token={token}", b"value=1", login=False)
        assert answer.status == 400
        assert token not in json.dumps(answer.value)

    async def test_a_large_body_is_read_in_a_thread_of_its_own(self, call: Call, host: Host):
        message = {"text": "x" * 1_000_000}
        assert (await call("POST", INDEX, message)).status == 200
        answer = await call("POST", INDEX, b"[" + b" " * 100_000 + b'{"a": 1}, 7]')
        assert "body[1] is an int: 7" in answer.error["message"]

    async def test_without_a_body(self, call: Call):
        answer = await call("POST", INDEX)
        assert answer.status == 400
        assert "the body is empty" in answer.error["message"]


class TestLimits:
    @pytest.fixture
    def jp_server_config(self) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"nbchannels": True}},
            "NbChannels": {
                "max_message": 1000,
                "max_batch": 3,
                "rights": {"closed": "read", "secret": ""},
                "channel_layers": {
                    "default": {
                        "BACKEND": "nbchannels.layers.memory.InMemoryChannelLayer",
                        "CONFIG": {"capacity": 2},
                    }
                },
            },
        }

    async def test_a_body_at_the_limit_and_over_it(self, call: Call):
        body = b'{"a":"' + b"x" * 992 + b'"}'
        assert (await call("POST", INDEX, body)).status == 200
        answer = await call("POST", INDEX, body + b" ")
        assert answer.status == 413
        assert answer.error == {
            "code": "too_large",
            "message": "the body has 1,001 bytes, the limit is 1,000; send it in parts",
            "temporary": False,
            "size": 1001,
            "limit": 1000,
        }

    async def test_a_body_that_does_not_say_how_long_it_is(
        self,
        call: Call,
        jp_http_port: int,
        jp_base_url: str,
        jp_auth_header: Any,
        jp_asyncio_loop: Any,
    ):
        def chunked(size: int) -> tuple[int, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", jp_http_port, timeout=10)
            body = (part for part in [b'{"a":"', b"x" * (size - 8), b'"}'])
            path = f"{jp_base_url}nbchannels/{INDEX}"
            connection.request("POST", path, body, jp_auth_header, encode_chunked=True)
            with closing(connection), connection.getresponse() as response:
                return response.status, json.loads(response.read())

        status, _ = await jp_asyncio_loop.run_in_executor(None, chunked, 1000)
        assert status == 200
        status, answer = await jp_asyncio_loop.run_in_executor(None, chunked, 5000)
        assert status == 413
        assert answer["error"]["message"].startswith("the body has 5,000 bytes")

    async def test_too_many_messages(self, call: Call, host: Host):
        answer = await call("POST", INDEX, [{}] * 4)
        assert answer.status == 413
        assert "more than 3 messages" in answer.error["message"]
        assert (await host.layer.statistics())["groups"] == 0

    async def test_a_full_channel(self, call: Call, host: Host):
        answer = await call("POST", "api/channels/work", [{"n": 1}, {"n": 2}, {"n": 3}])
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "1"
        assert answer.error["code"] == "full"
        assert answer.error["sent"] == 2
        assert answer.error["capacity"] == 2
        assert answer.error["message"].endswith("; 2 of the 3 messages were sent")
        assert (await call("POST", "api/channels/work", {"n": 3})).status == 429
        assert await host.layer.receive("work") == {"n": 1}

    async def test_rights(self, call: Call, host: Host):
        for name in ("closed", "secret", "open"):
            await host.layer.group_send(name, {})
            await host.layer.send(name, {})
        assert (await call("GET", "api/groups/closed")).status == 200
        answer = await call("POST", "api/groups/closed", {})
        assert answer.status == 403
        assert (
            answer.error["message"]
            == "you may not write group 'closed'; ask whoever runs this server"
        )
        # What is forbidden is not told apart from what is not there.
        for name in ("secret", "secret-and-not-there"):
            assert (await call("DELETE", "api/channels/secret")).status == 403
            assert (await call("GET", f"api/groups/{name}")).status == (
                403 if name == "secret" else 404
            )
        for kind in ("groups", "channels"):
            listed = {entry["name"] for entry in (await call("GET", f"api/{kind}")).value[kind]}
            assert listed == {"closed", "open"}

    async def test_reserved_names(self, call: Call):
        answer = await call("POST", "api/groups/nbchannels.x", {})
        assert answer.status == 403
        assert "names that start with 'nbchannels.'" in answer.error["message"]
        assert (await call("POST", "api/groups/nbchannels.view.x", {})).status == 200


class TestNames:
    @pytest.mark.parametrize(
        "name", ["a b", "a%20b", "%D9%A3", "a%0a", "x" * 100, "a!b", "%7Bx%7D"]
    )
    async def test_a_bad_group_name(self, call: Call, host: Host, name: str):
        for verb in ("GET", "POST", "DELETE"):
            answer = await call(
                verb, f"api/groups/{name.replace(' ', '%20')}", {} if verb == "POST" else None
            )
            assert answer.status == 400
            assert answer.error["code"] == "bad_name"
            assert "a group name is a str of 1 to 99 ASCII letters" in answer.error["message"]
        assert (await host.layer.statistics())["groups"] == 0

    async def test_bytes_that_are_no_text(self, call: Call):
        answer = await call("GET", "api/groups/%ff%fe")
        assert answer.status == 400
        assert answer.error["code"] == "bad_request"

    async def test_an_unknown_group_is_not_made_by_asking(self, call: Call, host: Host):
        await host.layer.group_send("index", {})
        for verb, path in [("GET", ""), ("GET", "/messages"), ("DELETE", "")]:
            answer = await call(verb, f"api/groups/idnex{path}")
            assert answer.status == 404
            assert answer.error["message"] == "there is no group 'idnex'; did you mean 'index'?"
        assert (await host.layer.statistics())["groups"] == 1

    async def test_an_unknown_address(self, call: Call):
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = await call(verb, "api/nothing/here")
            assert (answer.status, answer.error["code"]) == (404, "not_found")

    async def test_a_method_that_is_not_taken(self, call: Call):
        answer = await call("PUT", INDEX, {})
        assert (answer.status, answer.error["code"]) == (405, "unknown_method")
        assert answer.headers["Allow"] == "GET, POST, DELETE"


class TestNothingOfTheRequestInTheHead:
    async def test_raw(
        self,
        jp_http_port: int,
        jp_base_url: str,
        jp_auth_header: Any,
        jp_asyncio_loop: Any,
        http_server: Any,
    ):
        """Line breaks in every parameter, and a canary that must not come back in a header."""

        def heads() -> list[bytes]:
            found = []
            for path in (
                "api/groups/canary%0d%0aX-Canary:1",
                "api/groups/index/messages?since=canary%0d%0aX-Canary:1",
                "api/groups/index/messages?limit=canary%0d%0aX-Canary:1",
                "api/canary%0d%0aX-Canary:1",
                "static/canary%0d%0aX-Canary:1",
                "api/status?token=canary%0d%0aX-Canary:1",
            ):
                with socket.create_connection(("127.0.0.1", jp_http_port), 10) as raw:
                    raw.sendall(
                        f"GET {jp_base_url}nbchannels/{path} HTTP/1.1\r\nHost: localhost\r\n"
                        f"Authorization: {jp_auth_header['Authorization']}\r\n"
                        "Connection: close\r\n\r\n".encode()
                    )
                    data = b""
                    while part := raw.recv(65536):
                        data += part
                found.append(data.partition(b"\r\n\r\n")[0])
            return found

        for head in await jp_asyncio_loop.run_in_executor(None, heads):
            assert head.startswith(b"HTTP/1.1 ")
            assert b"canary" not in head.lower()


class TestGroups:
    async def test_list_and_statistics(self, call: Call, host: Host):
        await host.layer.group_send("a", {"n": 1})
        await host.layer.group_send("b", {"n": 1})
        await host.layer.group_add("b", "work")
        listed = (await call("GET", "api/groups")).value["groups"]
        assert [group["name"] for group in listed] == ["b", "a"]
        one = (await call("GET", "api/groups/b")).value
        assert one == listed[0]
        assert (one["members"], one["messages"], one["offset"]) == (1, 1, 1)

    async def test_clear(self, call: Call, host: Host):
        await host.layer.group_send("a", {"n": 1})
        before = (await host.layer.group_statistics("a"))["epoch"]
        answer = await call("DELETE", "api/groups/a")
        assert answer.status == 200
        assert answer.value["epoch"] == (await host.layer.group_statistics("a"))["epoch"] != before


class TestMessages:
    async def test_pages(self, call: Call, host: Host):
        for n in range(5):
            await host.layer.group_send("a", {"n": n})
        first = (await call("GET", "api/groups/a/messages?limit=2")).value
        assert [m["message"] for m in first["messages"]] == [{"n": 0}, {"n": 1}]
        assert (first["group"], first["offset"], first["top"]) == ("a", 0, 5)
        assert first["recovered"] is True
        assert first["messages"][0].keys() == {
            "offset",
            "tag",
            "time",
            "sender",
            "codec",
            "size",
            "message",
            "omitted",
        }
        more = (await call("GET", f"api/groups/a/messages?since={first['next']}")).value
        assert [m["offset"] for m in more["messages"]] == [3, 4, 5]
        end = (await call("GET", f"api/groups/a/messages?since={more['next']}")).value
        assert end["messages"] == []
        assert end["next"] == more["next"]

    @pytest.mark.parametrize(
        ("since", "expected"),
        [("earliest", 3), ("now", 0), ("last:2", 2), ("last:0", 0), ("last:99", 3)],
    )
    async def test_since(self, call: Call, host: Host, since: str, expected: int):
        for n in range(3):
            await host.layer.group_send("a", {"n": n})
        answer = await call("GET", f"api/groups/a/messages?since={since}")
        assert len(answer.value["messages"]) == expected

    async def test_a_position_of_another_epoch(self, call: Call, host: Host):
        await host.layer.group_send("a", {})
        position = (await call("GET", "api/groups/a/messages")).value["next"]
        await host.layer.clear("a")
        await host.layer.group_send("a", {"new": True})
        answer = (await call("GET", f"api/groups/a/messages?since={position}")).value
        assert (answer["recovered"], answer["reason"], answer["cleared"]) == (False, "epoch", True)
        assert [m["message"] for m in answer["messages"]] == [{"new": True}]

    @pytest.mark.parametrize(
        "query",
        [
            "since=yesterday",
            "since=last:",
            "since=last:-1",
            "since=a,b,c",
            "since=",
            "limit=0",
            "limit=257",
            "limit=x",
            "limit=%D9%A3",
            "limit=",
        ],
    )
    async def test_bad_parameters(self, call: Call, host: Host, query: str):
        await host.layer.group_send("a", {})
        answer = await call("GET", f"api/groups/a/messages?{query}")
        assert (answer.status, answer.error["code"]) == (400, "bad_request")
        assert "it takes" in answer.error["message"]

    async def test_what_json_does_not_say(self, call: Call, host: Host):
        await host.layer.group_send(
            "a", {"x": np.arange(3.0), "big": np.zeros(5000), "nan": float("nan")}
        )
        (entry,) = (await call("GET", "api/groups/a/messages")).value["messages"]
        assert entry["codec"] == "msgpack"
        assert entry["message"] == {
            "x": [0.0, 1.0, 2.0],
            "big": {"array": "float64", "shape": [5000], "bytes": 40000},
            "nan": "nan",
        }


class TestChannels:
    async def test_list_and_one(self, call: Call, host: Host):
        name = await host.layer.new_channel()
        await host.layer.send("work", {})
        frozen = host.layer._clock()
        host.layer._clock = lambda: frozen
        depth = host.layer.channel_statistics
        listed = (await call("GET", "api/channels")).value["channels"]
        assert listed == [
            {"name": "work", "process_local": False} | await depth("work"),
            {"name": name, "process_local": True} | await depth(name),
        ]
        assert [(c["waiting"], c["capacity"]) for c in listed] == [(1, 10_000), (0, 100)]
        assert (await call("GET", "api/channels/work")).value == listed[0]
        answer = await call("GET", "api/channels/wrok")
        assert answer.status == 404
        assert answer.error["message"] == "there is no channel 'wrok'; did you mean 'work'?"

    async def test_empty(self, call: Call, host: Host):
        for n in range(3):
            await host.layer.send("work", {"n": n})
        assert (await call("DELETE", "api/channels/work")).value == {"removed": 3}
        assert (await call("DELETE", "api/channels/work")).value == {"removed": 0}
        assert (await host.layer.statistics())["channels"] == 0

    async def test_a_process_local_one_ends(self, call: Call, host: Host):
        name = await host.layer.new_channel()
        await host.layer.group_add("g", name)
        assert (await call("DELETE", f"api/channels/{name}")).value == {"removed": 0}
        assert await host.layer.group_channels("g") == []


async def test_statistics_and_clients(call: Call, host: Host):
    await host.layer.send("work", {})
    answer = (await call("GET", "api/statistics")).value
    assert answer["layer"]["sent"] == 1
    assert answer["connections"]["open"] == 0
    assert answer["tickets"]["issued"] == 0
    assert (await call("GET", "api/clients")).value == {"clients": []}


class TestUnavailable:
    async def test_the_layer_takes_nothing_now(self, call: Call, host: Host):
        class Away(InMemoryChannelLayer):
            def submit(self, *_: Any, **__: Any) -> Any:
                raise LayerUnavailable("it is away")

        host.layer = Away()
        answer = await call("POST", INDEX, {})
        assert (answer.status, answer.error["code"]) == (503, "unavailable")
        assert answer.error["temporary"] is True
        assert answer.headers["Retry-After"] == "1"

    async def test_a_layer_that_answers_later(self, call: Call, host: Host):
        host.layer = layer = Distant()
        several = [{"n": 1}, {"n": 2}, {"n": 3}]
        assert (await call("POST", INDEX, several)).value["count"] == 3
        assert (await call("POST", INDEX, {"n": 4})).value["offset"] == 4
        layer.errors[b'{"n":2}'] = LayerUnavailable("just now")
        answer = await call("POST", INDEX, several)
        assert (answer.status, answer.error["code"], answer.error["sent"]) == (
            503, "unavailable", 2,
        )  # fmt: skip
        assert "2 of the 3 messages were sent" in answer.error["message"]
        layer.errors[b'{"n": 5}'] = LayerUnavailable("just now")
        assert (await call("POST", INDEX, {"n": 5})).status == 503
        assert layer._registry.groups["index"].log.top == 6
        layer.end()

    async def test_our_own_mistake_shows_nothing_of_itself(
        self, call: Call, host: Host, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(host.layer, "group_statistics", None)
        answer = await call("GET", "api/groups/index")
        assert (answer.status, answer.error["code"]) == (500, "internal")
        assert "NoneType" not in json.dumps(answer.value)
