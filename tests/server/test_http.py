"""HTTP requests as messages, through a real Jupyter server; consumers on its own layer."""

import asyncio
import dataclasses
import logging
import re
import time
from collections import Counter

import pytest
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

from nbchannels.diagnoses import recent, tell_again
from nbchannels.exceptions import ChannelFull, LayerUnavailable
from nbchannels.server.upload import CHUNK, WINDOW
from tests.server.answering import Router, until

REQUEST = "http.request"


@pytest.fixture
def router(host, jp_asyncio_loop):
    host.router = Router(host.layer)
    tell_again()
    yield host.router
    jp_asyncio_loop.run_until_complete(host.router.stop())


@pytest.fixture
def limit(host):
    """``limit(http_timeout=0.2)``."""

    def change(**limits):
        host.limits = dataclasses.replace(host.limits, **limits)

    return change


def answers(router, **reply):
    """All requests get this reply."""

    async def consumer(message):
        await message.reply_channel.asend(reply or {"status": 200, "content": b"hello\n"})

    router.consume(REQUEST, consumer)


@pytest.fixture
def connect(jp_serverapp, http_server, http_server_port, jp_auth_header, jp_base_url):
    """An open connection on which a request has been begun, for clients that misbehave."""
    streams = []

    async def begin(verb="GET", path="x", headers=(), body=b"") -> IOStream:
        stream = await TCPClient().connect("127.0.0.1", http_server_port[1])
        streams.append(stream)
        lines = [f"{verb} {jp_base_url}nbchannels/http/{path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{n}: {v}" for n, v in {**jp_auth_header, **dict(headers)}.items()]
        await stream.write("\r\n".join([*lines, "", ""]).encode() + body)
        return stream

    yield begin
    for stream in streams:
        stream.close()


# What a consumer gets.


async def test_a_request_becomes_a_message_and_its_reply_the_answer(call, router, jp_base_url):
    got = []

    async def consumer(message):
        got.append(message)
        await message.reply_channel.asend(
            {"status": 201, "headers": [[b"X-Made-By", b"me"]], "content": b"done"}
        )

    router.consume(REQUEST, consumer)
    answer = await call("POST", "http/some/p%C3%A4th?a=1&b=%20", b"body", X_Own="1")
    assert (answer.status, answer.value) == (201, b"done")
    assert answer.headers["X-Made-By"] == "me"
    assert answer.headers["Content-Length"] == "4"
    [message] = got
    headers = message["headers"]
    assert [b"x-own", b"1"] in headers
    assert all(name == name.lower() for name, _ in headers)
    told = {key: value for key, value in message.items() if key not in ("headers", "client")}
    port = int(dict(headers)[b"host"].rpartition(b":")[2])
    assert told == {
        "reply_channel": message["reply_channel"],
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/some/päth",
        "query_string": b"a=1&b=%20",
        "root_path": f"{jp_base_url}nbchannels/http",
        "body": b"body",
        "body_channel": None,
        "server": ["127.0.0.1", port],
    }
    assert message["client"][0] == "127.0.0.1"
    assert message["client"][1] > 0
    assert re.fullmatch(r"http\.response\.\w+!\w+", message["reply_channel"])


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_all_methods(call, router, verb):
    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": message["method"].encode()})

    router.consume(REQUEST, consumer)
    assert (await call(verb, "http/x")).value == verb.encode()


async def test_head_has_the_length_and_not_the_content(call, router):
    answers(router, status=200, content=b"12345")
    answer = await call("HEAD", "http/x")
    assert (answer.status, answer.headers["Content-Length"], answer.value) == (200, "5", b"")


async def test_head_of_a_stream(call, router):
    answers(router, status=200, content=b"12345", more_content=True)
    answer = await call("HEAD", "http/x")
    assert (answer.status, answer.value) == (200, b"")
    assert "Content-Length" not in answer.headers


async def test_no_credentials_reach_the_consumer(call, router, jp_serverapp):
    token = jp_serverapp.identity_provider.token
    got = []

    async def consumer(message):
        got.append(message)
        await message.reply_channel.asend({"status": 200})

    router.consume(REQUEST, consumer)
    cookie = "mine=1; username-127-0-0-1-8888=secret; _xsrf=secret"
    assert (
        await call("GET", f"http/x?token={token}&a=1", login=False, Cookie=cookie)
    ).status == 200
    assert (await call("POST", "http/x", b"", Cookie=cookie, X_XSRFToken="secret")).status == 200
    for message in got:
        assert b"secret" not in repr(message.content).encode()
        assert token not in repr(message.content)
        assert [b"cookie", b"mine=1"] in message["headers"]
    assert got[0]["query_string"] == b"a=1"


