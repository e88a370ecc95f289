"""Channels and groups on Redis, for many servers and processes at once."""

from nbchannels.layers.redis.layer import RedisChannelLayer

__all__ = ["RedisChannelLayer"]
