"""The other side of `peer`: one layer of channels_redis, told what to do by lines of JSON.

usage: python -m tests.redis.peer_process core|pubsub REDIS_URL PREFIX [CONFIG_AS_JSON]

A line is ``{"id": …, "do": method, "arguments": [...], "timeout": seconds or null}``; the answer is
``{"id": …, "result": …}`` or ``{"id": …, "error": class, "text": …}``. Several may be under way.
"""

import asyncio
import base64
import json
import sys

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

LAYERS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}
METHODS = {"send", "receive", "new_channel", "group_add", "group_discard", "group_send", "flush"}
BYTES = "$bytes"


def to_json(value):
    """Bytes as ``{"$bytes": base64}``; all else must be JSON."""
    if isinstance(value, dict):
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if isinstance(value, bytes):
        return {BYTES: base64.b64encode(value).decode()}
    return value


def from_json(value):
    """What `to_json` made of it."""
    if isinstance(value, dict):
        if set(value) == {BYTES}:
            return base64.b64decode(value[BYTES])
        return {key: from_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [from_json(each) for each in value]
    return value


async def answer(layer, request):
    """Do it; say what came of it."""
    told = {"id": request["id"]}
    try:
        if request["do"] not in METHODS:
            raise ValueError(f"{request['do']!r} is none of {', '.join(sorted(METHODS))}")
        doing = getattr(layer, request["do"])(*from_json(request["arguments"]))
        told["result"] = to_json(await asyncio.wait_for(doing, request["timeout"]))
    except Exception as error:
        told |= {"error": type(error).__name__, "text": str(error)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def main(kind, url, prefix, configuration="{}"):
    layer = LAYERS[kind](hosts=[url], prefix=prefix, **json.loads(configuration))
    loop = asyncio.get_running_loop()
    tasks = set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = loop.create_task(answer(layer, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    for task in tasks:
        task.cancel()
    if hasattr(layer, "close_pools"):
        await layer.close_pools()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
