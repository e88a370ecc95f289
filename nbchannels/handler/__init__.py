"""HTTP requests that came as messages, answered by a tornado ``Application``.

``channels.handler`` of Channels 1.x, with tornado in Django's place.
"""

from nbchannels.handler.application import AsgiHandler, ViewConsumer, configure
from nbchannels.handler.request import AsgiRequest
from nbchannels.handler.response import Response

__all__ = ["AsgiHandler", "AsgiRequest", "Response", "ViewConsumer", "configure"]
