"""Post this computer's CPU, memory and network readings to a group, once or a few times a second.

It runs outside of any kernel: it needs only the address of the Jupyter server and a token, and it
sends by plain HTTP, as any program or device could::

    python sensors.py --url http://127.0.0.1:8888/ --token ... --group sensors

From a notebook::

    import sensors
    station = sensors.start("sensors")   # a process of its own
    station.stop()

The readings are this computer's own, taken with psutil.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
from jupyter_server.serverapp import list_running_servers

__all__ = ["Station", "read", "start"]


class Station:
    """The running sensor process; ``stop`` ends it."""

    def __init__(self, process, group):
        self.process = process
        self.group = group

    def stop(self):
        """End the process and say how it ended."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        return self

    def __repr__(self):
        state = self.process.poll()
        if state is None:
            return f"<sensors post to group {self.group!r}, process {self.process.pid}>"
        return f"<sensors stopped, process {self.process.pid}>"


def start(group="sensors", every=0.25, url=None, token=None):
    """Start posting in a process of its own, and return a `Station`.

    Without ``url`` and ``token`` they are those of the Jupyter server that started this kernel.
    """
    if url is None:
        url, token = own_server()
    environment = os.environ | {"SENSORS_TOKEN": token or ""}
    command = [sys.executable, __file__, "--url", url, "--group", group, "--every", str(every)]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    time.sleep(0.6)  # long enough to see an address or a token that is refused
    if process.poll() is not None:
        raise RuntimeError("the sensors could not post; what they said is above")
    return Station(process, group)


def own_server():
    """Address and token of the Jupyter server that this kernel belongs to."""
    wanted = os.environ.get("NBCHANNELS_URL", "").rstrip("/")
    servers = list(list_running_servers())
    for server in servers:
        address = server["url"].rstrip("/")
        same_port = wanted and address.rpartition(":")[2] == wanted.rpartition(":")[2]
        if same_port or str(server["pid"]) == os.environ.get("JPY_PARENT_PID"):
            return (wanted or address) + "/", server["token"]
    raise RuntimeError(
        f"the Jupyter server of this kernel is not among the {len(servers)} running ones; "
        "give url= and token="
    )


def read(seconds):
    """Measure for ``seconds`` and return one reading."""
    before, start = psutil.net_io_counters(), time.monotonic()
    cpu = psutil.cpu_percent(interval=seconds)
    after, elapsed = psutil.net_io_counters(), time.monotonic() - start
    received = after.bytes_recv - before.bytes_recv if after and before else 0
    return {
        "cpu": cpu,
        "memory": psutil.virtual_memory().percent,
        "network": round(received / elapsed / 1024, 1),
    }


def post(url, token, group, message):
    """Send one message to a group by HTTP; the answer is the receipt."""
    request = urllib.request.Request(
        f"{url.rstrip('/')}/nbchannels/api/groups/{group}",
        data=json.dumps(message).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"token {token}"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def main():
    """Measure and post until stopped; a server that is away is tried again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="address of the Jupyter server")
    parser.add_argument("--token", default=os.environ.get("SENSORS_TOKEN", ""))
    parser.add_argument("--group", default="sensors")
    parser.add_argument("--every", type=float, default=0.25, metavar="SECONDS")
    options = parser.parse_args()
    parent = os.getppid()
    while os.getppid() == parent:  # ends with the kernel that started it
        reading = read(options.every)
        try:
            post(options.url, options.token, options.group, reading)
        except urllib.error.HTTPError as error:
            sys.exit(f"the server refused the reading: {error.code} {error.read(500).decode()}")
        except OSError as error:
            print(f"the server is away ({error}); trying again", file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    main()
