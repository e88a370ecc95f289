"""Which layers there are: configured by alias as in Django, made when they are asked for.

Whoever hosts a layer says so: the server's extension calls `ChannelLayerManager.set`. Where nothing
was said, the environment variable ``NBCHANNELS_CHANNEL_LAYERS`` says it; else, in a kernel or a
script, ``default`` is the layer of the server.
"""

import importlib
import inspect
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from nbchannels.exceptions import ChannelsError, InvalidChannelLayerError
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.configuration import from_environment, from_file
from nbchannels.layers.specification import METHODS, has_specification
from nbchannels.names import near_match

__all__ = ["DEFAULT_CHANNEL_LAYER", "ChannelLayerManager", "channel_layers", "get_channel_layer"]

#: The alias that counts where none is named.
DEFAULT_CHANNEL_LAYER = "default"
#: What an alias may say.
OPTIONS = ("BACKEND", "CONFIG", "TEST_CONFIG", "ROUTING")

#: In a kernel and in a script the default layer is the server's.
UNCONFIGURED: dict[str, dict[str, Any]] = {
    DEFAULT_CHANNEL_LAYER: {"BACKEND": "nbchannels.kernel.layer.KernelChannelLayer"}
}
#: What looks after the layers of a notebook's kernel; reached by its name only.
NOTEBOOK = "nbchannels.kernel.notebook"


