"""The scripts on processes and on what was given up: inboxes, signs of life, dead letters."""

from nbchannels.layers.redis.scripts import PRODUCERS, script

__all__ = ["ALIVE", "BURY", "COMMONS", "EXHUME", "FETCH", "INBOX", "INDEX", "PRESENT", "WHO"]

#: Put messages into the inbox of a process, for its process-local channels.
#:
#: KEYS: inbox, full, owner, then a hash for each producer. ARGV: wake channel, publish command,
#: token, most waiting; then of each message: its producer's place, sequence, channel, data.
#: Returns whether the process is there, then of each message: 1; 0: it was there already; -1: its
#: channel is full, or the inbox; -3: one of its producer in front of it was refused.
INBOX = script(
    "inbox",
    PRODUCERS
    + """
local inbox, full, owner = KEYS[1], KEYS[2], KEYS[3]
local results, failed = {}, {}
local waiting = redis.call('XLEN', inbox)
for i = 5, #ARGV, 4 do
  local place, sequence, channel = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local result
  if place > 0 and failed[place] then result = -3
  elseif place > 0 and seen(KEYS[3 + place], 'inbox', sequence) then result = 0
  elseif waiting >= tonumber(ARGV[4]) or redis.call('SISMEMBER', full, channel) == 1 then
    result = -1
    if place > 0 then failed[place] = true end
  else
    redis.call('XADD', inbox, '*', 'm',
      struct.pack('<dI1', now, #channel) .. channel .. ARGV[i + 3])
    waiting = waiting + 1
    if place > 0 then note(KEYS[3 + place], 'inbox', sequence, 1, '0') end
    result = 1
  end
  results[#results + 1] = result
end
redis.call('EXPIRE', inbox, 120)
redis.call(ARGV[2], ARGV[1], ARGV[3])
return {redis.call('EXISTS', owner), unpack(results)}
""",
)

#: Look into an inbox. KEYS: inbox. ARGV: most messages, most bytes, ids of what has arrived and is
#: taken out. Returns ids and messages; they stay until they are taken out.
FETCH = script(
    "fetch",
    """
if #ARGV > 2 then redis.call('XDEL', KEYS[1], unpack(ARGV, 3)) end
local answer, left, room, at = {}, tonumber(ARGV[1]), tonumber(ARGV[2]), '-'
while left > 0 and room > 0 do
  local some = redis.call('XRANGE', KEYS[1], at, '+', 'COUNT', math.min(left, 16))
  for _, entry in ipairs(some) do
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][2]
    left, room, at = left - 1, room - #entry[2][2], '(' .. entry[1]
  end
  if #some < 16 then break end
end
return answer
""",
)

#: A process lives, for so many seconds more. KEYS: alive. ARGV: process, seconds (0: it ends; -1:
#: it is forgotten if its time is over). Returns the processes whose time is over.
ALIVE = script(
    "alive",
    """
local until_ = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[2] == '0' or ARGV[2] == '-1' and until_ and tonumber(until_) <= now then
  redis.call('ZREM', KEYS[1], ARGV[1])
elseif ARGV[2] ~= '-1' then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
""",
)

#: Tell who is in a group through a process. KEYS: who.
#: ARGV: process, what it tells (empty: nobody), seconds that it holds.
WHO = script(
    "who",
    """
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1],
    string.format('%.3f', now + tonumber(ARGV[3])) .. ' ' .. ARGV[2])
  redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[3]) * 2))
end
return 1
""",
)

#: Who is in a group through other processes. KEYS: who. ARGV: process that asks.
#: Returns what each told whose time is not over; the others are forgotten.
PRESENT = script(
    "present",
    """
local told = redis.call('HGETALL', KEYS[1])
local answer = {}
for i = 1, #told, 2 do
  local until_, data = string.match(told[i + 1], '^(%S+) (.*)$')
  if not until_ or tonumber(until_) <= now then
    redis.call('HDEL', KEYS[1], told[i])
  elseif told[i] ~= ARGV[1] then
    answer[#answer + 1] = data
  end
end
return answer
""",
)

#: Keep a dead letter. KEYS: order, letters, meta, known.
#: ARGV: most, most bytes, where it came from (once only), description.
#: Returns its number.
BURY = script(
    "bury",
    """
local order, letters, meta, known = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local number = redis.call('HGET', known, ARGV[3])
if number then return tonumber(number) end
number = redis.call('HINCRBY', meta, 'count', 1)
redis.call('HSET', known, ARGV[3], number)
redis.call('EXPIRE', known, 600)
redis.call('ZADD', order, number, number)
redis.call('HSET', letters, number, ARGV[4])
local bytes = redis.call('HINCRBY', meta, 'bytes', #ARGV[4])
local count = redis.call('ZCARD', order)
while count > tonumber(ARGV[1]) or (bytes > tonumber(ARGV[2]) and count > 1) do
  local oldest = redis.call('ZRANGE', order, 0, 0)[1]
  local size = redis.call('HSTRLEN', letters, oldest)
  redis.call('ZREM', order, oldest)
  redis.call('HDEL', letters, oldest)
  bytes = redis.call('HINCRBY', meta, 'bytes', -size)
  redis.call('HINCRBY', meta, 'forgotten', 1)
  count = count - 1
end
return number
""",
)

#: Take a dead letter out; or put it back where it stood.
#: KEYS: order, letters, meta. ARGV: number, description to put back (empty: take it out).
#: Returns what was taken out, or nothing.
EXHUME = script(
    "exhume",
    """
local order, letters, meta = KEYS[1], KEYS[2], KEYS[3]
if ARGV[2] ~= '' then
  redis.call('ZADD', order, ARGV[1], ARGV[1])
  redis.call('HSET', letters, ARGV[1], ARGV[2])
  redis.call('HINCRBY', meta, 'bytes', #ARGV[2])
  return ''
end
local found = redis.call('HGET', letters, ARGV[1])
if not found then return false end
redis.call('ZREM', order, ARGV[1])
redis.call('HDEL', letters, ARGV[1])
redis.call('HINCRBY', meta, 'bytes', -#found)
return found
""",
)

#: A word that all know who share this Redis and this prefix. KEYS: commons. ARGV: word, if none.
COMMONS = script(
    "commons",
    """
redis.call('HSETNX', KEYS[1], 'word', ARGV[1])
return redis.call('HGET', KEYS[1], 'word')
""",
)

#: Names are in use; others have not been for so many seconds.
#: KEYS: index. ARGV: seconds, names.
INDEX = script(
    "index",
    """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]))
return 1
""",
)
