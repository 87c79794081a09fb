--@include clocks.lua
-- One page of the leases that a scope holds.
-- KEYS 1 account, 2 the scope's ZSET   ARGV 1 epoch, 2 known fence, 3 now_ms (the caller's clock), 4 offset, 5 page
-- Answers: ids, or 'lost', 'keys <epoch>' (neither can be an id: those carry no space and are no such word)
local state = redis.call('HMGET', KEYS[1], 'epoch', 'fence', 'high_water', 'ready')
local current_epoch, epoch = tonumber(state[1] or '0'), tonumber(ARGV[1])
if state[4] ~= '1' or current_epoch < epoch then return 'lost' end
if current_epoch > epoch then return 'keys ' .. whole(current_epoch) end
if tonumber(state[2]) < tonumber(ARGV[2]) then return 'lost' end
local agreed = math.floor(math.min(redis_time_ms(), tonumber(ARGV[3])))
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. whole(agreed), '+inf', 'LIMIT', ARGV[4], ARGV[5])
return 'ids ' .. table.concat(ids, ' ')
