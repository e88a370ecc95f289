"""What ``%channels`` tells of consumers and dead letters, and does about them."""

import time
from collections.abc import Iterator
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.consuming import services_of, unconsume
from nbchannels.exceptions import ImproperlyConfigured, NotFound, shown
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import get_channel_layer
from nbchannels.names import near_match, require_group_name
from nbchannels.service import Service

__all__ = [
    "consumers",
    "count",
    "dead",
    "discard",
    "here",
    "resend",
    "served_channels",
    "services_here",
    "stop",
    "who",
]

#: Seconds to wait for an answer of the server, and dead letters in one answer.
PATIENCE, MOST = 5.0, 20


def count(number: int, word: str) -> str:
    """A number with its word: ``1 message``, ``2,000 messages``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


# Consumers.


def services_here(layer: Any) -> list[Service]:
    """The consumers of this process on a layer."""
    try:
        return list(services_of(layer))
    except ImproperlyConfigured:  # a layer of another project: no consumers on it
        return []


def served_channels() -> list[str]:
    """The names and globs that this process serves."""
    return sorted({c for s in services_here(get_channel_layer()) for c in s.channels})


def here(layer: Any) -> list[str]:
    """The consumers of this process, a line each; none without any."""
    return [
        _line(", ".join(s.channels), f"{s.name} on {s.place}", s.count, s.failed, s.error)
        for s in services_here(layer)
    ]


def consumers() -> str:
    """All consumers of the server, of kernels and of its own; in a script those of its layer."""
    layer = get_channel_layer()
    if not isinstance(layer, KernelChannelLayer):
        return "\n".join(here(layer)) or _none("consumers")
    layer.connection.start()
    answer = bridge.run(layer.connection.call("consumers", {}), PATIENCE)
    lines = [
        _line(
            found["channel"] + (f" {_filters(found['filters'])}" if found["filters"] else ""),
            f"{found.get('function', '')} on {found.get('on', '')} of {found['client']}"
            + ("" if found["connected"] else " (away)"),
            found["taken"],
            found["failed"],
            found["error"],
        )  # fmt: skip
        for found in answer["consumers"]
    ]
    left = answer["count"] - len(lines)
    if left:
        lines.append(f"… and {left:,} more: nbchannels/api/consumers of the server has them all")
    return "\n".join(lines) or _none("consumers")


def stop(channel: str) -> str:
    """End the consumer of a channel in this process.

    Raises:
        NotFound: this process has none for it.
    """
    ended = unconsume(channel)
    if not ended:
        known = served_channels()
        near = near_match(channel, known)
        there = f"did you mean {near!r}?" if near else f"there are {', '.join(known) or 'none'}"
        raise NotFound(f"this kernel has no consumer of channel {channel!r}; {there}")
    return f"channel {channel!r}: {count(ended, 'consumer')} of this kernel ended"


def _line(channel: str, where: str, taken: int, failed: int, error: str) -> str:
    line = f"  {channel:<24} {where:<32} {taken:,} taken, {failed:,} failed"
    return f"{line}: {error}" if error else line


def _filters(steps: list[list[str]]) -> str:
    return " ".join(f"{key}~{pattern}" for key, pattern in steps)


def _none(what: str) -> str:
    return f'no {what} yet; @nb.consume("work") or %%consume work makes one'


# Presence.


def who(group: str) -> str:
    """Who is in a group, a line each: kernels with their notebook, pages, scripts, members.

    Raises:
        InvalidName: it cannot be the name of a group.
    """
    require_group_name(group)
    layer = get_channel_layer()
    found = bridge.run(layer.presence(group), PATIENCE)
    if found:
        return "\n".join(map(_present, found))
    known = bridge.run(layer.names(), PATIENCE)["groups"]
    near = near_match(group, known) if group not in known else None
    return f"nobody is in group {group!r}" + (f"; did you mean {near!r}?" if near else "")


def _present(found: dict[str, Any]) -> str:
    label, user = found["label"] or "", found["user"] or ""
    if label and user.startswith("kernel:"):  # the notebook says it better
        user = ""
    since = f"since {_clock(found['since'])}" if found["since"] else ""
    how = found["as"]
    if found.get("channel") and found["channel"] != label:
        how += f", channel {found['channel']!r}"
    name = label if not user or user == label else f"{label} ({user})" if label else user
    return f"  {found['kind']:<8} {_plain(name):<40} {since:<15} {how}".rstrip()


def _plain(text: str) -> str:
    """Others wrote it: what does not print is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# Dead letters.


def dead(which: str | None = None) -> str:
    """The dead letters, newest first; those of a channel; or one by its number, with its traceback.

    Raises:
        NotFound: there is none of this number among the newest 20.
    """
    layer = get_channel_layer()
    if which is not None and which.isdecimal():
        found = bridge.run(layer.dead_letters(MOST), PATIENCE)
        letter = next((d for d in found if d["number"] == int(which)), None)
        if letter is None:
            raise NotFound(f"there is no dead letter {which} among the newest {MOST}")
        return "\n".join(_one(letter))
    found = bridge.run(layer.dead_letters(MOST, which), PATIENCE)
    if not found:
        return "no dead letters" + (f" of channel {which!r}" if which else "")
    lines = [_brief(letter) for letter in found]
    if len(lines) == MOST:
        lines.append(f"… these are the newest {MOST}")
    lines.append("%channels dead N shows one, resend N sends it again, discard N forgets it")
    return "\n".join(lines)


def resend(number: str) -> str:
    """Put a dead letter back into its channel.

    Raises:
        NotFound: there is none of this number.
        ChannelFull: it stays with the dead letters.
    """
    receipt = bridge.run(get_channel_layer().resend(_number(number)), PATIENCE)
    return f"dead letter {number} is {repr(receipt)[1:-1]}" if not receipt.hint else repr(receipt)


def discard(number: str) -> str:
    """Forget a dead letter.

    Raises:
        NotFound: there is none of this number.
    """
    bridge.run(get_channel_layer().discard(_number(number)), PATIENCE)
    return f"dead letter {number} is forgotten"


def _number(text: str) -> int:
    if not text.isdecimal():
        raise NotFound(f"a dead letter has a number, not {text!r}; %channels dead lists them")
    return int(text)


def _brief(letter: dict[str, Any]) -> str:
    return (
        f"  {letter['number']:>4} {_clock(letter['time'])} {letter['channel']:<20} "
        f"{letter['reason']:<8} {letter['error'] or ''}  {_content(letter)}"
    )


def _one(letter: dict[str, Any]) -> Iterator[str]:
    yield _brief(letter)
    by = f" by {letter['consumer']}" if letter["consumer"] else ""
    yield (
        f"       sent {_clock(letter['sent'])}, {letter['reason']}{by}; "
        f"{count(letter['bytes'], 'byte')}"
    )
    if letter["traceback"]:
        yield letter["traceback"].rstrip()
    number = letter["number"]
    yield f"%channels resend {number} sends it again, %channels discard {number} forgets it"


def _content(letter: dict[str, Any]) -> str:
    text = shown(letter["content"])
    return text.partition(": ")[2] or text


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
