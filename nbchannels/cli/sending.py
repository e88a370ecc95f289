"""``nbchannels send``: a message from the command line, or many from standard input."""

import json
from collections.abc import Iterable
from typing import Any

from nbchannels.channel import Channel, Group
from nbchannels.cli.reaching import UsageError
from nbchannels.cli.terminal import escaped
from nbchannels.cli.writing import Output
from nbchannels.exceptions import ChannelsError, InvalidMessage
from nbchannels.receipt import Receipt

__all__ = ["send", "send_lines"]


def send(
    target: Channel | Group, text: str, out: Output, timeout: float, *, as_json: bool = False
) -> None:
    """Send a message and print its receipt.

    Args:
        target: where to.
        text: the message as JSON.
        out: for the receipt.
        timeout: seconds to wait for it.
        as_json: the receipt as an object.

    Raises:
        UsageError: the text is no JSON.
        ChannelsError: the message was not sent, or nobody knows.
    """
    try:
        content: Any = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"the message is no JSON: {error}; in quotes for the shell: "
            f"""nbchannels send {target.name} '{{"value": 1}}'"""
        ) from None
    receipt = target.send(content, timeout=timeout)
    if as_json:
        out.json(receipt.to_wire())
    else:
        out.lines(_sentence(receipt))


def send_lines(
    target: Channel | Group,
    lines: Iterable[bytes],
    out: Output,
    timeout: float,
    *,
    as_json: bool = False,
) -> None:
    """Send each line as a message as it comes; an empty one is passed over.

    The first line that cannot be sent ends it; the sentence says which, and how many were sent.

    Args:
        target: where to.
        lines: of JSON.
        out: for the receipt of the first, and how many there were.
        timeout: seconds to wait for the first receipt, and at the end for the others.
        as_json: as an object.

    Raises:
        ChannelsError: a line is no message, or was not taken.
    """
    first: Receipt | None = None
    wrong: ChannelsError | None = None
    with target.batch(timeout) as batch:
        try:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                content = _read(line, number)
                if first is None:
                    first = target.send(content, timeout=timeout)
                else:
                    batch.send(content)
        except ChannelsError as error:
            wrong = error  # those before it are waited for
    sent = batch.count + (first is not None)
    if wrong is not None:
        wrong.add_note(f"{sent:,} sent before")
        raise wrong
    if as_json:
        out.json({"sent": sent, "first": None if first is None else first.to_wire()})
    elif sent == 1 and first is not None:
        out.lines(_sentence(first))
    else:
        hint = [] if first is None or first.hint is None else [escaped(first.hint)]
        out.lines([f"{sent:,} sent to {target.kind} {target.name!r}", *hint])


def _read(line: bytes, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise InvalidMessage(f"line {number:,} is no JSON: {error}") from None


def _sentence(receipt: Receipt) -> list[str]:
    """The receipt as it shows itself in a notebook, without its brackets."""
    first, *others = repr(receipt).splitlines()
    return [escaped(line) for line in (first.strip("<>"), *others)]
