--@include held.lua
-- Undoes an admission whose decision could not be committed: channel, attempt and record go, and no tombstone
-- stays, so that the same intent may be tried again. Paces and rate limits are not given back.
-- KEYS as held.lua, then attempts by call, attempts by sms.   ARGV as held.lua, then: try (-: whichever it was)
-- Answers: 1 undone, 0 a later try of the same intent (or a rebuild) has made it its own, or 'lost', 'keys …'
if try and ARGV[rest + 1] ~= '-' and try ~= ARGV[rest + 1] then return '0' end
if kind == 'held' then
  for _, key in ipairs(scope_keys) do redis.call('ZREM', key, lease_id) end
  redis.call('ZREM', leases, lease_id)
end
if kind ~= 'ended' then redis.call('DEL', record) end
redis.call('ZREM', KEYS[4 + declared], lease_id)
redis.call('ZREM', KEYS[5 + declared], lease_id)
return '1'
