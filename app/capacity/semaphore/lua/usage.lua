--@include clocks.lua
-- Channels in use per scope.
-- KEYS 1 account, 2.. one ZSET per scope   ARGV 1 epoch that the keys were named for, 2 known fence
-- Answers: a number per scope, or 'lost', 'keys <epoch>'
local state = redis.call('HMGET', KEYS[1], 'epoch', 'fence', 'high_water', 'ready')
local current_epoch, epoch = tonumber(state[1] or '0'), tonumber(ARGV[1])
if state[4] ~= '1' or current_epoch < epoch then return 'lost' end
if current_epoch > epoch then return 'keys ' .. whole(current_epoch) end
if tonumber(state[2]) < tonumber(ARGV[2]) then return 'lost' end
local now_ms = math.floor(redis_time_ms())
local counts = {}
for i = 2, #KEYS do counts[i - 1] = (leases_in(KEYS[i], now_ms)) end
return table.concat(counts, ' ')
