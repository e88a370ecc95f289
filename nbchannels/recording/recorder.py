"""Recording groups into a file, while they go on.

A recorder reads like any subscriber, from a position, so that it goes on after a reconnect where it
stopped. It writes on a thread of its own: a slow disk holds nobody up, and who is slower than the
group's history lasts finds a gap, which the file says and the recorder, too.
"""

import asyncio
import atexit
import contextlib
import os
import threading
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple

from nbchannels.bridge import bridge
from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError, RecordingError, WouldDeadlock, shown
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Cursor, Start
from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER, get_channel_layer
from nbchannels.names import require_group_name
from nbchannels.protocol.events import Last
from nbchannels.recording.entries import Gap, counted
from nbchannels.recording.intake import Intake, Source
from nbchannels.recording.mcapfile import mcap
from nbchannels.recording.writer import RecordingFile
from nbchannels.redaction import Redaction

__all__ = ["STOP_TIMEOUT", "Recorder", "arecord", "record"]

#: Seconds that the end of a recording waits for what was sent before it.
STOP_TIMEOUT = 5.0
#: The same at the end of the interpreter.
EXIT_TIMEOUT = 1.0


class Recorder:
    """A recording that is being made; made by ``Group(...).record(path)`` or `record`.

    It goes on until `stop`, the end of its ``with`` block, or the end of this process. An error
    ends it: it is told at once among the diagnoses, and raised by `stop`.

    Attributes:
        path: of the file.
        groups: their names.
        error: what ended it, if something did.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        file: RecordingFile,
        cursors: list[Cursor],
        redaction: Redaction,
    ) -> None:
        self.path = os.path.abspath(file.path)
        self.groups = [cursor.group for cursor in cursors]
        self.error: ChannelsError | None = None
        self._was_raised = False
        self._layer = layer
        self._file = file
        self._redaction = redaction
        self._intake = Intake(file, cursors, redaction)
        self._since = time.time()
        self._news = threading.Event()
        self._deadline: float | None = None
        self._done: Future[None] = Future()
        self._is_the_parents = False
        bridge.listen(self)
        # Of handlers the youngest comes first: before the connections are closed.
        atexit.register(self._exiting)
        for cursor in cursors:
            cursor.on_change = self._news.set
        self._news.set()
        self._thread = threading.Thread(
            target=self._work, name=f"nbchannels recording {self._shown}", daemon=True
        )
        self._thread.start()

    @property
    def messages(self) -> int:
        """Recorded so far."""
        return self._intake.messages

    @property
    def bytes(self) -> int:
        """In the file so far; what came since the last flush is not counted."""
        return self._file.size

    @property
    def gaps(self) -> list[Gap]:
        """What was lost before it could be recorded, the first 1,000."""
        return list(self._intake.gaps)

    @property
    def is_recording(self) -> bool:
        """Whether it goes on."""
        return not self._done.done() and not self._is_the_parents

    @property
    def _shown(self) -> str:
        return ", ".join(map(repr, self.groups))

    # The end.

    def stop(self, timeout: float = STOP_TIMEOUT) -> "Recorder":
        """End the recording: everything sent before is in it, or is said to be missing.

        Idempotent, from any thread.

        Args:
            timeout: seconds to wait for what was sent before; what comes later is a gap.

        Raises:
            RecordingError: the recording ended early; the file holds what came before.
            ChannelsError: a subscription ended early; what came before is recorded.
            WouldDeadlock: on the connection's own thread; ``await ….astop()`` there.
        """
        if self.is_recording:
            try:
                bridge.run(self._find_end(timeout))
                bridge.wait(self._done)
            except WouldDeadlock:
                raise  # and it goes on
            except BaseException:
                self._end_now()
                raise
        return self._outcome()

    async def astop(self, timeout: float = STOP_TIMEOUT) -> "Recorder":  # noqa: ASYNC109 - as its twin
        """The async twin of `stop`."""
        if self.is_recording:
            try:
                await self._find_end(timeout)
                await asyncio.shield(asyncio.wrap_future(self._done))
            except BaseException:
                self._end_now()
                raise
        return self._outcome()

    def _outcome(self) -> "Recorder":
        if self.error is not None and not self._was_raised:
            self._was_raised = True
            raise self.error
        return self

    async def _find_end(self, seconds: float) -> None:
        """Learn where the logs end, and have the thread go on until there."""
        deadline = time.monotonic() + seconds

        async def find(source: Source) -> None:
            try:
                async with asyncio.timeout(seconds):
                    page = await self._layer.read(source.group, "now", 1)
            except (ChannelsError, TimeoutError) as error:
                source.unasked = str(error) or f"no answer within {seconds:g} s"
            else:
                source.until = page.anchor

        if self._deadline is None:
            await asyncio.gather(*(find(source) for source in self._intake.sources))
            self._deadline = deadline
        self._news.set()

    def _end_now(self) -> None:
        """Without waiting for anything."""
        self._deadline = time.monotonic()
        self._news.set()

    def _exiting(self) -> None:
        """The interpreter ends: so does the recording."""
        with contextlib.suppress(ChannelsError):
            self.stop(EXIT_TIMEOUT)
        bridge.run(asyncio.sleep(0))  # the subscriptions are given back before the loop ends

    def exiting(self) -> None:
        """The loops end: what has not ended yet ends now."""
        if self.is_recording:
            self._end_now()
            self._thread.join(EXIT_TIMEOUT)

    def forked(self) -> None:
        """After a fork, in the child: the recording stayed with the parent."""
        self._is_the_parents = True

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: Any, *exc: object) -> None:
        # If the block raised, that is what is told; what ended the recording is a diagnosis.
        with contextlib.suppress(*() if kind is None else (ChannelsError,)):
            self.stop()

    async def __aenter__(self) -> "Recorder":
        return self

    async def __aexit__(self, kind: Any, *exc: object) -> None:
        with contextlib.suppress(*() if kind is None else (ChannelsError,)):
            await self.astop()

    # The thread.

    def _work(self) -> None:
        intake = self._intake
        try:
            while not self._is_over():
                self._news.wait(self._patience())
                self._news.clear()
                while intake.take(time.monotonic()) and not self._is_over():
                    pass
                if intake.errors and self.error is None:
                    error = intake.errors[0]
                    self._fail(error, f"{self.path} is incomplete, a subscription ended: {error}")
            intake.finish()
        except Exception as cause:
            self._file.abandon()
            sentence = f"the recording of {self._shown} has ended: {cause}"
            self._fail(RecordingError(sentence), sentence, cause)
        finally:
            for source in intake.sources:
                source.cursor.close()
            atexit.unregister(self._exiting)
            self._done.set_result(None)

    def _patience(self) -> float | None:
        """Seconds until something has to be done without news."""
        moments = [at for at in (self._intake.flush_at, self._deadline) if at is not None]
        return max(min(moments) - time.monotonic(), 0.0) if moments else None

    def _is_over(self) -> bool:
        if self._intake.is_over:
            return True
        if self._deadline is None:
            return False
        return self._intake.is_through or time.monotonic() >= self._deadline

    def _fail(self, error: ChannelsError, sentence: str, cause: Exception | None = None) -> None:
        self.error = self.error or error
        if cause is not None:
            error.__cause__ = cause
        trace = "".join(traceback.format_exception(cause)) if cause is not None else ""
        report("recording", sentence, subject=f"recording {self.path}", detail=trace)

    def __repr__(self) -> str:
        groups = f"group{'s' * (len(self.groups) > 1)} {self._shown}"
        parts = [counted(self.messages, "message"), f"{self.bytes:,} bytes"]
        gaps = self.gaps
        if gaps:
            lost = sum(gap.lost or 0 for gap in gaps)
            of = f" of {counted(lost, 'message')}" if lost else ""
            parts.append(counted(len(gaps), "gap") + of)
        if self._redaction:
            parts.append(f"hidden: {', '.join(self._redaction.globs)}")
        if self._is_the_parents:
            state = "recorded by the parent process:"
        elif self.error is not None:
            state = "ended early:"
            parts.append(str(self.error))
        elif self.is_recording:
            state = "recording"
            parts.append(time.strftime("since %H:%M:%S", time.localtime(self._since)))
        else:
            state = "recorded"
        return f"<{state} {groups} into {self._file.path}: {', '.join(parts)}>"


class _Wish(NamedTuple):
    """What was asked for, checked."""

    layer: BaseChannelLayer
    groups: list[str]
    start: Start
    redaction: Redaction

    async def subscribe(self) -> list[Cursor]:
        cursors: list[Cursor] = []
        try:
            for group in self.groups:
                cursors.append(await self.layer.subscribe(group, self.start))  # noqa: PERF401
        except BaseException:
            for cursor in cursors:
                cursor.close()
            raise
        return cursors

    def begin(self, path: Any, overwrite: bool, cursors: list[Cursor]) -> Recorder:
        try:
            file = RecordingFile(path, self.groups, self.redaction.globs, overwrite=overwrite)
        except BaseException:
            for cursor in cursors:
                cursor.close()
            raise
        return Recorder(self.layer, file, cursors, self.redaction)


def _wish(
    groups: Any,
    history: bool | int,
    redact: Iterable[str] | str,
    alias: str,
    layer: BaseChannelLayer | None,
) -> _Wish:
    mcap()
    is_one = isinstance(groups, str) or hasattr(groups, "channel_layer")
    given = [groups] if is_one else list(groups)
    names = list(dict.fromkeys(require_group_name(str(group)) for group in given))
    if not names:
        raise ValueError("no group is named; record(path, groups=['run'])")
    given_history: Any = history
    if not isinstance(given_history, int) or given_history < 0:
        raise ValueError(
            f"history is {shown(history)}; it takes True (all that is kept), or how many messages "
            "the recording begins with"
        )
    start: Start = "earliest" if history is True else Last(history) if history else "now"
    redaction = Redaction([redact] if isinstance(redact, str) else redact)
    return _Wish(layer if layer is not None else get_channel_layer(alias), names, start, redaction)


def record(
    path: str | os.PathLike[str],
    groups: Any,
    *,
    history: bool | int = False,
    redact: Iterable[str] = (),
    overwrite: bool = False,
    alias: str = DEFAULT_CHANNEL_LAYER,
    channel_layer: BaseChannelLayer | None = None,
) -> Recorder:
    """Record groups into an MCAP file, from this call on.

    ::

        with nb.record("run.mcap", groups=["run", "sensors"]):
            ...

    Args:
        path: of the file.
        groups: a name, or several.
        history: begin with what the groups keep (``True``), or with the last so many messages.
        redact: globs of keys whose values must not reach the file: ``["*password*"]``.
        overwrite: replace a file that is there.
        alias: of the layer, in the configuration.
        channel_layer: the layer itself, instead of an alias.

    Returns:
        A handle: ``.stop()`` ends it, so does the end of a ``with`` block.

    Raises:
        RecordingError: the file cannot be made; nothing was changed.
        ChannelsError: the library mcap is not installed.
        InvalidName, LayerUnavailable: as when subscribing.
        ValueError: a rule that could hide nothing, or no group.
    """
    wish = _wish(groups, history, redact, alias, channel_layer)
    return wish.begin(path, overwrite, bridge.run(wish.subscribe()))


async def arecord(
    path: str | os.PathLike[str],
    groups: Any,
    *,
    history: bool | int = False,
    redact: Iterable[str] = (),
    overwrite: bool = False,
    alias: str = DEFAULT_CHANNEL_LAYER,
    channel_layer: BaseChannelLayer | None = None,
) -> Recorder:
    """The async twin of `record`."""
    wish = _wish(groups, history, redact, alias, channel_layer)
    return wish.begin(path, overwrite, await wish.subscribe())
