-- What `acquire`, `release` and `delete` share: the keys of one session and of its partition, in the
-- order that keys.py gives them, and how a session is forgotten. It is put before each of them.
local record, log, names, listed, due, expires, owners, dead, deleted, meta = unpack(KEYS)

-- The time in ms: the server's, unless one is given.
local function time(given)
  if given ~= '' then
    return given
  end
  local parts = redis.call('TIME')
  return string.format('%d', parts[1] * 1000 + math.floor(parts[2] / 1000))
end

local function forget(name, owner)
  redis.call('DEL', record, log)
  redis.call('ZREM', names, name)
  redis.call('ZREM', listed, name)
  redis.call('ZREM', due, name)
  redis.call('ZREM', expires, name)
  redis.call('ZREM', owners, owner .. ',' .. name)
end
