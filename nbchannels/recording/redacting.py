"""What nobody shall see does not reach the file: rules by key, applied to encoded messages."""

from typing import Any

from nbchannels.arrays import Frame
from nbchannels.decoding import decode
from nbchannels.encoding import RAW, Encoded, encode
from nbchannels.redaction import HIDDEN, Redaction

__all__ = ["redacted"]


def redacted(encoded: Encoded, redaction: Redaction) -> Encoded:
    """The message without what the rules name; the very same bytes if they name nothing in it.

    Raw bytes have no keys, and nothing is hidden in them. A column of a table is hidden whole.

    Raises:
        EncodingError: the body cannot be read, so that nothing could be hidden.
    """
    if not redaction or encoded.codec == RAW:
        return encoded
    content = decode(encoded.codec, encoded.body)
    if not _is_meant(content, redaction):
        return encoded
    # What was sent may be larger than any limit of ours; what is hidden makes it smaller.
    return encode(_hidden(content, redaction), limit=2**62)


def _is_meant(value: Any, redaction: Redaction) -> bool:
    if isinstance(value, dict):
        return any(redaction.means(key) or _is_meant(value[key], redaction) for key in value)
    return isinstance(value, list) and any(_is_meant(item, redaction) for item in value)


def _hidden(value: Any, redaction: Redaction) -> Any:
    if isinstance(value, Frame):
        return Frame(
            (key, [HIDDEN] * len(column) if redaction.means(key) else column)
            for key, column in value.items()
        )
    if isinstance(value, dict):
        return {
            key: HIDDEN if redaction.means(key) else _hidden(item, redaction)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_hidden(item, redaction) for item in value]
    return value
