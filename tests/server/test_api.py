"""What every REST handler shares."""

import json
from typing import Any

import pytest

from nbchannels import exceptions
from nbchannels.exceptions import ChannelsError
from nbchannels.server.api import STATUS, ApiHandler
from nbchannels.server.host import Host
from tests.server.conftest import Call


def test_every_error_of_ours_has_a_status():
    codes = {
        error.code
        for error in vars(exceptions).values()
        if isinstance(error, type) and issubclass(error, ChannelsError)
    }
    assert codes <= set(STATUS)


async def test_long_names_make_no_long_answers(call: Call):
    answer = await call("POST", "api/groups/index", {"k" * 10_000: {"a": 2**70}})
    assert answer.status == 400
    assert len(answer.error["message"]) <= 2000
    assert len(answer.error["path"]) <= 2000


async def test_half_a_surrogate_pair_breaks_no_answer(call: Call):
    answer = await call("POST", "api/groups/index", b'["\\ud800"]')
    assert answer.status == 400
    assert "body[0] is a str" in answer.error["message"]


async def test_answers_are_utf8_for_terminals(call: Call):
    answer = await call("POST", "api/groups/index", {"é": 2**70})
    assert "msg['é']" in answer.error["message"]


async def test_options_are_jupyters_own_and_say_nothing(call: Call, host: Host):
    answer = await call("OPTIONS", "api/groups/index", login=False)
    assert answer.status == 200
    assert answer.value == b""


@pytest.mark.parametrize("counts", [False, True])
async def test_requests_count_as_activity_if_configured(
    call: Call, host: Host, jp_serverapp: Any, counts: bool
):
    host.counts_as_activity = counts
    jp_serverapp.web_app.settings.pop("api_last_activity", None)
    await call("GET", "api/status")
    assert ("api_last_activity" in jp_serverapp.web_app.settings) is counts


def test_verbs():
    assert ApiHandler.verbs() == []


class TestAuthorizer:
    """Jupyter's authorizer is asked with our resource, and its no is a no."""

    @pytest.fixture
    def asked(self, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        asked: list[Any] = []

        def is_authorized(handler: Any, user: Any, action: str, resource: str) -> bool:
            asked.append((type(handler).__name__, user.username, action, resource))
            return action == "read"

        authorizer = jp_serverapp.authorizer
        monkeypatch.setattr(authorizer, "is_authorized", is_authorized)
        return asked

    async def test_it_decides(self, call: Call, host: Host, asked: list[Any]):
        await host.layer.group_send("index", {})
        assert (await call("GET", "api/groups/index")).status == 200
        refused = await call("POST", "api/groups/index", {})
        assert refused.status == 403
        assert refused.error["code"] == "forbidden"
        assert (await call("DELETE", "api/groups/index")).status == 403
        assert (await host.layer.group_statistics("index"))["messages"] == 1
        assert [(name, action, resource) for name, _, action, resource in asked] == [
            ("GroupHandler", "read", "nbchannels"),
            ("GroupHandler", "write", "nbchannels"),
            ("GroupHandler", "write", "nbchannels"),
        ]
        json.dumps(refused.value)
