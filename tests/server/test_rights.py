"""A permission is asked for once a minute."""

import pytest

from nbchannels.exceptions import PermissionDenied
from nbchannels.server import rights as module
from nbchannels.server.rights import MOST, Rights
from tests.server.rig import Policy

pytestmark = pytest.mark.asyncio
WRITE = ("write", "group", "index")


async def test_what_was_allowed_stands_for_a_minute(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    policy = Policy()
    rights = Rights(policy)
    for _ in range(3):
        await rights.require(None, "Ada", *WRITE)
    assert policy.asked == [WRITE]
    assert rights.has(*WRITE, now + 59)
    assert not rights.has(*WRITE, now + 60)
    assert not rights.has("read", "group", "index", now)
    now += 60
    policy.denied = {("write", "index")}
    with pytest.raises(PermissionDenied, match="Ada may not write group 'index'; ask whoever"):
        await rights.require(None, "Ada", *WRITE)


async def test_a_refusal_is_not_remembered():
    policy = Policy()
    policy.denied = {("write", "index")}
    rights = Rights(policy)
    with pytest.raises(PermissionDenied):
        await rights.require(None, "", *WRITE)
    policy.denied = set()
    await rights.require(None, "", *WRITE)


async def test_its_memory_is_bounded():
    rights = Rights(Policy())
    for n in range(MOST + 10):
        await rights.require(None, "Ada", "read", "group", f"g{n}")
    assert len(rights._until) <= MOST


async def test_what_a_right_was_given_for_is_known():
    rights = Rights(Policy())
    for action, kind, name in (WRITE, ("write", "group", "a"), ("write", "channel", "b")):
        await rights.require(None, "Ada", action, kind, name)
    await rights.require(None, "Ada", "read", "group", "c")
    assert rights.used("write", "group") == ["index", "a"]
    assert rights.used("write", "channel") == ["b"]
    assert rights.used("execute", "group") == []
