"""The application of a server: from its import to its shutdown, with calls under way."""

import asyncio

import pytest

from nbchannels.server.asgi import mount as module
from nbchannels.server.asgi.exchanges import Exchange
from nbchannels.server.asgi.mount import Mount

pytestmark = pytest.mark.asyncio


class Call(Exchange):
    """A call that remembers what the mount does with it."""

    def __init__(self):
        super().__init__("GET /app/a")
        self.told = asyncio.Event()
        self.failed = None

    async def receive(self):
        await self.told.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        raise AssertionError("not here")

    @property
    def is_over(self):
        return self.failed is not None

    def fail(self, status, sentence):
        self.failed = status

    def leave(self):
        self.failed = 0

    def shut_down(self):
        self.told.set()


class Site:
    """An application with a lifespan."""

    def __init__(self):
        self.heard = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure = None

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            self.heard.append(scope["type"])
            await receive()
            return
        self.heard.append((await receive())["type"])
        await self.gate.wait()
        scope["state"]["pool"] = "p"
        if self.failure:
            await send({"type": "lifespan.startup.failed", "message": self.failure})
            return
        await send({"type": "lifespan.startup.complete"})
        self.heard.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


async def test_one_life():
    site = Site()
    mount = Mount(site)
    assert mount.state == {}
    mount.start()
    mount.start()
    assert await mount.ready() is None
    assert mount.state == {"pool": "p"}
    call = Call()
    mount.call(call, {"type": "http"})
    assert len(mount) == 1
    await asyncio.sleep(0)
    await mount.close()
    assert call.failed == 0
    assert len(mount) == 0
    assert site.heard == ["lifespan.startup", "http", "lifespan.shutdown"]
    assert await mount.ready() == "the server stops"
    await mount.close()


async def test_the_first_request_starts_it_too():
    site = Site()
    mount = Mount(site)
    assert await mount.ready() is None
    assert site.heard == ["lifespan.startup"]
    await mount.close()


async def test_requests_wait_for_the_startup(monkeypatch):
    site = Site()
    site.gate.clear()
    mount = Mount(site)
    waiting = asyncio.create_task(mount.ready())
    await asyncio.sleep(0)
    assert not waiting.done()
    site.gate.set()
    assert await waiting is None
    await mount.close()


async def test_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    site = Site()
    site.gate.clear()
    mount = Mount(site)
    assert "starting for more than 0.01 s; try again" in str(await mount.ready())
    async with asyncio.timeout(5):
        await mount.close()  # in the middle of its startup
    assert site.heard == ["lifespan.startup"]


async def test_a_startup_that_failed_is_told():
    site = Site()
    site.failure = "no database"
    mount = Mount(site)
    assert await mount.ready() == "the ASGI application failed to start: no database"
    await mount.close()


async def test_an_application_that_cannot_be_had(caplog):
    mount = Mount("nbsite_missing:application")
    mount.start()
    assert "there is no module 'nbsite_missing'" in str(await mount.ready())
    assert "nbchannels/app answers 503" in caplog.text
    await mount.close()


async def test_no_more_calls_than_the_limit():
    mount = Mount(Site(), limit=1)
    assert await mount.ready() is None
    mount.call(Call(), {"type": "http"})
    assert await mount.ready() == "1 requests and WebSockets, the limit; try again later"
    await mount.close()


async def test_who_does_not_end_is_cancelled(monkeypatch, caplog):
    monkeypatch.setattr(module, "GRACE", 0.01)
    monkeypatch.setattr(module, "LAST", 0.05)
    release = asyncio.Event()

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            raise ValueError("none")
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                if scope["type"] == "meek":
                    raise

    mount = Mount(application)
    assert await mount.ready() is None
    meek, stubborn = Call(), Call()
    mount.call(meek, {"type": "meek"})
    mount.call(stubborn, {"type": "stubborn"})
    await asyncio.sleep(0)
    await mount.close()
    assert (meek.failed, stubborn.failed) == (503, None)
    assert caplog.text.count("does not end, though it was cancelled") == 1
    (task,) = mount._calls
    release.set()
    await task
    assert len(mount) == 0
