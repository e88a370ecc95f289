"""The scripts on channels.

A queue is a stream with one consumer group, ``r``; its consumers are processes, and what a process
has in hand is pending with it. What came back is pending with ``front``, and is taken first.
"""

from nbchannels.layers.redis.scripts import PRODUCERS, script

__all__ = ["CLAIM", "DROP", "MINE", "OVERDUE", "PUT", "SETTLE", "SURVEY", "TAKE"]

_QUEUE = """
local queue, meta = KEYS[1], KEYS[2]
-- How many are in hand; nil: nobody has ever put anything here.
local function held()
  local pending = redis.pcall('XPENDING', queue, 'r')
  if pending.err then return nil end
  local count = pending[1]
  for _, consumer in ipairs(pending[4] or {}) do
    if consumer[1] == 'front' then count = count - tonumber(consumer[2]) end
  end
  return count
end
"""

#: Put messages into a channel.
#:
#: KEYS: queue, meta, serve, then a hash for each producer.
#: ARGV: wake channel, publish command, name, capacity, expiry, most bytes, process (which looks for
#: itself: it is not told); then of each message:
#: its producer's place (0: none), sequence, data.
#: Returns receivers, seconds since the last receive (-1: never), waiting, capacity, then of each
#: message its number; 0: it was there already; -1: full; -2: too many bytes; -3: one of its
#: producer in front of it was refused.
PUT = script(
    "put",
    PRODUCERS
    + _QUEUE
    + """
local c = redis.call('HMGET', meta, 'sent', 'bytes', 'capacity', 'expiry', 'used', 'refused')
local sent, bytes = tonumber(c[1] or 0), tonumber(c[2] or 0)
local capacity, expiry = tonumber(c[3] or ARGV[4]), tonumber(c[4] or ARGV[5])
local refused = tonumber(c[6] or 0)
local length, in_hand = redis.call('XLEN', queue), held()
-- Here and not by who takes: where memory is short that is refused, and taking must go on.
if not in_hand then
  redis.call('XGROUP', 'CREATE', queue, 'r', '0', 'MKSTREAM')
end
if length == 0 then bytes = 0 end
local waiting = length - (in_hand or 0)
local results, failed, added = {}, {}, false
for i = 8, #ARGV, 3 do
  local place, sequence, data = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local result
  if place > 0 and failed[place] then result = -3
  elseif place > 0 and seen(KEYS[3 + place], 'queue', sequence) then result = 0
  elseif waiting >= capacity then result = -1
  elseif bytes + #data > tonumber(ARGV[6]) and waiting > 0 then result = -2
  else
    redis.call('XADD', queue, '*', 'm', struct.pack('<dd', now, now + expiry) .. data)
    sent, bytes, waiting, added = sent + 1, bytes + #data, waiting + 1, true
    if place > 0 then note(KEYS[3 + place], 'queue', sequence, sent, '0') end
    result = sent
  end
  if result < 0 then
    refused = refused + 1
    if place > 0 then failed[place] = true end
  end
  results[#results + 1] = result
end
redis.call('HSET', meta, 'sent', sent, 'bytes', bytes, 'refused', refused)
local keep = math.ceil(expiry) + 86400
if redis.call('TTL', queue) < keep - 3600 then
  redis.call('EXPIRE', queue, keep)
  redis.call('EXPIRE', meta, keep)
end
local receivers, others = 0, false
local servers = redis.call('HGETALL', KEYS[3])
for i = 1, #servers, 2 do
  local n, until_ = string.match(servers[i + 1], '^(%d+) %d+ (%S+)')
  if tonumber(until_) > now then
    receivers = receivers + tonumber(n)
    others = others or servers[i] ~= ARGV[7]
  end
end
-- Whoever takes from it has said so before it looked: without others nobody has to be told.
if added and others then redis.call(ARGV[2], ARGV[1], ARGV[3]) end
local used = -1
if c[5] then used = math.max(0, math.floor(now - tonumber(c[5]))) end
return {receivers, used, waiting, capacity, unpack(results)}
""",
)

