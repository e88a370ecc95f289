"""The routing of Channels 1.x: what matches, in which order, with which arguments."""

import re
import sys
import types

import pytest

from nbchannels.channel import Channel
from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.layers.bindings import Binding
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from nbchannels.routes import (
    Include,
    Route,
    Router,
    bindings_of,
    import_string,
    include,
    route,
    route_class,
)


def first(message, **kwargs):
    return "first"


def second(message, **kwargs):
    return "second"


class Consumer:
    @classmethod
    def channel_names(cls):
        return {"websocket.receive", "websocket.connect"}

    def __init__(self, message, **kwargs):
        pass


class Foreign:
    """A routing object of somebody else."""

    def match(self, message):
        return (second, {"by": "foreign"}) if message.channel_name == "foreign" else None

    def channel_names(self):
        return {"foreign", "other"}


TABLE = [route("listed", first)]
WORD = "nothing"


def message(channel="work", **content):
    return Message(content, channel)


def refusal(call, *arguments, **filters):
    with pytest.raises(ImproperlyConfigured) as caught:
        call(*arguments, **filters)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


@pytest.fixture
def site(monkeypatch):
    """A module that dotted paths can name."""
    module = types.ModuleType("nb_site_routing")
    module.first, module.Consumer, module.TABLE, module.WORD = first, Consumer, TABLE, WORD
    module.MAP = {"mapped": first}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.__name__


class TestRoute:
    def test_by_name(self):
        assert route("work", first).match(message()) == (first, {})
        assert route("work", first).match(message("works")) is None
        assert route("work", first).match(message(None)) is None

    @pytest.mark.parametrize("channels", [["a", "b"], ("a", "b"), [b"a", "b"]])
    def test_of_several_channels(self, channels):
        found = route(channels, first)
        assert found.channels == ["a", "b"]
        assert found.channel_names() == {"a", "b"}
        assert found.match(message("b")) == (first, {})

    def test_of_a_name_in_bytes(self):
        assert route(b"work", first).channel_names() == {"work"}

    def test_a_consumer_by_its_dotted_path(self, site):
        assert route("work", f"{site}.first").consumer is first

    def test_named_groups_become_arguments(self):
        found = route("web", first, path=r"^/(?P<room>\w+)/(?P<page>\d+)?", method="^(?P<verb>GET)")
        assert found.match(message("web", path="/blue/", method="GET")) == (
            first,
            {"room": "blue", "page": None, "verb": "GET"},
        )
        assert found.match(message("web", path="/blue/", method="POST")) is None
        assert found.match(message("web", path="/blue/")) is None

    def test_a_filter_matches_at_the_beginning(self):
        assert route("web", first, path="chat").match(message("web", path="/chat")) is None
        assert route("web", first, path="/chat").match(message("web", path="/chats")) is not None

    @pytest.mark.parametrize(("value", "matches"), [
        ("12", True), (b"12", True), (12, True), (None, False), (b"\xff12", False), (1.2, False),
        (True, False), (["12"], False),
    ])  # fmt: skip
    def test_what_a_filter_sees(self, value, matches):
        found = route("web", first, x=r"(?P<n>1\d|True)").match(message("web", x=value))
        assert (found is not None) is matches
        if matches:
            assert found == (first, {"n": "12"})

    def test_a_group_gets_the_whole_of_a_long_value(self):
        text = "x" * 100_000
        assert route("a", first, text="(?P<text>.*)").match(message("a", text=text)) == (
            first,
            {"text": text},
        )

    def test_the_message_stays_as_it_is(self):
        sent = message("web", path=b"/a")
        route("web", first, path="/").match(sent)
        assert sent.content == {"path": b"/a"}

    def test_what_it_serves(self):
        found = route(["a", "b.*"], first, path="^/x", n=re.compile("1"))
        steps = (("path", "^/x"), ("n", "1"))
        assert found.bindings() == [Binding("a", steps), Binding("b.*", steps)]

    def test_its_repr_names_channel_consumer_and_filters(self):
        assert repr(route("a", first, path="^/x")) == "<Route 'a' → first, path='^/x'>"
        assert repr(route(list("abcd"), first)) == "<Route 'a', 'b', 'c', … → first>"

    @pytest.mark.parametrize(("arguments", "filters", "said"), [
        (("a", first), {"path": "(x)"}, "Filter for path on 'a' contains positional groups; only"),
        (("a", first), {"path": "("}, "Filter for path on 'a' is '(', no regular expression"),
        (("a", first), {"path": 5}, "is an int: 5; it takes a regular expression"),
        (("a", first), {"path": b"x"}, "is a bytes"),
        (("a", first), {"path": re.compile("x", re.I)}, "(?i)"),
        (("a", first), {"path": re.compile(b"x")}, "write the flags into a str"),
        (("a", 5), {}, "not an int: 5"),
        (("a", "nothing.here.at_all"), {}, "Cannot import consumer 'nothing.here.at_all'"),
        (("a", "undotted"), {}, "it is no dotted path"),
        ((5, first), {}, "a channel's name or a list of them, not an int: 5"),
        (([5], first), {}, "a channel's name or a list of them, not an int: 5"),
        (([], first), {}, "never be taken"),
        (("a b", first), {}, "has ' '"),
        (("\xe4*", first), {}, "can match no channel"),
    ])  # fmt: skip
    def test_what_cannot_be_is_refused_at_once(self, arguments, filters, said):
        assert said in refusal(route, *arguments, **filters)

    def test_a_near_name_is_suggested(self, site):
        said = refusal(route, "a", f"{site}.frist")
        assert "has no 'frist'; did you mean 'first'?" in said

    def test_a_compiled_pattern_does(self):
        assert route("a", first, x=re.compile("(?i)y")).match(message("a", x="Y")) is not None


