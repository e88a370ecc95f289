"""What the site does with WebSockets, and what its worker does in the background."""

from channels.consumer import AsyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer

ORDERS = "site.orders"


class Orders(AsyncJsonWebsocketConsumer):
    """Everybody who is connected sees every order; what one writes goes to all."""

    async def connect(self):
        await self.channel_layer.group_add(ORDERS, self.channel_name)
        await self.accept()
        await self.send_json({"channel": self.channel_name})

    async def receive_json(self, content):
        await self.channel_layer.group_send(ORDERS, {"type": "order", "order": content})

    async def order(self, event):
        await self.send_json(event["order"])

    async def disconnect(self, code):
        await self.channel_layer.group_discard(ORDERS, self.channel_name)


class Packing(AsyncConsumer):
    """The work of the channel ``site.packing``; everybody is told when it is done."""

    async def pack(self, message):
        done = {"packed": message["number"]}
        await self.channel_layer.group_send(ORDERS, {"type": "order", "order": done})