#: Take messages. KEYS: queue, meta, back.
#: ARGV: process, how many, whether somebody receives (else: serves), most bytes.
#: Returns time, how many wait still, then of each: id, message, what is known if it came back.
TAKE = script(
    "take",
    _QUEUE
    + """
local back, me, want = KEYS[3], ARGV[1], tonumber(ARGV[2])
local answer = {string.format('%.6f', now), 0}
-- Where memory is short this is refused, and taking must go on: it is what gives memory back.
if ARGV[3] == '1' then redis.pcall('HSET', meta, 'used', string.format('%.3f', now)) end
local returned = redis.pcall('XPENDING', queue, 'r', '-', '+', want, 'front')
if returned.err then
  if redis.call('EXISTS', queue) == 0 then return answer end
  redis.call('XGROUP', 'CREATE', queue, 'r', '0')
  returned = {}
end
local room = tonumber(ARGV[4])
local function add(entry, known)
  answer[#answer + 1] = entry[1]
  answer[#answer + 1] = entry[2][2]
  answer[#answer + 1] = known
  want, room = want - 1, room - #entry[2][2]
end
for _, one in ipairs(returned) do
  if room <= 0 then break end
  for _, entry in ipairs(redis.call('XCLAIM', queue, 'r', me, 0, one[1])) do
    add(entry, redis.call('HGET', back, entry[1]) or '')
  end
end
while want > 0 and room > 0 do
  local fresh = redis.call('XREADGROUP', 'GROUP', 'r', me, 'COUNT', math.min(want, 16),
    'STREAMS', queue, '>')
  if not fresh or #fresh[1][2] == 0 then break end
  for _, entry in ipairs(fresh[1][2]) do add(entry, '') end
end
answer[2] = redis.call('XLEN', queue) - (held() or 0)
return answer
""",
)

#: Say what became of messages. KEYS: queue, meta, back.
#: ARGV: process, wake channel, publish command, name, expiry; then of each message: id, what
#: (``done``; ``front``; ``unread``: to the front as if it had never been taken; ``back``), bytes,
#: how often its holders died, data if it goes to the back.
#: Returns how many were still in the hands of this process.
SETTLE = script(
    "settle",
    _QUEUE
    + """
local back, me = KEYS[3], ARGV[1]
local expiry = tonumber(redis.call('HGET', meta, 'expiry') or ARGV[5])
local count, again, freed, received, kept = 0, false, 0, 0, false
for i = 6, #ARGV, 5 do
  local id, what, size = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local mine = redis.pcall('XPENDING', queue, 'r', id, id, 1, me)
  if not mine.err and #mine > 0 then
    count = count + 1
    if what == 'unread' then
      redis.call('XCLAIM', queue, 'r', 'front', 0, id, 'JUSTID')
      again = true
    elseif what == 'front' then
      redis.call('XCLAIM', queue, 'r', 'front', 0, id, 'JUSTID')
      redis.call('HSET', back, id, ARGV[i + 3] .. ' ' .. string.format('%.3f', now + expiry))
      again, kept = true, true
    else
      redis.call('XACK', queue, 'r', id)
      redis.call('XDEL', queue, id)
      redis.call('HDEL', back, id)
      if what == 'back' then
        redis.call('XADD', queue, '*', 'm', struct.pack('<dd', now, now + expiry) .. ARGV[i + 4])
        freed, again = freed + size - #ARGV[i + 4], true
      else
        freed, received = freed + size, received + 1
      end
    end
  end
end
if freed ~= 0 then redis.call('HINCRBY', meta, 'bytes', -freed) end
if received > 0 then redis.call('HINCRBY', meta, 'received', received) end
if again then redis.call(ARGV[3], ARGV[2], ARGV[4]) end
if kept then redis.call('EXPIRE', back, math.ceil(expiry) + 86400) end
return count
""",
)

#: What a process has in hand. KEYS: queue. ARGV: process. Returns ids.
MINE = script(
    "mine",
    """
local pending = redis.pcall('XPENDING', KEYS[1], 'r', '-', '+', 10000, ARGV[1])
local answer = {}
if pending.err then return answer end
for _, one in ipairs(pending) do answer[#answer + 1] = one[1] end
return answer
""",
)

