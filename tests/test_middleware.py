"""Middleware is an application around another one."""

import pytest

from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.middleware import BaseMiddleware, as_application

pytestmark = pytest.mark.asyncio


async def application(scope, receive, send):
    scope["changed"] = True
    return scope, receive, send


class Numbered(BaseMiddleware):
    async def __call__(self, scope, receive, send):
        return await super().__call__({**scope, "number": 1}, receive, send)


class Consumer:
    @classmethod
    def as_asgi(cls):
        return application


async def test_the_inner_application_gets_a_copy_of_the_scope():
    outer = {"type": "http"}
    scope, receive, send = await Numbered(BaseMiddleware(application))(outer, "receive", "send")
    assert scope == {"type": "http", "number": 1, "changed": True}
    assert (receive, send) == ("receive", "send")
    assert outer == {"type": "http"}


async def test_a_class_of_consumers_does():
    assert BaseMiddleware(Consumer).inner is application
    assert as_application(application, "it") is application


@pytest.mark.parametrize(("view", "said"), [
    (None, "Numbered(…) is given None"),
    ("site.app", "is given a str: 'site.app'"),
    (object, "or a class of consumers"),
])  # fmt: skip
async def test_what_is_no_application_is_refused(view, said):
    with pytest.raises(ImproperlyConfigured) as caught:
        Numbered(view)
    assert said in str(caught.value)
