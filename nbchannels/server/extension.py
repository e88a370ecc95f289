"""The extension of the Jupyter server: configuration, start and stop.

``c.NbChannels.…`` in ``jupyter_server_config.py`` or ``jupyter_nbchannels_config.py``, or
``--NbChannels.…`` on the command line.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import Any as Anything
from traitlets import Bool, CFloat, CInt, Dict, List, TraitError, Unicode, validate

from nbchannels.consuming import consume, services_of
from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.configuration import REDIS, SHARED, VARIABLES, from_environment
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER, channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.redaction import key_pattern
from nbchannels.routes import Router
from nbchannels.server.asgi.mount import Mount
from nbchannels.server.events import Events
from nbchannels.server.host import Host, Limits
from nbchannels.server.metrics import Metrics
from nbchannels.server.policy import Policy
from nbchannels.server.problems import Problems
from nbchannels.server.routes import handlers
from nbchannels.server.tail import Tail

__all__ = ["URL_VARIABLE", "NbChannels", "reachable_url"]

#: Tells kernels where their server is. No secret stands in it.
URL_VARIABLE = "NBCHANNELS_URL"
MEMORY = "nbchannels.layers.memory.InMemoryChannelLayer"
#: Those of our own, which take the same options.
OUR_BACKENDS = (
    MEMORY,
    "nbchannels.layers.InMemoryChannelLayer",
    InMemoryChannelLayer,
    REDIS,
    "nbchannels.layers.RedisChannelLayer",
)
#: Seconds between two looks at the kernels and connections, at what has expired, and at whether the
#: layer answers.
TICK, SWEEP, LOOK = 1.0, 30.0, 0.25


def reachable_url(serverapp: Any, public_url: str = "") -> str | None:
    """Where a kernel on this machine reaches the server; ``None`` over a Unix socket.

    Args:
        serverapp: with its final port.
        public_url: counts if it is given; for kernels elsewhere.
    """
    if public_url:
        return public_url if public_url.endswith("/") else public_url + "/"
    if serverapp.sock:
        return None
    ip = serverapp.ip
    if ip in ("", "*", "0.0.0.0", "localhost"):
        ip = "127.0.0.1"
    elif ip == "::":
        ip = "::1"
    if ":" in ip:
        ip = f"[{ip}]"
    scheme = "https" if serverapp.certfile else "http"
    return f"{scheme}://{ip}:{serverapp.port}{serverapp.base_url}"


class _Uncopied:
    """A value of the configuration of which no copy is made."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __deepcopy__(self, memo: Any) -> Any:
        return self._value