class TestRouteClass:
    def test_the_class_names_its_channels(self):
        found = route_class(Consumer, path="^/chat")
        assert found.channel_names() == {"websocket.receive", "websocket.connect"}
        assert found.match(message("websocket.connect", path="/chat")) == (Consumer, {})
        assert found.match(message("websocket.connect", path="/")) is None

    def test_by_its_dotted_path(self, site):
        assert route_class(f"{site}.Consumer").consumer is Consumer

    @pytest.mark.parametrize("consumer", [first, type("Names", (), {"channel_names": {"a"}})])
    def test_a_class_without_names_is_refused(self, consumer):
        assert "no valid channel_names method" in refusal(route_class, consumer)


class TestInclude:
    def test_the_prefix_is_stripped_for_the_inner_routes(self):
        found = include([route("web", first, path=r"^/(?P<n>\d+)$")], path="^/api")
        sent = message("web", path="/api/7")
        assert found.match(sent) == (first, {"n": "7"})
        assert sent.content == {"path": "/api/7"}
        assert found.match(message("web", path="/7")) is None
        assert found.match(message("web")) is None

    def test_prefixes_nest(self):
        inner = include([route("web", first, path="^/c$")], path="^/b", x="^2")
        found = include([inner], path="^/a", x="^1")
        assert found.match(message("web", path="/a/b/c", x=12)) == (first, {})
        assert found.match(message("web", path="/b/a/c", x=12)) is None

    def test_inner_groups_win(self):
        found = include([route("web", first, path="(?P<a>y)")], path="(?P<a>x)(?P<b>x)?")
        assert found.match(message("web", path="xxy")) == (first, {"a": "y", "b": "x"})

    def test_only_the_outer_dict_is_copied(self):
        seen = []

        class Watching(Foreign):
            def match(self, message):
                seen.append(message)

        payload = {"big": [1]}
        sent = Message({"path": b"/a/b", "payload": payload}, "web", "a layer", retries=3)
        assert include([Watching()], path="/a").match(sent) is None
        (copied,) = seen
        assert copied is not sent
        assert copied.content == {"path": "/b", "payload": payload}
        assert copied["payload"] is payload
        assert (copied.channel_name, copied.channel_layer, copied.retries) == ("web", "a layer", 3)

    def test_without_prefixes_nothing_is_copied(self):
        seen = []

        class Watching(Foreign):
            def match(self, message):
                seen.append(message)

        sent = message("web")
        include([Watching()]).match(sent)
        assert seen[0] is sent

    def test_what_it_serves_is_a_chain(self):
        inner = include([route(["web", "ws.*"], first, path="^/c$")], path="^/b")
        assert include([inner, Foreign()], path="^/a").bindings() == [
            Binding("web", (("path", "^/a"), ("path", "^/b"), ("path", "^/c$"))),
            Binding("ws.*", (("path", "^/a"), ("path", "^/b"), ("path", "^/c$"))),
            Binding("foreign", (("path", "^/a"),)),
            Binding("other", (("path", "^/a"),)),
        ]

    def test_a_dotted_path_a_dict_and_a_routing_object(self, site):
        assert include(f"{site}.TABLE").match(message("listed")) == (first, {})
        assert include(f"{site}.MAP").match(message("mapped")) == (first, {})
        assert include({"a": second}).match(message("a")) == (second, {})
        assert include(route("a", second)).match(message("a")) == (second, {})

    @pytest.mark.parametrize(("routing", "said"), [
        (5, "not an int: 5"),
        ([first], "not a function"),
        ([Foreign], "not a type"),
        (["nb_site_routing.TABLE"], "not a str"),
        ("nb_site_routing.WORD", "not a str: 'nothing'"),
        ("nb_site_routing.NONE", "Cannot import routing 'nb_site_routing.NONE'"),
        ({"a": 5}, "not an int: 5"),
    ])  # fmt: skip
    def test_what_is_no_routing_is_refused(self, routing, said, site):
        assert said in refusal(include, routing)

    def test_positional_groups_are_refused(self):
        assert "Prefix for path on include() contains positional" in refusal(include, [], path="()")


