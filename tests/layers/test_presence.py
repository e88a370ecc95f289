"""People and channels become one answer."""

from nbchannels.layers.presence import joined

ADA = {"kind": "page", "user": "Ada", "as": "subscriber"}
WORK = {"kind": "kernel", "user": "kernel:1", "as": "member", "channel": "a!1"}


def test_subscribers_come_first_then_members_in_their_order():
    found = joined([WORK, ADA], ["work", "a!1"])
    assert [(one["kind"], one.get("channel")) for one in found] == [
        ("page", None), ("channel", "work"), ("kernel", "a!1"),
    ]  # fmt: skip


def test_a_channel_that_is_nobodys_has_all_keys():
    (found,) = joined([], ["work"])
    assert found == {
        "kind": "channel", "user": "", "label": "work", "connection": None, "since": None,
        "here": True, "as": "member", "channel": "work",
    }  # fmt: skip


def test_who_has_left_with_a_channel_is_no_member():
    assert joined([WORK], []) == []
