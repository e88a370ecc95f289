"""The configured application: found, or a sentence that says what is wrong."""

import sys
from pathlib import Path

import pytest

from nbchannels.server.asgi.loading import ApplicationNotLoaded, load


async def application(scope, receive, send):
    """The simplest one."""


class Consumer:
    """A class as Channels' consumers are: an application is made of it."""

    nested = application

    def __init__(self, scope):
        pass

    @classmethod
    def as_asgi(cls):
        return application


class Instance:
    async def __call__(self, scope, receive, send):
        """An application too."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder on ``sys.path`` with the modules of a site."""

    def write(name: str, text: str) -> None:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield write
    for name in set(sys.modules) - before:
        if name.startswith("nbsite"):
            del sys.modules[name]


@pytest.mark.parametrize("source", ["nbsite.asgi:application", "nbsite.asgi.application"])
def test_both_ways_to_write_a_path(site, source: str):
    site("nbsite.asgi", "async def application(scope, receive, send): ...")
    assert load(source).__name__ == "application"


def test_a_name_inside_of_an_object(site):
    site("nbsite", "class Holder:\n    @staticmethod\n    async def app(s, r, t): ...")
    assert load(" nbsite:Holder.app ").__qualname__ == "Holder.app"


def test_the_object_itself():
    made = Instance()
    assert load(application) is application
    assert load(made) is made


def test_no_module_no_name():
    for source in ("application", ":application", "module:", "  "):
        with pytest.raises(ApplicationNotLoaded, match="it takes 'package.module:application'"):
            load(source)


def test_a_module_that_is_not_there(site):
    with pytest.raises(ApplicationNotLoaded, match="there is no module 'nbsite_missing'"):
        load("nbsite_missing.asgi:application")
    site("nbsite.__init__", "")
    with pytest.raises(ApplicationNotLoaded, match=r"there is no module 'nbsite\.agsi'; install"):
        load("nbsite.agsi:application")


def test_a_module_that_needs_another(site):
    site("nbsite", "import nbsite_needed")
    with pytest.raises(ApplicationNotLoaded, match="nbsite needs the module 'nbsite_needed'"):
        load("nbsite:application")


@pytest.mark.parametrize(
    ("text", "said"),
    [("1/0", "ZeroDivisionError: division by zero"), ("raise SystemExit(3)", "SystemExit: 3")],
)
def test_a_module_that_raises(site, text: str, said: str):
    site("nbsite", text)
    with pytest.raises(ApplicationNotLoaded, match=f"importing nbsite failed: {said}") as caught:
        load("nbsite:application")
    assert caught.value.__cause__ is not None


def test_a_name_that_is_not_there(site):
    site("nbsite", "async def application(scope, receive, send): ...")
    with pytest.raises(ApplicationNotLoaded, match="has no 'aplication'; did you mean 'applicat"):
        load("nbsite:aplication")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (3, "has to be an ASGI application"),
        (Consumer, r"name Consumer\.as_asgi\(\)"),
        (Instance, "name an instance of it"),
        (lambda environ, start_response: [], "asgiref.wsgi.WsgiToAsgi"),
        (lambda scope: None, "guarantee_single_callable"),
    ],
)
def test_what_is_no_application(wrong: object, said: str):
    with pytest.raises(ApplicationNotLoaded, match=said) as caught:
        load(wrong)
    assert caught.value.code == "unavailable"


def test_what_does_not_tell_how_it_is_called():
    class Silent:
        __signature__ = "none"

        async def __call__(self, *anything):
            pass

    made = Silent()
    with pytest.raises(ApplicationNotLoaded):
        load(made)
