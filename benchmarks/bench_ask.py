"""A question from one kernel to another and back, beside a bare relay, in one run.

``ask`` goes kernel → server → other kernel → server → kernel; the consumer is a plain function
with ``reply=True``. The peer is as bare as it can be: a tornado WebSocket server that relays JSON
between two clients of tornado, one of which echoes, on their own event loops, without threads,
queues, acknowledgements or leases. Both are asked in turn, in several passes, one question at a
time.

Goal: a median of at most 2 ms on an idle machine.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from jupyter_client.blocking import BlockingKernelClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

QUESTIONS, PASSES = 500, 3
TOKEN = secrets.token_hex(8)

CONSUMER = """
%load_ext nbchannels
import nbchannels as nb

@nb.consume("square", reply=True)
def square(message):
    return {"y": message["x"] ** 2}
"""

ASKER = """
import json, time
import nbchannels as nb

channel = nb.Channel("square")
for x in range(50):
    channel.ask({"x": x})
taken = []
for x in range(%d):
    begun = time.perf_counter()
    answer = channel.ask({"x": x})
    taken.append(time.perf_counter() - begun)
    assert answer["y"] == x * x
print(json.dumps(taken))
"""


# The server with two kernels.


class Server:
    """A Jupyter server with the extension."""

    def __init__(self, folder):
        self.folder = folder
        self.sockets = bind_sockets(0, "127.0.0.1")
        port = self.sockets[0].getsockname()[1]
        for socket in self.sockets:
            socket.close()
        self.url = f"http://127.0.0.1:{port}/"
        self.environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root",
                    f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}",
                    f"--ServerApp.root_dir={folder}",
                ],
                env=self.environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        for _ in range(200):
            with contextlib.suppress(OSError):
                if self.ask("GET", "nbchannels/api/status"):
                    return
            time.sleep(0.1)
        raise RuntimeError((folder / "log").read_text()[:3000])

    def ask(self, verb, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def kernel(self):
        found = self.ask("POST", "api/kernels", {})["id"]
        client = BlockingKernelClient()
        client.load_connection_file(str(self.folder / "runtime" / f"kernel-{found}.json"))
        client.start_channels(hb=False)  # one that is slow would be taken for dead
        client.wait_for_ready(60)
        return client

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def run(kernel, code):
    """Run a cell; what it printed."""
    printed = []

    def take(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            printed.append(content["text"])
        elif message["msg_type"] == "error":
            raise RuntimeError("\n".join(content["traceback"]))

    kernel.execute_interactive(code, timeout=120, output_hook=take)
    return "".join(printed)


# The bare relay.


class Relay(WebSocketHandler):
    """Hands each text to the other one of two clients."""

    ends = {}

    def open(self, name):
        self.ends[name] = self
        self.set_nodelay(True)

    def on_message(self, message):
        self.ends["echo" if self is self.ends.get("ask") else "ask"].write_message(message)


def relay(ready):
    """The process of the relay."""

    async def main():
        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(Application([(r"/(ask|echo)", Relay)])).add_sockets(sockets)
        ready.send(sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


def echo(port, ready):
    """The process that answers."""

    async def main():
        socket = await websocket_connect(f"ws://127.0.0.1:{port}/echo")
        ready.send(True)
        while (text := await socket.read_message()) is not None:
            question = json.loads(text)
            await socket.write_message(json.dumps({"y": question["x"] ** 2}))

    asyncio.run(main())


def ask_relay(port):
    """Ask over the relay; the seconds that each question took."""

    async def main():
        socket = await websocket_connect(f"ws://127.0.0.1:{port}/ask")
        taken = []
        for x in range(50 + QUESTIONS):
            begun = time.perf_counter()
            await socket.write_message(json.dumps({"x": x}))
            json.loads(await socket.read_message())
            taken.append(time.perf_counter() - begun)
        socket.close()
        return taken[50:]

    return asyncio.run(main())


def told(name, taken):
    """A line of figures."""
    taken = sorted(taken)
    print(
        f"{name:<14} median {statistics.median(taken) * 1e3:6.2f} ms   "
        f"p90 {taken[int(len(taken) * 0.9)] * 1e3:6.2f} ms   "
        f"p99 {taken[int(len(taken) * 0.99)] * 1e3:6.2f} ms"
    )
    return statistics.median(taken)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    relaying = context.Process(target=relay, args=(there,), daemon=True)
    relaying.start()
    port = here.recv()
    echoing = context.Process(target=echo, args=(port, there), daemon=True)
    echoing.start()
    here.recv()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            answering, asking = server.kernel(), server.kernel()
            run(answering, CONSUMER)
            run(asking, "%load_ext nbchannels")
            ours, bare = [], []
            for _ in range(PASSES):
                ours += json.loads(run(asking, ASKER % QUESTIONS))
                bare += ask_relay(port)
            for client in (answering, asking):
                client.stop_channels()
        finally:
            server.end()
            echoing.terminate()
            relaying.terminate()
    print(f"{PASSES} x {QUESTIONS} questions, one at a time; load {os.getloadavg()[0]:.1f}")
    median, bare_median = told("ask", ours), told("bare relay", bare)
    print(f"ask / bare relay: {median / bare_median:.2f}   (goal: a median of 2 ms when idle)")


if __name__ == "__main__":
    main()
