"""``/health``; ``POST /orders`` tells everybody; ``POST /packing/<n>`` gives the worker work."""

import json

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tests.redis.site.consumers import ORDERS


def health(request):
    return HttpResponse("well")


@csrf_exempt
@require_POST
def orders(request):
    # A sync view, as most are, and the line that Channels' documentation has for it.
    message = {"type": "order", "order": json.loads(request.body)}
    async_to_sync(get_channel_layer().group_send)(ORDERS, message)
    return JsonResponse({"sent": True})


@csrf_exempt
@require_POST
def packing(request, number):
    async_to_sync(get_channel_layer().send)("site.packing", {"type": "pack", "number": number})
    return JsonResponse({"sent": True})


urlpatterns = [
    path("health", health),
    path("orders", orders),
    path("packing/<int:number>", packing),
]