class ChannelLayerManager:
    """The layers of this process, by alias. Thread-safe.

    ::

        channel_layers.configure(
            {"default": {"BACKEND": "nbchannels.layers.memory.InMemoryChannelLayer", "CONFIG": {}}}
        )
        channel_layers["default"]

    Attributes:
        backends: the layers made so far.
    """

    def __init__(self) -> None:
        self.backends: dict[str, BaseChannelLayer] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()

    def configure(self, configs: Mapping[str, Mapping[str, Any]]) -> None:
        """Say which layers there are; all that was said or made before is forgotten.

        A layer that was made and is in use goes on; closing it is its user's business.

        Args:
            configs: what Django's ``CHANNEL_LAYERS`` takes: by alias ``{"BACKEND": dotted path,
                "CONFIG": {…}, "TEST_CONFIG": {…}, "ROUTING": routing}``; a routing as Channels
                1.x has it: a dotted path, or a list or dict of routes.

        Raises:
            InvalidChannelLayerError: it names what cannot be used; nothing was changed.
        """
        checked = {alias: self._checked(alias, config) for alias, config in configs.items()}
        with self._lock:
            self._configs = checked
            self.backends.clear()

    def configure_from_file(self, path: str | os.PathLike[str]) -> None:
        """Say which layers there are with a TOML file; see `nbchannels.layers.configuration`.

        Raises:
            InvalidChannelLayerError: it names the file and what cannot be used; nothing was
                changed.
        """
        self.configure(from_file(path))

    def add(self, alias: str, config: Mapping[str, Any]) -> None:
        """Say what one alias more means; the others stay as they are, with the layers made.

        Args:
            alias: a new one.
            config: see `configure`.

        Raises:
            InvalidChannelLayerError: the alias is in use, or it names what cannot be used; nothing
                was changed.
        """
        checked = self._checked(alias, config)
        with self._lock:
            if alias in self:
                raise InvalidChannelLayerError(
                    f"channel layer {alias!r} is there already; take another alias, or say all of "
                    "them anew with configure({…})"
                )
            self._configs = self.configs | {alias: checked}

    @property
    def configs(self) -> dict[str, dict[str, Any]]:
        """What is configured by alias; unconfigured, what ``default`` means in this process.

        Raises:
            InvalidChannelLayerError: ``NBCHANNELS_CHANNEL_LAYERS`` counts, and cannot be used.
        """
        if self._configs:
            return dict(self._configs)
        said = from_environment()
        if said is None:
            return dict(UNCONFIGURED)
        return {alias: self._checked(alias, config) for alias, config in said.items()}

    def make_backend(self, alias: str) -> BaseChannelLayer:
        """A new layer as configured under ``alias``, kept by nobody."""
        return self._make(alias, self._config(alias).get("CONFIG") or {})

    def make_test_backend(self, alias: str) -> BaseChannelLayer:
        """A new layer of the backend of ``alias`` with its ``TEST_CONFIG``."""
        config = self._config(alias)
        if "TEST_CONFIG" not in config:
            raise InvalidChannelLayerError(
                f"channel layer {alias!r} has no TEST_CONFIG; "
                f'configure({{{alias!r}: {{"BACKEND": …, "TEST_CONFIG": {{…}}}}}})'
            )
        return self._make(alias, config["TEST_CONFIG"] or {})

    def set(self, alias: str, layer: BaseChannelLayer | None) -> BaseChannelLayer | None:
        """Put ``layer`` under ``alias`` (``None``: make it anew when asked); return the old one."""
        with self._lock:
            old = self.backends.pop(alias, None)
            if layer is not None:
                self.backends[alias] = self._named(layer, alias)
            return old

    def __getitem__(self, alias: str) -> BaseChannelLayer:
        layer = self.backends.get(alias)
        if layer is None:
            with self._lock:
                layer = self.backends.get(alias)
                if layer is None:
                    layer = self.backends[alias] = self.make_backend(alias)
        return layer

    def __contains__(self, alias: object) -> bool:
        return alias in self.backends or alias in self.configs

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.configs | self.backends))

    def __repr__(self) -> str:
        return f"<channel layers {', '.join(self)}>"

    # How a layer is made.

    def _config(self, alias: str) -> dict[str, Any]:
        configs = self.configs
        if alias not in configs:
            known = sorted(self)
            near = near_match(str(alias), known)
            raise InvalidChannelLayerError(
                f"channel layer {alias!r} is not configured; there "
                f"{'is' if len(known) == 1 else 'are'} {', '.join(map(repr, known))}"
                + (f": did you mean {near!r}?" if near else "")
            )
        return configs[alias]

    @staticmethod
    def _checked(alias: str, config: Any) -> dict[str, Any]:
        if not isinstance(config, Mapping):
            raise InvalidChannelLayerError(
                f"channel layer {alias!r} is configured with a {type(config).__name__}; "
                'it takes a dict: {"BACKEND": dotted path, "CONFIG": {…}}'
            )
        for option in config:
            if option not in OPTIONS:
                raise InvalidChannelLayerError(
                    f"channel layer {alias!r} has the option {option!r}, which is not known; "
                    f"known are {', '.join(OPTIONS)}"
                )
        backend = config.get("BACKEND")
        if not isinstance(backend, (str, type)):
            raise InvalidChannelLayerError(
                f"channel layer {alias!r} names no BACKEND; it takes the dotted path of a class, "
                "such as 'nbchannels.layers.memory.InMemoryChannelLayer'"
            )
        for option in ("CONFIG", "TEST_CONFIG"):
            if not isinstance(config.get(option) or {}, Mapping):
                raise InvalidChannelLayerError(
                    f"{option} of channel layer {alias!r} is a "
                    f"{type(config[option]).__name__}; it takes a dict of the backend's options"
                )
        routing = config.get("ROUTING")
        if not (routing is None or isinstance(routing, (str, list, tuple, Mapping))):
            raise InvalidChannelLayerError(
                f"ROUTING of channel layer {alias!r} is of type {type(routing).__name__}; it "
                "takes the dotted path of a routing, a list of route(…), or a dict by channel"
            )
        return dict(config)

    def _make(self, alias: str, options: Mapping[str, Any]) -> BaseChannelLayer:
        config = self._config(alias)
        backend = self._class(alias, config["BACKEND"])
        self._check_options(alias, backend, options)
        try:
            layer: Any = backend(**options)
        except (ChannelsError, ImportError):
            raise
        except (AttributeError, TypeError, ValueError) as error:
            raise InvalidChannelLayerError(
                f"channel layer {alias!r}: {backend.__name__} does not take its CONFIG: {error}"
            ) from error
        if not isinstance(layer, BaseChannelLayer):
            layer = _adopted(alias, layer)
        layer.routing = config.get("ROUTING")
        return self._named(layer, alias)

    @staticmethod
    def _named(layer: BaseChannelLayer, alias: str) -> BaseChannelLayer:
        layer.alias = alias
        if _is_notebook():
            importlib.import_module(NOTEBOOK).begin(layer)
        return layer

    @staticmethod
    def _class(alias: str, backend: Any) -> Any:
        if isinstance(backend, type):
            return backend
        module, _, name = backend.rpartition(".")
        if not module:
            raise InvalidChannelLayerError(
                f"BACKEND {backend!r} of channel layer {alias!r} is no dotted path; "
                "write package.module.Class"
            )
        try:
            found = importlib.import_module(module)
        except ImportError as error:
            raise InvalidChannelLayerError(
                f"BACKEND {backend!r} of channel layer {alias!r} cannot be imported: {error}; "
                "is its package installed in this environment?"
            ) from error
        try:
            return getattr(found, name)
        except AttributeError:
            near = near_match(name, dir(found))
            raise InvalidChannelLayerError(
                f"BACKEND {backend!r} of channel layer {alias!r}: module {module!r} has no {name!r}"
                + (f"; did you mean {near!r}?" if near else "")
            ) from None

    @staticmethod
    def _check_options(alias: str, backend: Any, options: Mapping[str, Any]) -> None:
        try:
            parameters = inspect.signature(backend).parameters.values()
        except (TypeError, ValueError):  # a class that does not tell
            return
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return
        known = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
        for option in options:
            if option not in known:
                near = near_match(str(option), known)
                raise InvalidChannelLayerError(
                    f"channel layer {alias!r} has the option {option!r}, which "
                    f"{backend.__name__} does not take; "
                    + (f"did you mean {near!r}? " if near else "")
                    + f"it takes {', '.join(known)}"
                )


def _adopted(alias: str, layer: Any) -> BaseChannelLayer:
    """An object of a class that is none of ours: what it has to have is Channels' specification."""
    if not has_specification(layer):
        raise InvalidChannelLayerError(
            f"channel layer {alias!r}: {type(layer).__name__} is no subclass of "
            "nbchannels.layers.base.BaseChannelLayer, and has not all of Channels' specification: "
            f"{', '.join(METHODS)}"
        )
    module = importlib.import_module("nbchannels.layers.foreign")  # seldom used, and large
    adopted: BaseChannelLayer = module.ForeignChannelLayer(layer)
    return adopted


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


#: The layers of this process.
channel_layers = ChannelLayerManager()


def get_channel_layer(alias: str = DEFAULT_CHANNEL_LAYER) -> BaseChannelLayer:
    """The layer of this alias; never ``None``.

    Raises:
        InvalidChannelLayerError: an unknown alias (the sentence names the known ones), or a
            configuration that cannot be used.
    """
    return channel_layers[alias]
