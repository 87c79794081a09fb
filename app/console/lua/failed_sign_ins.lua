-- How often somebody failed to sign in lately; the count begins anew when its time is over.
-- KEYS 1 count   ARGV 1 how many to add, 2 ttl_ms of a new count
-- Answers: count left_ms
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > 0 then
  count = redis.call('INCRBY', KEYS[1], ARGV[1])
  if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
end
return tostring(count) .. ' ' .. tostring(math.max(0, redis.call('PTTL', KEYS[1])))
