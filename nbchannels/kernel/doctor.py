"""``%channels doctor``: what is wrong here, why, and what to do about it.

`examine` looks and changes nothing, but that it connects. Each finding has a mark, what was found
with its cause, and a remedy.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from nbchannels.bridge import bridge, user_bridge
from nbchannels.diagnoses import recent
from nbchannels.exceptions import ChannelsError
from nbchannels.kernel import busy
from nbchannels.kernel.direct import apart, is_direct
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.kernel.notebook import shown_place
from nbchannels.kernel.reports import count, services_here
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.manager import channel_layers, get_channel_layer
from nbchannels.names import near_match
from nbchannels.pending import sent_to_nobody

__all__ = ["Finding", "Mark", "examine", "report"]

Mark = Literal["ok", "warning", "problem"]

#: Seconds for an answer of the server, and for a loop of our own to turn.
PATIENCE, TURN = 5.0, 1.0
#: Seconds that a consumer may hold a message before that is a finding.
LONG = 10.0
REDIS_REMEDY = "is it running, and reached from here? redis-cli -u URL ping; all goes on by itself"
#: Channels, groups and diagnoses that are looked at; more are counted.
MOST = 100
_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}
_REASONS = {
    "expired": "nobody took them in time: start a consumer, or raise expiry",
    "failed": "their consumer raised: %channels dead N shows where",
    "retries": "their consumer raised ConsumeLater 11 times: do the work, or let it fail",
    "returns": "their kernels died with them: look for what ends the kernel",
}


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        mark: ``ok``, ``warning`` or ``problem``.
        what: what was found, with its cause.
        remedy: what to do; empty if nothing is to be done.
    """

    mark: Mark
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{_SIGNS[self.mark]} {self.what}"
        return f"{line}\n    → {self.remedy}" if self.remedy else line


def report() -> str:
    """The findings as text, problems first."""
    order = ("problem", "warning", "ok")
    return "\n".join(map(str, sorted(examine(), key=lambda found: order.index(found.mark))))


def examine() -> list[Finding]:
    """Look at everything. Takes seconds if the server does not answer; never raises."""
    found: list[Finding] = []
    layer = _layer(found)
    _collect(found, _layers)
    if isinstance(layer, BaseChannelLayer) and _is_reached(found, layer):
        for look in (_channels, _dead_letters, _groups):
            _collect(found, look, layer)
    if layer is not None:
        _collect(found, _consumers, layer)
    _collect(found, _loops)
    _collect(found, _diagnoses)
    return found


def _collect(found: list[Finding], look: Callable[..., Iterator[Finding]], *arguments: Any) -> None:
    """One look; one that fails is a finding itself."""
    try:
        found.extend(look(*arguments))
    except (ChannelsError, TimeoutError) as error:
        what = look.__name__.strip("_").replace("_", " ")
        found.append(Finding("problem", f"the {what} cannot be looked at: {error}"))


# The layer and the way there.


def _layer(found: list[Finding]) -> Any:
    try:
        return get_channel_layer()
    except ChannelsError as error:
        found.append(Finding("problem", str(error), "correct it in channel_layers.configure(…)"))
        return None


def _is_reached(found: list[Finding], layer: Any) -> bool:
    if is_direct(layer):
        return _is_reached_directly(found, layer)
    if not isinstance(layer, KernelChannelLayer):
        return True
    connection = layer.connection
    try:
        connection.start()
        bridge.run(connection.call("consumers", {}), PATIENCE)  # the server knows these itself
    except (ChannelsError, TimeoutError) as error:
        found.append(_unreached(connection, error))
        return False
    found += _connection(connection)
    if connection.trouble:
        found.append(
            Finding("problem", f"the server is there, but {connection.trouble}", REDIS_REMEDY)
        )
    return not connection.trouble


def _is_reached_directly(found: list[Finding], layer: Any) -> bool:
    """Through no server: its pages have one."""
    try:
        bridge.run(layer.commons(), PATIENCE)
    except (ChannelsError, TimeoutError) as error:
        found.append(Finding("problem", layer.trouble or str(error), REDIS_REMEDY))
        return False
    found.append(Finding("ok", f"{layer.where} answers; this process uses it without a server"))
    try:
        sentence = bridge.run(apart(layer), 2 * PATIENCE)
    except (ChannelsError, TimeoutError) as error:
        sentence = f"whether the Jupyter server is on the same Redis is not known: {error}"
    if sentence is not None:
        cause, _, remedy = sentence.partition("; ")
        found.append(Finding("warning", cause, remedy))
    return True


