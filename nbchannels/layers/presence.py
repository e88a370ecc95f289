"""Who is in a group, as `BaseChannelLayer.presence` tells it: people, and their channels."""

from collections.abc import Iterable
from typing import Any

__all__ = ["joined"]


def joined(people: Iterable[dict[str, Any]], members: Iterable[str]) -> list[dict[str, Any]]:
    """Subscribers in their order, then the members in theirs.

    Args:
        people: who is known: subscribers, and members with their ``channel``.
        members: the channels in the group. One that nobody of the known has is told by its name; of
            the known, only those whose channel is among them are members.
    """
    subscribers, owners = [], {}
    for one in people:
        if one["as"] == "member":
            owners[one["channel"]] = one
        else:
            subscribers.append(one)
    return subscribers + [owners.get(channel) or _nobody(channel) for channel in members]


def _nobody(channel: str) -> dict[str, Any]:
    return {
        "kind": "channel",
        "user": "",
        "label": channel,
        "connection": None,
        "since": None,
        "here": True,
        "as": "member",
        "channel": channel,
    }
