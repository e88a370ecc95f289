"""Section "AsgiHandler" of the Reference, tornado's handlers in Django's place."""

import inspect
import urllib.request

import pytest
from tornado import web

from nbchannels import Channel, consume
from nbchannels.handler import AsgiHandler, Response, configure
from tests.handler.messages import request
from tests.reference.conftest import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


class Hello(web.RequestHandler):
    """A view."""

    def get(self, name):
        self.set_header("X-Seen", self.request.message["path"])
        self.set_cookie("seen", name)
        self.write(f"hello {name}")

    def post(self, name):
        self.set_status(201)
        self.write(self.request.body)


class Parts(web.RequestHandler):
    """A view that answers in parts."""

    async def get(self):
        for n in range(3):
            self.write(f"part {n}\n")
            await self.flush()


@pytest.fixture(autouse=True)
def site():
    configure([(r"/hello/(\w+)", Hello), (r"/parts", Parts)])
    yield
    configure(None)


def test_a_request_is_taken_through_all_its_stages(layer):
    """AsgiHandler 1: routing, view, headers, cookies; and its errors are answers, too."""
    (reply,) = AsgiHandler(request("/hello/ada", layer=layer))
    headers = {name.lower(): value for name, value in reply["headers"]}
    assert (reply["status"], reply["content"]) == (200, b"hello ada")
    assert headers[b"x-seen"] == b"/hello/ada"
    assert headers[b"set-cookie"].startswith(b"seen=ada")
    assert next(iter(AsgiHandler(request("/nothing", layer=layer))))["status"] == 404
    assert next(iter(AsgiHandler(request("/parts", "POST", layer))))["status"] == 405


@pytest.mark.integration
@pytest.mark.parametrize("layer", ["server"], indirect=True)
def test_a_real_request_is_answered_from_here(server, layer):
    """AsgiHandler 1: a client asks the server, a consumer in this process hands on the replies."""

    def answer(message):
        for reply in AsgiHandler(message):
            message.reply_channel.send(reply)

    consume("http.request", channel_layer=layer)(answer)
    asked = urllib.request.Request(
        f"{server.url}nbchannels/http/hello/bea",
        data=b"body",
        headers={"Authorization": f"token {server.token}"},
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answered:
        assert (answered.status, answered.read()) == (201, b"body")


def test_one_or_more_messages_for_the_client(layer):
    """AsgiHandler 2: the first has the head, all have a part, and the last says that it is one."""
    replies = list(AsgiHandler(request("/parts", layer=layer)))
    assert len(replies) > 1
    assert b"".join(reply["content"] for reply in replies) == b"part 0\npart 1\npart 2\n"
    assert [reply["more_content"] for reply in replies] == [*[True] * (len(replies) - 1), False]
    assert ["status" in reply for reply in replies] == [True, *[False] * (len(replies) - 1)]


def test_its_messages_can_be_sent(layer):
    """AsgiHandler 2: each is a dict that the reply channel takes."""
    for reply in AsgiHandler(request("/hello/ada", layer=layer, reply_channel="answers")):
        Channel("answers").send(reply)
    assert Channel("answers").receive(timeout=5)["content"] == b"hello ada"


def test_encode_response():
    """AsgiHandler 3: of the class, it yields what a response is in messages."""
    assert inspect.ismethod(AsgiHandler.encode_response)
    assert AsgiHandler.encode_response.__self__ is AsgiHandler
    made = list(AsgiHandler.encode_response(Response(404, {"X-A": "b"}, "nothing")))
    assert made == [
        {
            "status": 404,
            "headers": [(b"X-A", b"b")],
            "content": b"nothing",
            "more_content": False,
        }
    ]


def test_encode_response_in_parts():
    """AsgiHandler 3: a long body, and one that comes in parts, is more than one message."""
    long = b"x" * (AsgiHandler.chunk_size + 1)
    made = list(AsgiHandler.encode_response(Response(200, (), long)))
    assert [len(one["content"]) for one in made] == [AsgiHandler.chunk_size, 1]
    assert [one["more_content"] for one in made] == [True, False]
    made = list(AsgiHandler.encode_response(Response(200, (), iter([b"a", "b"]))))
    assert [one["content"] for one in made] == [b"a", b"b", b""]
    assert [one["more_content"] for one in made] == [True, True, False]
