-- Let a session sleep that is this owner's, at this epoch ('': at any), and forget it if it was only
-- claimed. ARGV: name, incarnation, epoch, whether an activation follows, activation.
local name, incarnation, epoch, leaves, activation = unpack(ARGV)
local held = redis.call('HMGET', record, 'owner', 'epoch', 'due', 'expires')
if held[1] ~= incarnation or (epoch ~= '' and held[2] ~= epoch) then
  return 0
end
if redis.call('HEXISTS', record, 'version') == 0 then
  forget(name, incarnation)
  return 1
end
redis.call('HSET', record, 'owner', '')
if leaves == '1' then
  redis.call('HSET', record, 'activation', activation)
end
if held[3] then
  redis.call('ZADD', due, held[3], name)
end
if held[4] then
  redis.call('ZADD', expires, held[4], name)
end
redis.call('ZREM', owners, incarnation .. ',' .. name)
return 1