async def test_the_root(call, router):
    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": message["path"].encode()})

    router.consume(REQUEST, consumer)
    assert (await call("GET", "http")).value == b"/"
    assert (await call("GET", "http/")).value == b"/"


async def test_requests_count_as_activity_only_if_configured(call, router, host, jp_web_app):
    answers(router)
    await call("GET", "http/x")
    assert "api_last_activity" not in jp_web_app.settings
    host.counts_as_activity = True
    await call("GET", "http/x")
    assert "api_last_activity" in jp_web_app.settings


# Who may come in.


async def test_without_login_nothing_is_sent(call, router):
    answers(router)
    answer = await call("GET", "http/x", login=False)
    assert (answer.status, b"not logged in" in answer.value) == (403, True)
    assert router.conversations == []


async def test_a_browser_without_login_goes_to_the_login_page(call, router):
    answers(router)
    answer = await call("GET", "http/x?a=1", login=False, Accept="text/html,*/*")
    assert answer.status == 302
    assert "/login?next=" in answer.headers["Location"]
    assert (await call("POST", "http/x", b"", login=False, Accept="text/html")).status == 403
    assert router.conversations == []


async def test_a_foreign_page_is_refused(call, router, host, jp_serverapp):
    answers(router)
    jp_serverapp.identity_provider.token = ""  # whoever comes is in: only the origin is left
    answer = await call("GET", "http/x", login=False, Origin="http://evil.example")
    assert (answer.status, b"origin" in answer.value) == (403, True)
    answer = await call("POST", "http/x", b"", login=False, Origin="http://evil.example")
    assert answer.status in (403, 404)
    assert router.conversations == []


async def test_rights(call, router, host, monkeypatch):
    answers(router)
    asked = []

    async def allows(user, action, kind, name):
        asked.append((action, kind))
        return action == "read"

    monkeypatch.setattr(host.policy, "allows", allows)
    assert (await call("GET", "http/x")).status == 200
    assert (await call("HEAD", "http/x")).status == 200
    for verb in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await call(verb, "http/x")
        assert (answer.status, b"you may not execute" in answer.value) == (403, True)
    assert asked[:3] == [("read", "http"), ("read", "http"), ("execute", "http")]


async def test_a_cookie_of_the_reply_may_not_be_jupyters(call, router, caplog):
    answers(
        router,
        status=200,
        headers=[[b"Set-Cookie", b"_xsrf=stolen; Path=/"], [b"Set-Cookie", b"a=1"],
                 [b"Set-Cookie", b"b=2"]],
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, "nbchannels"):
        answer = await call("GET", "http/x")
    cookies = answer.headers.get_list("Set-Cookie")
    assert [c for c in cookies if c.startswith(("a=", "b=", "_xsrf=stolen"))] == ["a=1", "b=2"]
    assert "'_xsrf'" in caplog.text


# Replies.


async def test_headers_of_the_reply_replace_ours(call, router):
    answers(
        router,
        status=200,
        headers=[
            [b"Content-Type", b"text/html"],
            ["Content-Security-Policy", "sandbox"],
            [b"Connection", b"close"],
            [b"Transfer-Encoding", b"chunked"],
        ],
        content=b"<p>",
    )
    answer = await call("GET", "http/x")
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert "Transfer-Encoding" not in answer.headers


async def test_content_is_no_html_unless_it_says_so(call, router):
    answers(router, status=200, content=b"<script>")
    answer = await call("GET", "http/x")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_not_modified(call, router):
    answers(router, status=304, headers=[[b"Etag", b'"1"']])
    answer = await call("GET", "http/x", If_None_Match='"1"')
    assert (answer.status, answer.value, answer.headers["Etag"]) == (304, b"", '"1"')


async def test_a_stream_arrives_as_it_is_made(router, connect):
    go = asyncio.Event()

    async def consumer(message):
        reply = message.reply_channel
        await reply.asend({"status": 200, "content": b"one", "more_content": True})
        await go.wait()
        await reply.asend({"content": b"two", "more_content": True})
        await reply.asend({"more_content": False})

    router.consume(REQUEST, consumer)
    stream = await connect()
    async with asyncio.timeout(10):
        head = await stream.read_until(b"one\r\n")
        assert b"chunked" in head
        go.set()
        assert b"two" in await stream.read_until(b"0\r\n\r\n")


