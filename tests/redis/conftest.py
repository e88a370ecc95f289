"""Redis as it is needed: one server, one with Sentinels, a cluster; each made once, when asked for.

What a test has broken is mended before the next one gets it; its data is forgotten.
"""

import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.redis.cluster import Cluster
from tests.redis.proxy import FaultProxy
from tests.redis.sentinels import Sentinels
from tests.redis.servers import Certificate, RedisServer, why_no_redis


@pytest.fixture(scope="session")
def redis_is_installed() -> None:
    """Fails with what to install; skipped where somebody said that this is as it should be."""
    reason = why_no_redis(os.environ)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def _server(
    redis_is_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), unix_socket=True) as server:
        yield server


@pytest.fixture(scope="session")
def _sentinels(
    redis_is_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sentinels]:
    with Sentinels(tmp_path_factory.mktemp("sentinels")) as sentinels:
        yield sentinels


@pytest.fixture(scope="session")
def _cluster(
    redis_is_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def redis_server(_server: RedisServer) -> RedisServer:
    """A server, started afresh: empty, without persistence or strange clients."""
    _server.restart()  # faster than to find out what has been done to it
    return _server


@pytest.fixture
def sentinels(_sentinels: Sentinels) -> Sentinels:
    """A primary with two replicas and three Sentinels, all well and empty."""
    _sentinels.heal()
    return _sentinels


@pytest.fixture
def cluster(_cluster: Cluster) -> Cluster:
    """Three primaries with a replica each, all well and empty."""
    _cluster.heal()
    return _cluster


@pytest.fixture
def new_server(redis_is_installed: None, tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Makes servers of the test's own, started, with the options of `RedisServer`."""
    made: list[RedisServer] = []

    def new(**options: object) -> RedisServer:
        server = RedisServer(tmp_path / f"redis-{len(made)}", **options)  # type: ignore[arg-type]
        made.append(server)
        server.start()
        return server

    yield new
    for server in made:
        server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not on the PATH: no certificate for TLS")
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def redis_proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    """A way to the server that can be disturbed."""
    with FaultProxy(redis_server.port, seed=1) as proxy:
        yield proxy


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Of the keys of this test, and of no other."""
    return f"test-{zlib.crc32(request.node.nodeid.encode()):x}"
