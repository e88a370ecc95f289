"""``nbchannels record``, ``replay`` and ``info``: groups into files, and back."""

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from nbchannels.cli.reaching import UsageError
from nbchannels.cli.terminal import count, escaped, size, span
from nbchannels.cli.writing import Output
from nbchannels.exceptions import ChannelsError
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.recording.entries import Gap, counted
from nbchannels.recording.reader import Recording
from nbchannels.recording.recorder import Recorder, record
from nbchannels.recording.replayer import Replay
from nbchannels.recording.replaying import replay

__all__ = ["Wanted", "info", "into", "record_groups", "replay_file"]

#: Seconds between two looks at what goes on.
PAUSE = 0.2


class Wanted(NamedTuple):
    """What shall be recorded, and how.

    Attributes:
        groups: their names.
        path: of the file.
        duration: seconds; ``None``: until Ctrl-C.
        history: begin with what the groups keep.
        redact: globs of keys whose values must not reach the file.
        overwrite: replace a file that is there.
    """

    groups: Sequence[str]
    path: str
    duration: float | None = None
    history: bool = False
    redact: Sequence[str] = ()
    overwrite: bool = False


def record_groups(
    layer: KernelChannelLayer, out: Output, wanted: Wanted, *, json: bool = False
) -> None:
    """Record until Ctrl-C, the end of the duration, or SIGTERM; then say what is in the file.

    Args:
        layer: of the server.
        out: where to.
        wanted: what.
        json: the summary as an object.

    Raises:
        ChannelsError: the recording could not begin, or ended early.
        UsageError: a rule that could hide nothing.
    """
    try:
        recorder = record(
            wanted.path, wanted.groups, history=wanted.history, redact=wanted.redact,
            overwrite=wanted.overwrite, channel_layer=layer,
        )  # fmt: skip
    except ValueError as error:
        if isinstance(error, ChannelsError):
            raise
        raise UsageError(str(error)) from error
    end = None if wanted.duration is None else time.monotonic() + wanted.duration
    out.complain(f"recording {', '.join(recorder.groups)} into {recorder.path}; Ctrl-C ends it")
    told = 0
    with _ended_by_sigterm(), contextlib.suppress(KeyboardInterrupt):
        while recorder.is_recording and (end is None or time.monotonic() < end):
            left = PAUSE if end is None else min(PAUSE, end - time.monotonic())
            time.sleep(max(left, 0.0))
            told = _tell(recorder.gaps, told, out)
            out.status(f"{counted(recorder.messages, 'message')}, {size(recorder.bytes)}")
    out.status("")
    try:
        recorder.stop()
    finally:
        _tell(recorder.gaps, told, out)
        _summary(recorder, out, as_json=json)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Whoever ends this command politely ends the recording, too."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: nobody sends it signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(gaps: Sequence[Gap], told: int, out: Output) -> int:
    for gap in gaps[told:]:
        out.status("")
        out.complain(str(gap))
    return len(gaps)


def _summary(recorder: Recorder, out: Output, *, as_json: bool) -> None:
    lost = sum(gap.lost or 0 for gap in recorder.gaps)
    if as_json:
        out.json(
            {
                "path": recorder.path, "groups": recorder.groups, "messages": recorder.messages,
                "bytes": recorder.bytes, "gaps": len(recorder.gaps), "lost": lost,
            }
        )  # fmt: skip
        return
    gaps = f", {counted(len(recorder.gaps), 'gap')}" if recorder.gaps else ""
    gaps += f" of {counted(lost, 'message')}" if lost else ""
    messages = counted(recorder.messages, "message")
    out.line(escaped(f"{messages} in {recorder.path}, {size(recorder.bytes)}{gaps}"))


