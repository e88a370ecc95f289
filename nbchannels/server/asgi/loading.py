"""Where the application is: an object, or the dotted path of one."""

import importlib
import inspect
from types import ModuleType
from typing import Any

from nbchannels.exceptions import ChannelsError, shown
from nbchannels.names import near_match
from nbchannels.typing import ASGIApplication

__all__ = ["ApplicationNotLoaded", "load"]

TRAIT = "c.NbChannels.asgi_application"


class ApplicationNotLoaded(ChannelsError, ImportError):
    """The configured application cannot be had; the sentence names what failed."""

    code = "unavailable"


def load(source: Any) -> ASGIApplication:
    """The application that the configuration names.

    Args:
        source: ``"package.module:application"``, ``"package.module.application"``, or the
            application itself. Nothing is added to ``sys.path``: what is named has to be
            installed, or found through ``PYTHONPATH``.

    Raises:
        ApplicationNotLoaded: it names nothing, its module raised, or it is no ASGI 3 application.
    """
    if isinstance(source, str):
        module, colon, name = source.strip().partition(":")
        if not colon:
            module, _, name = module.rpartition(".")
        if not module or not name:
            raise ApplicationNotLoaded(
                f"{TRAIT} is {source!r}; it takes 'package.module:application'"
            )
        found: Any = _import(module, source)
        for part in name.split("."):
            found = _attribute(found, part, source)
    else:
        found = source
    return _checked(found, source)


def _import(module: str, source: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == module or module.startswith(f"{missing}."):
            raise ApplicationNotLoaded(
                f"{TRAIT} is {source!r}, and there is no module {missing!r}; install its package "
                "in the environment of the Jupyter server, or put its folder on PYTHONPATH"
            ) from None
        raise ApplicationNotLoaded(
            f"{TRAIT} is {source!r}, and {module} needs the module {missing!r}, which is not "
            "installed in the environment of the Jupyter server"
        ) from error
    except (Exception, SystemExit) as error:
        raise ApplicationNotLoaded(
            f"{TRAIT} is {source!r}, and importing {module} failed: {type(error).__name__}: {error}"
        ) from error


def _attribute(owner: Any, name: str, source: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        what = getattr(owner, "__name__", type(owner).__name__)
        near = near_match(name, dir(owner))
        raise ApplicationNotLoaded(
            f"{TRAIT} is {source!r}, and {what} has no {name!r}"
            + (f"; did you mean {near!r}?" if near else "")
        ) from None


def _checked(found: Any, source: Any) -> ASGIApplication:
    called = source if isinstance(source, str) else shown(source)
    if not callable(found):
        raise ApplicationNotLoaded(
            f"{TRAIT} is {called}, which is {shown(found)}; it has to be an ASGI application, "
            "called with scope, receive and send"
        )
    if inspect.isclass(found):
        made = f"{found.__name__}.as_asgi()" if hasattr(found, "as_asgi") else "an instance of it"
        raise ApplicationNotLoaded(
            f"{TRAIT} is {called}, which is a class and no application yet; name {made}"
        )
    try:
        inspect.signature(found).bind({}, None, None)
    except TypeError:
        raise ApplicationNotLoaded(
            f"{TRAIT} is {called}, which cannot be called with scope, receive and send: it is no "
            "ASGI 3 application. For WSGI there is asgiref.wsgi.WsgiToAsgi, for ASGI 2 "
            "asgiref.compatibility.guarantee_single_callable"
        ) from None
    except ValueError:  # it does not tell how it is called
        pass
    application: ASGIApplication = found
    return application
