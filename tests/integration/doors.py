"""Knocking at a real server: with a token, with a cookie, with nothing."""

import asyncio
import http.cookiejar
import json
import urllib.error
import urllib.request

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

PATIENCE = 15.0
#: Sockets of the running test, closed at its end.
OPEN = []


class Browser:
    """A logged-in browser: it has the login cookie, and no token any more."""

    def __init__(self, server) -> None:
        self.server = server
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.opener.open(f"{server.url}tree?token={server.token}", timeout=PATIENCE).read()

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)

    @property
    def xsrf(self) -> dict[str, str]:
        value = next(cookie.value for cookie in self.jar if cookie.name == "_xsrf")
        return {"X-XSRFToken": value}

    def post(self, path: str, headers: dict[str, str]) -> int:
        request = urllib.request.Request(
            f"{self.server.url}{path}", data=b"", headers=headers, method="POST"
        )
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code

    def ticket(self) -> str:
        request = urllib.request.Request(
            f"{self.server.url}nbchannels/api/ticket",
            data=b"",
            headers=self.xsrf,
            method="POST",
        )
        return json.loads(self.opener.open(request, timeout=PATIENCE).read())["ticket"]


async def upgrade(server, path="nbchannels/ws", **headers):
    """The open socket, or the HTTP status that refused it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HTTPRequest(server.url.replace("http", "ws", 1) + path, headers=names)
    try:
        socket = await websocket_connect(request, subprotocols=["nbchannels.v1"])
    except HTTPClientError as error:
        return error.code
    OPEN.append(socket)
    return socket


async def hear(socket):
    """The next control record; the close code if the socket was closed."""
    text = await asyncio.wait_for(socket.read_message(), PATIENCE)
    return socket.close_code if text is None else json.loads(text)


async def hello(socket, ticket=None, **more):
    """Say hello, and hear the answer."""
    said = {"op": "hello", "client": "page", "version": "1", "producer": "p", "ticket": ticket}
    await socket.write_message(json.dumps(said | more))
    return await hear(socket)


def rest(server, verb, path):
    """A request to Jupyter's own REST API, with the token."""
    request = urllib.request.Request(
        server.url + path,
        data=b"{}" if verb == "POST" else None,
        headers={"Authorization": f"token {server.token}"},
        method=verb,
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        text = answer.read()
    return json.loads(text) if text else None
