"""A small Django site with Channels, as its author would write it.

From the environment: SITE_LAYER (``core`` or ``pubsub``), SITE_REDIS_URL, SITE_PREFIX.
"""

import os

BACKENDS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["channels"]
ROOT_URLCONF = "tests.redis.site.urls"
ASGI_APPLICATION = "tests.redis.site.asgi.application"
USE_TZ = True
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": BACKENDS[os.environ["SITE_LAYER"]],
        "CONFIG": {
            "hosts": [os.environ["SITE_REDIS_URL"]],
            "prefix": os.environ["SITE_PREFIX"],
        },
    }
}
