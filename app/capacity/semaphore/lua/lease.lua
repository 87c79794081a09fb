--@include held.lua
-- Reads one lease. KEYS and ARGV as held.lua.
-- Answers: expires_at_ms acquired_at_ms hard_end_ms fence names…, or 'none', 'lost', 'keys …'
if kind ~= 'held' then return 'none' end
local ends_ms = redis.call('ZSCORE', scope_keys[1], lease_id)
if not ends_ms or tonumber(ends_ms) <= high_water then return 'none' end
return table.concat({whole(tonumber(ends_ms)), acquired_ms, hard_end_ms, fence, names}, ' ')
