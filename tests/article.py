"""A site written for Django Channels, imports changed and nothing else.

The chart of an article on Channels 2, the consumers of the tutorial's chat, and three views that
send the article's line: a consumer, a plain WSGI view, a tornado handler.
"""

import json
import random
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from tornado import web

from nbchannels import async_to_sync
from nbchannels.auth import AuthMiddlewareStack
from nbchannels.generic.http import AsyncHttpConsumer
from nbchannels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from nbchannels.layers import get_channel_layer
from nbchannels.routing import ProtocolTypeRouter, URLRouter, path, re_path
from nbchannels.security.websocket import AllowedHostsOriginValidator

# --- the article ---


class IndexConsumer(AsyncJsonWebsocketConsumer):
    """As the article has it, with the coroutine that it returns and does not await."""

    async def connect(self):
        await self.accept()
        await self.channel_layer.group_add("index", self.channel_name)

    async def disconnect(self, code):
        await self.channel_layer.group_discard("index", self.channel_name)
        print(f"removed {self.channel_name}")  # noqa: T201

    async def websocket_receive(self, message):
        return super().websocket_receive(message)

    async def websocket_ingest(self, event):
        await self.send_json(event)


class Echoing(IndexConsumer):
    """Shows that frames get through its ``websocket_receive``."""

    async def receive_json(self, content):
        await self.send_json({"echo": content})


class SyncIndexConsumer(JsonWebsocketConsumer):
    """The version that the article's author gave up."""

    def connect(self):
        self.accept()
        async_to_sync(self.channel_layer.group_add)("index", self.channel_name)

    def disconnect(self, code):
        async_to_sync(self.channel_layer.group_discard)("index", self.channel_name)

    def receive_json(self, content):
        self.send_json({"echo": content})

    def websocket_ingest(self, event):
        self.send_json(event)


def random_data():
    return [random.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) for i in range(7)]


def post():
    """What the article's view does."""
    channel_layer = get_channel_layer()
    text = random_data()
    async_to_sync(channel_layer.group_send)("index", {"type": "websocket.ingest", "text": text})
    return text


class IngestView(AsyncHttpConsumer):
    """The view as a consumer: the line runs on the thread of a running loop."""

    async def handle(self, body):
        await self.send_response(200, json.dumps(post()).encode())


def ingest_view(environ, start_response):
    """The view as a synchronous framework calls it."""
    body = json.dumps(post()).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


class IngestHandler(web.RequestHandler):
    """The view as a handler of the Jupyter server."""

    def check_xsrf_cookie(self):
        """The test has no page."""

    def post(self):
        self.write({"text": post()})


# --- the tutorial's chat ---


class ChatConsumer(WebsocketConsumer):
    """Everybody in a room sees what one of them writes."""

    def connect(self):
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        async_to_sync(self.channel_layer.group_add)(self.room_group_name, self.channel_name)
        self.accept()

    def disconnect(self, close_code):
        async_to_sync(self.channel_layer.group_discard)(self.room_group_name, self.channel_name)

    def receive(self, text_data):
        message = json.loads(text_data)["message"]
        async_to_sync(self.channel_layer.group_send)(
            self.room_group_name, {"type": "chat.message", "message": message}
        )

    def chat_message(self, event):
        self.send(text_data=json.dumps({"message": event["message"]}))


class AsyncChatConsumer(AsyncWebsocketConsumer):
    """The same, as coroutines."""

    async def connect(self):
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data):
        message = json.loads(text_data)["message"]
        await self.channel_layer.group_send(
            self.room_group_name, {"type": "chat.message", "message": message}
        )

    async def chat_message(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))


# --- the applications ---

# As in the article, with the class itself in the route; and its view.
article = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [path("ingest/", IngestView), path("wsgi/ingest/", WsgiToAsgi(ingest_view))]
        ),
        "websocket": AuthMiddlewareStack(URLRouter([path("index/", IndexConsumer)])),
    }
)

websocket_urlpatterns = [
    re_path(r"ws/chat/(?P<room_name>\w+)/$", ChatConsumer.as_asgi()),
    re_path(r"ws/async_chat/(?P<room_name>\w+)/$", AsyncChatConsumer.as_asgi()),
]

# As in the tutorial, with its middleware; and the other versions of the article's consumer.
chat = ProtocolTypeRouter(
    {
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        *websocket_urlpatterns,
                        path("sync/index/", SyncIndexConsumer.as_asgi()),
                        path("echo/index/", Echoing),
                    ]
                )
            )
        ),
    }
)


def _load_jupyter_server_extension(serverapp: Any) -> None:
    """The tornado handler comes into the Jupyter server as an extension's does."""
    base = serverapp.web_app.settings["base_url"]
    serverapp.web_app.add_handlers(".*", [(f"{base}site/ingest", IngestHandler)])
