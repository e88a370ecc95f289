"""A worker in a process of its own: it leases jobs, says what it did, settles.

usage: python -m tests.redis.worker_process URL PREFIX CHANNEL

The first line it writes is its name in Redis; then one per job: producer, number, whether it is
marked as redelivered.
"""

import asyncio
import sys

from nbchannels.layers.redis.layer import RedisChannelLayer


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(url, prefix, channel):
    layer = RedisChannelLayer([url], prefix=prefix)
    say(layer.backbone.name)
    while True:
        lease = await layer.lease(channel)
        # First done, then said: who is killed between has done it twice, and that is what is told.
        message = lease.message
        say(message["producer"], message["number"], int(lease.redelivered))
        await layer.settle(lease)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
