"""What nobody shall see, in encoded messages."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbchannels.decoding import decode
from nbchannels.encoding import ARROW, JSON, MSGPACK, RAW, Encoded, encode
from nbchannels.exceptions import EncodingError
from nbchannels.recording.redacting import redacted
from nbchannels.redaction import HIDDEN, Redaction

RULES = Redaction(["*password*", "token"])


def test_what_the_rules_do_not_mean_is_not_touched():
    for body in (b'{"a": 1.50, "b":[ {"c":"password"}]}', b'{"n":1e3}'):
        before = Encoded(JSON, body)
        assert redacted(before, RULES) is before
    before = Encoded(JSON, b'{"password": 1}')
    assert redacted(before, Redaction()) is before


def test_json():
    body = b'{"a":[{"My_Password":"x"}],"token":{"b":1},"n":1}'
    codec, shown = redacted(Encoded(JSON, body), RULES)
    assert codec == JSON
    assert decode(codec, shown) == {"a": [{"My_Password": HIDDEN}], "token": HIDDEN, "n": 1}
    assert b'"x"' not in shown


def test_msgpack_keeps_its_types():
    message: dict[str, Any] = {
        "token": b"secret", "image": np.arange(6, dtype="f4").reshape(2, 3), "nan": float("nan"),
        "day": datetime.date(2026, 1, 2), "in": {"password": np.array([115, 101, 99])},
    }  # fmt: skip
    before = encode(message)
    codec, body = redacted(before, RULES)
    assert (before.codec, codec) == (MSGPACK, MSGPACK)
    shown = decode(codec, body)
    assert shown["token"] == HIDDEN
    assert shown["in"] == {"password": HIDDEN}
    assert shown["image"].dtype == np.dtype("f4")
    assert shown["image"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert shown["nan"] != shown["nan"]
    assert shown["day"] == datetime.date(2026, 1, 2)
    assert b"secret" not in body


def test_a_column_of_a_table_is_hidden_whole():
    codec, body = redacted(encode(pd.DataFrame({"n": [1, 2], "password": ["x", "y"]})), RULES)
    frame = decode(codec, body)
    assert list(frame["password"]) == [HIDDEN, HIDDEN]
    assert list(frame["n"]) == [1, 2]


def test_arrow():
    def message(**columns: Any) -> Encoded:
        table, sink = pa.table(columns), pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as out:
            out.write_table(table)
        return Encoded(ARROW, sink.getvalue().to_pybytes())

    plain = message(n=[1, 2])
    assert redacted(plain, RULES) is plain
    codec, body = redacted(message(n=[1, 2], token=["secret", "z"]), RULES)
    assert list(decode(codec, body)["token"]) == [HIDDEN, HIDDEN]
    assert list(decode(codec, body)["n"]) == [1, 2]
    assert b"secret" not in body


def test_raw_bytes_have_no_keys():
    before = Encoded(RAW, b'{"password": 1}')
    assert redacted(before, RULES) is before


@pytest.mark.parametrize("codec", [JSON, MSGPACK, ARROW])
def test_what_cannot_be_read_is_not_let_through(codec: int):
    with pytest.raises(EncodingError):
        redacted(Encoded(codec, b'{"password'), RULES)
    assert redacted(Encoded(codec, b'{"password'), Redaction())