def _unreached(connection: Any, error: Exception) -> Finding:
    server = connection.found
    if server is None:  # never found: the sentence says what to run, and where
        cause, _, remedy = str(error).partition(". ")
        return Finding("problem", cause, remedy)
    if connection.status == "refused":
        credential = "a proof with this kernel's key" if server.kernel else "a token"
        credential = "no token" if not server.kernel and server.token is None else credential
        said, _, _ = str(error).partition("; ")
        return Finding("problem", f"{said}; it was shown {credential}", server.remedy)
    return Finding(
        "problem",
        f"no connection to {server.url}: {connection.detail}; what is sent waits here",
        "is the server still running? If it was started elsewhere: %channels connect URL TOKEN",
    )


def _connection(connection: Any) -> Iterator[Finding]:
    welcome, waiting = connection.session.welcome, connection.session.publisher.unacknowledged
    version = welcome.version if welcome is not None else "?"
    yield Finding("ok", f"{connection.detail}, nbchannels {version}")
    if welcome is not None and version != connection.version:
        yield Finding(
            "problem",
            f"the server has nbchannels {version}, this kernel {connection.version}",
            "install the same version in both environments, then restart both",
        )
    if connection.reconnects:
        yield Finding(
            "warning",
            f"the connection was lost {count(connection.reconnects, 'time')} and came back",
            "%channels log says when and why",
        )
    if waiting > 1_000:
        yield Finding(
            "warning",
            f"{count(waiting, 'message')} wait for acknowledgement",
            "send less often, or join several values into one message",
        )


def _layers() -> Iterator[Finding]:
    """Those configured in this process, as far as they are not the server's."""
    for alias in channel_layers:
        layer = channel_layers.backends.get(alias)
        backend = type(layer).__name__ if layer is not None else _backend(alias)
        if backend.endswith("InMemoryChannelLayer"):
            yield Finding(
                "warning",
                f"layer {alias!r} is an {backend} of this process: nobody else sees what is sent "
                "to it, neither the server nor another notebook",
                "leave channel_layers unconfigured, or take the BACKEND "
                '"nbchannels.kernel.layer.KernelChannelLayer"',
            )
        else:
            yield Finding("ok", f"layer {alias!r} is a {backend}")


def _backend(alias: str) -> str:
    backend = channel_layers.configs[alias]["BACKEND"]
    return str(getattr(backend, "__name__", backend)).rpartition(".")[2]


# What waits, and for whom.


def _channels(layer: Any) -> Iterator[Finding]:
    names = bridge.run(layer.names(), PATIENCE)["channels"]
    facts = {
        name: bridge.run(layer.channel_statistics(name), PATIENCE)
        for name in names[:MOST]
        if "!" not in name
    }
    served = {name for name, fact in facts.items() if fact["receivers"]} | _served(layer)
    for name, fact in facts.items():
        waiting, capacity = fact["waiting"], fact["capacity"]
        if waiting and not fact["receivers"] and not fact.get("recent"):
            near = near_match(name, sorted(served))
            yield Finding(
                "warning",
                f"{count(waiting, 'message')} in channel {name!r}, and no consumer",
                f"did you mean {near!r}, which has one?"
                if near
                else f"@nb.consume({name!r}), or Channel({name!r}).receive()",
            )
        if fact["dropped"] and waiting < capacity:
            yield Finding(
                "warning",
                f"channel {name!r} was full, and {count(fact['dropped'], 'message')} did not get "
                "into it",
                f"send less, or @nb.consume({name!r}, capacity={2 * capacity})",
            )
        if waiting >= capacity:
            yield Finding(
                "problem",
                f"channel {name!r} is full: {waiting:,} of {capacity:,} messages; sends to it "
                "raise ChannelFull, groups drop what is for it",
                f"add a consumer in another kernel, or @nb.consume({name!r}, "
                f"capacity={max(2 * capacity, 100)})",
            )


def _served(layer: Any) -> set[str]:
    if isinstance(layer, KernelChannelLayer):
        answer = bridge.run(layer.connection.call("consumers", {}), PATIENCE)
        return {consumer["channel"] for consumer in answer["consumers"]}
    return {name for service in services_here(layer) for name in service.channels}


