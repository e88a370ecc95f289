"""Where Redis is: what ``hosts`` may say, as redis-py's connections."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.cluster import ClusterBackbone
from nbchannels.layers.redis.entries import Keys
from nbchannels.layers.redis.node import Connect
from nbchannels.layers.redis.slots import Address

__all__ = ["Way", "ways"]

#: Seconds to open a connection. A read has no limit of its own: the layer watches over answers.
CONNECT = 2.0
_HOW = (
    "a URL ('redis://host:6379/0', 'rediss://…', 'unix:///path'), (host, port), "
    "{'address': URL, …}, {'sentinels': [(host, port), …], 'master_name': name, …}, or "
    "{'cluster': [(host, port), …], …}"
)


class Way:
    """How one Redis is reached.

    Attributes:
        where: for people: without a password.
        connect: makes an unconnected connection.
    """

    def __init__(self, where: str, connect: Callable[[], Any]) -> None:
        self.where = where
        self.connect = connect

    def backbone(self, keys: Keys, on_connect: Callable[[], None], patience: float) -> Backbone:
        """What the layer goes by; see `Backbone`."""
        return Backbone(self.connect, self.where, keys, on_connect, patience)


class _ClusterWay(Way):
    """How a Redis Cluster is reached."""

    def __init__(
        self, connect: Connect, seeds: Sequence[Address], remap: Callable[[Address], Address]
    ) -> None:
        where = "cluster of " + ", ".join(f"{host}:{port}" for host, port in seeds[:3])
        super().__init__(where, lambda: connect(seeds[0]))
        self._connect_to = connect
        self._seeds = seeds
        self._remap = remap

    def backbone(self, keys: Keys, on_connect: Callable[[], None], patience: float) -> Backbone:
        """See `Way.backbone`."""
        return ClusterBackbone(
            self._connect_to, self._seeds, self.where, keys, on_connect, patience,
            self._remap,
        )  # fmt: skip


def ways(hosts: Any) -> Way:
    """The way to Redis that ``hosts`` says.

    Raises:
        InvalidChannelLayerError: it says none.
    """
    if hosts is None:
        hosts = ["redis://localhost:6379"]
    if isinstance(hosts, (str, Mapping)):
        hosts = [hosts]
    if not isinstance(hosts, (list, tuple)) or not hosts:
        raise InvalidChannelLayerError(f"hosts is {hosts!r}; it is a list of {_HOW}")
    if len(hosts) > 1:
        raise InvalidChannelLayerError(
            f"hosts has {len(hosts)} entries; this layer does not spread channels over several "
            "servers itself: give one, or use a Redis Cluster"
        )
    host = hosts[0]
    if isinstance(host, tuple | list) and len(host) == 2:
        return _url(f"redis://{host[0]}:{host[1]}", {})
    if isinstance(host, str):
        return _url(host, {})
    if isinstance(host, Mapping) and "sentinels" in host:
        return _sentinel(dict(host))
    if isinstance(host, Mapping) and "cluster" in host:
        return _cluster(dict(host))
    if isinstance(host, Mapping) and "address" in host:
        options = dict(host)
        address = options.pop("address")
        if isinstance(address, tuple | list) and len(address) == 2:
            address = f"redis://{address[0]}:{address[1]}"
        return _url(str(address), options)
    what = f"a dict with {', '.join(map(str, host))}" if isinstance(host, Mapping) else repr(host)
    raise InvalidChannelLayerError(f"hosts has {what}; it may have {_HOW}")


def _ours(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "protocol": 2,
        "socket_connect_timeout": CONNECT,
        "socket_timeout": CONNECT,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        **options,
    }


def _url(url: str, options: dict[str, Any]) -> Way:
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError as error:
        raise InvalidChannelLayerError(
            f"hosts has a URL of {parts.hostname!r} whose port is no number up to 65,535"
        ) from error
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise InvalidChannelLayerError(
            f"hosts has {_shown(url)!r}; a URL begins with redis://, rediss:// or unix://"
        )
    settings = _ours(options)
    if parts.scheme == "unix":
        del settings["socket_keepalive"]
    try:
        pool: Any = ConnectionPool.from_url(url, **settings)
        pool.make_connection()  # says what is wrong with the options
    except (ValueError, TypeError, RedisError) as error:
        raise InvalidChannelLayerError(f"hosts has {_shown(url)!r}: {error}") from error
    return Way(_shown(url), pool.make_connection)


def _shown(url: str) -> str:
    """A URL without its password and options."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path}"


class _Sentinel(Sentinel):
    """Asks the Sentinels, and keeps no connection to them."""

    async def discover_master(self, service_name: str) -> Any:
        try:
            return await super().discover_master(service_name)
        finally:
            for client in self.sentinels:
                await client.connection_pool.disconnect(inuse_connections=False)


def _sentinel(options: dict[str, Any]) -> Way:
    sentinels = options.pop("sentinels")
    name = options.pop("master_name", None)
    if not isinstance(name, str) or not name:
        raise InvalidChannelLayerError(
            f"hosts has sentinels, and master_name {name!r}; it is the name that they know the "
            "primary by, such as 'mymaster'"
        )
    of_sentinels = options.pop("sentinel_kwargs", None) or {}
    try:
        addresses = [(str(host), int(port)) for host, port in sentinels]
        settings = _ours(options)
        make: Any = _Sentinel
        sentinel = make(addresses, sentinel_kwargs=_ours(dict(of_sentinels)), **settings)
        make_pool: Any = SentinelConnectionPool
        pool = make_pool(name, sentinel, **sentinel.connection_kwargs)
        pool.make_connection()
    except (ValueError, TypeError, RedisError) as error:
        raise InvalidChannelLayerError(f"hosts has sentinels {sentinels!r}: {error}") from error
    return Way(f"sentinels of {name!r}", _keep(sentinel, pool.make_connection))


def _keep(sentinel: Any, make: Callable[[], Any]) -> Callable[[], Any]:
    """A pool holds its sentinel weakly; what asked the sentinels is closed when they have said."""

    def connect() -> Any:
        connection = make()
        find = connection.connect

        async def find_and_close() -> None:
            try:
                await find()
            finally:
                for one in sentinel.sentinels:
                    await one.connection_pool.disconnect(inuse_connections=False)

        connection.connect = find_and_close
        return connection

    return connect


def _cluster(options: dict[str, Any]) -> Way:
    nodes = options.pop("cluster")
    remap: Any = options.pop("address_remap", None) or (lambda address: address)
    if options.get("db"):
        raise InvalidChannelLayerError(
            f"hosts has a cluster, and db {options['db']!r}; a Redis Cluster has database 0 only: "
            "use prefix to keep deployments apart"
        )
    make: Any = SSLConnection if options.pop("ssl", False) else Connection
    try:
        seeds = [(str(host), int(port)) for host, port in nodes]
        if not seeds:
            raise ValueError("it names no node")
        settings = _ours(options)

        def connect(address: Address) -> Any:
            host, port = address
            return make(host=host, port=port, **settings)

        connect(seeds[0])  # says what is wrong with the options
    except (ValueError, TypeError, RedisError) as error:
        raise InvalidChannelLayerError(f"hosts has a cluster {nodes!r}: {error}") from error
    return _ClusterWay(connect, seeds, remap)
