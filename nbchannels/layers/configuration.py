"""Where a ``CHANNEL_LAYERS`` dictionary is written down: a TOML file, an environment variable.

A file has one table for each alias::

    [CHANNEL_LAYERS.default]
    BACKEND = "nbchannels.layers.redis.RedisChannelLayer"
    CONFIG = { hosts = ["redis://localhost:6379"] }

``NBCHANNELS_CHANNEL_LAYERS`` holds the path of such a file, or the dictionary as JSON;
``NBCHANNELS_REDIS_URL`` the address of a Redis, if that is all there is to say.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.names import near_match

__all__ = ["REDIS", "SHARED", "VARIABLES", "from_environment", "from_file"]

#: Says which layers there are in a process that is told nothing else.
VARIABLE = "NBCHANNELS_CHANNEL_LAYERS"
REDIS_VARIABLE = "NBCHANNELS_REDIS_URL"
VARIABLES = (VARIABLE, REDIS_VARIABLE)
REDIS = "nbchannels.layers.redis.RedisChannelLayer"
#: What a layer has that many use: named channels keep much, and long; those of one process little.
SHARED: dict[str, Any] = {
    "capacity": 10_000,
    "expiry": 86_400,
    "channel_capacity": {"*!*": 100},
    "channel_expiry": {"*!*": 60},
}
#: The table of a file that counts.
TABLE = "CHANNEL_LAYERS"
#: Bytes of a configuration at most.
MOST = 2**20


def from_file(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The layers that a TOML file configures, by alias.

    Raises:
        InvalidChannelLayerError: it names the file, and what cannot be read in it.
    """
    place = Path(path).expanduser()
    try:
        size = place.stat().st_size
        text = place.read_bytes() if size <= MOST else b""
    except (OSError, ValueError) as error:
        raise InvalidChannelLayerError(
            f"the configuration of channel layers cannot be read: {error}"
        ) from error
    if size > MOST:
        raise InvalidChannelLayerError(f"{place} has {size:,} bytes, the limit is {MOST:,}")
    try:
        found = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidChannelLayerError(f"{place} is no TOML: {error}") from error
    for key in found:
        if key != TABLE:
            near = near_match(key.upper(), [TABLE]) or (TABLE if key.upper() == TABLE else None)
            raise InvalidChannelLayerError(
                f"{place} has {key!r}, which is not known; "
                + (f"did you mean {near!r}? " if near else "")
                + f"known is {TABLE!r}, with a table for each alias: [{TABLE}.default]"
            )
    if TABLE not in found:
        raise InvalidChannelLayerError(
            f"{place} configures no channel layers; write a table [{TABLE}.default] with a BACKEND"
        )
    return _layers(found[TABLE], f"{TABLE} in {place}")


def from_environment(
    environ: Mapping[str, str] = os.environ,
) -> dict[str, dict[str, Any]] | None:
    """The layers that the environment configures; ``None`` if it says nothing.

    ``NBCHANNELS_CHANNEL_LAYERS`` comes before ``NBCHANNELS_REDIS_URL``.

    Raises:
        InvalidChannelLayerError: it names the variable, and what cannot be read in it.
    """
    text = environ.get(VARIABLE, "").strip()
    if not text:
        url = environ.get(REDIS_VARIABLE, "").strip()
        if not url:
            return None
        return {"default": {"BACKEND": REDIS, "CONFIG": {"hosts": [url], **SHARED}}}
    if not text.startswith(("{", "[", '"')):
        try:
            return from_file(text)
        except InvalidChannelLayerError as error:
            raise InvalidChannelLayerError(f"{VARIABLE}: {error}") from error
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidChannelLayerError(f"{VARIABLE} is no JSON: {error}") from error
    return _layers(found, VARIABLE)


def _layers(found: Any, where: str) -> dict[str, dict[str, Any]]:
    """What was read, if it has the form of the dictionary."""
    if not isinstance(found, dict):
        raise InvalidChannelLayerError(
            f"{where} is of type {type(found).__name__}; it takes the layers by alias: "
            '{"default": {"BACKEND": dotted path, "CONFIG": {…}}}'
        )
    if not found:
        raise InvalidChannelLayerError(f"{where} is empty; name a layer, at least 'default'")
    for alias, config in found.items():
        if not isinstance(config, dict):
            raise InvalidChannelLayerError(
                f"{where} has under {alias!r} a value of type {type(config).__name__}; it takes "
                'the layers by alias: {"default": {"BACKEND": dotted path, "CONFIG": {…}}}'
            )
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"it has the key {twice!r} twice")
    return found
