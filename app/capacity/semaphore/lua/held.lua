--@include clocks.lua
-- What release, withdraw and renew have in common: is Redis's memory whole, and which keys does the
-- lease stand in? Scope keys must be declared, and their names are only known from the record; a caller who
-- declared too few is told the right ones ('keys') and asks again.
-- KEYS  1 account, 2 lease record, 3 leases of the epoch, 4.. one ZSET per declared scope
-- ARGV  1 lease id, 2 epoch that the keys were named for, 3 known fence, 4 declared scopes, 5.. their names
local account, record, leases = KEYS[1], KEYS[2], KEYS[3]
local lease_id, epoch, known_fence, declared = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local rest = 4 + declared

local state = redis.call('HMGET', account, 'epoch', 'fence', 'high_water', 'ready')
local high_water = tonumber(state[3] or '0')
local current_epoch = tonumber(state[1] or '0')
if state[4] ~= '1' or current_epoch < epoch then return 'lost' end
if current_epoch == epoch and tonumber(state[2]) < known_fence then return 'lost' end

local _, kind, fence, acquired_ms, hard_end_ms, names, try
local remembered = redis.call('GET', record)
if remembered then
  kind, try = string.match(remembered, '^%a+'), string.match(remembered, '@(%S+)')
  if kind == 'held' then
    _, fence, acquired_ms, hard_end_ms, names = string.match(remembered, '^held (%d+) (%d+) (%d+) (%d+) @%S+ (.*)$')
  end
end
local scope_keys, scope_places = {}, {}
if kind == 'held' then
  local known_places = {}
  for i = 1, declared do known_places[ARGV[4 + i]] = i end
  for name in string.gmatch(names, '%S+') do
    local place = known_places[name]
    if current_epoch ~= epoch or not place then return 'keys ' .. whole(current_epoch) .. ' ' .. names end
    scope_keys[#scope_keys + 1], scope_places[#scope_places + 1] = KEYS[3 + place], place
  end
end
