--@include wait.lua
--@include flow.lua
-- Who waits for a channel of a scope. A ticket is a destination's: whoever asks for it again is the same, whatever
-- the intent's id. `due` has every ticket by when it was told to come; `line` those that came as they were told, by
-- when they first were to: only these are counted, so that asking again, or for other numbers, makes nobody wait longer.
local LINE_TTL_MS, LONGEST_LINE = 600 * 1000, 10000
local EARLY_MS, LATE_MS = 250, 2000

-- The scope's last channel was taken.
local function filled(scope, now_ms)
  if redis.call('HSET', scope.flow_key, 'full', whole(now_ms)) == 1 then
    redis.call('PEXPIRE', scope.flow_key, FLOW_TTL_MS)
  end
end

-- How long its calls last: the mean of those that ended, or longer where none has come back for longer than that.
local function call_ms_of(scope, now_ms)
  local flow = redis.call('HMGET', scope.flow_key, 'mean', 'full')
  local full_ms = tonumber(flow[2])
  if not full_ms then filled(scope, now_ms) end
  redis.call('PEXPIRE', scope.flow_key, FLOW_TTL_MS)
  return math.max(tonumber(flow[1] or '0'), now_ms - (full_ms or now_ms), 0)
end

-- Drops those who did not come; answers how many wait and how many of them before this ticket.
local function line_up(scope, ticket, now_ms)
  local gone = redis.call('ZRANGEBYSCORE', scope.due_key, '-inf', whole(now_ms - LATE_MS), 'LIMIT', 0, 64)
  if #gone > 0 then
    redis.call('ZREM', scope.due_key, unpack(gone))
    redis.call('ZREM', scope.line_key, unpack(gone))
  end
  local waiting = redis.call('ZCARD', scope.line_key)
  return waiting, redis.call('ZRANK', scope.line_key, ticket) or waiting
end

-- Whether what is free is for others: who have waited longer, came as told, and are told to come any moment now.
-- Else whoever hangs up and dials again in the same breath would keep the channel from all who wait for ever.
local function is_kept_from(scope, ticket, free, now_ms)
  local waiting, before = line_up(scope, ticket, now_ms)
  -- Where many wait, any of the older half will do: to wait for the very first would leave the channel idle.
  local older = math.max(0, math.floor((before - 8) / 2))
  if waiting == 0 or before < free + older then return false end
  local soon_ms = math.max(1000, math.min(10000, call_ms_of(scope, now_ms) / 20))
  -- Among those who wait, only for who is about to come this instant.
  if before < waiting then soon_ms = soon_ms / 4 end
  local coming = redis.call('ZRANGEBYSCORE', scope.due_key, whole(now_ms - EARLY_MS), whole(now_ms + soon_ms), 'LIMIT', 0, 64)
  local older_ones = 0
  for _, other in ipairs(coming) do
    local place = other ~= ticket and redis.call('ZRANK', scope.line_key, other)
    if place and place <= math.max(free, older) then older_ones = older_ones + 1 end
    if older_ones >= free then return true end
  end
  return false
end

-- Tells a ticket how long to wait, and remembers it; answers the seconds and when the lease ends that bounds them.
local function tell(scope, ticket, now_ms, luck)
  local _, before = line_up(scope, ticket, now_ms)
  local due_ms = tonumber(redis.call('ZSCORE', scope.due_key, ticket) or '0')
  if ticket == '-' then
    before = 0
  elseif due_ms > 0 and due_ms - EARLY_MS <= now_ms and not redis.call('ZSCORE', scope.line_key, ticket) then
    redis.call('ZADD', scope.line_key, whole(due_ms), ticket)
    redis.call('PEXPIRE', scope.line_key, LINE_TTL_MS)
    before = redis.call('ZRANK', scope.line_key, ticket)
  end
  local ahead = math.max(0, scope.used - scope.room) + before
  local ends_ms = 0
  if scope.room > 0 and ahead < scope.used then
    -- By its place in the set: a range by score with an offset would walk there.
    local place = scope.ended + ahead
    ends_ms = tonumber(redis.call('ZRANGE', scope.key, place, place, 'WITHSCORES')[2] or '0')
  end
  local ends_in_ms = ends_ms > 0 and math.max(0, ends_ms - now_ms) or -1
  local seconds = wait_seconds(call_ms_of(scope, now_ms), scope.room, ahead, ends_in_ms, luck)
  if due_ms - EARLY_MS > now_ms then
    -- It came before it was told to: what is left of that wait, or less.
    seconds = math.min(seconds, math.max(1, math.ceil((due_ms - now_ms) / 1000)))
    if now_ms + seconds * 1000 >= due_ms then return seconds, ends_ms end
  end
  if ticket ~= '-' and (due_ms > 0 or redis.call('ZCARD', scope.due_key) < LONGEST_LINE) then
    redis.call('ZADD', scope.due_key, whole(now_ms + seconds * 1000), ticket)
    redis.call('PEXPIRE', scope.due_key, LINE_TTL_MS)
  end
  return seconds, ends_ms
end