#: What another process had in hand comes back: it is dead, or has forgotten it.
#:
#: KEYS: queue, meta, back. ARGV: that process, wake channel, publish command, name, expiry, whether
#: its holder died (1) or never had it (0); then ids (none: all). Returns how many.
CLAIM = script(
    "claim",
    _QUEUE
    + """
local back, its = KEYS[3], ARGV[1]
local expiry = tonumber(redis.call('HGET', meta, 'expiry') or ARGV[5])
local wanted = nil
if #ARGV > 6 then
  wanted = {}
  for i = 7, #ARGV do wanted[ARGV[i]] = true end
end
local pending = redis.pcall('XPENDING', queue, 'r', '-', '+', 10000, its)
if pending.err then return 0 end
local count = 0
for _, one in ipairs(pending) do
  local id = one[1]
  if wanted == nil or wanted[id] then
    redis.call('XCLAIM', queue, 'r', 'front', 0, id, 'JUSTID')
    if ARGV[6] == '1' then
      local known = redis.call('HGET', back, id)
      local returns = known and tonumber(string.match(known, '^%d+')) or 0
      redis.call('HSET', back, id, (returns + 1) .. ' ' .. string.format('%.3f', now + expiry))
    end
    count = count + 1
  end
end
redis.call('EXPIRE', back, math.ceil(expiry) + 86400)
if count > 0 then redis.call(ARGV[3], ARGV[2], ARGV[4]) end
return count
""",
)

_LATE = """
local back = KEYS[3]
local function is_late(entry)
  local holder = redis.pcall('XPENDING', queue, 'r', entry[1], entry[1], 1)
  if not holder.err and #holder > 0 then
    if holder[1][2] ~= 'front' then return false end
    local known = redis.call('HGET', back, entry[1])
    if known then return tonumber(string.match(known, ' (%S+)$')) <= now end
  end
  local _, until_ = struct.unpack('<dd', entry[2][2])
  return until_ <= now
end
"""

#: What has waited too long. KEYS: queue, meta, back. ARGV: most entries looked at.
#: Returns ids, messages and what is known if it came back.
OVERDUE = script(
    "overdue",
    _QUEUE
    + _LATE
    + """
local answer = {}
for _, entry in ipairs(redis.call('XRANGE', queue, '-', '+', 'COUNT', ARGV[1])) do
  if is_late(entry) then
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][2]
    answer[#answer + 1] = redis.call('HGET', back, entry[1]) or ''
  end
end
return answer
""",
)

#: Forget some that have waited too long; all that waits, without ids.
#: KEYS: queue, meta, back. ARGV: ids. Returns how many.
DROP = script(
    "drop",
    _QUEUE
    + _LATE
    + """
local count = 0
local function drop(entry)
  redis.pcall('XACK', queue, 'r', entry[1])
  redis.call('XDEL', queue, entry[1])
  redis.call('HDEL', back, entry[1])
  redis.call('HINCRBY', meta, 'bytes', 16 - #entry[2][2])
  count = count + 1
end
if #ARGV == 0 then
  for _, entry in ipairs(redis.call('XRANGE', queue, '-', '+', 'COUNT', 10000)) do
    local holder = redis.pcall('XPENDING', queue, 'r', entry[1], entry[1], 1)
    if holder.err or #holder == 0 or holder[1][2] == 'front' then drop(entry) end
  end
  return count
end
for _, id in ipairs(ARGV) do
  local entry = redis.call('XRANGE', queue, id, id)[1]
  if entry and is_late(entry) then drop(entry) end
end
redis.call('HINCRBY', meta, 'expired', count)
return count
""",
)

#: What is in a channel. KEYS: queue, meta, serve.
#: Returns waiting, bytes, time of the first, now, capacity, expiry (empty: not said), receivers,
#: seconds since the last receive (-1: never), sent, received, refused, expired.
SURVEY = script(
    "survey",
    _QUEUE
    + """
local c = redis.call('HMGET', meta, 'bytes', 'capacity', 'expiry', 'used', 'sent', 'received',
  'refused', 'expired')
local first = redis.call('XRANGE', queue, '-', '+', 'COUNT', 1)[1]
local sent = first and string.format('%.3f', (struct.unpack('<d', first[2][2]))) or ''
local receivers = 0
for _, server in ipairs(redis.call('HVALS', KEYS[3])) do
  local n, until_ = string.match(server, '^(%d+) %d+ (%S+)')
  if tonumber(until_) > now then receivers = receivers + tonumber(n) end
end
local used = -1
if c[4] then used = math.max(0, math.floor(now - tonumber(c[4]))) end
return {redis.call('XLEN', queue) - (held() or 0), tonumber(c[1] or 0), sent,
  string.format('%.3f', now), c[2] or '', c[3] or '', receivers, used, tonumber(c[5] or 0),
  tonumber(c[6] or 0), tonumber(c[7] or 0), tonumber(c[8] or 0)}
""",
)
