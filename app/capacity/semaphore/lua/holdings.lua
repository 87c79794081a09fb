--@include clocks.lua
-- What Redis itself holds of an account: for a ledger that came back older than Redis (a backup, a failover).
-- KEYS 1 account, 2 leases of the epoch, then a record per lease
-- ARGV 1 epoch that the keys were named for, then the id of each lease
-- Answers: 'ids' id …, all at once so that none is passed over, when no lease is declared; else 'leases', then of each that is held: id expires_at_ms
-- acquired_at_ms hard_end_ms, how many scopes, their names. 'keys <epoch>' when the epoch is another.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'high_water')
local current_epoch, high_water = tonumber(state[1] or '0'), tonumber(state[2] or '0')
if current_epoch ~= tonumber(ARGV[1]) then return 'keys ' .. whole(current_epoch) end
if #KEYS == 2 then
  local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. whole(high_water), '+inf')
  return 'ids ' .. table.concat(ids, ' ')
end
local told = {'leases'}
for i = 3, #KEYS do
  local id = ARGV[i - 1]
  local ends_ms, remembered = redis.call('ZSCORE', KEYS[2], id), redis.call('GET', KEYS[i])
  local acquired_ms, hard_end_ms, names
  if ends_ms and remembered then
    acquired_ms, hard_end_ms, names = string.match(remembered, '^held %d+ %d+ (%d+) (%d+) @%S+ (.*)$')
  end
  if names then
    local _, count = string.gsub(names, '%S+', '')
    told[#told + 1] = table.concat({id, whole(tonumber(ends_ms)), acquired_ms, hard_end_ms, count, names}, ' ')
  end
end
return table.concat(told, ' ')