async def test_a_slow_client_holds_the_consumer_up(router, connect, host):
    """Backpressure: what the client does not take waits in the reply channel, which is bounded."""
    sent, name = 0, ""
    full = asyncio.Event()

    async def consumer(message):
        nonlocal sent, name
        name = message["reply_channel"]
        await message.reply_channel.asend({"status": 200, "more_content": True})
        while not full.is_set():
            try:
                await message.reply_channel.asend({"content": bytes(CHUNK), "more_content": True})
            except ChannelFull:
                full.set()
            sent += 1
            await asyncio.sleep(0)

    router.consume(REQUEST, consumer)
    stream = await connect()
    async with asyncio.timeout(20):
        await full.wait()
    held = await host.layer.channel_statistics(name)
    assert held["waiting"] == host.layer.get_capacity(name)
    assert sent < held["waiting"] + 50  # what the system's own buffers took
    stream.close()
    await until(lambda: router.conversations[0].is_closed)


BAD = [
    ({"content": b"x"}, "has no 'status'"),
    ({"status": "200"}, "'status' is a str"),
    ({"status": 100}, "200 to 599"),
    ({"status": 200, "conten": b""}, "did you mean 'content'"),
    ({"status": 200, "content": "text"}, "content.encode()"),
    ({"status": 200, "headers": [["a b", "c"]]}, "no header can have"),
    ({"status": 200, "headers": [["a", "c\r\nX: y"]]}, "one line"),
    ({"status": 200, "headers": [["Content-Length", "7"]], "content": b"x"}, "Content-Length"),
    ({"status": 204, "content": b"x"}, "has no body"),
    ({"status": 200, "more_content": 1}, "'more_content' is an int"),
]


@pytest.mark.parametrize(("reply", "said"), BAD)
async def test_a_reply_that_cannot_be_used_is_500_and_says_why(call, router, caplog, reply, said):
    bad = True

    async def consumer(message):
        await message.reply_channel.asend(reply if bad else {"status": 200})

    router.consume(REQUEST, consumer)
    with caplog.at_level(logging.WARNING, "nbchannels"):
        answer = await call("GET", "http/x")
    assert answer.status == 500
    assert said in answer.value.decode()
    assert recent()[-1].kind == "bad-reply"
    assert said in caplog.text
    assert "Traceback" not in answer.value.decode()
    bad = False
    assert (await call("GET", "http/x")).status == 200


async def test_a_reply_that_cannot_be_decoded(call, router, host):
    async def consumer(message):
        encoded = host.layer.encode({})._replace(codec=1, body=b"[1")
        host.layer.submit("channel", message["reply_channel"], encoded)

    router.consume(REQUEST, consumer)
    answer = await call("GET", "http/x")
    assert (answer.status, b"cannot be used" in answer.value) == (500, True)


@pytest.mark.parametrize(
    "later", [{"status": 200}, {"content": "x"}, {"content": b"x", "more": True}]
)
async def test_a_stream_that_goes_wrong_does_not_look_whole(router, connect, caplog, later):
    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": b"a", "more_content": True})
        await message.reply_channel.asend(later)

    router.consume(REQUEST, consumer)
    stream = await connect()
    with caplog.at_level(logging.ERROR, "nbchannels"):
        async with asyncio.timeout(10):
            assert b"200 OK" in await stream.read_until(b"a\r\n")
            with pytest.raises(StreamClosedError):
                await stream.read_until(b"0\r\n\r\n")
    assert "cut off" in caplog.text


async def test_a_stream_longer_than_its_length(router, connect, caplog):
    async def consumer(message):
        send = message.reply_channel.asend
        await send(
            {"status": 200, "headers": [["Content-Length", "2"]], "content": b"a",
             "more_content": True}
        )  # fmt: skip
        await send({"content": b"bcd", "more_content": True})

    router.consume(REQUEST, consumer)
    stream = await connect()
    with caplog.at_level(logging.ERROR, "nbchannels"):
        async with asyncio.timeout(10):
            got = await stream.read_until_close()
    assert got.endswith(b"\r\n\r\na")
    assert "Content-Length" in caplog.text


async def test_what_is_said_after_the_end_is_not_heard(call, router):
    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": b"a"})
        await message.reply_channel.asend({"status": 200, "content": b"b"})

    router.consume(REQUEST, consumer)
    assert [(await call("GET", "http/x")).value for _ in range(2)] == [b"a", b"a"]


# When nobody answers.


