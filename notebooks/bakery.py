"""A small Django site with Channels, as its author would write it: a bakery and its oven.

``POST /orders`` tells everybody of an order and gives it to the oven; ``/ws/orders`` is the
WebSocket on which a browser sees all that happens. Started by the notebook on sharing channels:
``python -m uvicorn bakery:application`` is the web server, ``python bakery.py`` the worker.
"""

import json
import os
import sys

from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    SECRET_KEY="only for this notebook",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["channels"],
    ROOT_URLCONF=__name__,
    ASGI_APPLICATION=f"{__name__}.application",
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ["BAKERY_REDIS_URL"]]},
        }
    },
)


@csrf_exempt
def orders(request):
    """Everybody is told of an order, and the oven gets it."""
    if request.method != "POST":
        return JsonResponse({"orders": "are taken by POST"})
    order = json.loads(request.body)
    layer = get_channel_layer()
    async_to_sync(layer.group_send)("orders", {"type": "order.placed", **order})
    async_to_sync(layer.send)("oven", {"type": "bake", **order})
    return JsonResponse({"placed": order})


urlpatterns = [path("orders", orders)]


class Counter(AsyncJsonWebsocketConsumer):
    """What a browser at the counter sees."""

    groups = ["orders"]

    async def order_placed(self, event):
        await self.send_json(event)

    async def order_baked(self, event):
        await self.send_json(event)


class Oven(SyncConsumer):
    """The site's worker."""

    def bake(self, message):
        done = {"type": "order.baked", "loaves": message["loaves"], "by": "the site's oven"}
        async_to_sync(self.channel_layer.group_send)("orders", done)


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws/orders", Counter.as_asgi())]),
        "channel": ChannelNameRouter({"oven": Oven.as_asgi()}),
    }
)

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "runworker", "oven"])
