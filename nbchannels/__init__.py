"""Realtime channels for Jupyter.

A message sent from a cell, a script or a webhook shows up live in every notebook that watches::

    import nbchannels as nb

    nb.LivePlot("index")
    nb.Group("index").send({"value": 1.5})

Everything here is loaded when it is first used.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchannels.bridge import async_to_sync as async_to_sync
    from nbchannels.bridges.alerts import alert as alert
    from nbchannels.bridges.binding import bind as bind
    from nbchannels.bridges.callbacks import Callback as Callback
    from nbchannels.bridges.logs import flush as flush
    from nbchannels.bridges.logs import log as log
    from nbchannels.bridges.notices import anotify as anotify
    from nbchannels.bridges.notices import notify as notify
    from nbchannels.bridges.progress import track as track
    from nbchannels.bridges.records import GroupHandler as GroupHandler
    from nbchannels.channel import Channel as Channel
    from nbchannels.channel import Group as Group
    from nbchannels.consuming import consume as consume
    from nbchannels.consuming import unconsume as unconsume
    from nbchannels.exceptions import ChannelClosed as ChannelClosed
    from nbchannels.exceptions import ChannelFull as ChannelFull
    from nbchannels.exceptions import ChannelsError as ChannelsError
    from nbchannels.exceptions import ConsumeLater as ConsumeLater
    from nbchannels.exceptions import ConsumerFailed as ConsumerFailed
    from nbchannels.exceptions import DeliveryUnknown as DeliveryUnknown
    from nbchannels.exceptions import EncodingError as EncodingError
    from nbchannels.exceptions import ImproperlyConfigured as ImproperlyConfigured
    from nbchannels.exceptions import InvalidChannelLayerError as InvalidChannelLayerError
    from nbchannels.exceptions import InvalidMessage as InvalidMessage
    from nbchannels.exceptions import InvalidName as InvalidName
    from nbchannels.exceptions import LayerUnavailable as LayerUnavailable
    from nbchannels.exceptions import MessageTooLarge as MessageTooLarge
    from nbchannels.exceptions import NoConsumer as NoConsumer
    from nbchannels.exceptions import NotFound as NotFound
    from nbchannels.exceptions import PermissionDenied as PermissionDenied
    from nbchannels.exceptions import RecordingError as RecordingError
    from nbchannels.exceptions import SendTimeout as SendTimeout
    from nbchannels.exceptions import ServerNotFound as ServerNotFound
    from nbchannels.exceptions import WouldDeadlock as WouldDeadlock
    from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER as DEFAULT_CHANNEL_LAYER
    from nbchannels.layers.manager import channel_layers as channel_layers
    from nbchannels.layers.manager import get_channel_layer as get_channel_layer
    from nbchannels.message import Message as Message
    from nbchannels.receipt import Receipt as Receipt
    from nbchannels.recording.reader import Recording as Recording
    from nbchannels.recording.recorder import arecord as arecord
    from nbchannels.recording.recorder import record as record
    from nbchannels.recording.replaying import areplay as areplay
    from nbchannels.recording.replaying import replay as replay
    from nbchannels.routes import include as include
    from nbchannels.routes import route as route
    from nbchannels.routes import route_class as route_class
    from nbchannels.widgets.log import LiveLog as LiveLog
    from nbchannels.widgets.plot import LivePlot as LivePlot
    from nbchannels.widgets.table import LiveTable as LiveTable
    from nbchannels.widgets.value import LiveValue as LiveValue

_EXPORTS = {
    "nbchannels.bridge": ("async_to_sync",),
    "nbchannels.bridges.alerts": ("alert",),
    "nbchannels.bridges.binding": ("bind",),
    "nbchannels.bridges.callbacks": ("Callback",),
    "nbchannels.bridges.logs": ("flush", "log"),
    "nbchannels.bridges.notices": ("anotify", "notify"),
    "nbchannels.bridges.progress": ("track",),
    "nbchannels.bridges.records": ("GroupHandler",),
    "nbchannels.channel": ("Channel", "Group"),
    "nbchannels.consuming": ("consume", "unconsume"),
    "nbchannels.exceptions": (
        "ChannelClosed",
        "ChannelFull",
        "ChannelsError",
        "ConsumeLater",
        "ConsumerFailed",
        "DeliveryUnknown",
        "EncodingError",
        "ImproperlyConfigured",
        "InvalidChannelLayerError",
        "InvalidMessage",
        "InvalidName",
        "LayerUnavailable",
        "MessageTooLarge",
        "NoConsumer",
        "NotFound",
        "PermissionDenied",
        "RecordingError",
        "SendTimeout",
        "ServerNotFound",
        "WouldDeadlock",
    ),
    "nbchannels.layers.manager": ("DEFAULT_CHANNEL_LAYER", "channel_layers", "get_channel_layer"),
    "nbchannels.message": ("Message",),
    "nbchannels.receipt": ("Receipt",),
    "nbchannels.recording.reader": ("Recording",),
    "nbchannels.recording.recorder": ("arecord", "record"),
    "nbchannels.recording.replaying": ("areplay", "replay"),
    "nbchannels.routes": ("include", "route", "route_class"),
    "nbchannels.widgets.log": ("LiveLog",),
    "nbchannels.widgets.plot": ("LivePlot",),
    "nbchannels.widgets.table": ("LiveTable",),
    "nbchannels.widgets.value": ("LiveValue",),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]

try:
    __version__ = importlib.metadata.version("nbchannels")
except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from nbchannels.server.extension import NbChannels

    return [{"module": "nbchannels", "app": NbChannels}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "nbchannels"}]


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext nbchannels``."""
    importlib.import_module("nbchannels.magics.extension").load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext nbchannels``."""
    importlib.import_module("nbchannels.magics.extension").unload(ipython)
