"""What else is refused by a real server, how soon, and what its log does not say."""

import asyncio
import json
import time
import urllib.error
import urllib.request

import pytest

from nbchannels.server.routes import ROUTES
from tests.integration.doors import Browser, hear, hello, rest, upgrade
from tests.integration.kernels import Patient, api
from tests.integration.test_doors import prove
from tests.kernel.conftest import RunningServer

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.integration,
    pytest.mark.usefixtures("close_sockets"),
]
LIFETIME = 2.0
CONFIG = f"""
import nbchannels.server.tickets
nbchannels.server.tickets.LIFETIME = {LIFETIME}
c.Application.log_level = "DEBUG"
import logging
for name in ("nbchannels", "tornado", "asyncio"):
    logging.getLogger(name).setLevel(logging.DEBUG)
"""


class TalkativeServer(RunningServer):
    """It logs everything, and its tickets are good for a short time."""

    def start(self, *, wait=True):
        with self.config.open("a") as config:
            config.write(CONFIG)
        super().start(wait=wait)


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    running = TalkativeServer(tmp_path_factory.mktemp("talkative"))
    yield running
    running.kill()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def knock(server, verb, path, **headers):
    """The HTTP status of a request without a token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b'{"y": 1}' if verb in ("POST", "PUT", "PATCH") else None
    request = urllib.request.Request(server.url + path, data=body, headers=sent, method=verb)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=15) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_no_route_lets_anyone_in_without_credentials(server, route):
    path = "nbchannels/" + route.path.replace("{name}", "index").replace("{path}", "manifest.json")
    secret = await asyncio.to_thread(Browser, server)
    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        for headers in ({}, {"Authorization": "token wrong"}, {"Cookie": "_xsrf=a; username=b"}):
            status = await asyncio.to_thread(knock, server, verb, path, **headers)
            assert status in (400, 403, 405) if "kernel" in path else status in (403, 405), verb
        # The login cookie alone changes nothing: what is not safe needs the XSRF token too.
        if verb not in ("GET", "HEAD") and "api" in path:
            status = await asyncio.to_thread(knock, server, verb, path, Cookie=secret.cookie)
            assert status in (403, 404, 405), verb


async def test_a_ticket_expires(talkative):
    browser = Browser(talkative)
    ticket = browser.ticket()
    socket = await upgrade(talkative, Cookie=browser.cookie)
    await asyncio.sleep(LIFETIME + 0.1)
    assert await hello(socket, ticket) == 4500


@pytest.fixture
def sender(talkative):
    """The id of a kernel that has sent a message."""
    kernel = Patient(talkative)
    code = "import nbchannels as nb; print(nb.Group('secret').send({'y': 'canary'}).offset)"
    assert kernel.run(code)[0] == "1\n"
    yield kernel.id
    kernel.end()


async def test_the_log_at_its_most_talkative_has_no_secret(talkative, sender):
    browser = Browser(talkative)
    key = json.loads((talkative.runtime / f"kernel-{sender}.json").read_text())["key"]
    tickets = [browser.ticket() for _ in range(2)]
    for ticket in (tickets[0], tickets[0], tickets[1] + "x", tickets[1]):
        socket = await upgrade(talkative, Cookie=browser.cookie)
        if isinstance(await hello(socket, ticket), dict):
            await socket.write_message("{")  # its end is told in the log
            assert await hear(socket) == 4501
    await upgrade(talkative, Authorization=f"token {talkative.token}", Origin="http://evil.example")
    with_token = await upgrade(talkative, Authorization=f"token {talkative.token}")
    await hello(with_token, client="script")
    _, answer, _ = await prove(talkative, sender, b"wrong")
    assert answer == 4500
    log = (talkative.folder / "log").read_text()
    assert "[D " in log
    assert "nbchannels/kernel" in log
    for secret in (*tickets, key, talkative.token, "canary"):
        assert secret not in log


async def test_a_kernel_that_is_gone_is_closed_within_2_seconds(server):
    kernel = rest(server, "POST", "api/kernels")["id"]
    key = json.loads((server.runtime / f"kernel-{kernel}.json").read_text())["key"].encode()
    socket, answer, _ = await prove(server, kernel, key)
    assert isinstance(answer, dict)
    assert (await hello(socket, client="kernel"))["op"] == "welcome"
    waiting = await upgrade(server, "nbchannels/kernel")  # challenged before, proves after
    challenge = await hear(waiting)
    ended = asyncio.ensure_future(hear(socket))
    await asyncio.to_thread(rest, server, "DELETE", f"api/kernels/{kernel}")
    began = time.monotonic()
    assert await ended == 4506
    assert time.monotonic() - began < 10
    _, answer, _ = await prove(server, kernel, key)
    assert answer == 4500
    proof = {"op": "proof", "kernel": kernel, "nonce": challenge["nonce"], "mac": "0" * 64}
    await waiting.write_message(json.dumps(proof))
    assert await hear(waiting) == 4500
    assert f"kernel:{kernel}" not in str(api(server, "clients"))
