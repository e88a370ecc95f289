"""Sessions: kept between requests, bounded, nobody else's, and never lost without a word."""

import json
import logging
from types import SimpleNamespace

import pytest
from asgiref.testing import ApplicationCommunicator

from nbchannels.cookies import CookieMiddleware
from nbchannels.exceptions import (
    ImproperlyConfigured,
    InvalidMessage,
    MessageTooLarge,
    NotFound,
)
from nbchannels.sessions import (
    COOKIE_NAME,
    Session,
    SessionMiddleware,
    SessionMiddlewareStack,
    SessionStore,
)

pytestmark = pytest.mark.asyncio


@pytest.fixture
def store():
    return SessionStore()


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class Browser:
    """Keeps the cookie of a session, and opens connections with it."""

    def __init__(self, store, **scope):
        self.store = store
        self.cookie = None
        self.said = []
        self.scope = {"type": "http", "path": "/x", "scheme": "http"} | scope

    async def get(self, application, **scope):
        """Run the application on one connection; return the events it sent."""
        headers = [(b"cookie", f"{COOKIE_NAME}={self.cookie}".encode())] if self.cookie else []
        stack = CookieMiddleware(SessionMiddleware(application, self.store))
        whole = self.scope | {"headers": headers} | scope
        communicator = ApplicationCommunicator(stack, whole)
        try:
            await communicator.wait()
        finally:
            events = []
            while not communicator.output_queue.empty():
                events.append(communicator.output_queue.get_nowait())
            for event in events:
                for name, value in event.get("headers", ()):
                    self.learn(name, value.decode())
        return events

    def learn(self, name, value):
        assert name == b"set-cookie"
        parts = value.split("; ")
        key, _, content = parts[0].partition("=")
        assert key == COOKIE_NAME
        self.said = parts[1:]
        self.cookie = None if "Max-Age=0" in parts else content


@pytest.fixture
def browser(store):
    return Browser(store)


def page(change=lambda session: None, status=200, after=None, event="http.response.start"):
    """An application that does something to the session, and answers."""

    async def application(scope, receive, send):
        change(scope["session"])
        start = {"type": event} | ({"status": status} if event.startswith("http") else {})
        await send(start)
        if after is not None:
            after(scope["session"])

    return application


def put(**values):
    return lambda session: session.update(values)


def seen(into):
    return lambda session: into.append(dict(session))