CONTENTS = [
    {}, {"path": "/a"}, {"path": "/a/b"}, {"path": "/a/b/c"}, {"path": b"/a/b/c"}, {"path": None},
    {"path": "/b", "n": 5}, {"path": "/a/5", "n": 5}, {"path": "/a/5", "n": "6"}, {"path": 5},
]  # fmt: skip
ROUTINGS = [
    route("web", first, path="^/a"),
    route("web", first, path="^/a", n="[0-5]$"),
    include([route("web", first, path="^/b$")], path="^/a"),
    include([include([route("web", first, path="^/c$")], path="^/b")], path="^/a"),
    include([route("web", first, n="5")], path="^/(?:a|b)"),
    include([route("web", first), route("else", first)], path="^/a/"),
]


@pytest.mark.parametrize("routing", ROUTINGS, ids=range(len(ROUTINGS)))
@pytest.mark.parametrize("content", CONTENTS, ids=str)
def test_another_process_decides_as_the_route_does(routing, content):
    sent = Message(content, "web")
    bindings = [Binding.from_wire(one.to_wire()) for one in routing.bindings()]
    elsewhere = any(one.serves("web") and one.accepts(content) for one in bindings)
    assert elsewhere is (routing.match(sent) is not None)


class TestRouter:
    def test_the_first_match_counts(self):
        router = Router([
            route("web", first, path="^/a"),
            route("web", second),
            route("work", first),
            route("work", second),
        ])  # fmt: skip
        assert router.match(message("web", path="/a")) == (first, {})
        assert router.match(message("web", path="/b")) == (second, {})
        assert router.match(message("work")) == (first, {})
        assert router.match(message("nobody")) is None
        assert router.channels == {"web", "work"}

    def test_a_name_comes_before_a_glob_wherever_it_stands(self):
        router = Router([
            route("sensor.*", first),
            include([route("*", first), route("sensor.1", second)]),
        ])  # fmt: skip
        assert router.match(message("sensor.1")) == (second, {})
        assert router.match(message("sensor.2")) == (first, {})
        assert router.match(message("Sensor.2")) == (first, {})
        assert router.channels == {"sensor.*", "*", "sensor.1"}

    def test_a_name_whose_filter_fails_leaves_it_to_the_glob(self):
        router = Router([route("a", first, x="1"), route("a*", second)])
        assert router.match(message("a", x="1")) == (first, {})
        assert router.match(message("a", x="2")) == (second, {})

    def test_routes_with_name_and_glob_in_one(self):
        found = route(["a*", "abc"], second)
        assert found.match(message("abc")) == (second, {})
        assert Router([route("ab*", first), found]).match(message("abc")) == (second, {})

    def test_a_router_of_nothing(self):
        assert Router().match(message()) is None
        assert Router(None).channels == set()

    def test_from_a_dict_and_from_a_dotted_path(self, site):
        assert Router({"a": first, "b": f"{site}.first"}).match(message("b")) == (first, {})
        assert Router(f"{site}.TABLE").channels == {"listed"}

    def test_another_ones_routing_object(self):
        router = Router([Foreign(), route("other", first)])
        assert router.match(message("foreign")) == (second, {"by": "foreign"})
        assert router.match(message("other")) == (first, {})
        assert router.channels == {"foreign", "other"}
        assert bindings_of(Foreign()) == [Binding("foreign"), Binding("other")]

    def test_a_route_is_added_behind_the_others(self):
        table = [route("a", first)]
        router = Router(table)
        router.add_route(route("a", second))
        router.add_route(route("b", second))
        assert router.match(message("a")) == (first, {})
        assert router.match(message("b")) == (second, {})
        assert router.channels == {"a", "b"}
        assert len(table) == 1
        assert "not a function" in refusal(router.add_route, first)

    def test_a_router_is_a_routing_object(self):
        inner = Router([route("a", first), route("b*", second)])
        router = Router([inner])
        assert router.match(message("b1")) == (second, {})
        assert router.channel_names() == {"a", "b*"}
        assert router.bindings() == [Binding("a"), Binding("b*")]
        assert isinstance(inner, Include)
        assert repr(inner).startswith("<Router [<Route 'a' → first>")

    def test_it_matches_what_a_layer_gave(self):
        layer = InMemoryChannelLayer()
        sent = Message({"reply_channel": "answers"}, "work", layer)
        consumer, kwargs = Router({"work": lambda m: m.reply_channel}).match(sent)
        assert consumer(sent, **kwargs) == Channel("answers")
        assert consumer(sent).channel_layer is layer


class TestImportString:
    def test_a_colon_does_too(self, site):
        assert import_string(f"{site}:Consumer.channel_names", "it")() == Consumer.channel_names()
        assert import_string(f"{site}.first", "it") is first

    def test_an_error_inside_of_the_module_is_not_hidden(self, tmp_path, monkeypatch):
        (tmp_path / "nb_broken_site.py").write_text("1 / 0")
        (tmp_path / "nb_needy_site.py").write_text("import nb_not_there")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ZeroDivisionError):
            import_string("nb_broken_site.x", "it")
        assert "No module named 'nb_not_there'" in refusal(import_string, "nb_needy_site.x", "it")

    @pytest.mark.parametrize("path", ["", "a", ":a", "a:", ".a", "a."])
    def test_what_is_no_dotted_path(self, path):
        assert "no dotted path" in refusal(import_string, path, "it")


def test_the_names_of_channels_1_are_there():
    assert (route, include) == (Route, Include)
