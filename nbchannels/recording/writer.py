"""A recording being written: an MCAP file that can be read up to its last flush at any moment."""

import contextlib
import json
import os
from typing import Any

from nbchannels.encoding import JSON
from nbchannels.exceptions import RecordingError
from nbchannels.recording.entries import (
    CODECS,
    ENCODINGS,
    END,
    ENTRIES,
    GAPS,
    HEAD,
    PROFILE,
    Entry,
    Gap,
    counted,
)
from nbchannels.recording.mcapfile import mcap

__all__ = ["RecordingFile"]

#: MCAP's ``sequence`` has 32 bits; the exact offset stands in the topic of entries.
_SEQUENCE = 2**32 - 1
_OBJECT = b'{"type":"object"}'


class RecordingFile:
    """An MCAP file that grows by whole chunks.

    Nothing is kept back in a buffer of Python's: what `flush` has written outlives this process,
    though not the machine (only `close` asks the system to put it on the disk). Not thread-safe.

    Args:
        path: of the file.
        groups: that are recorded.
        redacted: the rules by which values were hidden.
        overwrite: whether a file that is there is replaced.

    Attributes:
        path: as it was given.
        messages: written so far, the chunk that is being filled included.
        size: of the file, in bytes.
        waiting: bytes of messages in the chunk that is being filled.

    Raises:
        RecordingError: the file cannot be made; nothing was changed.
        ChannelsError: the library mcap is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        groups: list[str],
        redacted: tuple[str, ...] = (),
        *,
        overwrite: bool = False,
    ) -> None:
        library = mcap()
        self.path = os.fspath(path)
        self.messages = 0
        self.waiting = 0
        self._flushed = 0
        self._out = _Appending(self.path, overwrite)
        self._writer = library.writer.Writer(
            self._out, chunk_size=2**62, enable_data_crcs=False
        )  # chunks end when we flush
        self._channels: dict[tuple[str, int], int] = {}
        self._schema = 0
        self._moments: dict[str, int] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        self._last = 0
        head = {"version": "1", "groups": json.dumps(groups), "redacted": json.dumps(redacted)}
        try:
            with self._writing():
                self._writer.start(PROFILE, f"nbchannels; {library.writer.LIBRARY_IDENTIFIER}")
                self._writer.add_metadata(HEAD, head)
                self._writer.flush()
        except RecordingError:
            self._out.close()
            raise

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._out.size

    def write(self, entry: Entry) -> None:
        """Put an entry into the chunk; its ``moment`` is found here.

        Raises:
            RecordingError: it could not be written; the file ends with the last flush.
        """
        channel = self._channel(entry.group, entry.codec)
        moment = max(entry.time, self._moments.get(entry.group, 0))
        self._moments[entry.group] = self._last = moment
        run = self._runs.get(entry.group)
        if run is None or run["epoch"] != entry.epoch or run["next"] != entry.offset:
            self._end_run(entry.group)
            run = self._runs[entry.group] = {
                "epoch": entry.epoch, "first": entry.offset, "tags": [], "senders": [],
            }  # fmt: skip
        run["tags"].append(entry.tag)
        run["senders"].append(entry.sender)
        run["next"] = entry.offset + 1
        self._add(channel, moment, entry.body, entry.time, entry.offset)
        self.messages += 1

    def gap(self, gap: Gap) -> None:
        """Say at this place that something is missing."""
        moment = max(gap.moment, self._moments.get(gap.group, 0)) or self._last
        data = json.dumps(gap.to_json()).encode()
        self._add(self._channel(GAPS, JSON), moment, data, moment)

    def flush(self) -> None:
        """End the chunk and hand it to the system.

        Raises:
            RecordingError: it could not be written; the file ends with the flush before.
        """
        for group in list(self._runs):
            self._end_run(group)
        with self._writing():
            self._writer.flush()
        self.waiting, self._flushed = 0, self.messages

    def close(self, end: dict[str, Any]) -> None:
        """Write the summary, and what is known at the end, and close the file.

        Raises:
            RecordingError: as `flush`.
        """
        try:
            self.flush()
            with self._writing():
                self._writer.add_metadata(END, {key: json.dumps(end[key]) for key in end})
                self._writer.finish()
                self._out.sync()
        finally:
            self._out.close()

    def abandon(self) -> None:
        """Close the file as it is after a failure: it is read up to its last flush."""
        self._out.close()

    def _channel(self, topic: str, codec: int) -> int:
        known = self._channels.get((topic, codec))
        if known is None:
            writer, encoding = self._writer, ENCODINGS[codec]
            if codec == JSON and not self._schema:
                self._schema = writer.register_schema("nbchannels.Message", "jsonschema", _OBJECT)
            schema = self._schema if codec == JSON else 0
            known = self._channels[topic, codec] = writer.register_channel(
                topic, encoding, schema, {"group": topic, "codec": str(CODECS[encoding])}
            )
        return known

    def _add(self, channel: int, moment: int, data: bytes, time: int, offset: int = 0) -> None:
        with self._writing():
            self._writer.add_message(channel, moment, data, time, offset & _SEQUENCE)
        self.waiting += len(data)

    def _end_run(self, group: str) -> None:
        """What the entries of a group have beside their bodies, behind them in their chunk."""
        run = self._runs.pop(group, None)
        if run is not None:
            del run["next"]
            data = json.dumps({"group": group} | run, separators=(",", ":")).encode()
            self._add(self._channel(ENTRIES, JSON), self._last, data, self._last)

    @contextlib.contextmanager
    def _writing(self) -> Any:
        try:
            yield
        except OSError as error:
            self._out.forget()
            raise RecordingError(
                f"{self.path} cannot be written: {error.strerror or error}; it holds what was "
                f"flushed before, {counted(self._flushed, 'message')}; make room, and record into "
                "another file"
            ) from error


class _Appending:
    """A file without a buffer, as mcap's writer wants one; it ends where the last flush ended."""

    def __init__(self, path: str, overwrite: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        flags |= os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._file = os.open(path, flags, 0o666)
        except FileExistsError as error:
            raise RecordingError(
                f"{path} is there already and is not overwritten; record into another file, or "
                "say overwrite=True"
            ) from error
        except FileNotFoundError as error:
            raise RecordingError(
                f"{path} cannot be made: there is no folder {os.path.dirname(path) or '.'!r}; "
                "make it first, or record into another"
            ) from error
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be made: {error.strerror}; record into another file"
            ) from error
        self._pending: list[bytes] = []
        self._waiting = 0
        self.size = 0

    def write(self, data: bytes) -> int:
        """Keep it until the flush: a chunk and its index are written together."""
        self._pending.append(bytes(data))
        self._waiting += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size + self._waiting

    def flush(self) -> None:
        data = memoryview(b"".join(self._pending))
        done = 0
        while done < len(data):
            done += os.write(self._file, data[done:])
        self._pending.clear()
        self._waiting = 0
        self.size += len(data)

    def sync(self) -> None:
        self.flush()
        with contextlib.suppress(OSError):  # a pipe, a device
            os.fsync(self._file)

    def forget(self) -> None:
        """After a failure: what was not written whole is taken back."""
        self._pending.clear()
        self._waiting = 0
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self.size)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
