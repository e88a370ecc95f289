"""``replay``: what was asked for is checked, and what is missing is told, before it begins."""

import asyncio
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from nbchannels.exceptions import InvalidName, RecordingError, shown
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER, get_channel_layer
from nbchannels.names import require_group_name
from nbchannels.reading import MessagesMissing
from nbchannels.recording.pace import require_speed
from nbchannels.recording.reader import Recording
from nbchannels.recording.replayer import Clock, Replay

__all__ = ["Into", "areplay", "replay"]

#: Where to: one group for all, or another name for some; anything whose text is a group's name.
Into: TypeAlias = "str | Mapping[str, Any] | Any | None"


def replay(
    path: str | os.PathLike[str] | Recording,
    into: Into = None,
    speed: float | None = 1.0,
    groups: Iterable[str] | None = None,
    start: float | None = None,
    stop: float | None = None,
    *,
    alias: str = DEFAULT_CHANNEL_LAYER,
    channel_layer: BaseChannelLayer | None = None,
    told: bool = False,
    clock: Clock | None = None,
) -> Replay:
    """Send what was recorded, as if it happened now; it runs by itself, and this returns at once.

    ::

        nb.replay("run.mcap", speed=10).wait()

    Args:
        path: of the recording.
        into: the group that everything is sent to, or another name for some of the recorded groups;
            without, each goes to the group that it was recorded from.
        speed: how many times as fast as it was; ``None``: as fast as it is taken.
        groups: which of the recorded groups; all without.
        start: begin so many seconds after the first message of the recording.
        stop: end so many seconds after it.
        alias: of the layer, in the configuration.
        channel_layer: the layer itself, instead of an alias.
        told: do not warn of what is missing: who calls has said it.
        clock: for tests.

    Returns:
        A handle: ``await`` it or ``.wait()``, ``.pause()``, ``.stop()``, ``.progress``.

    Raises:
        RecordingError: there is no such recording, or no such group in it.
        InvalidName: ``into`` is no group's name.
        ValueError: a speed, or a time, that is none.
    """
    recording = path if isinstance(path, Recording) else Recording(path)
    wanted = require_speed(speed)
    span = _span(start, stop)
    targets = _targets(recording, into, recording.require(groups))
    layer = channel_layer if channel_layer is not None else get_channel_layer(alias)
    for sentence in [] if told else recording.warnings(set(targets)):
        warnings.warn(sentence, MessagesMissing, stacklevel=2)
    return Replay(recording, layer, targets, wanted, span, clock)


async def areplay(path: Any, *arguments: Any, **options: Any) -> Replay:
    """The async twin of `replay`: a recording that was not closed takes its time to open."""
    recording = path if isinstance(path, Recording) else await asyncio.to_thread(Recording, path)
    return replay(recording, *arguments, **options)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _span(start: float | None, stop: float | None) -> tuple[float, float | None]:
    for name, value in (("start", start), ("stop", stop)):
        if value is not None and not (_is_number(value) and value >= 0):
            raise ValueError(
                f"{name} is {shown(value)}; it is in seconds after the first message, 0 or more"
            )
    if stop is not None and stop < (start or 0):
        raise ValueError(f"stop is {stop}, before start {start or 0}")
    return float(start or 0), stop


def _targets(recording: Recording, into: Into, wanted: set[str]) -> dict[str, str]:
    """The group that each recorded group is sent to."""
    names = sorted(wanted)
    if isinstance(into, Mapping):
        recording.require(into)
        chosen = {name: str(into.get(name, name)) for name in names}
    else:
        chosen = {name: name if into is None else str(into) for name in names}
    for name, target in chosen.items():
        try:
            require_group_name(target)
        except InvalidName as error:
            error.add_note(f"topic {name!r} is no name of a group; say into={{{name!r}: 'run'}}")
            raise
    if not chosen:
        if recording.foreign:
            told = ", ".join(f"{topic!r} ({code})" for topic, code in recording.foreign.items())
            raise RecordingError(f"nothing in {recording.path} can be sent; it has {told}")
        if recording.gaps:
            raise RecordingError(f"nothing in {recording.path} can be read: {recording.gaps[0]}")
    return chosen
