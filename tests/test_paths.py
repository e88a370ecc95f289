"""Patterns of paths: what they match, as Django's do, and which cannot be."""

import uuid

import pytest

from nbchannels import paths
from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.paths import PathPattern, RegexPattern, path, re_path, register_converter

ID = "0b5a4d1c-5f0e-4a3b-9f6f-7d2b8c1a9e00"


async def app(scope, receive, send):
    pass


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(paths, "_registered", {})
    return paths._registered


def refusal(call, *arguments):
    with pytest.raises(ImproperlyConfigured) as caught:
        call(*arguments)
    return str(caught.value)


PATHS = [
    ("", "", True, ("", (), {})),
    ("", "a", True, None),
    ("", "a", False, ("a", (), {})),
    ("ws/", "ws/", True, ("", (), {})),
    ("ws/", "ws", True, None),
    ("ws/", "ws/x", True, None),
    ("ws/", "ws/x", False, ("x", (), {})),
    ("ws/", "aws/", True, None),
    ("ws/", "ws/\n", True, None),
    ("a.b/", "axb/", True, None),
    ("<room>/", "blue/", True, ("", (), {"room": "blue"})),
    ("<str:room>/", "blue/green/", True, None),
    ("<str:room>/", "/", True, None),
    ("<path:rest>", "a/b/c", True, ("", (), {"rest": "a/b/c"})),
    ("<slug:s>/", "a-b_1/", True, ("", (), {"s": "a-b_1"})),
    ("<slug:s>/", "a.b/", True, None),
    ("<int:n>/", "007/", True, ("", (), {"n": 7})),
    ("<int:n>/", "-7/", True, None),
    ("<int:n>/", "\u0667/", True, None),
    ("<int:n>/", "9" * 5000 + "/", True, None),
    ("<uuid:u>/", f"{ID}/", True, ("", (), {"u": uuid.UUID(ID)})),
    ("<uuid:u>/", f"{ID.upper()}/", True, None),
    ("<int:a>-<b>/", "1-x/y", False, ("y", (), {"a": 1, "b": "x"})),
    ("/ws/", "ws/", True, ("", (), {})),
]

REGEXES = [
    (r"^ws/$", "ws/", True, ("", (), {})),
    (r"^ws/$", "ws/\n", True, None),
    (r"^ws/", "ws/x", True, ("x", (), {})),
    (r"ws/", "a/ws/x", True, ("x", (), {})),
    (r"b/$", "a/b/", True, None),
    (r"b/$", "a/b/", False, ("", (), {})),
    (r"^(\d+)/(\w+)?$", "1/", True, ("", ("1", None), {})),
    (r"^(\d+)/(?P<w>\w+)$", "1/x", True, ("", (), {"w": "x"})),
    (r"^(\d+)/(?P<w>\w+)?$", "1/", True, ("", (), {})),
    (r"", "x", True, ("x", (), {})),
]
SLASHED = [
    (r"^/ws/$", "ws/"), (r"/ws/$", "ws/"), (r"^\/ws/$", "ws/"), (r"^/?ws/$", "ws/"),
    (r"^/*ws/$", "ws/"), (r"^(?:/)?ws/$", "ws/"),
]  # fmt: skip


@pytest.mark.parametrize(("route", "text", "is_endpoint", "found"), PATHS)
def test_paths(route, text, is_endpoint, found):
    assert PathPattern(route, is_endpoint).match(text) == found


@pytest.mark.parametrize(("route", "text", "is_endpoint", "found"), REGEXES)
def test_regular_expressions(route, text, is_endpoint, found):
    assert RegexPattern(route, is_endpoint).match(text) == found


@pytest.mark.parametrize(("route", "text"), SLASHED)
def test_a_slash_at_the_beginning_does_no_harm(route, text):
    assert RegexPattern(route).match(text) == ("", (), {})


def test_as_django_matches():
    resolvers = pytest.importorskip("django.urls.resolvers")
    for ours, theirs, cases in (
        (PathPattern, resolvers.RoutePattern, PATHS),
        (RegexPattern, resolvers.RegexPattern, REGEXES),
    ):
        for route, text, is_endpoint, _ in cases:
            if not route.startswith("/"):
                expected = theirs(route, is_endpoint=is_endpoint).match(text)
                assert ours(route, is_endpoint).match(text) == expected, (route, text)


def test_what_a_path_holds():
    found = path("rooms/<int:n>/", app, {"a": 1}, name="rooms")
    assert (found.callback, found.default_args, found.name) == (app, {"a": 1}, "rooms")
    assert str(found.pattern) == "rooms/<int:n>/"
    assert str(re_path("^a$", view=app, kwargs=None, name="x").pattern) == "^a$"
    assert path("", app).default_args == {}


def test_the_same_pattern_with_more_behind_it():
    assert path("a/", app).leading_on().pattern.match("a/b") == ("b", (), {})
    assert re_path("^a/$", app).leading_on().pattern.match("a/b") is None
    assert re_path("^a/", app).leading_on().callback is app


class FourDigits:
    regex = "[0-9]{4}"

    def to_python(self, value):
        if value == "0000":
            raise ValueError("no such year")
        return int(value)


def test_a_converter_of_ones_own(registered):
    register_converter(FourDigits, "year")
    pattern = PathPattern("<year:y>/")
    assert pattern.match("2026/") == ("", (), {"y": 2026})
    assert pattern.match("0000/") is None
    assert pattern.match("26/") is None


def test_a_cell_that_runs_again_registers_again(registered):
    register_converter(FourDigits, "year")
    register_converter(type("Two", (FourDigits,), {"regex": "[0-9]{2}"}), "year")
    assert PathPattern("<year:y>").match("26") == ("", (), {"y": 26})


@pytest.mark.parametrize(("converter", "name", "said"), [
    (FourDigits, "int", "the converter 'int' is there already"),
    (object, "x", "a converter is a class with regex"),
    (type("X", (), {"regex": "a"}), "x", "to_python(value)"),
])  # fmt: skip
def test_a_converter_that_cannot_be(registered, converter, name, said):
    assert said in refusal(register_converter, converter, name)
    assert not registered


@pytest.mark.parametrize(("route", "said"), [
    ("<int: n>", "whitespace inside of <…>"),
    ("<int:n-1>", "the parameter 'n-1', which is no Python name"),
    ("<int:>", "the parameter ''"),
    ("<n>/<n>", "the parameter 'n' twice"),
    ("<slugs:n>", "did you mean 'slug'? known are str, int, slug, uuid, path"),
    ("<:n>", "the converter '', which is not known"),
    ("<int:n", "'<' or '>' alone"),
    ("n>", "'<' or '>' alone"),
    ("^ws/", "that is re_path('^ws/', …)"),
    ("ws/$", "looks like a regular expression"),
    ("ws/(?P<n>x)/", "looks like a regular expression"),
    (5, "path() takes a str, not an int: 5"),
])  # fmt: skip
def test_a_path_that_cannot_be(route, said):
    assert said in refusal(path, route, app)


@pytest.mark.parametrize(("arguments", "said"), [
    (("(", app), "re_path('('): missing )"),
    (("", None), "re_path('') leads to None; it takes an ASGI application"),
    (("", [path("", app)]), "nest a router: URLRouter([...])"),
    (("", app, [1]), "kwargs of re_path('') is a dict, not a list: [1]"),
])  # fmt: skip
def test_a_regular_expression_or_a_view_that_cannot_be(arguments, said):
    assert said in refusal(re_path, *arguments)
