"""HTTP bodies: what is a message, what is refused, and with which words."""

import json
import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from nbchannels.decoding import decode
from nbchannels.encoding import ARROW, JSON, MAX_MESSAGE, MSGPACK, RAW, encode
from nbchannels.exceptions import EncodingError, InvalidMessage, MessageTooLarge
from nbchannels.server.ingest import Batch, TooManyMessages, read_body

FORM = "application/x-www-form-urlencoded"
URL = "http://localhost:8888/nbchannels/api/groups/index"


def read(body: Any, content_type: str = "", **options: Any) -> Batch:
    body = body if isinstance(body, bytes) else body.encode()
    return read_body(body, content_type, url=URL, **({"limit": MAX_MESSAGE} | options))


def refusal(body: Any, content_type: str = "", **options: Any) -> str:
    with pytest.raises(InvalidMessage) as caught:
        read(body, content_type, **options)
    return str(caught.value)


class TestOneMessage:
    @pytest.mark.parametrize(
        "content_type", ["", FORM, "application/json", "text/json; charset=utf-8", "text/plain"]
    )
    def test_an_object_is_json_whatever_the_content_type_says(self, content_type: str):
        assert read('{"value": 1}', content_type) == Batch([(JSON, b'{"value": 1}')], False)

    @pytest.mark.parametrize(
        "text",
        [
            '{"b": 1.50, "a": [1e3, -0, "\\u00e9", "é"], "n": null}',
            '{\n  "deep": {"x": [{}, [], ""]}\n}',
            "{}",
            '{"i": 9007199254740992}',
        ],
    )
    def test_it_is_kept_byte_for_byte(self, text: str):
        assert read(f" \r\n{text}\n ").messages == [(JSON, text.encode())]

    def test_a_byte_order_mark_is_taken_off(self):
        assert read(b"\xef\xbb\xbf{}").messages == [(JSON, b"{}")]

    @pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**64 - 1, -(2**63)])
    def test_large_integers_lose_nothing(self, number: int):
        (message,) = read(json.dumps({"a": [number]})).messages
        assert message.codec == MSGPACK
        assert decode(*message) == {"a": [number]}

    def test_an_integer_beyond_64_bits_is_refused_with_its_path(self):
        said = refusal(json.dumps({"a": [1, {"b": 2**64}]}))
        assert said.startswith("msg['a'][1]['b'] is an integer of 65 bits, the limit is 64")


class TestManyMessages:
    def test_an_array_is_many(self):
        found = read('[{"a": 1}, {"a": 2}\n,{"a":3}]')
        assert found.many
        assert [decode(*message) for message in found.messages] == [{"a": 1}, {"a": 2}, {"a": 3}]

    def test_an_array_of_one_is_many(self):
        assert read("[{}]").many

    def test_a_large_integer_in_one_of_them(self):
        found = read(f'[{{"a": 1}}, {{"a": {2**60}}}]').messages
        assert [message.codec for message in found] == [JSON, MSGPACK]

    def test_so_many_at_most(self):
        assert len(read(json.dumps([{}] * 3), batch=3).messages) == 3
        with pytest.raises(TooManyMessages, match="more than 3 messages, the limit of one request"):
            read(json.dumps([{}] * 4), batch=3)

    def test_what_is_after_the_limit_is_not_even_read(self):
        with pytest.raises(TooManyMessages):
            read("[{}, {}, {}, !!!", batch=2)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("[]", "the body is an array of no messages"),
            ('[{"a": 1}, 5]', "body[1] is an int: 5; a message is a JSON object"),
            ('[{"a": 1}, [{"b": 2}]]', "body[1] is a list: [{'b': 2}]"),
            ('[{"a": [0, {"x": 1e999}]}]', "body[0]['a'][1]['x'] is a number over 1.8e308"),
            ('[{}, {"a": 1, "a": 2}]', "body[1] says the key 'a' twice"),
            (f'[{{"a": {2**70}}}]', "body[0]['a'] is an integer of 71 bits"),
            ('[{"a": 1} {"b": 2}]', "expecting ',' or ']' at line 1 column 11"),
            ('[{"a": 1},]', "expecting value at line 1 column 11"),
            ('[{"a": 1}', "expecting ',' or ']' at line 1 column 10"),
            ('[{"a": 1}] x', "something follows the JSON value at line 1 column 12"),
            ("[", "expecting value at line 1 column 2"),
        ],
    )
    def test_one_bad_message_refuses_all_and_says_which(self, body: str, said: str):
        assert said in refusal(body)


