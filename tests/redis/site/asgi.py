"""The site as an ASGI application."""

import os

from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.redis.site.settings")
http = get_asgi_application()

from tests.redis.site.consumers import Orders, Packing  # noqa: E402  Django is set up first

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter([path("ws/orders", Orders.as_asgi())]),
        "channel": ChannelNameRouter({"site.packing": Packing.as_asgi()}),
    }
)