def into(words: Sequence[str]) -> str | dict[str, str] | None:
    """Where to, as it was typed: ``NAME`` for all, or ``RECORDED=NAME`` for some.

    Raises:
        UsageError: both.
    """
    if not words:
        return None
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    pairs = [word.partition("=") for word in words]
    if not all(equals for _, equals, _ in pairs):
        raise UsageError("--into is one NAME for all, or RECORDED=NAME for each")
    return {name: target for name, _, target in pairs}


def replay_file(
    layer: KernelChannelLayer,
    out: Output,
    path: str,
    *,
    into: str | dict[str, str] | None = None,
    speed: float | None = 1.0,
    json: bool = False,
    **more: Any,
) -> None:
    """Send a recording; then say what was sent. Ctrl-C ends it.

    Args:
        layer: of the server.
        out: where to.
        path: of the recording.
        into: see `into`.
        speed: how many times as fast as it was; ``None``: as fast as it is taken.
        json: the summary as an object.
        more: of `replay`: ``groups``, ``start``, ``stop``.

    Raises:
        ChannelsError: there is no such recording, or a message was not taken.
        KeyboardInterrupt: it was ended.
    """
    recording = Recording(path)
    for sentence in recording.warnings(set(recording.groups)):
        out.complain(sentence)
    handle = replay(recording, into, speed, channel_layer=layer, told=True, **more)
    try:
        while handle.is_running:
            with contextlib.suppress(TimeoutError):
                handle.wait(PAUSE)
            of = "" if handle.total is None else f" of {count(handle.total)}"
            at = f"{span(handle.position)} of {span(handle.duration)}"
            out.status(f"{handle.progress:4.0%}  {count(handle.sent)}{of} messages  {at}")
        out.status("")
        handle.wait()
    except KeyboardInterrupt:
        out.status("")
        handle.stop()
        _sent(handle, out, as_json=json)
        raise
    _sent(handle, out, as_json=json)


def _sent(handle: Replay, out: Output, *, as_json: bool) -> None:
    if as_json:
        out.json(
            {
                "path": handle.path, "groups": handle.groups, "sent": handle.sent,
                "total": handle.total, "gaps": len(handle.gaps),
            }
        )  # fmt: skip
        return
    sent = counted(handle.sent, "message")
    if handle.total not in (None, handle.sent):
        sent = f"{count(handle.sent)} of {counted(handle.total or 0, 'message')}"
    targets = ", ".join(repr(name) for name in sorted(set(handle.groups.values())))
    out.line(escaped(f"{sent} sent to {targets or 'nobody'}"))


def info(out: Output, path: str, *, json: bool = False) -> None:
    """Say what is in a recording.

    Args:
        out: where to.
        path: of the recording.
        json: as an object.

    Raises:
        RecordingError: there is no such recording.
    """
    found = Recording(path)
    if json:
        out.json(
            {
                "path": found.path, "bytes": found.size, "complete": found.is_complete,
                "messages": found.messages, "groups": found.groups, "start": found.start,
                "end": found.end, "lost": found.lost, "redacted": found.redacted,
                "gaps": [gap.to_json() for gap in found.gaps], "foreign": found.foreign,
            }
        )  # fmt: skip
        return
    lines = [f"{found.path}  {size(found.size)}  {counted(found.messages, 'message')}"]
    if found.start is not None and found.end is not None:
        first, last = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
            for at in (found.start, found.end)
        )
        lines.append(f"from {first} to {last}, {span(found.duration)}")
    wide = max(map(len, found.groups), default=0)
    lines += [f"  {name:<{wide}}  {count(n):>9}" for name, n in sorted(found.groups.items())]
    lines += [
        f"  {topic}: encoded as {code}, which nbchannels cannot send"
        for topic, code in sorted(found.foreign.items())
    ]
    if found.redacted:
        lines.append(f"hidden: {', '.join(found.redacted)}")
    lines += [str(gap) for gap in found.gaps]
    if not found.is_complete:
        lines.append("not closed: its recorder was killed, or still records; all above is readable")
    first_line, *others = [escaped(line) for line in lines]
    out.lines([out.paint(first_line, "bold"), *others])
