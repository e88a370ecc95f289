"""Opening the WebSocket: our subprotocol, our credentials, and errors one can tell apart."""

import asyncio
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from tornado.websocket import websocket_connect

from nbchannels.kernel import sockets
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.sockets import open_socket
from tests.kernel.conftest import RunningServer, free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.asyncio]


async def test_a_script_comes_in_with_its_token(server: RunningServer) -> None:
    socket = await open_socket(server.found())
    assert socket.selected_subprotocol == "nbchannels.v1"
    socket.close()
    assert await socket.read_message() is None


async def test_a_wrong_token_is_an_http_error(server: RunningServer) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await open_socket(Found(server.url, "wrong"))
    assert caught.value.code == 403


async def test_nobody_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="refused"):
        await open_socket(Found(f"http://127.0.0.1:{free_port()}/", "token"))


async def test_one_that_nobody_waits_for_any_more_is_closed(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def connect(*args: Any, **options: Any) -> Any:
        opened.append(websocket_connect(*args, **options))
        return opened[0]

    monkeypatch.setattr(sockets, "websocket_connect", connect)
    opening = asyncio.ensure_future(open_socket(server.found()))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    socket = await opened[0]
    await asyncio.sleep(0)
    assert socket.protocol is None
    assert await socket.read_message() is None
