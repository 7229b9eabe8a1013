-- The incarnations, in four keys of one slot: when each lease ends (also those that have ended, which
-- is what makes an incarnation dead for ever), what each announces, and who may still own sessions.
-- KEYS: leases, infos, owning. ARGV: what, time (or ''), then by `what`:
--   beat     incarnation, ttl, info, whether it was announced before. Answers 1, or 0: it is dead.
--   retire   incarnation.
--   living   incarnations, none: all. Answers {time, {incarnation, end, info, ...}, {the dead whose
--            sessions may not yet sleep, ...}}.
--   buried   incarnations whose sessions sleep.
local leases, infos, owning = unpack(KEYS)
local what, now, incarnation = unpack(ARGV)
if now == '' then
  local parts = redis.call('TIME')
  now = string.format('%d', parts[1] * 1000 + math.floor(parts[2] / 1000))
end
now = tonumber(now)
local text = string.format('%d', now)

if what == 'beat' then
  local ends = redis.call('ZSCORE', leases, incarnation)
  -- One that was announced, and isn't there, died so long ago that it was forgotten.
  if (ends and tonumber(ends) <= now) or (not ends and ARGV[6] == '1') then
    return 0
  end
  redis.call('ZADD', leases, string.format('%d', now + ARGV[4]), incarnation)
  redis.call('HSET', infos, incarnation, ARGV[5])
  redis.call('SADD', owning, incarnation)
  return 1
end

if what == 'retire' then
  redis.call('ZADD', leases, 'LT', text, incarnation)
  return 1
end

if what == 'buried' then
  for place = 3, #ARGV do
    redis.call('SREM', owning, ARGV[place])
    redis.call('HDEL', infos, ARGV[place])
  end
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', string.format('%d', now - 86400000))
  return 1
end

local asked, living, dead = {unpack(ARGV, 3)}, {}, {}
if #asked == 0 then
  asked = redis.call('ZRANGEBYSCORE', leases, '(' .. text, '+inf')
end
for _, one in ipairs(asked) do
  local ends = redis.call('ZSCORE', leases, one)
  if ends and tonumber(ends) > now then
    living[#living + 1] = one
    living[#living + 1] = ends
    living[#living + 1] = redis.call('HGET', infos, one)
  end
end
if not incarnation then
  for _, one in ipairs(redis.call('SMEMBERS', owning)) do
    local ends = redis.call('ZSCORE', leases, one)
    if not ends or tonumber(ends) <= now then
      dead[#dead + 1] = one
    end
  end
end
return {text, living, dead}
