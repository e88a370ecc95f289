"""Another process with the class itself, as a Django site has it.

Run with the dotted path of the class and the address of Redis. It is in the group ``index`` and
receives from the channel ``to-site``: what it gets it writes, as JSON by line; what it reads there,
``{"send": [name, message]}`` or ``{"group_send": …}``, it sends. A message with a ``reply_channel``
is answered there.
"""

import asyncio
import importlib
import json
import sys
import threading


class Site:
    """The process, for tests: `say` and `hear`."""

    def __init__(self, process) -> None:
        self.process = process

    @classmethod
    async def start(cls, backend: str, url: str) -> "Site":
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, backend, url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        site = cls(process)
        assert await site.hear() == {"ready": True}
        return site

    async def say(self, **command) -> None:
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self):
        async with asyncio.timeout(30):
            line = await self.process.stdout.readline()
        assert line, "the site has ended"
        return json.loads(line)

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


def tell(what) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def listen(layer, channel, word) -> None:
    while True:
        message = await layer.receive(channel)
        if "reply_channel" in message:
            await layer.send(message["reply_channel"], {"answer": message["n"] ** 2})
        tell({word: message})


async def main(backend: str, url: str) -> None:
    module, _, name = backend.rpartition(".")
    layer = getattr(importlib.import_module(module), name)(hosts=[url])
    own = await layer.new_channel()
    await layer.group_add("index", own)
    tasks = [
        asyncio.create_task(listen(layer, own, "group")),
        asyncio.create_task(listen(layer, "to-site", "channel")),
    ]
    loop, lines = asyncio.get_running_loop(), asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    tell({"ready": True})
    while (line := await lines.get()) is not None:
        for method, arguments in json.loads(line).items():
            await getattr(layer, method)(*arguments)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
