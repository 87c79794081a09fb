-- How far one text is spread within a window: by how many senders, exactly, in a ZSET of when each was last seen;
-- to about how many numbers, by HyperLogLog (standard error 0.81 %).
--
-- The window of the numbers slides in quarters. Every number goes into five HyperLogLogs, that of the present
-- quarter and those of the next four, so the present one alone holds all that was counted in the last four to five
-- quarters, and counting reads one key. A text that is said for the first time writes none of them: most texts are
-- never said again, and the one number that this leaves out is far below the error.
--
-- `texts` is a ZSET of the account's texts by when they were last said. The longest silent ones leave it, so an
-- account's texts that are said once take a bounded place. Which they are only the ZSET knows, and a key that was not
-- declared is not touched: the answer names them, and the caller has their senders forgotten (forget.lua).
local KEPT_TEXTS = 20000
local KEPT_SENDERS = 1000

-- Answers what the counts would be with this intent among them, and writes nothing.
local function spread_read(spread, now_ms)
  local since_ms = now_ms - spread.window_ms
  spread.counted = redis.call('ZCOUNT', spread.senders_key, '(' .. whole(since_ms), '+inf')
  local seen_ms = spread.counted > 0 and redis.call('ZSCORE', spread.senders_key, spread.sender)
  local known = seen_ms and tonumber(seen_ms) > since_ms
  spread.senders = spread.counted + (known and 0 or 1)
  spread.numbers = spread.counted > 0 and redis.call('PFCOUNT', spread.numbers_keys[1]) or 0
end

local function spread_write(spread, now_ms)
  spread.silent = ''
  if spread.counted > 0 then
    for _, key in ipairs(spread.numbers_keys) do
      redis.call('PFADD', key, spread.number)
      -- The last of the five counts until five quarters from now; a quarter more for a caller's clock.
      if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, whole(spread.window_ms * 1.5)) end
    end
    spread.numbers = redis.call('PFCOUNT', spread.numbers_keys[1])
    redis.call('ZREMRANGEBYSCORE', spread.senders_key, '-inf', whole(now_ms - spread.window_ms))
  end
  spread.numbers = math.max(spread.numbers, 1)
  redis.call('ZADD', spread.senders_key, whole(now_ms), spread.sender)
  redis.call('ZREMRANGEBYRANK', spread.senders_key, 0, -KEPT_SENDERS - 1)
  redis.call('PEXPIRE', spread.senders_key, whole(spread.window_ms))
  redis.call('ZADD', spread.texts_key, whole(now_ms), spread.digest)
  if redis.call('PTTL', spread.texts_key) < spread.window_ms then
    redis.call('PEXPIRE', spread.texts_key, whole(spread.window_ms))
  end
  if redis.call('ZCARD', spread.texts_key) > KEPT_TEXTS then
    local silent = redis.call('ZPOPMIN', spread.texts_key, 2)
    for at = 1, #silent, 2 do spread.silent = spread.silent .. ' ' .. silent[at] end
  end
end
