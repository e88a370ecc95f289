"""What is Jupyter's alone does not come through, and all else does."""

import pytest

from nbchannels.server.credentials import (
    Secrets,
    is_login_cookie,
    secrets_of,
    without_credentials,
)

TOKEN = "4f2a+/=b"
SECRETS = Secrets({TOKEN}, {"my-login"})


def clean(headers=(), query=""):
    return without_credentials(headers, query, SECRETS)


@pytest.mark.parametrize(
    ("cookie", "left"),
    [
        ("a=1; username-localhost-8888=x; b=2", "a=1; b=2"),
        ("username-127-0-0-1-8889=2|1:0|10:1|x:y|z", None),
        ("_xsrf=2|a|b|c", None),
        ("_xsrf=1; _xsrf=2;my-login=3", None),
        ("jupyterhub-user-ada=1; jupyterhub-session-id=2; a=b", "a=b"),
        ("jupyter-hub-token-x=1", None),
        (" username-x = 1 ; a=b", "a=b"),
        ("my_xsrf=1; myusername-x=2", "my_xsrf=1; myusername-x=2"),
        ('a="x; username-y=1', 'a="x'),
        ("", None),
    ],
)
def test_cookies(cookie, left):
    headers, _ = clean([("Cookie", cookie)])
    assert headers == ([] if left is None else [("Cookie", left)])


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        (f"token {TOKEN}", False),
        (f"Token  {TOKEN} ", False),
        (f"Bearer {TOKEN}", False),
        ("Bearer of-the-application", True),
        ("Basic YTpi", True),
        (TOKEN, True),  # Jupyter does not read it so
    ],
)
def test_authorization(value, stays):
    assert (clean([("authorization", value)])[0] != []) == stays


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("token=4f2a%2B%2F%3Db", ""),
        ("a=1&token=4f2a%2B%2F%3Db&b=%20&b", "a=1&b=%20&b"),
        ("t%6Fken=4f2a%2b/=b", ""),
        ("+token=+4f2a%2b/=b+", ""),
        ("token=of-the-application", "token=of-the-application"),
        ("_xsrf=anything&%5Fxsrf=2", ""),
        ("a=&&b", "a=&&b"),
    ],
)
def test_queries(query, left):
    assert clean((), query)[1] == left
    referer = [("Referer", f"http://h/lab?{query}#x")]
    wanted = f"http://h/lab?{left}#x" if left else "http://h/lab#x"
    assert clean(referer)[0] == [("Referer", wanted)]


def test_xsrf_headers():
    headers = [("X-XSRFToken", "a"), ("X-Csrftoken", "2|a|b|c"), ("X-CSRFToken", "django's")]
    assert clean(headers)[0] == [("X-CSRFToken", "django's")]
    assert clean([("Cookie", "_xsrf=mine"), ("X-CSRFToken", "mine")])[0] == []


def test_all_else_stays_as_it_is_and_in_its_order():
    headers = [("B", "token 1"), ("a", "2"), ("B", "3"), ("Origin", "http://h?token=1"), ("C", "")]
    assert clean(headers, "x=%zz&y=\xff") == (headers, "x=%zz&y=\xff")


def test_without_secrets_the_usual_names_still_go():
    headers, query = without_credentials(
        [("Cookie", "username-h=1; my-login=2")], "_xsrf=1&token=2"
    )
    assert (headers, query) == ([("Cookie", "my-login=2")], "token=2")


def test_a_token_of_nothing_is_none():
    """A server without a token has the empty one."""
    assert without_credentials([("Authorization", "token x")], "token=", Secrets())[1] == "token="


def test_names_of_login_cookies():
    assert is_login_cookie("_xsrf")
    assert is_login_cookie("my-login", SECRETS)
    assert not is_login_cookie("my-login")
    assert not is_login_cookie("session")


class Provider:
    token = "server"

    def get_token(self, handler):
        return "hub"

    def get_cookie_name(self, handler):
        return "login"


@pytest.mark.parametrize(
    ("authenticated", "own", "tokens"),
    [(True, "server", {"server", "hub"}), (False, "server", {"server"}), (False, "", set())],
)
def test_secrets_of_a_request(authenticated, own, tokens):
    class Handler:
        identity_provider = Provider()
        token_authenticated = authenticated

    Handler.identity_provider.token = own
    assert secrets_of(Handler()) == Secrets(tokens, {"login"})
