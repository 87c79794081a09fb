--@include clocks.lua
-- Leases that ended by expiry and have not been read.
-- KEYS 1 account, 2 leases of the epoch
-- ARGV 1 epoch, 2 known fence, 3 now_ms (the caller's clock), 4 page, 5.. ids that have been recorded and may go
-- Answers: 'ended' then id, ended_at_ms …, or 'lost', 'keys <epoch>'
local state = redis.call('HMGET', KEYS[1], 'epoch', 'fence', 'high_water', 'ready')
local current_epoch, epoch = tonumber(state[1] or '0'), tonumber(ARGV[1])
if state[4] ~= '1' or current_epoch < epoch then return 'lost' end
if current_epoch > epoch then return 'keys ' .. whole(current_epoch) end
if tonumber(state[2]) < tonumber(ARGV[2]) then return 'lost' end
local agreed = math.floor(math.min(redis_time_ms(), tonumber(ARGV[3])))
for i = 5, #ARGV do
  -- A lease that is live (renewed, or taken again after it was withdrawn) is not one that was recorded.
  local ends_ms = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or '0')
  if ends_ms <= agreed then redis.call('ZREM', KEYS[2], ARGV[i]) end
end
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(agreed), 'WITHSCORES', 'LIMIT', 0, ARGV[4])
-- What has been told as ended stays ended: no renewal may follow.
if #ended > 0 and agreed > tonumber(state[3]) then redis.call('HSET', KEYS[1], 'high_water', whole(agreed)) end
return 'ended ' .. table.concat(ended, ' ')
