--@include clocks.lua
--@include window.lua
-- Spends one request of a key's rate limit. A request over the limit is not counted.
-- KEYS 1 rate window   ARGV 1 limit, 2 window_ms
-- Answers: exceeded(0|1) remaining reset_ms
local limit = tonumber(ARGV[1])
local now_ms = redis_time_ms()
local window = window_read(KEYS[1], limit, tonumber(ARGV[2]), now_ms)
if not window.exceeded then window_write(window) end
return (window.exceeded and '1 ' or '0 ')
  .. whole(math.max(0, limit - window.counted)) .. ' ' .. whole(math.ceil(window.free_at_ms - now_ms))
