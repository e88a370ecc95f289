"""What a receipt adds when nobody got a message: why that may be, and what to do about it."""

import itertools
from typing import Protocol

from nbchannels.layers.groups import GroupState
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.scouts import Scouts
from nbchannels.names import is_process_local, near_match

__all__ = ["group_hint", "no_receiver", "nobody_listens"]

#: Groups, channels and routes that are looked at for a name that was meant.
MOST = 2_000


class Names(Protocol):
    """The groups and channels of a layer."""

    groups: dict[str, GroupState]
    mailboxes: dict[str, Mailbox]
    scouts: Scouts


def group_hint(names: Names, state: GroupState, dropped: int) -> str | None:
    """A sentence on a send to a group: what was dropped, or that nobody listens."""
    members = len(state.members)
    if dropped:
        return (
            f"{dropped} of the {members} member channels of group {state.name!r} were full and "
            "did not get it; receive from them faster, or raise channel_capacity"
        )
    if not members and not state.cursors:
        return nobody_listens(names, state.name)
    return None


def nobody_listens(names: Names, name: str) -> str:
    """A sentence on a send to a group without subscribers and members."""
    sentence = f"no one listens to group {name!r}"
    box = names.mailboxes.get(name)
    if (box is not None and box.waiters) or names.scouts.plan(name).scouts:
        return f"{sentence}; a channel of that name has receivers: Channel({name!r}).send"
    groups = itertools.islice(names.groups.values(), MOST)
    near = near_match(name, [group.name for group in groups if group.cursors or group.members])
    return f"{sentence}; did you mean {near!r}?" if near else f"{sentence} yet"


def no_receiver(names: Names, box: Mailbox) -> str:
    """A sentence on a send to a channel that nobody receives from."""
    sentence = f"no one receives from channel {box.name!r}"
    group = names.groups.get(box.name)
    if group is not None and (group.cursors or group.members):
        count = len(group.cursors) + len(group.members)
        listeners = "1 subscriber" if count == 1 else f"{count} subscribers"
        return f"{sentence}; a group of that name has {listeners}: Group({box.name!r}).send"
    boxes = itertools.islice(names.mailboxes.values(), MOST)
    live = [other.name for other in boxes if other.waiters and not is_process_local(other.name)]
    live += [scout.binding.channel for scout in itertools.islice(names.scouts, MOST)]
    near = near_match(box.name, live)
    if near:
        return f"{sentence}; did you mean {near!r}?"
    return f"{sentence} yet: {len(box.letters)} of at most {box.capacity:,} messages wait"
