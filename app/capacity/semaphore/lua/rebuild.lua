--@include clocks.lua
-- Writes what the ledger knows into a new epoch, in slices. The first slice makes the epoch current but not
-- ready, so from then on every script answers 'lost' until the last slice; a process that dies half way is
-- followed by another with a newer epoch. Sets of older epochs have other names and end by their TTL.
-- KEYS  1 account, 2 leases of the epoch, then a lease record per lease, then a ZSET per scope of the slice
-- ARGV  1 epoch, 2 fence to begin with, 3 first slice (0|1), 4 last slice (0|1), 5 now_ms (the caller's clock; 0: not known),
--       6 leases, 7 scopes, the names of the scopes,
--       then of each lease: id, expires_at_ms, acquired_at_ms, hard_end_ms, how many scopes, their numbers from 1
-- Answers: 'done', or 'older <epoch>' when Redis knows this epoch or a newer one already
local account, leases = KEYS[1], KEYS[2]
local epoch, count, scopes = tonumber(ARGV[1]), tonumber(ARGV[6]), tonumber(ARGV[7])
local state = redis.call('HMGET', account, 'epoch', 'ready', 'high_water')
local current_epoch = tonumber(state[1] or '0')
local redis_ms = redis_time_ms()
-- Redis's clock alone never moves the high water: it may be ahead.
local agreed = math.floor(math.min(redis_ms, tonumber(ARGV[5])))
if ARGV[3] == '1' then
  if current_epoch >= epoch then return 'older ' .. whole(current_epoch) end
  redis.call('HSET', account, 'epoch', ARGV[1], 'fence', ARGV[2], 'ready', '0',
    'high_water', whole(math.max(tonumber(state[3] or '0'), agreed)))
elseif current_epoch ~= epoch or state[2] == '1' then
  return 'older ' .. whole(current_epoch)
end
local at = 7 + scopes
for i = 1, count do
  local id, expires_at_ms, acquired_ms, hard_end_ms = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local held_in = tonumber(ARGV[at + 5])
  local record = KEYS[2 + i]
  local remembered = redis.call('GET', record)
  -- A release that came after the ledger was read has left its tombstone.
  if not (remembered and string.sub(remembered, 1, 5) == 'ended') then
    local names = {}
    for j = 1, held_in do
      local number = tonumber(ARGV[at + 5 + j])
      names[j] = ARGV[7 + number]
      local key = KEYS[2 + count + number]
      redis.call('ZADD', key, expires_at_ms, id)
      redis.call('PEXPIRE', key, ACCOUNT_TTL_MS)
    end
    redis.call('ZADD', leases, expires_at_ms, id)
    redis.call('PEXPIRE', leases, ACCOUNT_TTL_MS)
    local ttl_ms = math.max(0, tonumber(hard_end_ms) - redis_ms) + TOMBSTONE_TTL_MS
    redis.call('SET', record, table.concat({'held', ARGV[1], ARGV[2], acquired_ms, hard_end_ms, '@-', unpack(names)}, ' '),
      'PX', whole(ttl_ms))
  end
  at = at + 5 + held_in
end
if ARGV[4] == '1' then redis.call('HSET', account, 'ready', '1') end
redis.call('PEXPIRE', account, ACCOUNT_TTL_MS)
return 'done'
