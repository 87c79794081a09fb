-- A sliding window of 60 sub-buckets in one HASH: o is the oldest bucket that counts, n the sum of all that
-- count, b<index> each bucket, l<index> the last instant of it. A bucket counts until a window after its last instant
-- (after its end where that was not written, as releases before did), so the time covered is never shorter than the
-- window: at most `limit` in ANY window, a burst of `limit` at once, and no wait longer than the window. Reading
-- writes nothing, but for a clock that went back.
local function leaves_at(key, bucket, width, window_ms)
  local last = tonumber(redis.call('HGET', key, 'l' .. whole(bucket)))
  return math.min((bucket + 61) * width, last and last + window_ms or math.huge)
end

local function window_read(key, limit, window_ms, now_ms)
  local width = window_ms / 60
  local index = math.floor(now_ms / width)
  local stored = redis.call('HMGET', key, 'o', 'n')
  local oldest, counted = tonumber(stored[1]), tonumber(stored[2])
  local window = {key = key, index = index, width = width, window_ms = window_ms, now_ms = now_ms, dead = {}, empty = false}
  if not oldest then
    oldest, counted = index, 0
  elseif oldest > index + 60 then
    -- The clock went back: all that was counted counts as of now, and leaves one window later. Stored even
    -- when this request is refused, as "now" would otherwise begin anew with each.
    redis.call('DEL', key)
    redis.call('HSET', key, 'o', whole(index), 'n', counted, 'b' .. whole(index), counted)
    redis.call('PEXPIRE', key, whole(math.ceil(window_ms + 2 * width)))
    oldest = index
  elseif oldest > index then
    window.index = oldest
  elseif oldest < index - 121 then
    window.empty = true
    oldest, counted = index, 0
  else
    while oldest < index do
      local count = redis.call('HGET', key, 'b' .. whole(oldest))
      if count and oldest > index - 60 then break end
      if count and oldest == index - 60 and leaves_at(key, oldest, width, window_ms) > now_ms then break end
      if count then
        counted = counted - tonumber(count)
        window.dead[#window.dead + 1] = 'b' .. whole(oldest)
        window.dead[#window.dead + 1] = 'l' .. whole(oldest)
      end
      oldest = oldest + 1
    end
  end
  window.oldest, window.counted = oldest, counted
  window.exceeded = counted >= limit
  -- When the oldest bucket leaves, there is room for at least one more.
  window.free_at_ms = window.exceeded and leaves_at(key, oldest, width, window_ms) or (oldest + 61) * width
  return window
end

local function window_write(window)
  local key = window.key
  local bucket, last = 'b' .. whole(window.index), 'l' .. whole(window.index)
  if window.empty then
    redis.call('DEL', key)
  elseif #window.dead > 0 then
    redis.call('HDEL', key, unpack(window.dead))
  end
  window.counted = window.counted + 1
  -- A clock that went back a little says an instant before the bucket, whose instants before are lost.
  local instant = window.now_ms < window.index * window.width and (window.index + 1) * window.width or window.now_ms
  redis.call('HSET', key, 'o', whole(window.oldest), 'n', window.counted, last, string.format('%.3f', instant))
  if redis.call('HINCRBY', key, bucket, 1) == 1 then
    redis.call('PEXPIRE', key, whole(math.ceil(window.window_ms + 2 * window.width)))
  end
end