class TestWhatIsNoMessage:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("", "the body is empty; send a JSON object: curl"),
            ("  \n", "the body is empty"),
            ("5", "msg is an int: 5; a message is a JSON object such as"),
            ('"text"', "msg is a str: 'text'"),
            ("null", "msg is None; a message is a JSON object"),
            ("true", "msg is a bool: True"),
            ("hello", "the body is no JSON: expecting value at line 1 column 1"),
            ('{"a": 1', "the body is no JSON: expecting ',' delimiter at line 1 column 8"),
            ("{'a': 1}", "expecting property name enclosed in double quotes at line 1 column 2"),
            ('{"a": 1}\n{"b": 2}', "something follows the JSON value at line 2 column 1"),
            ('{"a": "\n"}', "invalid control character at line 1 column 8"),
            ('{"a": NaN}', "the body has NaN, which JSON has not; send null, or as msgpack"),
            ('{"a": -Infinity}', "the body has -Infinity"),
            ('{"a": 1, "b": {"c": 1, "c": 2}}', "msg['b'] says the key 'c' twice"),
            ('{"c": 1, "c": 2}', "msg says the key 'c' twice; one of them would be lost"),
            ('{"a": ["\\ud800"]}', "msg['a'][0] is no valid unicode text"),
            ('{"\\udfff": 1}', "no valid unicode text"),
            ('{"a": 1e999}', "msg['a'] is a number over 1.8e308, which no float holds"),
            (b'{"a": "\xff"}', "the body is no UTF-8 text: byte 7 is 0xff"),
            ('{"a": 1}'.encode("utf-16"), "the body is no UTF-8 text: byte 0 is 0xff"),
        ],
    )
    def test_it_says_what_is_wrong(self, body: Any, said: str):
        assert said in refusal(body)

    def test_a_key_twice_in_a_long_list(self):
        body = '{"a": [' + "{}," * 100 + '{"k": 1, "k": 2}]}'
        assert "msg['a'][100] says the key 'k' twice" in refusal(body)

    @pytest.mark.parametrize("depth", [65, 1000, 100_000])
    def test_deep_nesting(self, depth: int):
        assert "nested" in refusal('{"a":' + "[" * depth + "]" * depth + "}")

    def test_sixty_four_deep_is_a_message(self):
        assert read('{"a":' + "[" * 64 + "]" * 64 + "}").messages[0].codec == JSON

    def test_an_integer_of_thousands_of_digits(self):
        assert "thousands of digits" in refusal('{"a": ' + "7" * 5000 + "}")

    @pytest.mark.parametrize("error", ['{"a": {"b": ["\\ud800"]}}', f'{{"a": {2**64}}}'])
    def test_errors_have_the_path_as_an_attribute(self, error: str):
        with pytest.raises(EncodingError) as caught:
            read(error)
        assert caught.value.path.startswith("msg['a']")