class NbChannels(ExtensionApp):
    """Realtime channels for Jupyter."""

    name = "nbchannels"
    load_other_extensions = True
    open_browser = False

    channel_layers = Dict(
        default_value={DEFAULT_CHANNEL_LAYER: {"BACKEND": MEMORY}},
        help="""The channel layers by alias, as Django's CHANNEL_LAYERS:
        {"default": {"BACKEND": dotted path, "CONFIG": {...}}}. "default" is what this server
        hosts. Options of the memory layer that CONFIG does not name are the server's own: named
        channels hold 10,000 messages for 24 hours, process-local ones 100 for 60 seconds.""",
    ).tag(config=True)
    history = CInt(10_000, help="Messages kept for each group.").tag(config=True)
    history_bytes = CInt(16 * 2**20, help="Bytes kept for each group.").tag(config=True)
    total_history_bytes = CInt(
        256 * 2**20, help="Bytes kept for all groups; the idlest group's history shrinks first."
    ).tag(config=True)

    max_message = CInt(
        Limits().message, help="Bytes of one encoded message, and of one HTTP body."
    ).tag(config=True)
    max_batch = CInt(Limits().batch, help="Messages in one HTTP body.").tag(config=True)
    max_connections = CInt(
        Limits().connections, help="Open WebSockets of pages, kernels and scripts."
    ).tag(config=True)
    max_connections_per_user = CInt(
        Limits().connections_per_user, help="Open WebSockets of one user."
    ).tag(config=True)
    max_subscriptions = CInt(
        Limits().subscriptions, help="Groups that one connection subscribes to."
    ).tag(config=True)
    window = CInt(
        Limits().window, help="Messages sent to a subscriber before it must acknowledge."
    ).tag(config=True)
    window_bytes = CInt(
        Limits().window_bytes, help="Bytes sent to a subscriber before it must acknowledge."
    ).tag(config=True)
    heartbeat = CFloat(
        Limits().heartbeat, help="Seconds between two heartbeats to each connection."
    ).tag(config=True)
    max_upload = CInt(
        Limits().upload,
        help="Bytes of one body below http/, which goes on to its consumer in chunks.",
    ).tag(config=True)
    http_timeout = CFloat(
        Limits().http_timeout,
        help="""Seconds that a consumer of http.request has for its reply, and for each further
        part of it.""",
    ).tag(config=True)
    handshake_timeout = CFloat(
        Limits().handshake_timeout,
        help="Seconds that a consumer of websocket.connect has to accept.",
    ).tag(config=True)

    redact = List(
        Unicode(),
        help="""Globs of keys whose values nobody is shown in previews of messages, such as
        ["password", "*token*"]; upper and lower case are the same. On the command line once for
        each: --NbChannels.redact=password --NbChannels.redact='*token*'.""",
    ).tag(config=True)
    rights = Dict(
        help="""Rights by pattern of the name of a group or channel; the first match counts:
        {"sensors.*": "read", "*": "read write"}. Names without a match have all rights. Jupyter's
        authorizer is asked before (resource "nbchannels"; actions read, write, execute).""",
    ).tag(config=True)
    public_url = Unicode(
        help="""The address of this Jupyter server, with its base, for kernels that do not run on
        this machine. Empty: http://127.0.0.1:<port><base_url>. Over a Unix socket nothing is told
        to kernels unless this is set.""",
    ).tag(config=True)
    routing = Anything(
        None,
        help="""Consumers that this server runs itself, as Channels 1.x' ROUTING: a list of
        route(...) and include(...), a dict of consumers by channel, or the dotted path of one.
        Coroutine functions run on a loop of their own, others on a thread, one at a time.""",
    ).tag(config=True)
    asgi_application = Anything(
        "",
        help="""The ASGI application at <base_url>nbchannels/app/, behind Jupyter's login:
        "package.module:application", "package.module.application", or the object itself. Its
        module has to be installed or on PYTHONPATH; the notebooks' folder is not searched.""",
    ).tag(config=True)
    asgi_pass_credentials = Bool(
        False,
        help="""Whether the application sees Jupyter's login cookies and tokens. They open this
        whole server to whoever reads them.""",
    ).tag(config=True)
    counts_as_activity = Bool(
        False,
        help="""Whether open connections and requests keep an idle server from being culled
        (ServerApp.shutdown_no_activity_timeout, JupyterHub's idle culler).""",
    ).tag(config=True)

    @validate(
        "history",
        "history_bytes",
        "total_history_bytes",
        "max_message",
        "max_batch",
        "max_connections",
        "max_connections_per_user",
        "max_subscriptions",
        "window",
        "window_bytes",
        "heartbeat",
        "max_upload",
        "http_timeout",
        "handshake_timeout",
    )
    def _positive(self, proposal: Any) -> Any:
        if proposal["value"] <= 0:
            raise TraitError(
                f"NbChannels.{proposal['trait'].name} is {proposal['value']!r}; "
                "it must be a number above 0"
            )
        return proposal["value"]

    @validate("redact")
    def _keys(self, proposal: Any) -> Any:
        for glob in proposal["value"]:
            try:
                key_pattern(glob)
            except ValueError as error:
                raise TraitError(
                    f"NbChannels.redact: {error}; c.NbChannels.redact = [...] in a configuration "
                    "file, --NbChannels.redact=password --NbChannels.redact='*token*' on the "
                    "command line"
                ) from error
        return proposal["value"]

    host: Host | None = None
    _taken: Mapping[str, str] = MappingProxyType({})
    _timers: tuple[PeriodicCallback, ...] = ()
    _events: Events | None = None
    _metrics: Metrics | None = None
    _problems: Problems | None = None

    def _find_my_config(self, cfg: Any) -> Any:
        # traitlets copies each value, deeply: an application with a lock has no copy, and another
        # would have a state of its own.
        found = super()._find_my_config(cfg)
        if callable(found.get("asgi_application")):
            found["asgi_application"] = _Uncopied(found["asgi_application"])
        return found

    # Jupyter's hooks, in the order in which they are called.

    def initialize_settings(self) -> None:
        """Make the layer and the host, before there are routes."""
        if not self._linked:  # Jupyter would go on with the defaults, without the rights, too
            raise RuntimeError(
                "not loaded: the configuration of NbChannels has an error, see above"
            )
        limits = Limits(
            message=self.max_message,
            batch=self.max_batch,
            connections=self.max_connections,
            connections_per_user=self.max_connections_per_user,
            subscriptions=self.max_subscriptions,
            window=self.window,
            window_bytes=self.window_bytes,
            heartbeat=self.heartbeat,
            upload=self.max_upload,
            http_timeout=self.http_timeout,
            handshake_timeout=self.handshake_timeout,
        )
        serverapp: Any = self.serverapp
        self.host = Host(
            self._hosted_layer(),
            Policy(serverapp.authorizer, self.rights),
            limits,
            kernel_manager=serverapp.kernel_manager,
            root_dir=serverapp.root_dir,
            counts_as_activity=self.counts_as_activity,
        )
        if self.asgi_application not in ("", None):
            self.host.mount = Mount(
                self.asgi_application,
                pass_credentials=self.asgi_pass_credentials,
                limit=self.max_connections,
            )
        self.host.hub.tail = Tail(list(self.redact))
        self._serve_routing(self.host.layer)
        self.host.when_kernel_gone(self.host.hub.revoke_kernel)
        self.host.when_kernel_restarted(self.host.hub.forget_process)
        self.settings["nbchannels"] = self.host

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(handlers())

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """The loop runs and the port is final: tell it to the kernels to come, start the clocks."""
        host = self.host
        if host is None:  # it could not be loaded, and the log has said why
            return
        host.url = reachable_url(serverapp, self.public_url)
        if host.url is None:
            os.environ.pop(URL_VARIABLE, None)
            self.log.warning(
                "nbchannels: this server listens on a Unix socket, which its kernels are not told "
                "of; set c.NbChannels.public_url to an address that they reach"
            )
        else:
            os.environ[URL_VARIABLE] = host.url
        host.layer.open()
        if host.mount is not None:
            host.mount.start()
        self._events = Events(serverapp.event_logger, host.hub)
        self._events.start()
        self._problems = Problems(host.hub, host.policy.permits)
        self._metrics = Metrics(host)
        self._metrics.start()
        self._timers = (
            PeriodicCallback(self._tick, TICK * 1000),
            PeriodicCallback(host.layer.sweep, SWEEP * 1000),
            PeriodicCallback(host.hub.outage.look, LOOK * 1000),
        )
        for timer in self._timers:
            timer.start()

    async def stop_extension(self) -> None:
        """The server stops: send the clients away; kernels to come are told nothing."""
        for timer in self._timers:
            timer.stop()
        self._timers = ()
        for told in (self._events, self._metrics):
            if told is not None:
                told.stop()
        host, self.host = self.host, None
        if host is None:
            return
        if host.url is not None and os.environ.get(URL_VARIABLE) == host.url:
            del os.environ[URL_VARIABLE]
        for variable, value in self._taken.items():
            os.environ.setdefault(variable, value)
        await services_of(host.layer).remove()
        await host.close()
        if channel_layers.backends.get(DEFAULT_CHANNEL_LAYER) is host.layer:
            channel_layers.configure({})

    def current_activity(self) -> Any:
        """How many connections are open, if they count."""
        if self.host is None or not self.counts_as_activity:
            return None
        calls = 0 if self.host.mount is None else len(self.host.mount)
        return len(self.host.hub.connections) + len(self.host.sockets) + calls or None

    # What they need.

    def _hosted_layer(self) -> HostedLayer:
        # What stands in the environment is for this server; its kernels' default layer is this one.
        unsaid = self.channel_layers == self.trait_defaults("channel_layers")
        environment = from_environment() if unsaid else None
        self._taken = {name: os.environ.pop(name) for name in VARIABLES if name in os.environ}
        configured = self.channel_layers if environment is None else environment
        configs: dict[str, dict[str, Any]] = {
            alias: dict(config) for alias, config in configured.items()
        }
        configs.setdefault(DEFAULT_CHANNEL_LAYER, {"BACKEND": MEMORY})
        for config in configs.values():
            if config.get("BACKEND") in OUR_BACKENDS:
                given = dict(config.get("CONFIG") or {})
                options = self._options()
                for option in ("channel_capacity", "channel_expiry"):
                    if isinstance(given.get(option), Mapping):
                        # Of the patterns the first that matches counts: ours come last.
                        given[option] = dict(given[option])
                        for pattern, value in options[option].items():
                            given[option].setdefault(pattern, value)
                config["CONFIG"] = options | given
        channel_layers.configure(configs)
        layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        if not isinstance(layer, HostedLayer):
            raise InvalidChannelLayerError(
                f"c.NbChannels.channel_layers: {type(layer).__name__} cannot be the server's "
                f"default layer in this version; use {MEMORY!r}"
            )
        if layer.backend == "foreign":  # its class has no options for what is kept here
            layer.keep(
                layer.bounds._replace(
                    history=self.history,
                    history_bytes=self.history_bytes,
                    total_history_bytes=self.total_history_bytes,
                )
            )
        channel_layers.set(DEFAULT_CHANNEL_LAYER, layer)
        return layer

    def _serve_routing(self, layer: HostedLayer) -> None:
        """Put the configured routes in service, beside the loop of this server."""
        routing = self.routing if self.routing is not None else layer.routing
        if routing is not None:
            consume(Router(routing).routing, on="thread", channel_layer=layer)

    def _options(self) -> dict[str, Any]:
        return SHARED | {
            "history": self.history,
            "history_bytes": self.history_bytes,
            "total_history_bytes": self.total_history_bytes,
        }

    async def _tick(self) -> None:
        if self.host is not None:
            await self.host.sweep_kernels()
            await self.host.hub.tick()
            if self._events is not None:
                self._events.tick()
            if self._problems is not None:
                self._problems.tick()
