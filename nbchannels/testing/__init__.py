"""For tests: the conformance suite of layers, and the communicators."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchannels.testing.application import ApplicationCommunicator as ApplicationCommunicator
    from nbchannels.testing.http import HttpCommunicator as HttpCommunicator
    from nbchannels.testing.websocket import WebsocketCommunicator as WebsocketCommunicator

_HOME = {
    "ApplicationCommunicator": "nbchannels.testing.application",
    "HttpCommunicator": "nbchannels.testing.http",
    "WebsocketCommunicator": "nbchannels.testing.websocket",
}

__all__ = ["ApplicationCommunicator", "HttpCommunicator", "WebsocketCommunicator"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
