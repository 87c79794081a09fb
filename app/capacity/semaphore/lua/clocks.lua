-- Redis's own clock, in ms with a fraction. The two numbers of TIME are never glued together as text.
local function redis_time_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end

-- Lua's tostring keeps 14 digits; an instant in ms and a fence need all of theirs.
local function whole(number)
  return string.format('%.0f', number)
end

-- Every key that must outlive the leases: longer than the longest lease (six days) by two days.
local ACCOUNT_TTL_MS = 8 * 24 * 3600 * 1000
-- How long a finished lease refuses to be taken again.
local TOMBSTONE_TTL_MS = 24 * 3600 * 1000

-- Leases of a scope that have not ended, and those that have and are still there. Counted from the ended ones, which
-- stand at the front of the set and are few: counting the live ones walks a set that may hold 100,000 of them.
local function leases_in(scope_key, agreed_ms)
  local ended = redis.call('ZCOUNT', scope_key, '-inf', whole(agreed_ms))
  return redis.call('ZCARD', scope_key) - ended, ended
end
