-- Become the owner of a session that nobody owns, or that `gone` does, who is known to be dead.
-- ARGV: name, incarnation, gone (or ''), a generation for a new record.
-- Answers {'dead'}, {'held', owner, epoch} or
-- {'yours', epoch, generation, fields of the record, whether it has a log, deleted, forgotten}.
local name, incarnation, gone, generation = unpack(ARGV)

-- Whoever was buried here may not come back: nobody would look again for what it owned.
if redis.call('ZSCORE', dead, incarnation) then
  return {'dead'}
end

local held = redis.call('HMGET', record, 'owner', 'epoch', 'generation')
local owner, epoch, stored = held[1], held[2], redis.call('HEXISTS', record, 'version') == 1
if owner and owner ~= '' and owner ~= incarnation and owner ~= gone then
  return {'held', owner, epoch}
end
if owner and owner == gone and not stored then -- it was only claimed
  forget(name, owner)
  owner = false
end

local fields = {}
if not owner then
  epoch = redis.call('HINCRBY', meta, 'epoch', 1)
  redis.call('HSET', record, 'generation', generation, 'owner', incarnation, 'epoch', epoch,
    'revision', 0)
  redis.call('ZADD', names, 0, name)
  redis.call('ZADD', owners, 0, incarnation .. ',' .. name)
else
  generation, fields = held[3], redis.call('HGETALL', record)
  if owner == incarnation then
    redis.call('HSET', record, 'owner', incarnation) -- a write, or WAIT would wait for nothing
  else
    epoch = redis.call('HINCRBY', meta, 'epoch', 1)
    redis.call('HSET', record, 'owner', incarnation, 'epoch', epoch)
    redis.call('HDEL', record, 'activation')
    redis.call('ZREM', due, name)
    redis.call('ZREM', expires, name)
    redis.call('ZREM', owners, owner .. ',' .. name)
    redis.call('ZADD', owners, 0, incarnation .. ',' .. name)
  end
end
return {'yours', tostring(epoch), generation, fields, redis.call('XLEN', log),
  redis.call('ZSCORE', deleted, name), redis.call('HGET', meta, 'forgotten')}
