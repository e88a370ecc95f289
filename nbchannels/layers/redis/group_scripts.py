"""The scripts on groups.

A log is a stream; the ids of its entries are their offsets. Its state is a hash beside it.
"""

from nbchannels.layers.redis.scripts import PRODUCERS, script

__all__ = ["CLEAR", "JOIN", "LEAVE", "MEMBERS", "OLDER", "PUBLISH", "RESUME", "WATCH"]

_GROUP = """
local log, meta = KEYS[1], KEYS[2]
local function state(candidate)
  local m = redis.call('HMGET', meta, 'epoch', 'top', 'tag', 'bytes', 'time', 'before')
  if m[1] then
    return m[1], tonumber(m[2]), tonumber(m[3]), tonumber(m[4]), tonumber(m[5]), m[6] or ''
  end
  redis.call('DEL', log)
  redis.call('HSET', meta, 'epoch', candidate, 'top', 0, 'tag', 0, 'bytes', 0, 'time', 0)
  return candidate, 0, 0, 0, 0, ''
end
local function number(id) return tonumber(string.match(id, '^%d+')) end
local function id(offset) return string.format('%.0f-0', offset) end
"""

#: Append messages to a log and tell everyone.
#:
#: KEYS: log, meta, watch, others, then a hash for each producer.
#: ARGV: live channel, publish command, epoch if none, most messages, most bytes, seconds that the
#: group is kept; then of each message: its producer's place (0: none), sequence, tag, data.
#: Returns, in one text: epoch, time, subscribers, members of processes, then of each message its
#: offset, its tag and whether it was there already; and the named members.
PUBLISH = script(
    "publish",
    PRODUCERS
    + _GROUP
    + """
local watch, others = KEYS[3], KEYS[4]
local epoch, top, tag, bytes, last = state(ARGV[3])
local count = redis.call('XLEN', log)
if count == 0 then bytes = 0 end
local time = math.max(now, last)
local stamp = string.format('%.6f', time)
local results = {}
for i = 7, #ARGV, 4 do
  local place, sequence = tonumber(ARGV[i]), ARGV[i + 1]
  local offset, its
  if place > 0 then offset, its = seen(KEYS[4 + place], epoch, sequence) end
  if offset then
    results[#results + 1] = struct.pack('<I8I4I4', offset, its, 1)
  else
    local entry = struct.pack('<dI4', tonumber(stamp), tonumber(ARGV[i + 2])) .. ARGV[i + 3]
    local added = redis.pcall('XADD', log, id(top + 1), 'm', entry)
    if type(added) == 'table' and added.err then
      if not string.find(added.err, 'equal or smaller', 1, true) then return added end
      -- The log went further than its state knows: this is another history.
      redis.call('DEL', log)
      epoch, top, bytes, count = ARGV[3], 0, 0, 0
      redis.call('XADD', log, id(1), 'm', entry)
    end
    top, tag, bytes, count = top + 1, tonumber(ARGV[i + 2]), bytes + #entry, count + 1
    if place > 0 then note(KEYS[4 + place], epoch, sequence, top, ARGV[i + 2]) end
    redis.call(ARGV[2], ARGV[1], 'M' .. epoch .. struct.pack('<I8', top) .. entry)
    results[#results + 1] = struct.pack('<I8I4I4', top, tag, 0)
  end
end
local most, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
while count > most or (bytes > most_bytes and count > 1) do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  bytes, count = bytes - #oldest[2][2], count - 1
  redis.call('XDEL', log, oldest[1])
end
redis.call('HSET', meta, 'epoch', epoch, 'top', top, 'tag', tag, 'bytes', bytes, 'time', stamp)
redis.call('EXPIRE', meta, ARGV[6])
redis.call('EXPIRE', log, ARGV[6])
local subscribers, members = 0, 0
for _, watcher in ipairs(redis.call('HVALS', watch)) do
  local s, m, until_ = string.match(watcher, '^(%d+) (%d+) (%S+)')
  if tonumber(until_) > now then
    subscribers, members = subscribers + tonumber(s), members + tonumber(m)
  end
end
return {epoch .. struct.pack('<dI4I4', tonumber(stamp), subscribers, members) ..
  table.concat(results), redis.call('SMEMBERS', others)}
""",
)

