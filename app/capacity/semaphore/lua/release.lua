--@include held.lua
--@include flow.lua
-- Gives a channel back. Harmless twice, late, early and stale: a lease that is not held leaves a tombstone, so
-- that an acquire which this release has overtaken is refused.
-- KEYS as held.lua, then what is known of each declared scope's calls.
-- ARGV as held.lua, then: only_before_ms (a lease acquired later is left alone; 0: any)
-- Answers: 1 it was held, 0 it was not, or 'lost', 'keys …'
local only_before_ms = tonumber(ARGV[rest + 1])
if kind == 'sent' then return '0' end
if kind == 'held' and only_before_ms > 0 and tonumber(acquired_ms) >= only_before_ms then return '0' end
local held = '0'
if kind == 'held' then
  local ends_ms = redis.call('ZSCORE', scope_keys[1], lease_id)
  if ends_ms and tonumber(ends_ms) > high_water then held = '1' end
  for _, key in ipairs(scope_keys) do redis.call('ZREM', key, lease_id) end
  -- Those that a reconciliation finds ended some time ago, nobody knows when.
  if held == '1' and only_before_ms == 0 then
    for _, place in ipairs(scope_places) do
      call_ended(KEYS[3 + declared + place], redis_time_ms() - tonumber(acquired_ms))
    end
  end
  -- An end by expiry that nobody has read yet stays to be read.
  if held == '1' then redis.call('ZREM', leases, lease_id) end
end
if kind ~= 'ended' then redis.call('SET', record, 'ended 0 0', 'PX', TOMBSTONE_TTL_MS) end
return held == '1' and '1 ' .. names or '0'
