--@include held.lua
-- Moves the end of a lease that is still held, never past its hard end.
-- KEYS and ARGV as held.lua, then ARGV: now_ms (the caller's clock), extend_by_ms, until_ms (0: by extend_by_ms;
-- else the end that is wanted, and an end that is later already stays: the same again changes nothing)
-- Answers: status expires_at_ms, when renewed then fence epoch; or 'lost', 'keys …'
-- A renewal raises the fence as an admission does: a Redis that comes back without it knows less than the ledger,
-- and is seen to.
-- A lease counts as ended once ANY commit has seen its end pass (high_water): its channel may be another's.
if not kind or kind == 'sent' then return 'unknown 0' end
if kind == 'ended' then return 'expired 0' end
local agreed = math.floor(math.min(redis_time_ms(), tonumber(ARGV[rest + 1])))
high_water = math.max(high_water, agreed)
local ends_ms = tonumber(redis.call('ZSCORE', scope_keys[1], lease_id) or '0')
if ends_ms <= high_water then return 'expired ' .. whole(ends_ms) end
local hard_ms = tonumber(hard_end_ms)
local until_ms = tonumber(ARGV[rest + 3])
if ends_ms >= hard_ms and until_ms == 0 then return 'at_hard_end ' .. whole(ends_ms) end
local wanted_ms = until_ms > 0 and math.max(until_ms, ends_ms) or ends_ms + tonumber(ARGV[rest + 2])
local renewed_ms = whole(math.max(ends_ms, math.min(wanted_ms, hard_ms)))
for _, key in ipairs(scope_keys) do redis.call('ZADD', key, 'XX', renewed_ms, lease_id) end
redis.call('ZADD', leases, 'XX', renewed_ms, lease_id)
return string.format('renewed %s %d %.0f', renewed_ms, redis.call('HINCRBY', account, 'fence', 1), current_epoch)