class TestForms:
    def test_a_form_is_recognised_and_the_line_to_type_is_shown(self):
        said = refusal("value=1&name=it%27s+me&flag=true&empty=&big=NaN", FORM)
        assert said.startswith("the body is a form (a=1&b=2), not JSON; send: curl ")
        line = said.partition("send: ")[2]
        assert line.startswith("curl -H 'Authorization: token …' -d ")
        assert '{"value": 1, "name": "it' in line
        assert '"flag": true, "big": "NaN"}' in line
        assert line.endswith(URL)

    def test_also_when_the_content_type_says_nothing(self):
        assert "is a form" in refusal("a=1")

    def test_a_long_form_is_no_long_message(self):
        assert len(refusal("&".join(f"field{n}={n}" for n in range(500)), FORM)) < 400

    def test_a_form_with_parts(self):
        body = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
        assert "a form with parts (curl -F)" in refusal(body, "multipart/form-data; boundary=x")


class TestSizes:
    def test_exactly_the_limit_and_one_more(self):
        body = b'{"a":"' + b"x" * 92 + b'"}'
        assert len(body) == 100
        assert read(body, limit=100).messages[0].body == body
        with pytest.raises(MessageTooLarge) as caught:
            read(body, limit=99)
        assert (caught.value.size, caught.value.limit) == (100, 99)

    def test_so_many_brackets_at_most(self):
        assert read('{"a":[' + "{}," * 499_997 + "{}]}").messages[0].codec == JSON
        with pytest.raises(MessageTooLarge, match="the body has 500,001 opening brackets"):
            read('{"a":[' + "{}," * 499_998 + "{}]}")

    def test_the_size_is_checked_before_anything_is_read(self):
        with pytest.raises(MessageTooLarge):
            read(b"\xff" * 101, limit=100)


class TestNamedCodecs:
    @pytest.mark.parametrize("name", ["application/msgpack", "application/x-msgpack"])
    def test_plain_msgpack(self, name: str):
        (message,) = read(
            msgspec.msgpack.encode({"a": [1, 2.5, b"x", float("inf")]}), name
        ).messages
        assert decode(*message) == {"a": [1, 2.5, b"x", float("inf")]}

    def test_plain_msgpack_that_json_says_too_becomes_json(self):
        assert read(b"\x81\xa1a\x01", "application/msgpack").messages == [(JSON, b'{"a":1}')]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"\x01", "not a dict"),
            (b"\x81\x01\x02", "a key that is no text"),
            (b"\x81\xa1a", "cannot be decoded"),
            (b"", "cannot be decoded"),
            (b"\x81\xa1a\x01\x00", "cannot be decoded"),
            (b"\xc1", "cannot be decoded"),
            (b"\x91" * 5000 + b"\xc0", "cannot be decoded"),
            # An array extension: there are no arrays behind a plain head.
            (
                msgspec.msgpack.encode(
                    {"a": msgspec.msgpack.Ext(1, msgspec.msgpack.encode(["f8", [1000], 8]))}
                ),
                "an array",
            ),
        ],
    )
    def test_what_is_no_plain_msgpack_message(self, body: bytes, said: str):
        assert said in refusal(body, "application/msgpack")

    def test_our_own_codec_is_kept_as_it_is(self):
        sent = encode({"a": np.arange(1000.0)})
        (message,) = read(sent.body, "application/vnd.nbchannels.message.v1+msgpack").messages
        assert message == sent
        assert decode(*message)["a"][999] == 999.0

    @pytest.mark.parametrize("body", [b"", b"\x00", b"\xff\xff\xff\xff", struct.pack("<I", 4)])
    def test_our_own_codec_is_checked(self, body: bytes):
        assert (
            "cannot be decoded"
            in (said := refusal(body, "application/vnd.nbchannels.message.v1+msgpack"))
            or "the head has" in said
        )

    def test_raw_bytes(self):
        body = bytes(range(256))
        assert read(body, "application/octet-stream").messages == [(RAW, body)]

    def test_an_arrow_stream_is_not_decoded_here(self):
        body = b"\xff\xff\xff\xff\x00\x01"
        assert read(body, "application/vnd.apache.arrow.stream").messages == [(ARROW, body)]
        assert "no Arrow IPC stream" in refusal(b"ARROW1", "application/vnd.apache.arrow.stream")