class TestMiddleware:
    async def test_what_is_put_in_is_there_the_next_time(self, browser):
        found = []
        await browser.get(page(put(a=1)))
        await browser.get(page(seen(found)))
        assert found == [{"a": 1}]

    async def test_the_cookie(self, browser):
        await browser.get(page(put(a=1)))
        assert "HttpOnly" in browser.said
        assert "SameSite=lax" in browser.said
        assert "Path=/" in browser.said
        assert "Max-Age=1209600" in browser.said
        assert "Secure" not in browser.said
        assert len(browser.cookie) >= 32

    async def test_the_cookie_over_tls_and_below_a_mount(self, store):
        browser = Browser(store, scheme="wss", root_path="/a@b c;/app")
        await browser.get(page(put(a=1)))
        assert "Secure" in browser.said
        assert "Path=/a%40b%20c%3B/app" in browser.said

    async def test_a_page_that_only_looks_gets_no_cookie(self, browser, store):
        (event,) = await browser.get(page(lambda session: session.get("a")))
        assert "headers" not in event
        assert len(store) == 0

    async def test_a_page_that_changes_nothing_gets_no_second_one(self, browser):
        await browser.get(page(put(a=1)))
        (event,) = await browser.get(page(seen([])))
        assert "headers" not in event

    async def test_a_websocket_gets_it_with_the_accept(self, browser):
        found = []
        (event,) = await browser.get(page(put(a=1), event="websocket.accept"), type="websocket")
        assert event["headers"][0][0] == b"set-cookie"
        await browser.get(page(seen(found)))
        assert found == [{"a": 1}]

    async def test_what_is_changed_later_is_kept_at_the_end(self, browser):
        found = []
        await browser.get(page(put(a=1)))
        socket = page(put(b=2), after=put(c=3), event="websocket.accept")
        await browser.get(socket, type="websocket")
        await browser.get(page(seen(found)))
        assert found == [{"a": 1, "b": 2, "c": 3}]

    async def test_also_when_the_application_fails_then(self, browser):
        def fail(session):
            session["b"] = 2
            raise RuntimeError("after the accept")

        found = []
        await browser.get(page(put(a=1)))
        with pytest.raises(RuntimeError, match="after the accept"):
            await browser.get(page(after=fail, event="websocket.accept"), type="websocket")
        await browser.get(page(seen(found)))
        assert found == [{"a": 1, "b": 2}]

    async def test_a_session_begun_too_late_is_told(self, browser, caplog):
        await browser.get(page(after=put(a=1)))
        assert browser.cookie is None
        assert "/x: a session was begun after the connection" in caplog.text

    async def test_a_failed_request_changes_nothing(self, browser):
        found = []
        await browser.get(page(put(a=1)))
        await browser.get(page(put(a=2), status=500))
        await browser.get(page(seen(found)))

        def fail(session):
            session["a"] = 3
            raise RuntimeError("before the response")

        with pytest.raises(RuntimeError, match="before the response"):
            await browser.get(page(fail))
        await browser.get(page(seen(found)))
        assert found == [{"a": 1}, {"a": 1}]

    async def test_flush_takes_it_away(self, browser, store):
        await browser.get(page(put(a=1)))
        await browser.get(page(lambda session: session.flush()))
        assert browser.cookie is None
        assert len(store) == 0

    async def test_a_new_name_for_the_same_content(self, browser, store):
        found = []
        await browser.get(page(put(a=1)))
        old = browser.cookie
        await browser.get(page(lambda session: session.cycle_key()))
        assert browser.cookie not in (None, old)
        await browser.get(page(seen(found)))
        assert found == [{"a": 1}]
        assert store.load(old) is None

    async def test_a_name_that_a_page_made_up_is_not_used(self, browser, store):
        browser.cookie = "made-up"
        (event,) = await browser.get(page())
        assert "headers" not in event  # another server on this host may have it
        await browser.get(page(put(a=1)))
        assert browser.cookie != "made-up"
        assert store.load("made-up") is None

    @pytest.mark.parametrize("user", [
        lambda name: name,
        lambda name: {"username": name},
        lambda name: SimpleNamespace(username=name),
    ])  # fmt: skip
    async def test_it_belongs_to_its_user(self, browser, user):
        found = []
        await browser.get(page(put(a=1)), user=user("ada"))
        await browser.get(page(seen(found)), user=user("bob"))
        await browser.get(page(seen(found)))
        await browser.get(page(seen(found)), user=user("ada"))
        assert found == [{}, {}, {"a": 1}]

    async def test_one_that_was_forgotten_meanwhile_does_not_rise_again(
        self, browser, store, caplog
    ):
        await browser.get(page(put(a=1)))
        key = browser.cookie

        def logged_out_elsewhere(session):
            store.delete(key)
            session["a"] = 2

        await browser.get(page(logged_out_elsewhere))
        assert "the session was forgotten while it was in use" in caplog.text
        assert browser.cookie is None
        assert len(store) == 0

    async def test_what_cannot_be_kept_is_an_error_of_the_request(self, browser):
        with pytest.raises(InvalidMessage, match="put only what JSON has into it"):
            await browser.get(page(put(a=object())))

    async def test_what_cannot_be_kept_at_the_end_is_told(self, browser, caplog):
        caplog.set_level(logging.ERROR)
        await browser.get(page(after=put(a=object())))
        assert "/x: the session cannot be kept" in caplog.text

    async def test_two_in_each_other_are_one(self, browser):
        async def application(scope, receive, send):
            scope["session"]["a"] = 1
            await send({"type": "http.response.start", "status": 200})

        (event,) = await browser.get(SessionMiddleware(application, SessionStore()))
        assert len(event["headers"]) == 1
        assert browser.store.load(browser.cookie) == {"a": 1}

    async def test_the_applications_event_is_not_changed(self, browser):
        start = {"type": "http.response.start", "status": 200, "headers": []}

        async def application(scope, receive, send):
            scope["session"]["a"] = 1
            await send(start)

        await browser.get(application)
        assert start == {"type": "http.response.start", "status": 200, "headers": []}
        assert browser.cookie

    async def test_it_needs_cookies(self):
        communicator = ApplicationCommunicator(
            SessionMiddleware(page()), {"type": "http", "headers": []}
        )
        with pytest.raises(ValueError, match="SessionMiddlewareStack"):
            await communicator.wait()

    async def test_the_stack_shares_one_store(self):
        async def application(scope, receive, send):
            await send({"type": "told", "session": scope["session"]})

        communicator = ApplicationCommunicator(
            SessionMiddlewareStack(application), {"type": "http", "headers": []}
        )
        session = (await communicator.receive_output())["session"]
        session["a"] = 1
        session.save()
        other = SessionMiddlewareStack(page()).inner.store
        assert other.load(session.session_key) == {"a": 1}
        session.flush()