async def test_nobody_serves(call, router):
    answer = await call("GET", "http/some/where")
    assert answer.status == 503
    assert "GET /some/where" in answer.value.decode()
    assert "@nb.consume('http.request')" in answer.value.decode()
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("error", "status"), [(ChannelFull(channel=REQUEST, capacity=3), 503),
                          (LayerUnavailable("there are too many channels"), 503)]
)  # fmt: skip
async def test_it_cannot_be_handed_on(call, router, error, status):
    answers(router)
    router.error = error
    answer = await call("GET", "http/x")
    assert (answer.status, str(error) in answer.value.decode()) == (status, True)
    assert router.conversations[0].is_closed


@pytest.mark.parametrize(("why", "status"), [("died", 503), ("failed", 500), ("expired", 503)])
async def test_the_conversation_is_lost(call, router, why, status, caplog):
    async def consumer(message):
        router.conversations[-1].lost(why, "what has happened")

    router.consume(REQUEST, consumer)
    with caplog.at_level(logging.ERROR, "nbchannels"):
        answer = await call("GET", "http/x")
    assert (answer.status, "what has happened" in answer.value.decode()) == (status, True)
    assert ("what has happened" in caplog.text) == (why == "failed")


async def test_a_reply_before_the_loss_counts(call, router):
    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": b"a", "more_content": True})
        await message.reply_channel.asend({"content": b"b"})
        router.conversations[-1].lost("failed", "after it had replied")

    router.consume(REQUEST, consumer)
    assert (await call("GET", "http/x")).value == b"ab"


async def test_a_loss_in_the_midst_cuts_the_answer_off(router, connect):
    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": b"a", "more_content": True})
        router.conversations[-1].lost("died", "kernel k")

    router.consume(REQUEST, consumer)
    stream = await connect()
    async with asyncio.timeout(10):
        got = await stream.read_until_close()
    assert got.endswith(b"1\r\na\r\n")


async def test_no_answer_in_time(call, router, limit):
    limit(http_timeout=0.1)
    router.served.add(REQUEST)
    answer = await call("GET", "http/x")
    assert answer.status == 504
    assert "within 0.1 s" in answer.value.decode()
    assert router.conversations[0].is_closed


async def test_the_time_is_counted_from_each_reply(call, router, limit):
    limit(http_timeout=0.3)

    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "more_content": True})
        for _ in range(4):
            await asyncio.sleep(0.15)
            await message.reply_channel.asend({"content": b"x", "more_content": True})
        await message.reply_channel.asend({"content": b"x"})

    router.consume(REQUEST, consumer)
    assert (await call("GET", "http/x")).value == b"xxxxx"


async def test_nothing_is_left_behind(call, router, host, limit):
    limit(http_timeout=0.05)
    router.served.add("http.disconnect")
    answers(router)
    for _ in range(3):
        await call("GET", "http/x")
        await call("POST", "http/x", bytes(CHUNK + 1))
    await router.stop()
    await call("GET", "http/x")
    names = (await host.layer.names())["channels"]
    assert [name for name in names if "!" in name] == []
    assert all(conversation.is_closed for conversation in router.conversations)


# The client goes.


async def test_the_consumer_is_told_that_the_client_has_gone(router, connect):
    stream = await connect(path="a")
    message = await router.first(REQUEST)
    router.served.add("http.disconnect")
    stream.close()
    gone = await router.first("http.disconnect")
    assert gone.content == {"reply_channel": message["reply_channel"], "path": "/a"}


async def test_a_request_of_a_client_that_has_gone_is_withdrawn(router, connect):
    router.served.add(REQUEST)
    stream = await connect()
    await until(lambda: router.conversations)
    stream.close()
    await until(lambda: router.conversations[0].is_closed)
    assert len(router.conversations[0].sent) == 1


async def test_a_client_that_goes_in_the_midst_of_a_stream(router, connect):
    stream = await connect()
    message = await router.first(REQUEST)
    router.served.add("http.disconnect")
    await message.reply_channel.asend({"status": 200, "content": b"a", "more_content": True})
    await stream.read_until(b"a\r\n")
    stream.close()
    assert (await router.first("http.disconnect"))["path"] == "/x"


# Bodies.


