"""Which origins may open a WebSocket."""

from urllib.parse import urlparse

import pytest
from asgiref.testing import ApplicationCommunicator

from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.security.websocket import (
    AllowedHostsOriginValidator,
    OriginValidator,
    WebsocketDenier,
)

pytestmark = pytest.mark.asyncio


async def application(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


class Consumer:
    @classmethod
    def as_asgi(cls):
        return application


async def answer(app, *origins, host=None, **scope):
    """What a handshake with these Origin headers is answered."""
    headers = [(b"origin", origin.encode("latin-1")) for origin in origins]
    headers += [] if host is None else [(b"host", host.encode())]
    whole = {"type": "websocket", "path": "/ws/", "headers": headers, **scope}
    communicator = ApplicationCommunicator(app, whole)
    await communicator.send_input({"type": "websocket.connect"})
    event = await communicator.receive_output()
    await communicator.wait()
    return event["type"].removeprefix("websocket.")


async def allows(patterns, *origins):
    return await answer(OriginValidator(application, patterns), *origins) == "accept"


@pytest.mark.parametrize(("pattern", "origin", "allowed"), [
    ("*", "http://anything.org", True),
    ("*", "null", True),
    ("example.com", "http://example.com", True),
    ("example.com", "https://example.com:8443", True),
    ("EXAMPLE.com", "http://Example.COM", True),
    ("example.com", "http://sub.example.com", False),
    ("example.com", "http://badexample.com", False),
    ("example.com", "http://example.com.evil.org", False),
    ("example.com", "null", False),
    ("example.com", "example.com", False),
    ("example.com", "", False),
    ("example.com", "http://example.com/path", False),
    ("example.com", "http://user@example.com", False),
    ("example.com", "http://example.com\\@evil.org", False),
    ("example.com", "http://ex\xe4mple.com", False),
    ("example.com", "http://example.com ", False),
    ("example.com:80", "http://example.com", True),
    ("example.com:80", "http://example.com:8080", False),
    (".example.com", "http://example.com", True),
    (".example.com", "http://a.b.example.com", True),
    (".example.com", "http://badexample.com", False),
    ("http://example.com", "http://example.com", True),
    ("http://example.com", "http://example.com:80", True),
    ("http://example.com", "https://example.com", False),
    ("http://example.com", "http://example.com:8080", False),
    ("http://example.com/", "http://example.com", True),
    ("https://example.com:443", "https://example.com", True),
    ("https://.example.com", "https://a.example.com", True),
    ("https://.example.com:8443", "https://a.example.com:8443", True),
    ("https://.example.com", "http://a.example.com", False),
    ("wss://example.com", "https://example.com", True),
    ("[::1]", "http://[::1]:8888", True),
    ("127.0.0.1", "http://127.0.0.1:8888", True),
    ("127.0.0.1", "http://127.0.0.12", False),
    ("chrome-extension://abcdef", "chrome-extension://abcdef", True),
])  # fmt: skip
async def test_patterns(pattern, origin, allowed):
    assert await allows(["other.org", pattern], origin) is allowed


async def test_a_connection_that_tells_none_or_two():
    assert not await allows(["example.com"])
    assert await allows(["*"])
    assert not await allows(["example.com"], "http://example.com", "http://example.com")
    assert not await allows([], "http://example.com")


async def test_as_channels_decides():
    theirs = pytest.importorskip("channels.security.websocket")
    patterns = ["example.com", ".example.com", "http://example.com", "https://.example.com:8443"]
    for pattern in patterns:
        validator = theirs.OriginValidator(application, [pattern])
        for scheme in ("http", "https"):
            for host in ("example.com", "a.example.com", "badexample.com"):
                for port in ("", ":80", ":8443"):
                    origin = f"{scheme}://{host}{port}"
                    expected = validator.valid_origin(urlparse(origin))
                    assert await allows([pattern], origin) is expected, (pattern, origin)


async def test_a_refusal_is_told_with_the_origin_and_what_is_allowed(caplog):
    assert not await allows(["example.com"], "http://evil.org")
    assert caplog.messages == [
        "A WebSocket to '/ws/' was refused: its Origin is http://evil.org, allowed are example.com"
    ]
    caplog.clear()
    assert not await allows([])
    assert "its Origin is missing, allowed are none" in caplog.text


async def test_it_takes_a_class_of_consumers():
    assert await answer(OriginValidator(Consumer, ["*"]), "http://a.org") == "accept"


@pytest.mark.parametrize("validator", [
    OriginValidator(application, ["*"]), AllowedHostsOriginValidator(application),
])  # fmt: skip
async def test_only_websockets(validator):
    with pytest.raises(
        ValueError, match="on a non-WebSocket connection; this one is of type 'http'"
    ):
        await answer(validator, type="http")


@pytest.mark.parametrize(("origins", "said"), [
    ("example.com", "takes a list of origins, not a str"),
    (None, "not None"),
    ([None], "is given the origin None"),
    ([""], "is given the origin ''"),
    (["http://"], "which no page can have"),
    (["example.com/path"], "which no page can have"),
    (["*.example.com"], "'.domain'"),
    (["example.com:port"], "which no page can have"),
])  # fmt: skip
async def test_what_no_page_can_have_is_refused_at_once(origins, said):
    with pytest.raises(ImproperlyConfigured) as caught:
        OriginValidator(application, origins)
    assert said in str(caught.value)


@pytest.mark.parametrize(("host", "origin", "allowed"), [
    ("lab.example.com", "https://lab.example.com", True),
    ("lab.example.com:8888", "http://lab.example.com:8888", True),
    ("LAB.example.com:8888", "http://lab.example.com:8888", True),
    ("lab.example.com:443", "https://lab.example.com", True),
    ("lab.example.com:8888", "http://lab.example.com:9999", False),
    ("lab.example.com:8888", "http://lab.example.com", False),
    ("lab.example.com", "http://evil.org", False),
    ("lab.example.com", "null", False),
    ("lab.example.com", "http://localhost:5173", True),
    ("lab.example.com", "http://127.0.0.1:5173", True),
    ("lab.example.com", "http://[::1]:5173", True),
    (None, "http://localhost:8888", True),
    (None, "http://lab.example.com", False),
    ("bad host", "http://bad", False),
])  # fmt: skip
async def test_the_servers_own_hosts(host, origin, allowed):
    app = AllowedHostsOriginValidator(application)
    assert (await answer(app, origin, host=host) == "accept") is allowed


async def test_the_servers_own_hosts_by_a_list(caplog):
    app = AllowedHostsOriginValidator(application, allowed_hosts=["lab.example.com"])
    assert await answer(app, "http://lab.example.com", host="x.org") == "accept"
    assert await answer(app, "http://localhost", host="localhost") == "close"


async def test_its_refusal_names_the_host(caplog):
    app = AllowedHostsOriginValidator(application)
    assert await answer(app, "http://evil.org", host="lab.example.com:8888") == "close"
    assert "allowed are lab.example.com:8888, localhost, 127.0.0.1, [::1]" in caplog.text


async def test_the_denier():
    assert await answer(WebsocketDenier.as_asgi()) == "close"
    communicator = ApplicationCommunicator(WebsocketDenier(), {"type": "websocket"})
    await communicator.send_input({"type": "websocket.disconnect"})
    await communicator.wait()
    assert communicator.output_queue.empty()
