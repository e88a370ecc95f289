import hashlib
import inspect
import re

import pytest

from nbchannels.layers.redis import group_scripts, process_scripts, queue_scripts
from nbchannels.layers.redis.scripts import Script, script

SCRIPTS = [
    found
    for module in (group_scripts, process_scripts, queue_scripts)
    for _, found in inspect.getmembers(module, lambda value: isinstance(value, Script))
]


def test_a_script_has_the_digest_that_redis_gives_it():
    one = script("one", "return 1")
    assert one.sha == hashlib.sha1(one.text.encode()).hexdigest()
    assert one.name == "one"


@pytest.mark.parametrize("one", SCRIPTS, ids=lambda one: one.name)
def test_scripts_are_fixed_texts_with_the_time_of_redis(one):
    assert "redis.call('TIME')" in one.text
    assert "os.time" not in one.text
    # A pattern could mean more than one key; a script knows its own only.
    assert not re.search(r"'(KEYS|SCAN|EVAL|FLUSHALL|FLUSHDB)'", one.text)


def test_names_are_told_apart():
    names = [one.name for one in SCRIPTS]
    assert len(set(names)) == len(names) > 10
