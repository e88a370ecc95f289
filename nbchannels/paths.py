r"""Patterns of paths: ``path("rooms/<int:number>/", view)``, ``re_path(r"^rooms/(\d+)/$", view)``.

Call shapes, converters and what matches are those of ``django.urls``; Django itself is not needed.
A path is looked at without its leading slashes, so a pattern may have one or not.

Source: Django's URL dispatcher.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from nbchannels.exceptions import ImproperlyConfigured, shown
from nbchannels.names import near_match

__all__ = [
    "Converter",
    "Found",
    "PathPattern",
    "RegexPattern",
    "URLPattern",
    "path",
    "re_path",
    "register_converter",
]


class Found(NamedTuple):
    """What a pattern found: the rest of the path, and what its parameters are."""

    rest: str
    args: tuple[str, ...]
    kwargs: dict[str, Any]


class Converter(Protocol):
    """How a parameter looks in a path, and what it becomes.

    Attributes:
        regex: without groups that are kept, and without ``^`` and ``$``.
    """

    regex: str

    def to_python(self, value: str) -> Any:
        """The value of the parameter; ``ValueError`` if the path is none of this pattern."""


class _Str:
    regex = "[^/]+"

    def to_python(self, value: str) -> Any:
        return value


class _Int:
    regex = "[0-9]+"

    def to_python(self, value: str) -> Any:
        return int(value)


class _Slug(_Str):
    regex = "[-a-zA-Z0-9_]+"


class _UUID:
    regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

    def to_python(self, value: str) -> Any:
        return uuid.UUID(value)


class _Path(_Str):
    regex = ".+"


_OWN: dict[str, Converter] = {
    "str": _Str(),
    "int": _Int(),
    "slug": _Slug(),
    "uuid": _UUID(),
    "path": _Path(),
}
_registered: dict[str, Converter] = {}

_PARAMETER = re.compile(r"<(?:(?P<converter>[^>:]*):)?(?P<name>[^>]*)>")
_LEADING_SLASH = re.compile(r"(\^?)\\?/(?![?*+{])")


class PathPattern:
    """``rooms/<int:number>/``, compiled.

    Args:
        route: the pattern.
        is_endpoint: whether the path must end where the pattern does.
    """

    def __init__(self, route: str, is_endpoint: bool = True) -> None:
        self.route = route
        self.is_endpoint = is_endpoint
        self._converters: dict[str, Converter] = {}
        self.regex = re.compile(self._translated(route) + (r"\Z" if is_endpoint else ""))

    def match(self, path: str) -> Found | None:
        """What this finds at the beginning of ``path``, or ``None``."""
        found = self.regex.match(path)
        if found is None:
            return None
        try:
            kwargs = {
                name: self._converters[name].to_python(value)
                for name, value in found.groupdict().items()
            }
        except ValueError:
            return None
        return Found(path[found.end() :], (), kwargs)

    def _translated(self, route: str) -> str:
        if any(c.isspace() for one in _PARAMETER.finditer(route) for c in one[0]):
            raise ImproperlyConfigured(
                f"path({route!r}) has whitespace inside of <…>; write <int:number>"
            )
        text = route.lstrip("/")
        if text.startswith("^") or text.endswith("$") or "(?P<" in text:
            raise ImproperlyConfigured(
                f"path({route!r}) looks like a regular expression; that is re_path({route!r}, …)"
            )
        if set("<>") & set(_PARAMETER.sub("", text)):
            raise ImproperlyConfigured(
                f"path({route!r}) has a '<' or '>' alone; a parameter is written <int:number>"
            )
        parts, position = [], 0
        for one in _PARAMETER.finditer(text):
            parts += [re.escape(text[position : one.start()]), self._group(route, one)]
            position = one.end()
        return "".join(parts) + re.escape(text[position:])

    def _group(self, route: str, one: re.Match[str]) -> str:
        name = one["name"]
        if not (name.isidentifier() and name.isascii()):
            raise ImproperlyConfigured(
                f"path({route!r}) has the parameter {name!r}, which is no Python name"
            )
        if name in self._converters:
            raise ImproperlyConfigured(f"path({route!r}) has the parameter {name!r} twice")
        converter = _converter(route, "str" if one["converter"] is None else one["converter"])
        self._converters[name] = converter
        return f"(?P<{name}>{converter.regex})"

    def __str__(self) -> str:
        return self.route


class RegexPattern:
    r"""``^rooms/(?P<number>[0-9]+)/$``, compiled.

    Named groups become keyword arguments, those that took no part are left out; without any named
    one, the groups become positional arguments. With a ``$`` at its end it is the whole path that
    must match, otherwise a part of it, as ``re.search`` finds it.

    Args:
        regex: the pattern.
        is_endpoint: whether that ``$`` counts so.
    """

    def __init__(self, regex: str, is_endpoint: bool = True) -> None:
        self.route = regex
        self.is_endpoint = is_endpoint
        try:
            self.regex = re.compile(_unslashed(regex))
        except re.error as error:
            raise ImproperlyConfigured(
                f"re_path({regex!r}): {error}; a path with <int:number> is for path()"
            ) from error

    def match(self, path: str) -> Found | None:
        """What this finds in ``path``, or ``None``."""
        whole = self.is_endpoint and self.regex.pattern.endswith("$")
        found = self.regex.fullmatch(path) if whole else self.regex.search(path)
        if found is None:
            return None
        named = found.groupdict()
        kwargs = {name: value for name, value in named.items() if value is not None}
        return Found(path[found.end() :], () if named else found.groups(), kwargs)

    def __str__(self) -> str:
        return self.route


class URLPattern(NamedTuple):
    """A pattern, and what it leads to. `path` and `re_path` make it.

    Attributes:
        pattern: of paths.
        callback: an ASGI application, or a class of consumers.
        default_args: keyword arguments besides those in the path.
        name: for people; nothing is looked up by it.
    """

    pattern: PathPattern | RegexPattern
    callback: Any
    default_args: dict[str, Any]
    name: str | None

    def leading_on(self) -> "URLPattern":
        """This pattern, with another router behind it: the path may go on."""
        kind = type(self.pattern)
        return self._replace(pattern=kind(self.pattern.route, is_endpoint=False))


def path(
    route: str, view: Any, kwargs: Mapping[str, Any] | None = None, name: str | None = None
) -> URLPattern:
    """A path with parameters, and what it leads to.

    Args:
        route: ``rooms/<int:number>/``; converters are ``str`` (the default), ``int``, ``slug``,
            ``uuid``, ``path`` and those of `register_converter`.
        view: an ASGI application, a class of consumers, or its ``as_asgi()``.
        kwargs: keyword arguments that ``scope["url_route"]`` gets besides.
        name: for people.

    Raises:
        ImproperlyConfigured: a pattern or a view that cannot be used.
    """
    return _url("path", PathPattern, route, view, kwargs, name)


def re_path(
    route: str, view: Any, kwargs: Mapping[str, Any] | None = None, name: str | None = None
) -> URLPattern:
    """A path as a regular expression, and what it leads to. Arguments as of `path`."""
    return _url("re_path", RegexPattern, route, view, kwargs, name)


def register_converter(converter: type[Converter], type_name: str) -> None:
    """Make ``<type_name:parameter>`` known to `path`; a second one of a name takes its place.

    Args:
        converter: a class with ``regex`` and ``to_python(value)``.
        type_name: what it is called in a path.

    Raises:
        ImproperlyConfigured: a name that is Django's own, or a class that is no converter.
    """
    if type_name in _OWN:
        raise ImproperlyConfigured(
            f"the converter {type_name!r} is there already; choose another name"
        )
    if not isinstance(getattr(converter, "regex", None), str) or not callable(
        getattr(converter, "to_python", None)
    ):
        raise ImproperlyConfigured(
            f"a converter is a class with regex, a str, and to_python(value); not {converter!r}"
        )
    _registered[type_name] = converter()


def _url(
    what: str, kind: Any, route: Any, view: Any, kwargs: Mapping[str, Any] | None, name: str | None
) -> URLPattern:
    if not isinstance(route, str):
        raise ImproperlyConfigured(f"{what}() takes a str, not {shown(route)}")
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ImproperlyConfigured(f"kwargs of {what}({route!r}) is a dict, not {shown(kwargs)}")
    if not callable(view):
        raise ImproperlyConfigured(
            f"{what}({route!r}) leads to {shown(view)}; it takes an ASGI application or a class of "
            "consumers. For more paths behind this one nest a router: URLRouter([...])"
        )
    return URLPattern(kind(route), view, dict(kwargs or {}), name)


def _converter(route: str, name: str) -> Converter:
    known = _OWN | _registered
    if name not in known:
        near = near_match(name, known)
        raise ImproperlyConfigured(
            f"path({route!r}) has the converter {name!r}, which is not known; "
            + (f"did you mean {near!r}? " if near else "")
            + f"known are {', '.join(known)}"
        )
    return known[name]


def _unslashed(regex: str) -> str:
    """Without a slash at its beginning, which no path has when it is looked at."""
    found = _LEADING_SLASH.match(regex)
    return regex if found is None else found[1] + regex[found.end() :]
