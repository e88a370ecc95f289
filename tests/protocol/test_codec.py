"""Records and control records against the shared vectors, and against anything at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.exceptions import RemoteProtocolError
from nbchannels.protocol import codec
from nbchannels.protocol.codec import (
    decode_client_control,
    decode_records,
    decode_server_control,
    encode_control,
    encode_record,
)
from nbchannels.protocol.events import (
    DELIVERY,
    ENTRY,
    MESSAGE,
    PUBLISH,
    SEND,
    Record,
    Unknown,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "v1"
KINDS = {
    "PUBLISH": PUBLISH,
    "SEND": SEND,
    "MESSAGE": MESSAGE,
    "DELIVERY": DELIVERY,
    "ENTRY": ENTRY,
}
CODECS = ["raw", "json", "msgpack", "arrow"]
FLAGS = ["redelivered", "retried", "receipt"]


def cases(file: str) -> list[Any]:
    found = json.loads((VECTORS / file).read_text())["cases"]
    return [pytest.param(case, id=case.get("name", str(i))) for i, case in enumerate(found)]


def record_from(vector: dict[str, Any]) -> Record:
    return Record(
        KINDS[vector["kind"]],
        CODECS.index(vector["codec"]),
        sum(1 << FLAGS.index(flag) for flag in vector["flags"]),
        *(vector[key] for key in ("name", "id", "tag", "sequence", "time", "sender")),
        bytes.fromhex(vector["body"]),
    )


def plain(record: Record) -> tuple[Any, ...]:
    return (*record[:9], bytes(record.body))


@pytest.mark.parametrize("case", cases("records.json"))
def test_records(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    records = [record_from(vector) for vector in case["records"]]
    assert b"".join(map(encode_record, records)) == data
    found = decode_records(data)
    assert [plain(record) for record in found] == [plain(record) for record in records]
    assert sum(record.size for record in found) == len(data)


@pytest.mark.parametrize("case", cases("invalid.json"))
def test_invalid(case: dict[str, Any]) -> None:
    def decode() -> object:
        if "hex" in case:
            return decode_records(bytes.fromhex(case["hex"]))
        return decode_client_control(case["text"])

    with pytest.raises(RemoteProtocolError) as caught:
        decode()
    assert (caught.value.reason, caught.value.close_code) == (case["error"], case["close_code"])


@pytest.mark.parametrize("case", cases("controls.json"))
def test_controls(case: dict[str, Any]) -> None:
    decode = decode_client_control if case["direction"] == "client" else decode_server_control
    control = decode(json.dumps(case["record"]))
    assert not isinstance(control, Unknown)
    assert json.loads(encode_control(control)) == case["record"]
    assert decode(encode_control(control)) == control


def test_an_unknown_op_is_told_by_its_name() -> None:
    assert decode_server_control('{"op": "sparkle", "x": 1}') == Unknown("sparkle")


def test_an_op_of_the_other_direction_is_unknown() -> None:
    assert decode_client_control('{"op": "goaway", "reason": "", "spread": 1}') == Unknown("goaway")


def test_a_field_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="ack") as caught:
        decode_client_control('{"op": "ack", "logs": "all"}')
    assert caught.value.reason == "fields"


def test_a_float_out_of_range_is_refused() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_server_control('{"op": "goaway", "reason": "", "spread": 1e999}')
    assert caught.value.reason == "json"


def test_a_smaller_limit_holds() -> None:
    data = encode_record(Record(PUBLISH, 1, 0, "index", 0, 0, 1, 0.0, 0, b"x" * 9))
    assert len(decode_records(data, limit=9)) == 1
    with pytest.raises(RemoteProtocolError) as caught:
        decode_records(data, limit=8)
    assert caught.value.close_code == 1009


@given(st.binary(max_size=300))
def test_whatever_comes_is_records_or_an_error(data: bytes) -> None:
    try:
        records = decode_records(data)
    except RemoteProtocolError:
        return
    assert b"".join(map(encode_record, records)) == data


@given(st.text(max_size=200))
def test_whatever_text_comes_is_a_control_or_an_error(text: str) -> None:
    for decode in (decode_client_control, decode_server_control):
        try:
            control = decode(text)
        except RemoteProtocolError:
            continue
        assert isinstance(control, codec.Control)


@given(
    st.builds(
        Record,
        st.sampled_from([PUBLISH, SEND, DELIVERY]),
        st.integers(0, 3),
        st.integers(0, 7),
        st.text("abcXYZ019-_.", min_size=1, max_size=99),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=50),
    )
)
def test_every_record_survives(record: Record) -> None:
    data = encode_record(record)
    assert len(data) % 8 == 0
    (found,) = decode_records(data + b"")
    assert plain(found) == plain(record)
