"""What Redis does in one step: the form of a script, and what several of them share.

Fixed texts: nothing that a user wrote is ever part of a script. Each works on the keys of one
group, one channel or one process, which share a hash tag: on a cluster they are on one node. All
times are Redis' own. Every script may run twice: what was done already is recognised.
"""

import hashlib
from typing import NamedTuple

__all__ = ["PRODUCERS", "Script", "script"]


class Script(NamedTuple):
    """One script: its text, its SHA-1 as ``EVALSHA`` wants it, and a name for errors."""

    name: str
    text: str
    sha: str


def script(name: str, text: str) -> Script:
    """A script with the time as ``now``."""
    text = f"-- nbchannels {name}\n{_CLOCK}{text}"
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


_CLOCK = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
"""

#: What a producer has sent to one group or channel: `last` is its newest sequence; the positions of
#: the 32 newest stand in a ring, for the receipts of repetitions.
PRODUCERS = """
local counted = {}
local function place(key, epoch) return epoch .. ' ' .. key end
local function seen(key, epoch, sequence)
  local known = redis.call('HMGET', key, 'epoch', 'last', 'n')
  if known[1] == epoch then counted[place(key, epoch)] = tonumber(known[3]) end
  if known[1] ~= epoch or tonumber(sequence) > tonumber(known[2]) then return nil end
  local found = redis.call('HGETALL', key)
  for i = 1, #found, 2 do
    if string.sub(found[i], 1, 1) == '#' then
      local s, o, t = string.match(found[i + 1], '^(%S+) (%S+) (%S+)$')
      if s == sequence then return tonumber(o), tonumber(t) end
    end
  end
  return 0, 0
end
-- After `seen`, for what it did not know.
local function note(key, epoch, sequence, offset, tag)
  local n = counted[place(key, epoch)]
  if not n then
    redis.call('DEL', key)
    n = 0
  end
  counted[place(key, epoch)] = n + 1
  redis.call('HSET', key, 'epoch', epoch, 'last', sequence, 'n', n + 1, '#' .. (n % 32),
    sequence .. ' ' .. string.format('%.0f', offset) .. ' ' .. tag)
  redis.call('EXPIRE', key, 600)
end
"""
