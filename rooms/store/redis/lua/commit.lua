-- Write the change (prev, new] of one session, if it is still who wrote (prev) that writes this.
-- KEYS: record, log, listed, deleted. ARGV: owner, epoch, generation, prev, time (or ''), name,
-- listing ('', '+' or '-'), trim: revision and time (or ''), the generation of another session that
-- takes this one's place (or ''), how many arguments follow for each of fields to set, fields to
-- remove, entries of the log; then those.
-- Answers nothing, or the owner, epoch, generation and revision that it met.
local record, log, listed, deleted = unpack(KEYS)
local held = redis.call('HMGET', record, 'owner', 'epoch', 'generation', 'revision')
for place = 1, 4 do
  if held[place] ~= ARGV[place] then
    return held
  end
end

local time = ARGV[5]
if time == '' then
  local parts = redis.call('TIME')
  time = string.format('%d', parts[1] * 1000 + math.floor(parts[2] / 1000))
end

-- Lua hands over some thousands of arguments at once, not more.
local function in_parts(command, first, count)
  for start = first, first + count - 1, 2000 do
    redis.call(command, record, unpack(ARGV, start, math.min(start + 1999, first + count - 1)))
  end
end

if ARGV[10] ~= '' then
  if redis.call('HEXISTS', record, 'snapshot') == 1 then
    redis.call('ZADD', deleted, time, ARGV[6])
  end
  redis.call('DEL', record, log)
  redis.call('ZREM', listed, ARGV[6])
  redis.call('HSET', record, 'owner', ARGV[1], 'epoch', ARGV[2], 'generation', ARGV[10])
end

local fields, gone, entries = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
-- First what may be refused: nothing is undone when a script fails.
for entry = 14 + fields + gone, 13 + fields + gone + entries, 3 do
  redis.call('XADD', log, ARGV[entry] .. '-0', 'at', ARGV[entry + 1], 'data', ARGV[entry + 2])
end
redis.call('HSET', record, 'changed', time)
in_parts('HSET', 14, fields)
in_parts('HDEL', 14 + fields, gone)
if ARGV[8] ~= '' then
  local old = {}
  repeat -- revisions come about one after the other: the first that is young enough ends it
    for _, id in ipairs(old) do
      redis.call('XDEL', log, id)
    end
    old = {}
    for _, entry in ipairs(redis.call('XRANGE', log, '-', ARGV[8], 'COUNT', 100)) do
      if tonumber(entry[2][2]) >= tonumber(ARGV[9]) then
        break
      end
      old[#old + 1] = entry[1]
    end
  until #old == 0
end
if ARGV[7] == '+' then
  redis.call('ZADD', listed, 0, ARGV[6])
elseif ARGV[7] == '-' then
  redis.call('ZREM', listed, ARGV[6])
end
return false
