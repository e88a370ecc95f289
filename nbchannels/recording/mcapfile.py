"""The way to the library mcap, which is optional: it is loaded with the first recording."""

import functools
import importlib
import struct
from typing import Any, NamedTuple

from nbchannels.exceptions import ChannelsError

__all__ = ["Library", "mcap"]


class Library(NamedTuple):
    """What we use of it.

    Attributes:
        writer: ``mcap.writer``.
        reader: ``mcap.reader``.
        stream: ``mcap.stream_reader``.
        records: ``mcap.records``.
        end: what reading past the end makes it raise.
        damage: what reading a damaged file makes it raise, the decompressors included.
    """

    writer: Any
    reader: Any
    stream: Any
    records: Any
    end: type[Exception]
    damage: tuple[type[Exception], ...]


@functools.cache
def mcap() -> Library:
    """The library.

    Raises:
        ChannelsError: it is not installed.
    """
    try:
        stream = importlib.import_module("mcap.stream_reader")
        errors = importlib.import_module("mcap.exceptions")
        damage: list[type[Exception]] = [
            errors.McapError, stream.CRCValidationError, struct.error, ValueError, EOFError,
            RuntimeError, MemoryError, OverflowError, StopIteration,
        ]  # fmt: skip
        if stream.zstandard is not None:
            damage.append(stream.zstandard.ZstdError)
        return Library(
            importlib.import_module("mcap.writer"),
            importlib.import_module("mcap.reader"),
            stream,
            importlib.import_module("mcap.records"),
            errors.EndOfFile,
            tuple(damage),
        )
    except ImportError as error:
        raise ChannelsError(
            "recordings need the library mcap: pip install 'nbchannels[record]'"
        ) from error
