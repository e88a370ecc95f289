"""The routers of Channels 4: which application gets a connection, and with which scope."""

import sys
import types

import pytest
from asgiref.testing import ApplicationCommunicator

from nbchannels import routing
from nbchannels.auth import AuthMiddlewareStack
from nbchannels.exceptions import ImproperlyConfigured, NoRoute
from nbchannels.generic.websocket import AsyncJsonWebsocketConsumer
from nbchannels.layers.manager import channel_layers
from nbchannels.middleware import BaseMiddleware
from nbchannels.routing import (
    ChannelNameRouter,
    ProtocolTypeRouter,
    URLRouter,
    get_default_application,
    path,
    re_path,
)
from nbchannels.security.websocket import AllowedHostsOriginValidator
from nbchannels.testing.websocket import WebsocketCommunicator

pytestmark = pytest.mark.asyncio
MEMORY = "nbchannels.layers.memory.InMemoryChannelLayer"


@pytest.fixture
def layers():
    channel_layers.configure({"default": {"BACKEND": MEMORY}})
    yield
    channel_layers.configure({})


def named(name):
    """An application that tells its name and its scope."""

    async def application(scope, receive, send):
        await send({"type": "told", "name": name, "scope": scope})

    return application


class Consumer:
    """As classes of consumers are: an application by ``as_asgi()``."""

    @classmethod
    def as_asgi(cls):
        return named("consumer")


class Around(BaseMiddleware):
    """Middleware."""


