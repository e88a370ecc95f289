"""A bounded ring of what went by."""

import pytest

from nbchannels.encoding import JSON, Encoded, encode
from nbchannels.redaction import HIDDEN
from nbchannels.server.tail import MOST, MOST_BYTES, Tail, Wanted, shortened


def noted(tail, count, body=b"{}"):
    for n in range(count):
        tail.note("group", "a", Encoded(JSON, body), float(n), 1, n)


def everything(kind, name):
    return True


def test_the_oldest_go_and_are_counted():
    tail = Tail()
    noted(tail, MOST + 10)
    found = tail.read(0, 50, Wanted(), everything)
    assert found["top"] == MOST + 10
    assert len(found["rows"]) == 50
    assert found["missed"] == MOST + 10 - 50
    assert tail.read(found["top"], 50, Wanted(), everything)["missed"] == 0


def test_each_place_is_asked_about_once():
    tail, asked = Tail(), []
    noted(tail, 100)
    tail.note("channel", "a", Encoded(JSON, b"{}"), 0.0, 1, None)

    def may(kind, name):
        asked.append((kind, name))
        return kind == "channel"

    found = tail.read(90, 50, Wanted(), may)
    assert [row[0] for row in found["rows"]] == [101]
    assert sorted(asked) == [("channel", "a"), ("group", "a")]


def test_who_asks_for_what_is_not_there_yet_gets_nothing():
    tail = Tail()
    noted(tail, 3)
    assert tail.read(7, 50, Wanted(), everything) == {"top": 3, "missed": 0, "rows": []}


def test_bytes_are_bounded():
    tail = Tail()
    noted(tail, 5, bytes(MOST_BYTES // 2))
    assert tail._bytes <= MOST_BYTES
    assert len(tail._ring) == 2


def test_what_is_redacted_is_nowhere():
    tail = Tail(["pass*", "token"])
    tail.note(
        "group", "a", encode({"user": "ada", "Password": "s3cret", "deep": [{"token": "s3cret"}]}),
        0.0, 1, 1,
    )  # fmt: skip
    ((*_, preview, _omitted),) = tail.read(0, 1, Wanted(), everything)["rows"]
    assert preview == {"user": "ada", "Password": "•••", "deep": [{"token": "•••"}]}
    assert "s3cret" not in str(tail.describe(tail.message(1))["message"])


@pytest.mark.parametrize(
    ("rule", "has"),
    [
        ('["password"]', "has '['"),
        ("password, token", "has ','"),
        ("pass word", "has ' '"),
        ("'password'", 'has "\'"'),
        ('"password"', "has '\"'"),
        ("(password)", "has '('"),
        ("{password}", "has '{'"),
        ("[Pp]assword", "has '['"),
        ("password\n", r"has '\n'"),
        ("", "is empty"),
    ],
)
def test_a_rule_that_would_hide_nothing_is_refused(rule: str, has: str):
    with pytest.raises(ValueError, match="is no key") as caught:
        Tail(["token", rule])
    said = str(caught.value)
    assert repr(rule) in said
    assert has in said
    assert '["password", "*token*"]' in said


@pytest.mark.parametrize("rule", ["password", "*token*", "api?key", "X-Auth.*", "clé", "$secret@1"])
def test_a_rule_is_a_key_with_wildcards(rule: str):
    key = rule.replace("*", "some").replace("?", " ").upper()
    assert Tail([rule]).redaction.apply({key: 1, "other": 2}) == {key: HIDDEN, "other": 2}


def test_what_cannot_be_read_says_so():
    tail = Tail()
    tail.note("group", "a", Encoded(JSON, b"{"), 0.0, 1, 1)
    ((*_, preview, omitted),) = tail.read(0, 1, Wanted(), everything)["rows"]
    assert preview is None
    assert omitted


def test_wanted():
    tail = Tail()
    tail.note("group", "a.b", Encoded(JSON, b'{"x": 1}'), 0.0, 1, 1)
    tail.note("channel", "c", Encoded(JSON, b'{"x": 22}'), 0.0, 2, 1)

    def names(**wanted):
        return [row[2] for row in tail.read(0, 50, Wanted(**wanted), everything)["rows"]]

    assert names() == ["a.b", "c"]
    assert names(kind="channel") == ["c"]
    assert names(name="a.*") == ["a.b"]
    assert names(text="22") == ["c"]
    assert names(sender=1) == ["a.b"]
    assert names(least=9) == ["c"]


def test_previews_are_short():
    assert shortened("x" * 300) == "x" * 199 + "…"
    assert shortened(list(range(30)))[-1] == "… 10 more"
    assert shortened({str(n): n for n in range(30)})["…"] == "10 more"
    assert shortened([[[[[1]]]]]) == [[[["[…]"]]]]


def test_the_oldest_first_leave_nothing_out():
    tail = Tail()
    noted(tail, 120)
    after, seen = 0, []
    for _ in range(4):
        found = tail.read(after, 50, Wanted(), everything, oldest_first=True)
        assert found["missed"] == 0
        seen += [row[0] for row in found["rows"]]
        after = found["top"]
    assert seen == list(range(1, 121))
    assert after == 120
    noted(tail, MOST + 5)  # what fell out of the ring is told
    assert tail.read(after, 50, Wanted(), everything, oldest_first=True)["missed"] == 5
