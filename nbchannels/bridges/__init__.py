"""The short ways from a program to a group: what an analyst calls from a loop."""

from nbchannels.bridges.alerts import alert as alert
from nbchannels.bridges.binding import bind as bind
from nbchannels.bridges.callbacks import Callback as Callback
from nbchannels.bridges.logs import flush as flush
from nbchannels.bridges.logs import log as log
from nbchannels.bridges.notices import anotify as anotify
from nbchannels.bridges.notices import notify as notify
from nbchannels.bridges.progress import track as track
from nbchannels.bridges.records import GroupHandler as GroupHandler

__all__ = [
    "Callback",
    "GroupHandler",
    "alert",
    "anotify",
    "bind",
    "flush",
    "log",
    "notify",
    "track",
]
