"""Requests as messages."""

from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message


def request(path="/", method="GET", layer=None, **content):
    """A message of ``http.request``, as a server makes it."""
    told = {
        "reply_channel": "http.response.a!b",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "root_path": "/base/nbchannels/http",
        "query_string": b"",
        "headers": [[b"host", b"localhost:8888"]],
        "body": b"",
        "body_channel": None,
        "client": ["10.0.0.1", 4711],
        "server": ["localhost", 8888],
    }
    layer = layer or InMemoryChannelLayer()
    return Message(told | content, "http.request", layer)
