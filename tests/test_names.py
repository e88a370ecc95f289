"""Names: the vectors, and what the errors say."""

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbchannels.exceptions import InvalidName
from nbchannels.names import (
    MAX_NAME_LENGTH,
    is_process_local,
    is_valid_channel_name,
    is_valid_group_name,
    near_match,
    new_channel_name,
    non_local_name,
    require_channel_name,
    require_group_name,
)

CASES = json.loads(
    (Path(__file__).parent / "vectors" / "v1" / "names.json").read_text(encoding="utf-8")
)["cases"]
CHECKS = [
    ("group", is_valid_group_name, require_group_name),
    ("channel", is_valid_channel_name, require_channel_name),
]


@pytest.mark.parametrize(("kind", "is_valid", "require"), CHECKS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["name"])[:30])
def test_vectors(case, kind, is_valid, require):
    name = case["name"]
    assert is_valid(name) is case[kind]
    if case[kind]:
        assert require(name) is name
    else:
        with pytest.raises(InvalidName):
            require(name)


@pytest.mark.parametrize(("kind", "is_valid", "require"), CHECKS)
@given(st.one_of(st.text(), st.text("ab!.-_ü \n", max_size=120), st.none(), st.integers()))
@settings(deadline=None)
def test_an_error_shows_a_name_that_would_do(kind, is_valid, require, name):
    if is_valid(name):
        assert require(name) is name
        return
    with pytest.raises(InvalidName) as caught:
        require(name)
    sentence = str(caught.value)
    assert f"a {kind} name is a str of 1 to 99 ASCII letters, digits, '-', '_', '.'" in sentence
    assert is_valid(re.search(r": try '([^']*)'$", sentence).group(1))


@pytest.mark.parametrize(("require", "name", "what", "remedy"), [
    (require_group_name, None, "the group name is None", "group"),
    (require_group_name, 5, "the group name is an int: 5", "group"),
    (require_group_name, b"index", "the group name is a bytes: b'index'", "group"),
    (require_group_name, "", "the group name is empty", "group"),
    (require_group_name, "a b", "group name 'a b' has ' '", "a-b"),
    (require_group_name, "a!b", "group name 'a!b' has '!'", "a-b"),
    (require_group_name, "a\n", r"group name 'a\n' has '\n'", "a"),
    (require_channel_name, "!b", "channel name '!b' has '!' at its beginning", "b"),
    (require_channel_name, "a!b!c", "channel name 'a!b!c' has 2 times '!'", "a!b-c"),
    (require_channel_name, "a!ü", "channel name 'a!ü' has 'ü'", "a!"),
    (require_channel_name, "n" * 100, "n' has 100 characters", "n" * 99),
])  # fmt: skip
def test_sentences(require, name, what, remedy):
    with pytest.raises(InvalidName) as caught:
        require(name)
    sentence = str(caught.value)
    assert f"{what}; a " in sentence
    assert sentence.endswith(f": try {remedy!r}")
    assert len(sentence) < 500


def test_a_sentence_is_short_whatever_the_name():
    for name in ("ü" * 10**6, list(range(10**5))):
        with pytest.raises(InvalidName) as caught:
            require_group_name(name)
        assert len(str(caught.value)) < 400


def test_process_local_names():
    assert not is_process_local("work")
    assert is_process_local("specific.ab!cd")
    assert non_local_name("specific.ab!cd") == "specific.ab!"
    assert non_local_name("work") == "work"


def test_new_channel_names_are_random_whatever_the_seed():
    names = set()
    for _ in range(50):
        random.seed(0)
        names.add(new_channel_name())
    assert len(names) == 50
    for name in names:
        assert re.fullmatch(r"specific\.[0-9a-f]{16}![0-9a-f]{16}", name)
        assert is_valid_channel_name(name)


def test_prefixes_of_new_channels():
    longest = "x" * 65
    assert len(new_channel_name(longest)) == MAX_NAME_LENGTH - 1
    with pytest.raises(InvalidName, match=r"has 66 characters, the limit is 65: try 'x{65}'"):
        new_channel_name(longest + "x")
    for prefix in ("", "a!b", "ü", None):
        with pytest.raises(InvalidName, match="prefix name"):
            new_channel_name(prefix)


@pytest.mark.parametrize(("name", "known", "found"), [
    ("idnex", ["index", "work"], "index"),
    ("Index", ["index"], "index"),
    ("index", ["index"], None),
    ("index", ["weather"], None),
    ("index", [], None),
    ("sensor.tmp", (n for n in ["sensor.temp", "sensor.room"]), "sensor.temp"),
])  # fmt: skip
def test_near_matches(name, known, found):
    assert near_match(name, known) == found
