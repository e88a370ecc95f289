"""Startup and shutdown, with applications that do it well, and others."""

import asyncio
import logging

import pytest

from nbchannels.server.asgi import lifespan as module
from nbchannels.server.asgi.lifespan import Lifespan

pytestmark = pytest.mark.asyncio


def following(*answers, log=None):
    """An application that answers each message with the next of these."""

    async def application(scope, receive, send):
        assert scope["type"] == "lifespan"
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        for answer in answers:
            message = await receive()
            if log is not None:
                log.append(message["type"])
            scope["state"]["seen"] = message["type"]
            await send(answer)

    return application


COMPLETE = ({"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"})


async def test_start_and_stop():
    heard = []
    found = Lifespan(following(*COMPLETE, log=heard))
    await found.start()
    assert (heard, found.problem) == (["lifespan.startup"], None)
    assert found.state == {"seen": "lifespan.startup"}
    await found.stop()
    assert heard == ["lifespan.startup", "lifespan.shutdown"]
    await found.stop()  # once is enough


async def test_stop_without_a_start():
    found = Lifespan(following(*COMPLETE))
    await found.stop()
    assert found.state == {}


async def test_an_application_without_a_lifespan(caplog):
    async def application(scope, receive, send):
        raise ValueError("No application configured for scope type 'lifespan'")

    caplog.set_level(logging.INFO, "nbchannels")
    found = Lifespan(application)
    await found.start()
    assert found.problem is None
    assert "has no lifespan (ValueError: No application configured" in caplog.text
    assert all(record.levelno == logging.INFO for record in caplog.records)
    await found.stop()


async def test_a_startup_that_fails(caplog):
    said = {"type": "lifespan.startup.failed", "message": "Traceback …\nno database\n"}

    async def application(scope, receive, send):
        await receive()
        await send(said)
        raise RuntimeError("as Starlette does")

    found = Lifespan(application)
    await found.start()
    assert found.problem == "the ASGI application failed to start: no database"
    assert "failed in its startup: Traceback" in caplog.text
    await found.stop()
    assert "as Starlette does" not in caplog.text


async def test_a_failure_without_a_word():
    found = Lifespan(following({"type": "lifespan.startup.failed"}))
    await found.start()
    assert "the server's log may say why" in str(found.problem)
    await found.stop()


async def test_a_startup_that_only_raises(caplog):
    async def application(scope, receive, send):
        await receive()
        raise RuntimeError("no database")

    found = Lifespan(application)
    await found.start()
    assert found.problem is None  # as the specification wants it
    assert "without lifespan.startup.failed" in caplog.text
    assert "no database" in caplog.text
    await found.stop()


async def test_a_shutdown_that_fails(caplog):
    failed = {"type": "lifespan.shutdown.failed", "message": "still writing"}
    found = Lifespan(following(COMPLETE[0], failed))
    await found.start()
    await found.stop()
    assert "failed in its shutdown: still writing" in caplog.text


async def test_a_shutdown_that_does_not_end(caplog, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    cancelled = asyncio.Event()

    async def application(scope, receive, send):
        await receive()
        await send(COMPLETE[0])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    found = Lifespan(application)
    await found.start()
    await found.stop()
    assert cancelled.is_set()
    assert "did not shut down in 0.05 s" in caplog.text


async def test_a_startup_that_is_interrupted():
    async def application(scope, receive, send):
        await asyncio.Event().wait()

    found = Lifespan(application)
    starting = asyncio.create_task(found.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait({starting})
    async with asyncio.timeout(5):
        await found.stop()
    assert starting.cancelled()


async def test_a_lifespan_that_ends_by_an_error(caplog):
    async def application(scope, receive, send):
        await receive()
        await send(COMPLETE[0])
        raise SystemExit("the watcher died")

    found = Lifespan(application)
    await found.start()
    await found.stop()
    assert "ended by an error" in caplog.text
    assert "the watcher died" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "lifespan.shutdown.complete"},
        {"type": "http.response.start"},
        {"type": "lifespan.startup.done"},
    ],
)
async def test_messages_out_of_their_place(wrong, caplog):
    found = Lifespan(following(wrong))
    await found.start()
    await found.stop()
    assert "RuntimeError" in caplog.text


async def test_twice_is_wrong(caplog):
    async def application(scope, receive, send):
        await receive()
        await send(COMPLETE[0])
        with pytest.raises(RuntimeError, match="cannot be sent now"):
            await send(COMPLETE[0])
        await receive()
        await send(COMPLETE[1])

    found = Lifespan(application)
    await found.start()
    await found.stop()
    assert caplog.text == ""
