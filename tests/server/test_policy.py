"""Who may do what, on which names."""

import asyncio
from typing import Any

import pytest

from nbchannels.exceptions import PermissionDenied
from nbchannels.server.policy import KernelUser, Policy

USER = object()


class Authorizer:
    """Jupyter's, with answers of our own."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> Any:
        self.asked.append((user, action, resource))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def allows(policy: Policy, *asked: Any) -> bool:
    return asyncio.run(policy.allows(*asked))


def test_by_default_a_user_may_do_everything():
    for action in ("read", "write", "execute"):
        for kind in ("group", "channel"):
            assert allows(Policy(), USER, action, kind, "index")


def test_nobody_may_do_nothing():
    assert not allows(Policy(), None, "read", "group", "index")


def test_the_authorizer_is_asked_about_this_action_and_our_resource():
    authorizer = Authorizer(True)
    policy = Policy(authorizer)
    assert allows(policy, USER, "write", "group", "index")
    assert allows(policy, USER, "read", "layer", "")
    assert authorizer.asked == [(USER, "write", "nbchannels"), (USER, "read", "nbchannels")]


def test_what_the_authorizer_refuses_is_refused():
    assert not allows(Policy(Authorizer(False)), USER, "read", "group", "index")


def test_an_authorizer_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture):
    assert not allows(Policy(Authorizer(KeyError("x"))), USER, "read", "group", "index")
    assert "authorizer failed" in caplog.text


def test_an_authorizer_may_be_a_coroutine():
    async def later() -> bool:
        return False

    assert not allows(Policy(Authorizer(later())), USER, "read", "group", "index")


def test_a_kernel_has_no_jupyter_user_and_our_rules_hold_for_it():
    authorizer = Authorizer(False)
    policy = Policy(authorizer, {"secret.*": ""})
    kernel = KernelUser("abc")
    assert kernel.username == "kernel:abc"
    assert allows(policy, kernel, "write", "group", "index")
    assert not allows(policy, kernel, "read", "group", "secret.plans")
    assert authorizer.asked == []


@pytest.mark.parametrize(
    ("action", "name", "allowed"),
    [
        ("write", "nbchannels.x", False),
        ("execute", "nbchannels.x", False),
        ("read", "nbchannels.x", True),
        ("write", "nbchannels.view.a1", True),
        ("write", "nbchannels.viewer", False),
        ("write", "nbchannelsx", True),
    ],
)
def test_reserved_names_are_written_below_views_only(action: str, name: str, allowed: bool):
    for kind in ("group", "channel"):
        assert allows(Policy(), USER, action, kind, name) is allowed


def test_rights_by_pattern_the_first_match_counts():
    policy = Policy(rights={"sensors.lab": "read write", "sensors.*": "read", "off*": ""})
    assert allows(policy, USER, "write", "group", "sensors.lab")
    assert not allows(policy, USER, "write", "group", "sensors.hall")
    assert allows(policy, USER, "read", "channel", "sensors.hall")
    assert not allows(policy, USER, "read", "group", "offline")
    assert allows(policy, USER, "execute", "group", "other")


def test_no_pattern_opens_a_reserved_name():
    assert not allows(Policy(rights={"*": "read write"}), USER, "write", "group", "nbchannels.x")


def test_an_unknown_right_is_an_error():
    with pytest.raises(ValueError, match=r"'a\.\*' has 'reed'; a right is one of read, write"):
        Policy(rights={"a.*": "reed"})


def test_a_refusal_names_right_and_name_and_a_remedy():
    policy = Policy(rights={"a": "read"})
    with pytest.raises(PermissionDenied, match="you may not write group 'a'; ask whoever runs"):
        asyncio.run(policy.require(USER, "write", "group", "a"))
    with pytest.raises(PermissionDenied, match="names that start with 'nbchannels.' are"):
        asyncio.run(policy.require(USER, "write", "group", "nbchannels.a"))


def test_everything_may_be_written_by_who_may_write_every_name():
    assert allows(Policy(), USER, "write", "everything", "")
    assert allows(
        Policy(rights={"a.*": "read write", "b": "write"}), USER, "write", "everything", ""
    )
    limited = Policy(rights={"a.*": "read write", "b": "read"})
    assert not allows(limited, USER, "write", "everything", "")
    assert allows(limited, USER, "read", "everything", "")
    assert allows(limited, USER, "write", "layer", "")
    with pytest.raises(PermissionDenied, match="may not write everything; ask"):
        asyncio.run(limited.require(USER, "write", "everything", ""))
