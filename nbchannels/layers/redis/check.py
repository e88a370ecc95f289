"""A look at a Redis when it is first reached: what is wrong with it, and how to mend that.

Nothing here changes or hinders anything: the commands are tried on a key of their own, inside one
script, and the key is gone when it ends.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from redis.exceptions import RedisError, ResponseError

from nbchannels.diagnoses import report
from nbchannels.layers.redis.replies import writer_of

__all__ = ["COMMANDS", "Facts", "Finding", "Site", "examine", "findings", "tell"]

#: Seconds that the whole look may take.
PATIENCE = 10.0
#: The oldest versions that have all we use, and what older ones lack.
NEEDED = {False: ((6, 2), "LPOP with a count"), True: ((7, 0), "SSUBSCRIBE and SPUBLISH")}

log = logging.getLogger("nbchannels")

# Each command with arguments that are valid and change nothing but the key of the trial; ``@`` is
# that key.
_TRIALS = """
EXISTS @|EXPIRE @ 1|HDEL @ f|HGET @ f|HGETALL @|HINCRBY @ f 1|HMGET @ f|HSET @ f 1
HSETNX @ f 1|HSTRLEN @ f|HVALS @|LLEN @|LPOP @ 1|LRANGE @ 0 0|RPUSH @ v|SADD @ m|SCARD @
SISMEMBER @ m|SMEMBERS @|SREM @ m
SET @ v EX 1|TTL @|XACK @ g 0-1|XADD @ * f v|XCLAIM @ g c 0 0-1|XDEL @ 0-1|XGROUP CREATE @ g 0
XLEN @|XPENDING @ g|XRANGE @ - + COUNT 1|XREADGROUP GROUP g c COUNT 1 STREAMS @ >
XREVRANGE @ + - COUNT 1|ZADD @ 1 m|ZCARD @|ZRANGE @ 0 0|ZRANGEBYSCORE @ 0 0|ZREM @ m
ZREMRANGEBYSCORE @ 0 0|ZREVRANGE @ 0 0|ZSCORE @ m|TIME|DEL @
""".strip().replace("\n", "|")

#: All that the layer uses, on one Redis; on a cluster SPUBLISH and SSUBSCRIBE instead, and CLUSTER.
COMMANDS = (
    *sorted(trial.split()[0] for trial in _TRIALS.split("|")),
    "EVAL", "EVALSHA", "PING", "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE",
)  # fmt: skip

#: KEYS: one of its own. ARGV: publish command, a channel of its own.
#: Returns names of commands, and what Redis says against them.
_TRY = f"""
local trials, denied = '{_TRIALS}', {{}}
local function try(words)
  local answer = redis.pcall(unpack(words))
  if type(answer) == 'table' and answer.err then
    denied[#denied + 1] = words[1]
    denied[#denied + 1] = answer.err
  end
end
for trial in string.gmatch(trials, '[^|]+') do
  local words = {{}}
  for word in string.gmatch(trial, '%S+') do
    words[#words + 1] = word == '@' and KEYS[1] or word
  end
  try(words)
end
try({{ARGV[1], ARGV[2], ''}})
return denied
"""


class Site(NamedTuple):
    """One Redis server to look at.

    Attributes:
        where: for people.
        connect: makes an unconnected connection.
        prefix: of our keys and channels.
        key: of its own, for trials; it belongs to this server.
        publish: the command that tells others.
    """

    where: str
    connect: Callable[[], Any]
    prefix: str
    key: str
    publish: str


class Facts(NamedTuple):
    """What was seen.

    Attributes:
        where, prefix: see `Site`.
        is_cluster: it is a node of one.
        version: such as ``7.0.15``; empty: not known.
        role: ``master`` or ``replica``; empty: not known.
        user: whose password we gave; empty: none.
        is_open: it is on another computer and wants no password.
        denied: commands, with what Redis says against them.
        policy: what goes when the memory is full; empty: not known, or it is not limited.
        keeps: whether anything is on disk; ``None``: not known.
    """

    where: str
    prefix: str
    is_cluster: bool = False
    version: str = ""
    role: str = ""
    user: str = ""
    is_open: bool = False
    denied: tuple[tuple[str, str], ...] = ()
    policy: str = ""
    keeps: bool | None = None


class Finding(NamedTuple):
    """Something that the operator should know.

    Attributes:
        level: an ``error`` has to be mended; a ``warning`` should be; ``info`` is good to know.
        what: one word.
        sentence: what is wrong, and what to do.
    """

    level: Literal["error", "warning", "info"]
    what: str
    sentence: str


async def tell(sites: list[Site]) -> None:
    """Look at servers, and say what is wrong: errors and warnings as diagnoses, the rest as log.

    Raises:
        RedisError, OSError, TimeoutError: one could not be looked at.
    """
    for site in sites:
        async with asyncio.timeout(PATIENCE):
            facts = await examine(site)
        for level, what, sentence in findings(facts):
            if level == "info":
                log.info("nbchannels: %s", sentence)
            else:
                report("redis", sentence, subject=f"{what} of {site.where}")


# Looking.


async def examine(site: Site) -> Facts:
    """Look at one server, on a connection of its own."""
    connection = site.connect()
    try:
        await connection.connect()
        asked = _Asked(connection)
        version, role = await _who(asked)
        policy, keeps = await _memory(asked)
        return Facts(
            site.where,
            site.prefix,
            site.publish == "SPUBLISH",
            version,
            role,
            policy=policy,
            keeps=keeps,
            user=connection.username or ("default" if connection.password else ""),
            is_open=_is_open(connection),
            denied=tuple(await _denied(asked, site)),
        )
    finally:
        with contextlib.suppress(Exception):
            await connection.disconnect(nowait=True)


class _Asked:
    """A connection that says no by returning the error."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def __call__(self, *command: Any) -> Any:
        await self._connection.send_command(*command, check_health=False)
        try:
            return await self._connection.read_response(
                disable_decoding=True, disconnect_on_error=False
            )
        except ResponseError as error:
            return error

    async def fields(self, section: str) -> dict[str, str] | None:
        """A section of INFO."""
        answer = await self("INFO", section)
        if isinstance(answer, RedisError):
            return None
        lines = answer.decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


async def _who(asked: _Asked) -> tuple[str, str]:
    answer = await asked("HELLO")  # every user may
    if isinstance(answer, list):
        pairs = {bytes(key): value for key, value in zip(answer[::2], answer[1::2], strict=True)}
        return pairs[b"version"].decode(), pairs[b"role"].decode()
    server, replication = await asked.fields("server"), await asked.fields("replication")
    role = (replication or {}).get("role", "")
    version = (server or {}).get("redis_version", "")
    return version, "replica" if role == "slave" else role


async def _memory(asked: _Asked) -> tuple[str, bool | None]:
    memory, persistence = await asked.fields("memory"), await asked.fields("persistence")
    limited = memory is not None and memory.get("maxmemory", "0") != "0"
    keeps: bool | None = None
    if persistence is not None and persistence.get("aof_enabled") == "1":
        keeps = True
    else:
        save = await asked("CONFIG", "GET", "save")
        if isinstance(save, list) and len(save) == 2 and persistence is not None:
            keeps = bool(save[1])
    return memory.get("maxmemory_policy", "") if memory is not None and limited else "", keeps


def _is_open(connection: Any) -> bool:
    if connection.password or getattr(connection, "credential_provider", None):
        return False
    peer = writer_of(connection).get_extra_info("peername")
    return isinstance(peer, tuple) and not ipaddress.ip_address(peer[0]).is_loopback


async def _denied(asked: _Asked, site: Site) -> list[tuple[str, str]]:
    denied: list[tuple[str, str]] = []

    def note(name: str, answer: Any) -> bool:
        text = str(answer)
        is_denied = isinstance(answer, RedisError) and _is_refusal(text)
        if is_denied:
            denied.append((name, text))
        return is_denied

    if not note("EVALSHA", await asked("EVALSHA", "0" * 40, 1, site.key)):
        answer = await asked("EVAL", _TRY, 1, site.key, site.publish, site.key)
        if not note("EVAL", answer) and isinstance(answer, list):
            words = [word.decode("utf-8", "replace") for word in answer]
            said = zip(words[::2], words[1::2], strict=True)
            denied += [(name, text) for name, text in said if _is_refusal(text)]
    note("PING", await asked("PING"))
    listen = "SSUBSCRIBE" if site.publish == "SPUBLISH" else "SUBSCRIBE"
    note(listen, await asked(listen, site.key))
    if listen == "SSUBSCRIBE":
        note("ASKING", await asked("ASKING"))
    unlisten = listen.replace("SUBSCRIBE", "UNSUBSCRIBE")
    note(unlisten, await asked(unlisten, site.key))
    return denied


def _is_refusal(text: str) -> bool:
    """Whether Redis says that somebody may not, or that there is no such command."""
    text = text.lower()
    words = ("noperm", "no permission", "can't run", "can't access", "can't publish", "unknown")
    return any(word in text for word in (*words, "acl failure"))


# Judging.


def findings(facts: Facts) -> list[Finding]:
    """What is wrong, the worst first."""
    where = f"Redis at {facts.where}"
    found: list[Finding] = []
    needed, lacks = NEEDED[facts.is_cluster]
    if facts.version and _numbers(facts.version) < needed:
        found.append(
            Finding(
                "error", "version",
                f"{where} has version {facts.version}, which lacks {lacks}; nbchannels needs "
                f"{needed[0]}.{needed[1]} or later"
                + (" on a cluster" if facts.is_cluster else ""),
            )
        )  # fmt: skip
    if facts.role == "replica":
        found.append(
            Finding(
                "error", "role",
                f"{where} is a replica and takes no messages; give the address of the primary, or "
                "the Sentinels ({'sentinels': …, 'master_name': …}), which know it",
            )
        )  # fmt: skip
    found += _permissions(facts, where)
    if facts.is_open:
        found.append(
            Finding(
                "warning", "password",
                f"{where} is on another computer and asks for no password: whoever reaches it "
                "reads and sends everything; make a user for nbchannels (docs/redis.md), and use "
                "rediss:// where others share the network",
            )
        )  # fmt: skip
    if facts.policy and facts.policy != "noeviction":
        found.append(
            Finding(
                "warning", "maxmemory-policy",
                f"{where} throws keys away when its memory is full (maxmemory-policy "
                f"{facts.policy}): groups lose their history, channels what waits in them; set "
                "maxmemory-policy to noeviction, then senders are refused instead",
            )
        )  # fmt: skip
    if facts.keeps is False:
        found.append(
            Finding(
                "info", "persistence",
                f"{where} keeps nothing on disk: when it restarts, groups begin anew (subscribers "
                "are told) and what waits in channels is lost; 'appendonly yes' keeps them",
            )
        )  # fmt: skip
    elif facts.keeps is None:
        found.append(
            Finding(
                "info", "unseen",
                f"what {where} does when its memory is full, and whether it keeps anything on "
                "disk, could not be seen: its user may not use INFO and CONFIG GET (which "
                "nbchannels does not need); see that maxmemory-policy is noeviction",
            )
        )  # fmt: skip
    return found


def _permissions(facts: Facts, where: str) -> list[Finding]:
    keys = [name for name, text in facts.denied if "key" in text.lower()]
    channels = [name for name, text in facts.denied if "channel" in text.lower()]
    unknown = [name for name, text in facts.denied if "unknown" in text.lower()]
    others = [name for name, _ in facts.denied if name not in (*keys, *channels, *unknown)]
    user = f"the user {facts.user or 'default'!r} of {where}"
    found: list[Finding] = []
    if unknown:
        sentence = (
            f"{where} has no command {', '.join(unknown)}: it is too old, or they are renamed"
        )
        found.append(Finding("error", "commands", sentence))
    if others:
        rules = " ".join(f"+{name.lower()}" for name in others)
        sentence = f"{user} may not run {', '.join(others)}; ACL SETUSER … {rules}"
        found.append(Finding("error", "permissions", sentence))
    for what, names, sign in (("keys", keys, "~"), ("channels", channels, "&")):
        if names:
            sentence = (
                f"{user} may not use {what} that begin with '{facts.prefix}:' "
                f"({', '.join(names)}); ACL SETUSER … {sign}{facts.prefix}:*"
            )
            found.append(Finding("error", what, sentence))
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
