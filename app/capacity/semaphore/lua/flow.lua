-- What is known of a scope's calls: `mean`, how long they last in ms, over so many (`count`, 16 at most); `full`, since
-- when the scope is full. Forgotten a day after the last refusal.
local FLOW_TTL_MS = TOMBSTONE_TTL_MS

-- A call of the scope has ended.
local function call_ended(flow_key, lasted_ms)
  if lasted_ms < 0 then return end
  local flow = redis.call('HMGET', flow_key, 'mean', 'count')
  local mean, count = tonumber(flow[1] or '0'), math.min(tonumber(flow[2] or '0') + 1, 16)
  redis.call('HSET', flow_key, 'mean', string.format('%.1f', mean + (lasted_ms - mean) / count), 'count', count)
  if count < 16 then redis.call('PEXPIRE', flow_key, FLOW_TTL_MS) end
end
