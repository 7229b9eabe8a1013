-- Forget a session, or only while `owner` is its owner at `epoch`; remember that there was one.
-- ARGV: name, owner (or ''), epoch, time (or ''), how long it is remembered by its name.
local name, owner, epoch, given, remembered = unpack(ARGV)
local held = redis.call('HMGET', record, 'owner', 'epoch')
if not held[2] or (owner ~= '' and (held[1] ~= owner or held[2] ~= epoch)) then
  return 0
end
local was_session = redis.call('HEXISTS', record, 'snapshot') == 1
forget(name, held[1])
local now = time(given)
if was_session then
  redis.call('ZADD', deleted, now, name)
end
-- Two at a time, which is more than come.
for _, old in ipairs(redis.call('ZRANGEBYSCORE', deleted, '-inf', now - remembered, 'LIMIT', 0, 2)) do
  redis.call('HSET', meta, 'forgotten', redis.call('ZSCORE', deleted, old))
  redis.call('ZREM', deleted, old)
end
return 1
