"""Who is let in, and with which code the others are refused."""

import asyncio
import json

import pytest

from nbchannels.protocol.proof import kernel_mac, new_nonce, server_mac
from tests.integration.doors import Browser, hear, hello, rest, upgrade

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.integration,
    pytest.mark.usefixtures("close_sockets"),
]
KERNEL = "nbchannels/kernel"
#: Where pages connect: to the gateway, and to consumers.
PAGES = ("nbchannels/ws", "nbchannels/http/chat")


@pytest.mark.parametrize("path", PAGES)
async def test_without_credentials_no_socket(server, path):
    assert await upgrade(server, path) == 403
    assert await upgrade(server, path, Authorization="token wrong") == 403


async def test_a_token_needs_no_ticket(server):
    socket = await upgrade(server, Authorization=f"token {server.token}")
    assert (await hello(socket))["op"] == "welcome"
    socket.close()


async def test_a_cookie_needs_a_ticket_and_each_serves_once(server):
    browser = Browser(server)
    for ticket in (None, "", "made-up"):
        socket = await upgrade(server, Cookie=browser.cookie)
        assert await hello(socket, ticket) == 4500
    ticket = browser.ticket()
    socket = await upgrade(server, Cookie=browser.cookie)
    assert (await hello(socket, ticket))["op"] == "welcome"
    again = await upgrade(server, Cookie=browser.cookie)
    assert await hello(again, ticket) == 4500
    socket.close()


async def test_a_ticket_of_another_user_is_none(server):
    mine, theirs = Browser(server), Browser(server)
    socket = await upgrade(server, Cookie=mine.cookie)
    assert await hello(socket, theirs.ticket()) == 4500


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1.evil.example"]
)
async def test_a_foreign_origin_is_refused_with_cookie_and_with_token(server, origin, path):
    browser = Browser(server)
    assert await upgrade(server, path, Cookie=browser.cookie, Origin=origin) == 403
    token = f"token {server.token}"
    assert await upgrade(server, path, Authorization=token, Origin=origin) == 403
    for site in ("same-origin", "none", "cross-site"):
        code = await upgrade(server, path, Authorization=token, Origin=origin, Sec_Fetch_Site=site)
        assert code == 403


async def test_a_consumer_nobody_serves_is_told_to_those_who_may_come_in(server):
    token = f"token {server.token}"
    own = f"http://127.0.0.1:{server.port}"
    assert await upgrade(server, PAGES[1], Authorization=token, Origin=own) == 503


@pytest.mark.parametrize("headers", [{}, {"X-XSRFToken": "made-up"}])
async def test_a_cookie_alone_changes_nothing(server, headers):
    """An unsafe request to a consumer needs the XSRF token that only a page of ours can read."""
    browser = Browser(server)
    assert await asyncio.to_thread(browser.post, "nbchannels/http/x", headers) == 403
    assert await asyncio.to_thread(browser.post, "nbchannels/http/x", browser.xsrf) == 503


async def test_the_own_origin_is_let_in(server):
    socket = await upgrade(
        server, Authorization=f"token {server.token}", Origin=f"http://127.0.0.1:{server.port}"
    )
    assert (await hello(socket))["op"] == "welcome"
    socket.close()


async def test_no_hello_and_a_first_record_that_is_none(server):
    token = f"token {server.token}"
    silent = await upgrade(server, Authorization=token)
    rude = await upgrade(server, Authorization=token)
    await rude.write_message('{"op": "heartbeat"}')
    assert await hear(rude) == 4502
    assert await hear(silent) == 4502


@pytest.mark.parametrize(
    ("message", "code"),
    [("{", 4501), ("[]", 4501), (b"", 4501), (b"x" * 100, 4501), ('{"op":"hello"}', 4501)],
)
async def test_bad_frames(server, message, code):
    socket = await upgrade(server, Authorization=f"token {server.token}")
    await hello(socket)
    await socket.write_message(message, binary=isinstance(message, bytes))
    assert await hear(socket) == code


async def prove(server, kernel_id, key, **headers):
    """Go through the kernel's door with this key; the answer, and whether the proof was right."""
    socket = await upgrade(server, KERNEL, **headers)
    challenge = await hear(socket)
    words = (challenge["server"], kernel_id, challenge["nonce"], new_nonce())
    proof = {"op": "proof", "kernel": kernel_id, "nonce": words[3], "mac": kernel_mac(key, *words)}
    await socket.write_message(json.dumps(proof))
    answer = await hear(socket)
    return socket, answer, server_mac(key, *words)


async def test_the_door_for_kernels(server):
    kernel_id = rest(server, "POST", "api/kernels")["id"]
    file = server.runtime / f"kernel-{kernel_id}.json"
    try:
        key = json.loads(file.read_text())["key"].encode()
        # A browser always says where it is from.
        assert await upgrade(server, KERNEL, Origin=f"http://127.0.0.1:{server.port}") == 403
        for name, wrong in ((kernel_id, b"wrong"), ("unknown", key)):
            _, answer, _ = await prove(server, name, wrong)
            assert answer == 4500
        silent = await upgrade(server, KERNEL)
        await hear(silent)
        early = await upgrade(server, KERNEL)
        await hear(early)
        assert await hello(early, client="kernel") == 4500
        socket, answer, expected = await prove(server, kernel_id, key)
        assert answer == {"op": "proof", "mac": expected}
        assert (await hello(socket, client="kernel"))["op"] == "welcome"
        assert await hear(silent) == 4500
    finally:
        await asyncio.to_thread(rest, server, "DELETE", f"api/kernels/{kernel_id}")
    # The kernel is gone: so is its connection, and its key opens nothing any more.
    assert await asyncio.wait_for(hear(socket), 5) == 4506
    _, answer, _ = await prove(server, kernel_id, key)
    assert answer == 4500


async def test_no_ticket_and_no_token_in_the_log(server):
    browser = Browser(server)
    ticket = browser.ticket()
    socket = await upgrade(server, Cookie=browser.cookie)
    await hello(socket, ticket)
    socket.close()
    log = (server.folder / "log").read_text()
    assert ticket not in log
    assert server.token not in log