def _dead_letters(layer: Any) -> Iterator[Finding]:
    letters = bridge.run(layer.dead_letters(20), PATIENCE)
    total = bridge.run(layer.statistics(), PATIENCE).get("dead", len(letters))
    if not letters:
        return
    for reason, number in Counter(letter["reason"] for letter in letters).items():
        newest = next(letter for letter in letters if letter["reason"] == reason)
        error = f"; the last, of channel {newest['channel']!r}: {newest['error']}"
        more = f" among the newest {len(letters)} of {total:,}" if total > len(letters) else ""
        yield Finding(
            "warning",
            f"{count(number, 'dead letter')} ({reason}){more}{error}",
            f"{_REASONS.get(reason, 'see %channels dead')}; then %channels resend N",
        )


def _groups(layer: Any) -> Iterator[Finding]:
    """Those that this process has sent to while nobody listened."""
    known = bridge.run(layer.names(), PATIENCE)["groups"]
    for name in sorted(sent_to_nobody("group"))[:MOST]:
        facts = bridge.run(layer.group_statistics(name), PATIENCE)
        if facts["subscribers"] or facts["members"] or not facts["offset"]:
            continue
        near = near_match(name, [other for other in known if other != name])
        yield Finding(
            "warning",
            f"group {name!r} was sent to, and nobody listens to it",
            (f"did you mean {near!r}? Else " if near else "")
            + f'LivePlot("{name}") shows it, Group("{name}").add(channel) brings it to a channel',
        )


# What runs here.


def _consumers(layer: Any) -> Iterator[Finding]:
    now, services = time.monotonic(), services_here(layer)
    for service in services:
        channels = ", ".join(service.channels)
        if service.failed:
            deadlock = service.error.startswith("WouldDeadlock")
            yield Finding(
                "warning",
                f"{service.name} on channel {channels!r} failed on {service.failed:,} of "
                f"{count(service.count, 'message')}; the last: {service.error}",
                "await the call in an async def, as the error says"
                if deadlock
                else "%channels dead shows the tracebacks; run its cell again when it is mended",
            )
        held = min((held.since for held in service.held), default=now)
        if now - held > LONG:
            yield _stuck(service, now - held, busy.holder(services))
    if services and not any(service.failed for service in services):
        yield Finding("ok", f"{count(len(services), 'consumer')} here, none has failed")


def _stuck(service: Any, seconds: float, holder: Any) -> Finding:
    told = f"{service.name} has held a message for {seconds:.0f} s"
    if all(held.begun is None for held in service.held):
        if service.place == "main":
            return Finding(
                "problem",
                f'{told} and waits for the main thread, where on="main" runs: a cell is busy',
                'end the cell or await in it; on="thread" runs beside the cells',
            )
        if holder is not None and holder is not service:
            return Finding(
                "problem",
                f"{told} and waits for the consumers' thread, which {holder.name} holds"
                f"{_at(busy.place_of_consumer())}",
                f"let {holder.name} return sooner, or write one of them as async def",
            )
    if service.place == "thread":
        return Finding(
            "problem",
            f"{told} and blocks the consumers' thread{_at(busy.place_of_consumer())}",
            "let it return sooner; no other plain function here gets a message meanwhile",
        )
    return Finding(
        "warning", f"{told} and has not returned", "%channels stop CHANNEL takes it out of service"
    )


def _loops() -> Iterator[Finding]:
    for loop, whose in ((bridge, "the connection"), (user_bridge, "your coroutines")):
        if loop.here:
            continue
        try:
            loop.run(asyncio.sleep(0), TURN)
        except TimeoutError:
            yield Finding(
                "problem",
                f"the loop of {whose} is blocked{_at(busy.place_of(loop.name))}",
                "in a coroutine use await asyncio.sleep(…) and asyncio.to_thread(…), nothing that "
                "blocks",
            )


def _at(place: str) -> str:
    return f", at {shown_place(place)}" if place else ""


def _diagnoses() -> Iterator[Finding]:
    elsewhere = ("consumer-failed", "private-layer", "nobody-listens", "dropped")
    told = [found for found in recent() if found.kind not in elsewhere]
    for diagnosis in told[-10:]:
        times = f" ({count(diagnosis.count, 'time')})" if diagnosis.count > 1 else ""
        ago = _ago(time.time() - diagnosis.time)
        sentence, _, remedy = diagnosis.sentence.rpartition("; ")
        if sentence:
            yield Finding("warning", f"{ago}{times}: {sentence}", remedy)
        else:
            yield Finding("warning", f"{ago}{times}: {remedy}", "%channels log has more")
    if not told:
        yield Finding("ok", "nothing went wrong in silence")


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
