"""The short ways from a program to a group: what an analyst calls from a loop."""

from nbchannels.bridges.logs import flush as flush
from nbchannels.bridges.logs import log as log

__all__ = ["flush", "log"]
