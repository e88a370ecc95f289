"""A site as its author would write it for uvicorn: Starlette, and beside it ASGI without manners.

It runs inside a Jupyter server, and under uvicorn for comparison: see test_asgi.py.
"""

import asyncio
import contextlib
import hashlib
import logging
import os

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute

log = logging.getLogger("site")
#: What happened, for the test to read.
EVENTS = []
#: Held by endpoints that wait, opened by /open.
GATES = {}


def gate(name):
    return GATES.setdefault(name, asyncio.Event())


def told(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [told(each) for each in value]
    if isinstance(value, dict):
        return {key: told(each) for key, each in value.items()}
    return value if isinstance(value, (str, int, type(None))) else type(value).__name__


def plain(scope):
    """The scope without what only frameworks put into it."""
    added = ("app", "router", "starlette.exception_handlers", "endpoint", "path_params", "route")
    return {key: told(value) for key, value in scope.items() if key not in added}


async def scope(request):
    return JSONResponse(plain(request.scope))


async def events(request):
    return JSONResponse(EVENTS)


async def open_gate(request):
    gate(request.path_params["name"]).set()
    return PlainTextResponse("open")


async def hello(request):
    return PlainTextResponse(f"hello {request.query_params.get('name', 'world')}")


async def page(request):
    return HTMLResponse(
        "<title>page</title>", headers={"Content-Security-Policy": "default-src 'none'"}
    )


async def upload(request):
    digest, parts, size = hashlib.sha256(), 0, 0
    async for chunk in request.stream():
        digest.update(chunk)
        size += len(chunk)
        parts += bool(chunk)
    return JSONResponse({"size": size, "parts": parts, "sha256": digest.hexdigest()})


async def form(request):
    return JSONResponse({"body": (await request.body()).decode()})


async def cookies(request):
    answer = JSONResponse(dict(request.cookies))
    answer.set_cookie("one", "1", path="/a")
    answer.set_cookie("two", "2", httponly=True)
    answer.headers.append("X-Many", "a")
    answer.headers.append("X-Many", "b")
    return answer


async def numbers(request):
    async def lines():
        for n in range(5):
            yield f"{n}\n"
            await gate("numbers").wait() if n == 1 else None

    return StreamingResponse(lines(), media_type="text/plain")


async def ticks(request):
    async def lines():
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)
        finally:
            EVENTS.append("ticks ended")

    return StreamingResponse(lines(), media_type="text/event-stream")


async def empty(request):
    return Response(status_code=int(request.path_params["status"]), headers={"ETag": '"x"'})


async def after(request):
    return PlainTextResponse("now", background=BackgroundTask(EVENTS.append, "after"))


async def broken(request):
    raise RuntimeError("canary-of-a-traceback")


async def broken_late(request):
    async def lines():
        yield b"beginning"
        await asyncio.sleep(0)
        raise RuntimeError("canary-of-a-late-traceback")

    return StreamingResponse(lines())


async def echo(websocket):
    await websocket.accept(subprotocol=(websocket.scope["subprotocols"] or [None])[0])
    async for message in websocket.iter_text():
        await websocket.send_text(f"echo {message}")


async def socket_scope(websocket):
    await websocket.accept(headers=[(b"X-Accepted", b"yes"), (b"Set-Cookie", b"ws=1")])
    await websocket.send_json(plain(websocket.scope))
    await websocket.close(3001, "enough")


async def denied(websocket):
    if websocket.path_params["how"] == "close":
        await websocket.close()
    else:
        await websocket.send_denial_response(PlainTextResponse("pay first", status_code=402))


async def raw(scope, receive, send):
    """What frameworks keep their users from."""
    name = scope["path"].rpartition("/")[2]
    if name == "silent":
        return
    if name == "unread":  # a body that nobody reads
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"too large"})
    elif name == "listener":
        while (message := await receive())["type"] != "http.disconnect":
            EVENTS.append(f"listener got {len(message['body'])}")
        EVENTS.append("listener disconnected")
    elif name == "short":
        headers = [(b"content-length", b"10")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"12345"})
    elif name == "flood":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sent = 0
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                sent += 1
                EVENTS[:] = [e for e in EVENTS if not str(e).startswith("flood ")]
                EVENTS.append(f"flood {sent}")
        except OSError as error:
            EVENTS.append(f"flooded {type(error).__name__}")
    elif name == "slow":  # takes one part of the body, and then waits
        message = await receive()
        EVENTS.append(f"slow took {len(message['body'])}")
        await gate("slow").wait()
        size = len(message["body"])
        while message.get("more_body"):
            message = await receive()
            size += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})
    elif name == "exit":
        raise SystemExit("the application wants to leave")
    elif name == "noroute":
        raise ValueError(f"No route found for path {scope['path']!r}.")
    elif name == "holding":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"held", "more_body": True})
        await asyncio.Event().wait()


async def rude(websocket):
    """A WebSocket by hand."""
    scope, receive, send = websocket.scope, websocket.receive, websocket.send
    receive, send = websocket._receive, websocket._send
    name = scope["path"].rpartition("/")[2]
    assert (await receive())["type"] == "websocket.connect"
    if name == "silent":
        return
    if name == "raises":
        raise RuntimeError("canary-before-the-handshake")
    if name == "waits":
        EVENTS.append("waits")
        EVENTS.append(f"waits {(await receive())['type']}")
        return
    await send({"type": "websocket.accept"})
    if name == "fails":
        raise RuntimeError("canary-in-a-socket")
    if name == "events":
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message.get("bytes") or b"text"})
        EVENTS.append({key: message.get(key) for key in ("type", "code", "reason")})
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError as error:
            EVENTS.append(f"late: {type(error).__name__}")
    if name == "deaf":
        EVENTS.append("deaf")
        await gate("deaf").wait()
        total = 0
        while (message := await receive())["type"] == "websocket.receive":
            total += len(message["bytes"])
            await send({"type": "websocket.send", "text": str(total)})
    if name == "flood":
        sent = 0
        try:
            while True:
                await send({"type": "websocket.send", "bytes": b"x" * 65536})
                sent += 1
                EVENTS[:] = [e for e in EVENTS if not str(e).startswith("socket flood ")]
                EVENTS.append(f"socket flood {sent}")
        except OSError as error:
            EVENTS.append(f"socket flooded {type(error).__name__}")
    if name == "leaves":
        return


@contextlib.asynccontextmanager
async def lifespan(app):
    log.warning("site: startup")
    yield {"began": "yes"}
    log.warning("site: shutdown")


application = Starlette(
    lifespan=lifespan if os.environ.get("SITE_LIFESPAN", "1") == "1" else None,
    routes=[
        Route("/scope/{rest:path}", scope),
        Route("/events", events),
        Route("/open/{name}", open_gate),
        Route("/hello", hello),
        Route("/page", page),
        Route("/upload", upload, methods=["POST", "PUT"]),
        Route("/form", form, methods=["POST", "PUT", "PATCH", "DELETE"]),
        Route("/cookies", cookies),
        Route("/numbers", numbers),
        Route("/ticks", ticks),
        Route("/empty/{status}", empty),
        Route("/after", after),
        Route("/broken", broken),
        Route("/broken_late", broken_late),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/scope_of_socket/{rest:path}", socket_scope),
        WebSocketRoute("/denied/{how}", denied),
        WebSocketRoute("/rude/{name}", rude),
        Mount("/raw", app=raw),
    ],
)
