"""A Jupyter server that has joined a Django site: the site, the server, and a kernel of it."""

import asyncio

import pytest
import pytest_asyncio

from tests.integration.kernels import Patient, api, eventually, problems
from tests.kernel.conftest import RunningServer
from tests.layers.django_site import Site
from tests.layers.redis_server import RedisServer

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]

CORE = "channels_redis.core.RedisChannelLayer"
PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
CONFIG = """
c.ServerApp.jpserver_extensions = {{"nbchannels": True}}
c.NbChannels.history = 5
c.NbChannels.channel_layers = {{
    "default": {{"BACKEND": "{backend}", "CONFIG": {{"hosts": ["{url}"]}}}}
}}
"""


class JoinedServer(RunningServer):
    """Its layer is the site's."""

    def __init__(self, folder, backend, url):
        self.text = CONFIG.format(backend=backend, url=url)
        super().__init__(folder)

    def start(self, *, wait=True):
        self.config.write_text(self.text)
        super().start(wait=wait)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=[CORE, PUBSUB])
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def server(redis, backend, tmp_path_factory):
    redis.clear()
    running = JoinedServer(tmp_path_factory.mktemp("server"), backend, redis.url)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def kernel(server):
    found = Patient(server)
    found.run("import nbchannels as nb")
    yield found
    found.end()


@pytest_asyncio.fixture
async def site(redis, backend, server):
    found = await Site.start(backend, redis.url)
    yield found
    await found.end()


def listening(redis, backend, group=None, channel=None, count=1):
    """Wait until so many are there: pub/sub keeps nothing for those who are not."""
    if backend == PUBSUB:
        name = channel or f"asgi__group__{group}"
        eventually(lambda: redis.subscribers(name) >= count, True)
    elif group:
        eventually(lambda: int(redis.ask("ZCARD", f"asgi:group:{group}")[0][1:]) >= count, True)


async def test_the_server_says_what_hosts_its_layer(server):
    assert api(server, "status")["layer"] == {
        "alias": "default", "backend": "foreign", "trouble": None,
    }  # fmt: skip
    assert api(server, "layer")["capacity"]["history"] == 5


async def test_a_kernel_sends_and_listens(server, kernel, site, redis, backend):
    kernel.begin(
        "for message in nb.Group('index').listen(timeout=20):\n"
        "    print('heard', message.content)\n"
        "    if message['n'] == 2: break\n"
    )
    listening(redis, backend, "index", count=2)
    await site.say(group_send=["index", {"n": 1}])
    await asyncio.to_thread(kernel.told, "heard {'n': 1}")
    await site.say(group_send=["index", {"n": 2}])
    out, error = await asyncio.to_thread(kernel.finish)
    assert (out.splitlines()[-1], error) == ("heard {'n': 2}", "")
    assert [await site.hear() for _ in range(2)] == [{"group": {"n": 1}}, {"group": {"n": 2}}]
    out, error = kernel.run("print(nb.Group('index').send({'n': 3}))")
    assert (out.strip(), error) == (
        "<sent to group 'index', receivers not known, taken by a foreign layer>", "",
    )  # fmt: skip
    assert await site.hear() == {"group": {"n": 3}}
    out, error = kernel.run("print([message['n'] for message in nb.Group('index').history()])")
    assert (out.strip(), error) == ("[1, 2, 3]", "")


async def test_channels_in_both_directions(server, kernel, site, redis, backend):
    listening(redis, backend, channel="to-site")
    out, error = kernel.run("nb.Channel('to-site').send({'n': 4})")
    assert error == ""
    assert await site.hear() == {"channel": {"n": 4}}
    _, error = kernel.run(
        "@nb.consume('from-site')\ndef work(message):\n"
        "    nb.Channel('to-site').send({'n': message['n'] + 1})\n"
    )
    assert error == ""
    listening(redis, backend, channel="from-site")
    for n in (10, 20):
        await site.say(send=["from-site", {"n": n}])
        assert await site.hear() == {"channel": {"n": n + 1}}


async def test_a_question_to_the_site(server, kernel, site, backend):
    if backend == PUBSUB:
        pytest.skip("its channels are no process-local ones: an answer has no way here")
    out, error = kernel.run("print(nb.Channel('to-site').ask({'n': 12}, timeout=20)['answer'])")
    assert (out.strip(), error) == ("144", "")


async def test_an_error_of_the_class_is_raised_on_the_line(kernel):
    _, error = kernel.run(
        "import datetime\nnb.Group('index').send({'day': datetime.date(2026, 1, 2)})"
    )
    assert "EncodingError" in error
    assert "does not take this message to group 'index'" in error


async def test_nothing_of_it_shows_in_the_servers_log(server):
    assert problems(server) == []
