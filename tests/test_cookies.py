"""Cookies: what is read of a request, what is written into a response."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from asgiref.testing import ApplicationCommunicator

from nbchannels.cookies import CookieMiddleware

pytestmark = pytest.mark.asyncio


async def application(scope, receive, send):
    await send({"type": "told", "cookies": scope["cookies"]})


async def cookies(*values, **scope):
    headers = [(b"host", b"x"), *((b"cookie", value) for value in values)]
    communicator = ApplicationCommunicator(
        CookieMiddleware(application), {"type": "http", "headers": headers, **scope}
    )
    return (await communicator.receive_output())["cookies"]


def header(*arguments, **options):
    message = {"type": "http.response.start"}
    CookieMiddleware.set_cookie(message, *arguments, **options)
    ((name, value),) = message["headers"]
    assert name == b"set-cookie"
    return value.decode("latin-1").split("; ")


@pytest.mark.parametrize(("values", "found"), [
    ([], {}),
    ([b""], {}),
    ([b"a=1; b=2"], {"a": "1", "b": "2"}),
    ([b"a=1;b=2;"], {"a": "1", "b": "2"}),
    ([b"a=1", b"b=2"], {"a": "1", "b": "2"}),
    ([b"a=1; a=2"], {"a": "2"}),
    ([b"a=x=y"], {"a": "x=y"}),
    ([b"alone; a=1; =2"], {"a": "1"}),
    ([b'a="x\\073y"; b="\\""'], {"a": "x;y", "b": '"'}),
    ([b"bad[name]=1; a=2"], {"bad[name]": "1", "a": "2"}),
    ([b"a=\xe4"], {"a": "\xe4"}),
])  # fmt: skip
async def test_reading(values, found):
    assert await cookies(*values) == found


async def test_only_so_much_is_read():
    assert len(await cookies(b";".join(b"c%d=1" % n for n in range(1000)))) == 300
    with pytest.raises(ValueError, match="have 70,002 bytes, the limit is 65,536"):
        await cookies(b"a=" + b"x" * 70_000)


async def test_cookies_that_are_read_already_stay():
    assert await cookies(b"a=1", cookies={"b": "2"}) == {"b": "2"}


async def test_what_has_no_headers_has_no_cookies():
    communicator = ApplicationCommunicator(CookieMiddleware(application), {"type": "channel"})
    with pytest.raises(ValueError, match="without headers, of type 'channel'"):
        await communicator.wait()


async def test_setting():
    assert header("a", "1") == ["a=1", "Path=/", "SameSite=lax"]
    assert header("a", path=None, samesite=None) == ['a=""']
    assert header("a", "1", secure=True, httponly=True, domain="x.org", samesite="Strict") == [
        "a=1", "Domain=x.org", "HttpOnly", "Path=/", "SameSite=Strict", "Secure",
    ]  # fmt: skip


async def test_how_long_it_lives():
    assert header("a", expires="Thu, 01 Jan 2099 00:00:00 GMT")[1] == (
        "expires=Thu, 01 Jan 2099 00:00:00 GMT"
    )
    for max_age in (60, timedelta(minutes=1)):
        _, expires, age, *_ = header("a", "1", max_age=max_age)
        until = datetime.strptime(expires, "expires=%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        assert timedelta(seconds=55) < until - datetime.now(UTC) <= timedelta(seconds=61)
        assert age == "Max-Age=60"


@pytest.mark.parametrize("moment", [
    datetime(2099, 1, 1, 12),
    datetime(2099, 1, 1, 12, tzinfo=UTC),
    datetime(2099, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
])  # fmt: skip
async def test_until_a_moment(moment):
    _, expires, age, *_ = header("a", "1", expires=moment)
    assert expires == "expires=Thu, 01 Jan 2099 12:00:00 GMT"
    assert int(age.removeprefix("Max-Age=")) > 0


async def test_a_moment_that_is_over():
    assert header("a", "1", expires=datetime(2001, 1, 1))[2] == "Max-Age=0"


async def test_forgetting():
    message = {"type": "websocket.accept", "headers": [(b"x", b"y")]}
    CookieMiddleware.delete_cookie(message, "a", path="/b", domain="x.org")
    first, (name, value) = message["headers"]
    assert (first, name) == ((b"x", b"y"), b"set-cookie")
    assert value.split(b"; ") == [
        b'a=""', b"Domain=x.org", b"expires=Thu, 01 Jan 1970 00:00:00 GMT", b"Max-Age=0",
        b"Path=/b", b"SameSite=lax",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["x;y", 'say "a"', "a b", "\xe4", "a,b", "\\"])
async def test_a_value_comes_back_as_it_was(value):
    text = header("a", value, path=None, samesite=None)[0]
    assert await cookies(text.encode("latin-1")) == {"a": value}


async def test_headers_of_the_caller_are_not_changed():
    headers = [(b"x", b"y")]
    message = {"headers": headers}
    CookieMiddleware.set_cookie(message, "a", "1")
    assert headers == [(b"x", b"y")]
    assert len(message["headers"]) == 2


@pytest.mark.parametrize(("arguments", "options", "said"), [
    (("a b", "1"), {}, "the cookie 'a b' cannot be set"),
    (("a\r\n", "1"), {}, "cannot be set"),
    (("a", "\u20ac"), {}, "the cookie 'a' cannot be set"),
    (("a", "1"), {"samesite": "no"}, "samesite is 'no'; it is 'strict', 'lax' or 'none'"),
    (("a", "1"), {"path": "/;x"}, "path of the cookie 'a' is '/;x'"),
    (("a", "1"), {"path": "/\r\nX: y"}, "path of the cookie"),
    (("a", "1"), {"domain": "x;y"}, "domain of the cookie"),
    (("a", "1"), {"expires": "x\n"}, "expires of the cookie"),
])  # fmt: skip
async def test_what_no_cookie_has_is_refused(arguments, options, said):
    message = {}
    with pytest.raises(ValueError, match="cookie|samesite") as caught:
        CookieMiddleware.set_cookie(message, *arguments, **options)
    assert said in str(caught.value)
    assert message == {}


async def test_no_line_break_of_a_value_gets_out():
    message = {}
    try:
        CookieMiddleware.set_cookie(message, "a", "x\r\nSet-Cookie: b=1")
    except ValueError:
        assert message == {}  # newer Pythons refuse it
    else:
        assert b"\r" not in message["headers"][0][1]
        assert b"\n" not in message["headers"][0][1]
