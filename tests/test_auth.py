"""The user in the scope: Jupyter's, or nobody."""

import copy
import pickle

import pytest
from asgiref.testing import ApplicationCommunicator
from jupyter_server.auth.identity import User as JupyterUser

from nbchannels import auth
from nbchannels.auth import AnonymousUser, AuthMiddleware, AuthMiddlewareStack, User, get_user

pytestmark = pytest.mark.asyncio


async def application(scope, receive, send):
    await send({"type": "told", "scope": scope})


async def scope_of(app, **scope):
    communicator = ApplicationCommunicator(app, {"type": "websocket", "headers": [], **scope})
    return (await communicator.receive_output())["scope"]


async def test_without_a_host_it_is_nobody():
    user = (await scope_of(AuthMiddleware(application)))["user"]
    assert isinstance(user, AnonymousUser)
    assert (user.is_authenticated, user.is_anonymous, user.username) == (False, True, "")
    assert user.get_username() == user.display_name == ""
    assert (str(user), repr(user)) == ("AnonymousUser", "<AnonymousUser>")
    assert user == AnonymousUser() != User("ada")
    assert len({user, AnonymousUser()}) == 1


async def test_jupyters_user_can_be_asked_what_djangos_can():
    identity = JupyterUser("ada", name="Ada L.", color="red")
    user = (await scope_of(AuthMiddleware(application), user=identity))["user"]
    assert (user.is_authenticated, user.is_anonymous, user.is_active) == (True, False, True)
    assert (user.username, user.name, user.display_name) == ("ada", "Ada L.", "Ada L.")
    assert (user.color, user.initials, user.get_username(), str(user)) == (
        "red",
        None,
        "ada",
        "ada",
    )
    assert user == User("ada") != User("bob")
    assert len({user, User("ada")}) == 1
    assert repr(user) == "<User ada>"


async def test_a_user_from_a_dict_from_a_name_and_with_more():
    user = User({"username": "ada", "team": "engines"})
    assert (user.username, user.team, user.name, user.pk, user.id) == (
        "ada",
        "engines",
        "ada",
        "ada",
        "ada",
    )
    assert User("bob").display_name == "bob"
    with pytest.raises(AttributeError, match="User has no 'team'"):
        User("bob").team  # noqa: B018
    with pytest.raises(AttributeError, match="User has no '_secret'"):
        User({"username": "ada", "_secret": 1})._secret  # noqa: B018


async def test_a_user_can_be_copied():
    user = User({"username": "ada", "team": "engines"})
    assert copy.deepcopy(user).team == pickle.loads(pickle.dumps(user)).team == "engines"


async def test_a_user_who_knows_is_left_as_he_is():
    class Theirs:
        is_authenticated = True

    theirs = Theirs()
    assert (await scope_of(AuthMiddleware(application), user=theirs))["user"] is theirs


async def test_the_user_of_a_scope():
    assert await get_user({}) == AnonymousUser()
    assert await get_user({"user": None}) == AnonymousUser()
    assert await get_user({"user": "ada"}) == User("ada")


async def test_the_stack_gives_cookies_a_session_and_the_user():
    headers = [(b"cookie", b"a=1")]
    scope = await scope_of(AuthMiddlewareStack(application), headers=headers, user="ada")
    assert scope["cookies"] == {"a": "1"}
    assert dict(scope["session"]) == {}
    assert scope["user"] == User("ada")


async def test_the_middleware_needs_no_session():
    scope = await scope_of(AuthMiddleware(application))
    assert "session" not in scope


async def test_signing_in_is_jupyters_business():
    assert not hasattr(auth, "login")
    assert not hasattr(auth, "logout")