class TestSession:
    async def test_it_is_a_dict(self, store):
        session = Session(store)
        assert (dict(session), bool(session), session.modified) == ({}, True, False)
        assert session.is_empty()
        session["a"] = 1
        assert session.setdefault("b", 2) == 2
        assert session.pop("a") == 1
        assert (list(session), len(session), "b" in session) == (["b"], 1, True)
        assert session.get("a", 5) == 5
        assert session.modified
        assert repr(session) == "<Session {'b': 2}>"
        with pytest.raises(KeyError):
            session["a"]

    async def test_reading_does_not_change_it(self, store):
        store.save("k", {"a": [1]})
        session = Session(store, "k")
        session.get("a")
        assert not session.modified
        session["a"].append(2)
        assert not session.modified  # deep inside
        session.save()
        assert store.load("k") == {"a": [1, 2]}

    async def test_saved_by_hand(self, store):
        session = Session(store)
        session["a"] = 1
        assert session.session_key is None
        await session.asave()
        assert store.load(session.session_key) == {"a": 1}
        assert not session.modified
        key = session.session_key
        await session.aflush()
        assert (session.session_key, dict(session), store.load(key)) == (None, {}, None)

    async def test_one_that_was_never_saved_can_be_flushed(self, store):
        session = Session(store)
        session["a"] = 1
        session.flush()
        assert session.is_empty()

    async def test_what_is_kept_is_a_copy(self, store):
        session = Session(store)
        session["a"] = values = [1]
        session.save()
        values.append(2)
        assert store.load(session.session_key) == {"a": [1]}

    async def test_two_connections_with_one_session(self, store):
        store.save("k", {})
        one, other = Session(store, "k"), Session(store, "k")
        one.flush()
        other["a"] = 1
        with pytest.raises(NotFound, match="what was changed in it is not kept"):
            other.save()


class TestStore:
    async def test_a_session_expires(self):
        clock = Clock()
        store = SessionStore(expiry=10, clock=clock)
        store.save("k", {})
        clock.now += 9
        assert store.load("k") == {}
        store.save("k", {"a": 1}, is_new=False)
        clock.now += 9
        assert store.load("k") == {"a": 1}
        clock.now += 1
        assert store.load("k") is None
        store.save("other", {})
        assert len(store) == 1

    async def test_the_number_of_sessions_is_bounded_and_a_loss_told(self, caplog):
        store = SessionStore(max_sessions=3)
        for key in "abc":
            store.save(key, {"k": key})
        store.save("a", {"k": "again"}, is_new=False)
        store.save("d", {})
        assert [store.load(key) is not None for key in "abcd"] == [True, False, True, True]
        assert "1 sessions were forgotten before their time: at most 3" in caplog.text

    async def test_their_bytes_are_bounded(self, caplog):
        store = SessionStore(max_bytes=1_000, max_session_bytes=600)
        for key in "abcdef":
            store.save(key, {"x": "y" * 300})
        assert len(store) == 3
        store.save("f", {}, is_new=False)
        store.save("g", {"x": "y" * 300})
        assert len(store) == 4
        assert "forgotten before their time" in caplog.text
        for key in "abcdefg":
            store.delete(key)
        assert (len(store), store._bytes) == (0, 0)

    async def test_what_expired_is_forgotten_without_a_word(self, caplog):
        clock = Clock()
        store = SessionStore(expiry=1, max_sessions=1, clock=clock)
        store.save("a", {})
        clock.now += 2
        store.save("b", {})
        assert len(store) == 1
        assert not caplog.text

    async def test_a_session_is_bounded_and_the_old_one_stays(self):
        store = SessionStore(max_session_bytes=100)
        store.save("k", {"a": 1})
        with pytest.raises(MessageTooLarge, match="the session has 109 bytes as JSON, the limit"):
            store.save("k", {"a": "x" * 101}, is_new=False)
        assert store.load("k") == {"a": 1}

    @pytest.mark.parametrize("content", [{"a": object()}, {"a": {1}}, {(1,): 2}])
    async def test_only_json_is_kept(self, store, content):
        with pytest.raises(InvalidMessage, match="the session cannot be kept"):
            store.save("k", content)

    async def test_what_comes_back_is_json(self, store):
        content = {"a": [1, 2.5, None, True, "\u20ac"], "b": {"c": {}}}
        store.save("k", content)
        assert store.load("k") == json.loads(json.dumps(content))

    @pytest.mark.parametrize("option", ["expiry", "max_sessions", "max_bytes", "max_session_bytes"])
    @pytest.mark.parametrize("value", [0, -1, "5", None, True])
    async def test_options_are_numbers_above_0(self, option, value):
        with pytest.raises(ImproperlyConfigured, match=f"{option} is {value!r}; it must be"):
            SessionStore(**{option: value})