#: The state of a log, and a page of it.
#:
#: KEYS: log, meta. ARGV: epoch if none, seconds that the group is kept, from which offset
#: (``-n``: the last n; empty: none), most entries, most bytes.
#: Returns epoch, top, its tag, earlier epochs, the oldest offset kept, then offsets and entries;
#: the entry at the offset itself is among them.
RESUME = script(
    "resume",
    _GROUP
    + """
local epoch, top, tag, bytes, last, before = state(ARGV[1])
redis.call('EXPIRE', meta, ARGV[2])
redis.call('EXPIRE', log, ARGV[2])
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local first = oldest and number(oldest[1]) or top + 1
local answer = {epoch, top, tag, before, first}
if ARGV[3] == '' then return answer end
local from = tonumber(ARGV[3])
if from < 0 then from = top + from end
local left, room = tonumber(ARGV[4]), tonumber(ARGV[5])
local at = id(math.max(from, 0))
while left > 0 and room > 0 do
  local some = redis.call('XRANGE', log, at, '+', 'COUNT', math.min(left, 16))
  for _, entry in ipairs(some) do
    answer[#answer + 1] = number(entry[1])
    answer[#answer + 1] = entry[2][2]
    left, room = left - 1, room - #entry[2][2]
    at = id(number(entry[1]) + 1)
  end
  if #some == 0 then break end
end
return answer
""",
)

#: A page of a log before an offset.
#:
#: KEYS: log, meta. ARGV: epoch, offset, most entries, most bytes.
#: Returns offsets and entries, the newest first; nothing if the log has another epoch.
OLDER = script(
    "older",
    _GROUP
    + """
local answer = {}
if redis.call('HGET', meta, 'epoch') ~= ARGV[1] then return answer end
local left, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local at = tonumber(ARGV[2]) - 1
while left > 0 and room > 0 and at > 0 do
  local some = redis.call('XREVRANGE', log, id(at), '-', 'COUNT', math.min(left, 16))
  for _, entry in ipairs(some) do
    answer[#answer + 1] = number(entry[1])
    answer[#answer + 1] = entry[2][2]
    left, room = left - 1, room - #entry[2][2]
    at = number(entry[1]) - 1
  end
  if #some == 0 then break end
end
return answer
""",
)

#: Start a new epoch. KEYS: log, meta. ARGV: live channel, publish command, new epoch, seconds.
CLEAR = script(
    "clear",
    _GROUP
    + """
local epoch, top, tag, bytes, last, before = state(ARGV[3])
if epoch == ARGV[3] and top == 0 then return epoch end
local epochs = {}
for known in string.gmatch(before .. ' ' .. epoch, '%S+') do epochs[#epochs + 1] = known end
while #epochs > 16 do table.remove(epochs, 1) end
redis.call('DEL', log)
redis.call('HSET', meta, 'epoch', ARGV[3], 'top', 0, 'tag', 0, 'bytes', 0,
  'before', table.concat(epochs, ' '))
redis.call('EXPIRE', meta, ARGV[4])
redis.call(ARGV[2], ARGV[1], 'C' .. ARGV[3])
return ARGV[3]
""",
)

#: Say how many subscribers and members a process has, for so many seconds; none: it has left.
#:
#: KEYS: watch. ARGV: process, subscribers, members, seconds.
WATCH = script(
    "watch",
    """
if ARGV[2] == '0' and ARGV[3] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1],
    ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. string.format('%.3f', now + tonumber(ARGV[4])))
  redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[4]) * 2))
end
return 1
""",
)

#: Make a channel a member. KEYS: log, meta, order, owners, others.
#: ARGV: epoch if none, seconds, channel, owner (empty: a named channel).
#: Returns epoch and top: what is sent after that is for it.
JOIN = script(
    "join",
    _GROUP
    + """
local order, owners, others = KEYS[3], KEYS[4], KEYS[5]
local epoch, top = state(ARGV[1])
if not redis.call('ZSCORE', order, ARGV[3]) then
  local newest = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
  redis.call('ZADD', order, (tonumber(newest[2]) or 0) + 1, ARGV[3])
end
redis.call('HSET', owners, ARGV[3], ARGV[4])
if ARGV[4] == '' then redis.call('SADD', others, ARGV[3]) end
for _, key in ipairs({meta, order, owners, others}) do redis.call('EXPIRE', key, ARGV[2]) end
return {epoch, top}
""",
)

#: End a membership. KEYS: order, owners, others. ARGV: channels.
LEAVE = script(
    "leave",
    """
for _, channel in ipairs(ARGV) do
  redis.call('ZREM', KEYS[1], channel)
  redis.call('HDEL', KEYS[2], channel)
  redis.call('SREM', KEYS[3], channel)
end
return 1
""",
)

#: Who is in a group. KEYS: order, owners, watch.
#: Returns channels and their owners (empty: a named channel); of dead processes none.
MEMBERS = script(
    "members",
    """
local alive = {[''] = true}
local watchers = redis.call('HGETALL', KEYS[3])
for i = 1, #watchers, 2 do
  local until_ = string.match(watchers[i + 1], '^%d+ %d+ (%S+)')
  if tonumber(until_) > now then alive[watchers[i]] = true end
end
local answer = {}
for _, channel in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local owner = redis.call('HGET', KEYS[2], channel)
  if owner and alive[owner] then
    answer[#answer + 1] = channel
    answer[#answer + 1] = owner
  end
end
return answer
""",
)
