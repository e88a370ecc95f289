"""A call of the application: its errors are told, in the log and to the client."""

import asyncio
import logging

import pytest

from nbchannels.exceptions import NoRoute
from nbchannels.server.asgi.exchanges import Exchange
from nbchannels.server.asgi.responses import ClientDisconnected

pytestmark = pytest.mark.asyncio


class Recorded(Exchange):
    over = False

    def __init__(self):
        super().__init__("GET /app/a")
        self.failed = None
        self.left = False

    async def receive(self):
        return {"type": "http.request"}

    async def send(self, message):
        self.over = True

    @property
    def is_over(self):
        return self.over

    def fail(self, status, sentence):
        self.failed = (status, sentence)

    def leave(self):
        self.left = True

    def shut_down(self):
        raise AssertionError("not here")


async def call(application, over=False):
    found = Recorded()
    found.over = over
    await found.run(application, {"type": "http"})
    return found


def raising(error):
    async def application(scope, receive, send):
        raise error

    return application


async def test_it_is_called_with_all_three():
    async def application(scope, receive, send):
        assert scope == {"type": "http"}
        assert await receive() == {"type": "http.request"}
        await send({})

    found = await call(application)
    assert (found.left, found.failed, found.over) == (True, None, True)


@pytest.mark.parametrize("error", [RuntimeError("canary"), SystemExit("canary")])
async def test_an_error_is_in_the_log_and_not_in_the_answer(error, caplog):
    found = await call(raising(error))
    assert found.failed is not None
    status, sentence = found.failed
    assert status == 500
    assert "canary" not in sentence
    assert "GET /app/a: the ASGI application raised" in caplog.text
    assert "canary" in caplog.text
    assert "Traceback" in caplog.text
    assert not found.left


@pytest.mark.parametrize(
    "error",
    [
        ValueError("No route found for path 'a'."),
        ValueError("No application configured for scope type 'websocket'"),
        NoRoute("nothing. Tried: ''", path="a"),
    ],
)
async def test_no_route_is_not_found(error, caplog):
    found = await call(raising(error))
    assert found.failed == (404, "the application has nothing at this address")
    assert f"GET /app/a: {error}" in caplog.text
    assert "Traceback" not in caplog.text


async def test_only_of_a_router_and_only_before_an_answer(caplog):
    assert (await call(raising(KeyError("No route found")))).failed[0] == 500
    assert (await call(raising(ValueError("No route found")), over=True)).failed[0] == 500
    assert caplog.text.count("Traceback") == 2


def caused():
    try:
        try:
            raise ClientDisconnected("gone")
        except OSError as error:
            raise RuntimeError("a framework's own") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        ClientDisconnected("gone"),
        caused(),
        ExceptionGroup("tasks", [ClientDisconnected("gone"), caused()]),
    ],
)
async def test_the_clients_going_is_no_error(error, caplog):
    caplog.set_level(logging.INFO, "nbchannels")
    await call(raising(error))
    assert caplog.text == ""


async def test_but_what_comes_with_it_is(caplog):
    await call(raising(ExceptionGroup("tasks", [ClientDisconnected("gone"), ValueError("bug")])))
    assert "bug" in caplog.text


async def test_an_error_whose_causes_run_in_a_circle(caplog):
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert (await call(raising(one))).failed[0] == 500
    assert "one" in caplog.text


async def test_a_cancellation_passes_through(caplog):
    begun = asyncio.Event()

    async def application(scope, receive, send):
        begun.set()
        await asyncio.Event().wait()

    found = Recorded()
    task = asyncio.create_task(found.run(application, {}))
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert found.failed == (503, "the server stops")
    assert "cancelled, the server stops" in caplog.text


async def test_a_cancellation_of_its_own_is_an_error(caplog):
    found = await call(raising(asyncio.CancelledError()))
    assert found.failed[0] == 500
    assert "the ASGI application raised" in caplog.text
