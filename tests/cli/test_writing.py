"""Where a command writes."""

import io
import json

import pytest

from nbchannels.cli.writing import Output, as_json


def test_json_is_ascii_and_controls_nothing():
    value = {"name": "\x1b[2J\x7f\u202e数"}
    text = as_json(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value


def test_what_has_no_place_in_the_encoding_is_escaped():
    raw = io.BytesIO()
    out = Output(io.TextIOWrapper(raw, encoding="ascii"), io.StringIO())
    assert not out.is_unicode
    out.line("数")
    assert raw.getvalue() == b"\\u6570\n"


def test_a_complaint_is_one_escaped_line():
    err = io.StringIO()
    Output(io.StringIO(), err).complain("one\n  two \x1b[2J")
    assert err.getvalue() == "nbchannels: one two \\x1b[2J\n"


def test_no_colours_where_no_terminal_is():
    out = Output(io.StringIO(), io.StringIO())
    assert out.paint("text", "bad") == "text"
    assert not out.is_terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_status_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "12")
    err = Terminal()
    out = Output(io.StringIO(), err)
    out.status("3 messages, 4 KiB")
    out.status("\x1b[2J")
    out.status("")
    assert err.getvalue() == "\r3 messages…\x1b[K\r\\x1b[2J\x1b[K\r\x1b[K"


def test_without_a_terminal_there_is_no_status():
    err = io.StringIO()
    Output(io.StringIO(), err).status("3 messages")
    assert err.getvalue() == ""
