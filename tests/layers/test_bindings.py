"""A binding decides as its route does, travels, and is checked when it comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.layers.bindings import Binding, compiled_glob, filter_text, is_glob, require_pattern


@pytest.mark.parametrize(("steps", "content", "accepted"), [
    ((), {}, True),
    ((("path", "^/a"),), {"path": "/a/b"}, True),
    ((("path", "a"),), {"path": "/a"}, False),  # at the beginning only
    ((("path", "^/a"),), {}, False),
    ((("path", "^/a"),), {"path": None}, False),
    ((("path", "^/a"),), {"path": b"/a"}, True),
    ((("path", "/"),), {"path": "/\xe4".encode()}, False),
    ((("n", r"1\d$"),), {"n": 12}, True),
    ((("n", r"1\d$"),), {"n": 123}, False),
    ((("n", ""),), {"n": True}, False),
    ((("n", ""),), {"n": 1.5}, False),
    ((("n", ""),), {"n": ["1"]}, False),
    ((("path", "^/a"), ("path", "^/b$")), {"path": "/a/b"}, True),
    ((("path", "^/a"), ("path", "^/a")), {"path": "/a/b"}, False),
    ((("path", "^/a"), ("method", "^GET$"), ("path", "^$")), {"path": "/a", "method": "GET"}, True),
    ((("path", "^/a"), ("method", "^GET$")), {"path": "/a", "method": "POST"}, False),
    ((("n", "1"), ("n", "2$")), {"n": 12}, True),
])  # fmt: skip
def test_it_accepts_what_matches_all_steps(steps, content, accepted):
    before = dict(content)
    assert Binding("web", steps).accepts(content) is accepted
    assert content == before


def test_of_a_value_the_first_4096_characters_are_looked_at():
    assert Binding("a", (("x", "y*$"),)).accepts({"x": "y" * 4096 + "n"})
    assert not Binding("a", (("x", "y*n"),)).accepts({"x": "y" * 4096 + "n"})
    assert Binding("a", (("x", "y*n"),)).accepts({"x": "y" * 4095 + "n"})


@pytest.mark.parametrize(("channel", "name", "served"), [
    ("work", "work", True),
    ("work", "Work", False),
    ("work", "work2", False),
    ("sensor.*", "sensor.1", True),
    ("sensor.*", "sensor", False),
    ("sensor.?", "sensor.12", False),
    ("sensor.[!0]", "sensor.1", True),
    ("sensor.[!0]", "sensor.0", False),
    ("SENSOR.*", "sensor.1", False),
])  # fmt: skip
def test_which_names_it_serves(channel, name, served):
    assert Binding(channel).serves(name) is served


def test_globs():
    assert [is_glob(name) for name in ("a", "a!b", "a*", "a?", "[a]")] == [False] * 2 + [True] * 3


def test_over_the_wire_and_back():
    binding = Binding("sensor.*", (("path", "^/a"), ("path", "(?P<n>b)")))
    wire = json.loads(json.dumps(binding.to_wire()))
    assert wire == {"channel": "sensor.*", "steps": [["path", "^/a"], ["path", "(?P<n>b)"]]}
    assert Binding.from_wire(wire) == binding
    assert Binding.from_wire({"channel": "work"}) == Binding("work")


@pytest.mark.parametrize(("data", "said"), [
    (None, "not None"),
    ([], "not a list"),
    ({}, "not a dict"),
    ({"steps": []}, "not a dict"),
    ({"channel": "a", "step": []}, "not a dict"),
    ({"channel": 5}, "is an int: 5"),
    ({"channel": ""}, "is empty"),
    ({"channel": "a b"}, "has ' '"),
    ({"channel": "a" * 100}, "has 100 characters"),
    ({"channel": "a*\n"}, "can match no channel"),
    ({"channel": "\xe4*"}, "can match no channel"),
    ({"channel": "*" * 10_000}, "at most 99"),
    ({"channel": "a", "steps": {}}, "not a dict"),
    ({"channel": "a", "steps": ["xy"]}, "two strings, not a str"),
    ({"channel": "a", "steps": [["x"]]}, "two strings"),
    ({"channel": "a", "steps": [["x", "y", "z"]]}, "two strings"),
    ({"channel": "a", "steps": [["x", 5]]}, "two strings"),
    ({"channel": "a", "steps": [["x", "y"]] * 21}, "has 21 filters and prefixes, the limit is 20"),
    ({"channel": "a", "steps": [["", "y"]]}, "1 to 100 characters"),
    ({"channel": "a", "steps": [["x" * 101, "y"]]}, "1 to 100 characters"),
    ({"channel": "a", "steps": [["x", "y" * 501]]}, "has 501 characters, the limit is 500"),
    ({"channel": "a", "steps": [["x", "("]]}, "is '(', no regular expression"),
    ({"channel": "a", "steps": [["x", "(" * 500]]}, "no regular expression"),
    ({"channel": "a", "steps": [["x", "a{99999999999999999999}"]]}, "no regular expression"),
    ({"channel": "a", "steps": [["x", "(y)"]]}, "positional groups"),
])  # fmt: skip
def test_what_is_hostile_is_refused_with_a_reason(data, said):
    with pytest.raises(ImproperlyConfigured) as caught:
        Binding.from_wire(data)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


def test_what_the_other_side_would_refuse_does_not_leave():
    with pytest.raises(ImproperlyConfigured, match="has 501 characters, the limit is 500"):
        Binding("a", (("x", "y" * 501),)).to_wire()


def test_limits_are_the_last_that_is_taken():
    Binding.from_wire({"channel": "a" * 99, "steps": [["x" * 100, "y" * 500]] * 20})


@given(st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["channel", "steps", "x"]), inner, max_size=3),
))  # fmt: skip
def test_whatever_comes_is_a_binding_or_refused(data):
    try:
        binding = Binding.from_wire(data)
    except ImproperlyConfigured:
        return
    assert Binding.from_wire(binding.to_wire()) == binding


@pytest.mark.parametrize(("value", "text"), [
    ("a", "a"), (b"a", "a"), (b"\xff", None), (7, "7"), (-7, "-7"), (True, None), (None, None),
    (1.0, None), ({}, None), (10**1_200, f"1{'0' * 1_200}"),
])  # fmt: skip
def test_what_a_filter_sees(value, text):
    assert filter_text(value) == text


def test_a_number_of_endless_digits_has_no_text():
    assert filter_text(10**5_000) is None


def test_a_pattern_is_a_str():
    with pytest.raises(ImproperlyConfigured, match="the filter is an int: 5; it takes a regular"):
        require_pattern(5, "the filter")


@pytest.mark.parametrize("glob", ["*", "*.*", "?*", "[!x]*", "[a-z]*", "specific.*", "nbchannel*"])
def test_a_glob_means_neither_replies_nor_what_is_our_own(glob):
    binding = Binding(glob).require_limits()
    for name in ("specific.abc!def", "ask.x!", "nbchannels.view.1", "nbchannels."):
        assert not binding.serves(name), name
    assert compiled_glob("*").match("anything.else-1_")
    assert Binding("specific.abc!def").serves("specific.abc!def")
    assert Binding("nbchannels.view.1").serves("nbchannels.view.1")


@pytest.mark.parametrize(
    "glob", ["specific.*!*", "*!", "a![!b]*", "nbchannels.*", "nbchannels.[!a]"]
)
def test_a_glob_that_could_match_nothing_is_refused(glob):
    with pytest.raises(ImproperlyConfigured, match="can match no channel"):
        Binding(glob).require_limits()