async def read_body(message):
    """All of it, and how many messages it came in."""
    body, count, more = message["body"], 1, message["body_channel"] is not None
    while more:
        chunk = await message.channel_layer.receive(message["body_channel"])
        assert not chunk["closed"]
        body, count, more = body + chunk["content"], count + 1, chunk["more_content"]
    return body, count


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * 2**20 + 17])
async def test_a_large_body_comes_in_chunks(call, router, size):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    counts = []

    async def consumer(message):
        got, count = await read_body(message)
        counts.append(count)
        await message.reply_channel.asend({"status": 200 if got == body else 500})

    router.consume(REQUEST, consumer)
    assert (await call("POST", "http/x", body)).status == 200
    assert counts == [max(1, -(-size // CHUNK))]


async def test_an_upload_is_held_in_bounded_memory(router, connect, host):
    size = 40 * CHUNK
    stream = await connect("POST", headers={"Content-Length": size})
    writing = asyncio.ensure_future(stream.write(bytes(size)))
    message = await router.first(REQUEST)
    most = 0
    for _ in range(30):
        statistics = await host.layer.channel_statistics(message["body_channel"])
        most = max(most, statistics["waiting"])
        await asyncio.sleep(0.01)
    assert most == WINDOW
    assert not writing.done()
    body, _ = await read_body(message)
    assert len(body) == size
    await message.reply_channel.asend({"status": 200})
    assert b"200 OK" in await stream.read_until(b"\r\n\r\n")
    await writing


async def test_an_answer_before_the_body_is_read(call, router):
    answers(router, status=200, content=b"I do not care")
    answer = await call("POST", "http/x", bytes(30 * CHUNK))
    assert (answer.status, answer.value) == (200, b"I do not care")


async def test_nobody_takes_the_body(call, router, limit):
    limit(http_timeout=0.2)
    router.served.add(REQUEST)
    assert (await call("POST", "http/x", bytes(10 * CHUNK))).status == 504


async def test_nobody_serves_a_large_body(call, router):
    assert (await call("POST", "http/x", bytes(3 * CHUNK))).status == 503


async def test_the_client_goes_in_the_midst_of_its_body(router, connect):
    stream = await connect("POST", headers={"Content-Length": 10 * CHUNK})
    await stream.write(bytes(2 * CHUNK))
    message = await router.first(REQUEST)
    stream.close()
    layer = message.channel_layer
    async with asyncio.timeout(10):
        while not (chunk := await layer.receive(message["body_channel"]))["closed"]:
            assert chunk["more_content"]
    await until(lambda: router.conversations[0].is_closed)


async def test_a_body_over_the_limit(call, router, limit, connect):
    limit(upload=2 * CHUNK)
    router.served.add(REQUEST)
    answer = await call("POST", "http/x", bytes(2 * CHUNK + 1))
    assert (answer.status, b"1,048,577" in answer.value) == (413, True)
    assert b"max_upload" in answer.value
    assert router.conversations == []
    # A body that does not say how long it is.
    stream = await connect("POST", headers={"Transfer-Encoding": "chunked"})
    part = b"%x\r\n" % CHUNK + bytes(CHUNK) + b"\r\n"
    await stream.write(3 * part + b"0\r\n\r\n")
    message = await router.first(REQUEST)
    async with asyncio.timeout(10):
        while not (await message.channel_layer.receive(message["body_channel"]))["closed"]:
            pass
        assert b" 413 " in await stream.read_until(b"\r\n")


# Many at once.


async def test_a_thousand_requests_of_twenty_clients(
    router, jp_serverapp, http_server_client, jp_base_url, jp_auth_header
):
    """Each has its own answer, a failing neighbour or not, and none waits for another."""

    async def answer(message):
        number = message["query_string"]
        if int(number) % 50 == 7:
            await message.reply_channel.asend({"staus": 200})
            return
        reply = message.reply_channel
        await reply.asend({"status": 200, "content": number, "more_content": True})
        await asyncio.sleep(0)
        await reply.asend({"content": b":" + message["body"]})

    async def consumer(message):
        router.tasks.append(asyncio.ensure_future(answer(message)))

    router.consume(REQUEST, consumer)
    url = f"{jp_base_url}nbchannels/http/x?"
    statuses = Counter()

    async def client(first):
        for number in range(first, 1000, 20):
            response = await http_server_client.fetch(
                f"{url}{number}", method="POST", body=f"b{number}", headers=jp_auth_header,
                raise_error=False,
            )  # fmt: skip
            statuses[response.code] += 1
            if response.code == 200:
                assert response.body == f"{number}:b{number}".encode()

    started = time.monotonic()
    async with asyncio.timeout(50):
        await asyncio.gather(*(client(number) for number in range(20)))
    assert statuses == {200: 980, 500: 20}
    assert time.monotonic() - started < 45