class Validator:
    """Middleware as that of `security.websocket`."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        return await self.application(scope, receive, send)


async def told(application, **scope):
    """The name of the application that a connection comes to, and the scope it gets."""
    communicator = ApplicationCommunicator(application, scope)
    event = await communicator.receive_output()
    await communicator.wait()
    return event["name"], event["scope"]


async def refusal(application, **scope):
    with pytest.raises(ValueError, match=r".") as caught:
        await ApplicationCommunicator(application, scope).wait()
    return caught.value


class TestProtocolTypeRouter:
    async def test_by_the_type(self):
        router = ProtocolTypeRouter({"http": named("h"), "websocket": Consumer})
        assert (await told(router, type="http"))[0] == "h"
        assert (await told(router, type="websocket"))[0] == "consumer"
        assert list(router.application_mapping) == ["http", "websocket"]

    async def test_another_type_is_an_error_that_names_what_there_is(self):
        router = ProtocolTypeRouter({"http": named("h"), "websocket": named("w")})
        error = await refusal(router, type="websockets")
        assert isinstance(error, NoRoute)
        assert str(error) == (
            "No application configured for scope type 'websockets'; there are: 'http', "
            "'websocket'; did you mean 'websocket'?"
        )
        assert "there are: none" in str(await refusal(ProtocolTypeRouter({}), type="http"))

    @pytest.mark.parametrize(("mapping", "said"), [
        ([named("h")], "takes a dict of applications, not a list"),
        ({"http": None}, "ProtocolTypeRouter({'http': …}) is given None"),
        ({"http": object}, "is given a type"),
        ({"http": "site.app"}, "is given a str: 'site.app'"),
    ])  # fmt: skip
    async def test_what_is_no_application_is_refused_at_once(self, mapping, said):
        with pytest.raises(ImproperlyConfigured) as caught:
            ProtocolTypeRouter(mapping)
        assert said in str(caught.value)


class TestChannelNameRouter:
    async def test_by_the_channel(self):
        router = ChannelNameRouter({"thumbnails": Consumer, "work": named("w")})
        assert (await told(router, type="channel", channel="thumbnails"))[0] == "consumer"
        assert (await told(router, type="channel", channel="work"))[0] == "w"

    async def test_others_are_errors(self):
        router = ChannelNameRouter({"work": named("w")})
        error = await refusal(router, type="channel", channel="wrok")
        assert str(error).startswith("No application configured for channel name 'wrok'")
        assert "did you mean 'work'?" in str(error)
        error = await refusal(router, type="http", path="/")
        assert "without a 'channel' key, of type 'http'" in str(error)


class TestURLRouter:
    async def test_by_the_path(self):
        router = URLRouter([
            path("rooms/<int:n>/", named("room"), {"a": 1}),
            re_path(r"^ws/(\w+)/$", named("ws")),
            path("", Consumer),
        ])  # fmt: skip
        name, scope = await told(router, type="http", path="/rooms/7/")
        assert name == "room"
        assert scope == {
            "type": "http",
            "path": "/rooms/7/",
            "path_remaining": "",
            "url_route": {"args": (), "kwargs": {"n": 7, "a": 1}},
        }
        name, scope = await told(router, type="websocket", path="/ws/x/")
        assert (name, scope["url_route"]) == ("ws", {"args": ("x",), "kwargs": {}})
        assert (await told(router, type="http", path="/"))[0] == "consumer"
        assert (await told(router, type="http", path=""))[0] == "consumer"
        assert (await told(router, type="http", path="rooms/7/"))[0] == "room"

    async def test_the_first_that_matches_counts(self):
        router = URLRouter([path("<x>/", named("first")), path("a/", named("second"))])
        assert (await told(router, type="http", path="/a/"))[0] == "first"

    async def test_keyword_arguments_of_the_route_win(self):
        router = URLRouter([path("<n>/", named("x"), {"n": 2})])
        _, scope = await told(router, type="http", path="/1/")
        assert scope["url_route"]["kwargs"] == {"n": 2}

    async def test_the_callers_scope_stays_as_it_is(self):
        scope = {"type": "http", "path": "/a/"}
        communicator = ApplicationCommunicator(URLRouter([path("a/", named("a"))]), scope)
        await communicator.receive_output()
        assert scope == {"type": "http", "path": "/a/"}

    @pytest.mark.parametrize("wrap", [lambda a: a, Around, Validator, lambda a: Around(Around(a))])
    async def test_routers_nest(self, wrap):
        inner = wrap(URLRouter([path("<slug:s>/", named("inner")), re_path("^x(.)$", Consumer)]))
        router = URLRouter([path("a/<int:n>/", inner, {"b": 2}), re_path("^r/", inner)])
        name, scope = await told(router, type="http", path="/a/1/blue/")
        assert (name, scope["path_remaining"]) == ("inner", "")
        assert scope["url_route"] == {"args": (), "kwargs": {"n": 1, "b": 2, "s": "blue"}}
        name, _ = await told(router, type="http", path="/r/xy")
        assert name == "consumer"

    async def test_a_slash_between_routers_is_taken_off(self):
        router = URLRouter([path("a", URLRouter([path("b", named("b"))]))])
        assert (await told(router, type="http", path="/a/b"))[0] == "b"

    async def test_what_the_inner_router_does_not_know_the_outer_one_goes_on_with(self):
        router = URLRouter([
            path("a/", URLRouter([path("b/", named("b"))])),
            path("a/c/", named("c")),
            path("a/", Around(URLRouter([path("d/", named("d"))]))),
        ])  # fmt: skip
        assert (await told(router, type="http", path="/a/c/"))[0] == "c"
        assert (await told(router, type="http", path="/a/d/"))[0] == "d"
        error = await refusal(router, type="http", path="/a/x/")
        assert isinstance(error, NoRoute)
        assert str(error) == ("No route found for path 'a/x/'. Tried: 'a/b/', 'a/c/', 'a/d/'")
        assert error.path == "a/x/"

    async def test_an_error_of_the_application_is_no_missing_route(self):
        async def failing(scope, receive, send):
            raise NoRoute("mine")

        router = URLRouter([
            path("a/", URLRouter([path("", failing)])),
            path("a/", named("other")),
        ])  # fmt: skip
        assert str(await refusal(router, type="http", path="/a/")) == "mine"

    async def test_a_missing_protocol_behind_a_path_is_told(self):
        router = URLRouter([path("a/", ProtocolTypeRouter({"http": named("h")})), path("a/", app)])
        error = await refusal(router, type="websocket", path="/a/")
        assert "No application configured for scope type 'websocket'" in str(error)

    @pytest.mark.parametrize(("scope", "found"), [
        ({"path": "/base/a/", "root_path": "/base"}, True),
        ({"path": "/base/a/", "root_path": "/base/"}, True),
        ({"path": "/a/", "root_path": ""}, True),
        ({"path": "/a/", "root_path": None}, True),
        ({"path": "/a/", "root_path": "/base"}, False),
        ({"path": "/base/a/"}, False),
    ])  # fmt: skip
    async def test_the_root_path_is_taken_off(self, scope, found):
        router = URLRouter([path("a/", URLRouter([path("", named("a"))]))])
        if found:
            assert (await told(router, type="http", **scope))[0] == "a"
        else:
            assert isinstance(await refusal(router, type="http", **scope), NoRoute)

    async def test_no_path_at_all(self):
        error = await refusal(URLRouter([path("", named("a"))]), type="channel", channel="x")
        assert str(error) == "No 'path' key in connection scope, cannot route URLs"

    async def test_no_routes_at_all(self):
        assert "Tried: nothing" in str(await refusal(URLRouter([]), type="http", path="/"))

    async def test_only_some_of_many_are_named(self):
        router = URLRouter([path(f"a{n}", named("a")) for n in range(50)])
        said = str(await refusal(router, type="http", path="/b"))
        assert said.endswith("'a19', …")

    @pytest.mark.parametrize(("routes", "said"), [
        (5, "takes a list of path(…) and re_path(…), not an int"),
        ("ab", "not a str: 'ab'"),
        ({"a": 1}, "not a dict"),
        ([named("a")], "in it"),
        ([Consumer], "not a type"),
        ([path("a", object)], "the route 'a' is given a type"),
        ([routing.route("a", Consumer)], "it belongs into a Router"),
        ([routing.include([routing.route("a", Consumer)])], "For more paths nest a URLRouter"),
    ])  # fmt: skip
    async def test_what_is_no_route_is_refused_at_once(self, routes, said):
        with pytest.raises(ImproperlyConfigured) as caught:
            URLRouter(routes)
        assert said in str(caught.value)

    async def test_routes_that_come_one_by_one(self):
        router = URLRouter(path(name, named(name)) for name in "ab")
        assert (await told(router, type="http", path="/b"))[0] == "b"
        assert len(router.routes) == 2

    async def test_an_application_that_holds_itself(self):
        loop = Validator(None)
        loop.application = loop
        assert len(URLRouter([path("a", loop)]).routes) == 1


async def app(scope, receive, send):
    pass


class TestDjangosRoutes:
    """Somebody who has Django may go on with its ``path``."""

    async def test_they_lead_on(self):
        urls = pytest.importorskip("django.urls")
        router = URLRouter([
            urls.path("rooms/<int:n>/", named("room"), {"a": 1}),
            urls.re_path(r"^x/", URLRouter([urls.path("y/", named("y"))])),
            urls.path("", URLRouter([path("z/", named("z"))])),
        ])  # fmt: skip
        name, scope = await told(router, type="http", path="/rooms/7/")
        assert (name, scope["url_route"]["kwargs"]) == ("room", {"n": 7, "a": 1})
        assert (await told(router, type="http", path="/x/y/"))[0] == "y"
        assert (await told(router, type="http", path="/z/"))[0] == "z"

    async def test_its_include_is_refused(self):
        urls = pytest.importorskip("django.urls")
        inner = [urls.path("a/", named("a"))]
        with pytest.raises(ImproperlyConfigured, match="nest another URLRouter instead"):
            URLRouter([urls.path("x/", urls.include(inner))])

    async def test_a_pattern_of_another_kind_cannot_lead_to_a_router(self):
        route = types.SimpleNamespace(
            pattern=types.SimpleNamespace(match=lambda path: None), callback=URLRouter([])
        )
        with pytest.raises(ImproperlyConfigured, match=r"nbchannels\.routing\.path"):
            URLRouter([route])


class TestDefaultApplication:
    async def test_by_the_environment(self, monkeypatch):
        site = types.ModuleType("nb_site_asgi")
        site.application, site.Consumer, site.text = named("site"), Consumer, "x"
        monkeypatch.setitem(sys.modules, site.__name__, site)
        monkeypatch.setenv("NBCHANNELS_ASGI_APPLICATION", "nb_site_asgi.application")
        assert get_default_application() is site.application
        monkeypatch.setenv("NBCHANNELS_ASGI_APPLICATION", "nb_site_asgi:Consumer")
        assert (await told(get_default_application(), type="http"))[0] == "consumer"
        monkeypatch.setenv("NBCHANNELS_ASGI_APPLICATION", "nb_site_asgi.text")
        with pytest.raises(ImproperlyConfigured, match="NBCHANNELS_ASGI_APPLICATION is given"):
            get_default_application()

    async def test_none_is_named(self, monkeypatch):
        monkeypatch.delenv("NBCHANNELS_ASGI_APPLICATION", raising=False)
        with pytest.raises(ImproperlyConfigured, match="set NBCHANNELS_ASGI_APPLICATION"):
            get_default_application()


async def test_the_door_has_the_names_of_both_worlds():
    names = {"route", "route_class", "include", "Router", "path", "re_path", "URLRouter"}
    assert names <= set(routing.__all__)
    assert all(hasattr(routing, name) for name in routing.__all__)


def tree(router, path, re_path):
    """Routers of all kinds in each other, of ours or of Channels."""

    def leaf(name):
        async def application(scope, receive, send):
            return name, scope["url_route"], scope["path_remaining"]

        return application

    return router([
        path("a/", leaf("a")),
        path("a/<int:n>/", leaf("an"), {"k": 1}),
        re_path(r"^x(\d)/$", leaf("x")),
        path("a/", router([path("b/", leaf("ab")), path("<x>/", leaf("ax"))])),
        re_path("^r/", router([re_path(r"^(\w)$", leaf("rw")), path("", leaf("r0"))])),
        path("<int:n>/", router([
            path("<int:n>/", leaf("nn"), {"z": 2}),
            re_path(r"(?P<n>z)?/$", leaf("nz")),
        ])),
        path("", router([path("q/", leaf("q")), path("", leaf("root"))])),
        re_path(r"^(?P<a>.)(b)?", router([re_path(r"(c)", leaf("c"))])),
        path("abc", leaf("abc")),
    ])  # fmt: skip


PLACES = [
    "", "/", "/a/", "a/", "/a", "//a/", "/a/1/", "/a/b/", "/a/zz/", "/a/c/d/", "/x7/", "/x77/",
    "/r/q", "/r/", "/r/qq", "/1/2/", "/1/z/", "/1//", "/1/", "/q/", "/nope", "/ac", "/abc", "/ab/c",
    "/zc\n", "/a/1/\n",
]  # fmt: skip


@pytest.mark.parametrize("root_path", [None, "", "/a"])
async def test_connections_come_to_where_channels_brings_them(root_path):
    theirs = pytest.importorskip("channels.routing")
    urls = pytest.importorskip("django.urls")
    routers = [tree(URLRouter, path, re_path), tree(theirs.URLRouter, urls.path, urls.re_path)]
    for place in PLACES:
        found = []
        for router in routers:
            scope = {"type": "http", "path": place}
            if root_path is not None:
                scope["root_path"] = root_path
            try:
                found.append(await router(scope, None, None))
            except ValueError:
                found.append("nowhere")
        assert found[0] == found[1], place


async def test_the_whole_stack_leads_to_a_consumer(layers):
    class Room(AsyncJsonWebsocketConsumer):
        async def connect(self):
            self.scope["session"]["seen"] = self.scope["session"].get("seen", 0) + 1
            await self.accept()
            await self.send_json({
                "user": str(self.scope["user"]),
                "room": self.scope["url_route"]["kwargs"]["room"],
                "seen": self.scope["session"]["seen"],
            })  # fmt: skip

    application = ProtocolTypeRouter({
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([path("ws/<slug:room>/", Room.as_asgi())]))
        ),
    })  # fmt: skip
    cookie = b""
    for seen in (1, 2):
        headers = [(b"origin", b"http://localhost:8888"), (b"cookie", cookie)]
        client = WebsocketCommunicator(application, "/ws/blue/", headers=headers)
        assert (await client.connect())[0] is True
        assert await client.receive_json_from() == {
            "user": "AnonymousUser",
            "room": "blue",
            "seen": seen,
        }
        set_cookie = [v for k, v in client.response_headers or () if k == b"set-cookie"]
        assert len(set_cookie) == (1 if seen == 1 else 0)
        cookie = set_cookie[0].partition(b";")[0] if set_cookie else cookie
        await client.disconnect()
    client = WebsocketCommunicator(application, "/ws/blue/", headers=[(b"origin", b"http://a.org")])
    assert (await client.connect())[0] is False
    client = WebsocketCommunicator(
        application, "/ws/", headers=[(b"origin", b"http://localhost:8888")]
    )
    with pytest.raises(NoRoute, match="No route found for path 'ws/'"):
        await client.connect()
