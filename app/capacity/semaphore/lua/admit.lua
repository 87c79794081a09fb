--@include clocks.lua
--@include window.lua
--@include spread.lua
--@include line.lua
-- Decides one intent and commits it, or refuses and writes nothing but the rate limit's count
-- and, of a full scope, who was told to wait for how long.
--
-- KEYS  account, lease record, leases of the epoch, [rate window], of each scope a ZSET, what is known of its
--       calls, who waits and until when, [texts, senders of the text,
--       five HyperLogLogs of its numbers], a GCRA time per pace, a window per quota,
--       [attempts by call, attempts by sms, what they were about]
-- ARGV  intent_id, now_ms (the caller's clock), epoch, known_fence, send_by_ms (Redis's clock; 0: none),
--       ttl_ms, hard_ms (both from now), attempt type, try (-: none), ticket (-: one that nobody keeps waiting),
--       luck (from 0, below 1), rate_limit (-1: none), rate_window_ms,
--       scopes, then of each: name, room (limit less reserve)
--       texts (0|1), then: digest, sender, number, senders_limit, numbers_limit (-1: counted, never refused), window_ms
--       paces, then of each: interval_ms, burst
--       quotas, then of each: limit, window_ms
--       caps, then of each: max, since_ms, period_ms, counts call (0|1), counts sms (0|1), per subject (0|1),
--       by result (0|1)
--       the intent's subject (-: none), known attempts, then of each: id, type, at_ms, subject (-: none),
--       caps under which it does not count (-: none, else <i> of each, from 1)
-- Answers: status, then numbers, whole but for free_at_ms and redis_ms: replayed expires_at_ms fence epoch in_use
--       index used free_at_ms redis_ms rate_remaining rate_reset_ms senders numbers wait_seconds
--       kept (1: full only because what is free is for those who have waited longer), then the digests of texts that are to be forgotten. `index` is the refusing scope, pace, quota or cap, from 0;
--       of a text 0 for its senders, 1 for its numbers.
local key_at, argument_at = 0, 0
local function next_key() key_at = key_at + 1; return KEYS[key_at] end
local function next_text() argument_at = argument_at + 1; return ARGV[argument_at] end
local function next_number() argument_at = argument_at + 1; return tonumber(ARGV[argument_at]) end

local account, record, leases = next_key(), next_key(), next_key()
local intent_id, caller_ms, epoch = next_text(), next_number(), next_number()
local known_fence, send_by_ms = next_number(), next_number()
local ttl_ms, hard_ms, attempt_type, try = next_number(), next_number(), next_text(), next_text()
local ticket, luck = next_text(), next_number()
local rate_limit, rate_window_ms = next_number(), next_number()

local redis_ms = redis_time_ms()
local agreed = math.floor(math.min(redis_ms, caller_ms))
local current_epoch = 0
local rate_remaining, rate_reset_ms = 0, 0
local spread
local wait_s, kept = 0, 0

local function answer(status, replayed, expires_at_ms, fence, in_use, index, used, free_at_ms)
  return string.format('%s %d %.0f %s %.0f %d %d %d %.3f %.3f %.0f %.0f %d %d %d %d', status, replayed, expires_at_ms, fence,
    current_epoch, in_use, index, used, free_at_ms, redis_ms, rate_remaining, rate_reset_ms,
    spread and spread.senders or 0, spread and spread.numbers or 0, wait_s, kept) .. (spread and spread.silent or '')
end
local function refuse(status, index, used, free_at_ms)
  return answer(status, 0, 0, '0', 0, index, used, free_at_ms)
end

-- A command that sat in a frozen server's buffers is for a caller who has long been answered 503.
if send_by_ms > 0 and redis_ms > send_by_ms then return refuse('late', 0, 0, 0) end

-- 1. The key's rate limit.
if rate_limit >= 0 then
  local window = window_read(next_key(), rate_limit, rate_window_ms, redis_ms)
  if not window.exceeded then window_write(window) end
  rate_remaining = math.max(0, rate_limit - window.counted)
  rate_reset_ms = math.ceil(window.free_at_ms - redis_ms)
  if window.exceeded then return refuse('rate_limited', 0, window.counted, window.free_at_ms) end
end

local scopes = {}
for i = 1, next_number() do
  scopes[i] = {key = next_key(), flow_key = next_key(), line_key = next_key(), due_key = next_key(),
               name = next_text(), room = next_number()}
end
if next_number() == 1 then
  spread = {texts_key = next_key(), senders_key = next_key(), numbers_keys = {}}
  for i = 1, 5 do spread.numbers_keys[i] = next_key() end
  spread.digest, spread.sender, spread.number = next_text(), next_text(), next_text()
  spread.senders_limit, spread.numbers_limit = next_number(), next_number()
  spread.window_ms = next_number()
  spread_read(spread, redis_ms)
end
local state = redis.call('HMGET', account, 'epoch', 'fence', 'high_water', 'ready')
current_epoch = tonumber(state[1] or '0')
local high_water = math.max(tonumber(state[3] or '0'), agreed)

-- 2. The same intent again: the same answer, for as long as it holds. What it took is this try's from now on, so
-- that an earlier try which is undone only after this leaves it alone.
local remembered, outlived = redis.call('GET', record), false
local function belongs_to_this_try()
  redis.call('SET', record, (string.gsub(remembered, '@%S+', '@' .. try, 1)), 'KEEPTTL')
end
if remembered then
  local kind, its_epoch, fence = string.match(remembered, '^(%a+) (%d+) (%d+)')
  if kind == 'sent' then
    belongs_to_this_try()
    return answer('admitted', 1, 0, fence, 0, 0, 0, 0)
  end
  -- A rebuild writes the record of every lease that the ledger knows. One that it left in its old epoch was taken
  -- by a try that never came to be recorded, or ended before: nothing is held under it.
  outlived = kind == 'held' and tonumber(its_epoch) < current_epoch
  if kind == 'held' and state[4] == '1' and current_epoch == epoch and scopes[1] then
    local ends_ms = redis.call('ZSCORE', scopes[1].key, intent_id)
    if ends_ms and tonumber(ends_ms) > high_water then
      belongs_to_this_try()
      return answer('admitted', 1, tonumber(ends_ms), fence, (leases_in(scopes[1].key, agreed)), 0, 0, 0)
    end
  end
end

-- 3. Does Redis still know all that was promised, and does the caller speak of the same epoch?
if state[4] ~= '1' or current_epoch < epoch then return refuse('lost', 0, 0, 0) end
if current_epoch > epoch then return refuse('stale', 0, 0, 0) end
if tonumber(state[2]) < known_fence then return refuse('lost', 0, 0, 0) end
if remembered and not outlived then return refuse('ended', 0, 0, 0) end

-- Read what is left of the arguments, so that the checks below can run in their own order.
local paces, quotas, caps, known = {}, {}, {}, {}
for i = 1, next_number() do
  paces[i] = {key = next_key(), interval_ms = next_number(), burst = next_number()}
end
for i = 1, next_number() do
  quotas[i] = {key = next_key(), limit = next_number(), window_ms = next_number()}
end
for i = 1, next_number() do
  caps[i] = {max = next_number(), since_ms = next_number(), period_ms = next_number(),
             counts = {call = next_number() == 1, sms = next_number() == 1}, per_subject = next_number() == 1,
             by_result = next_number() == 1}
end
local attempts, subjects = {}, nil
if #caps > 0 then
  attempts = {call = next_key(), sms = next_key()}
  subjects = next_key()
end
local subject = next_text()
local known_subjects, uncounted = {}, {}
for i = 1, next_number() do
  known[i] = {id = next_text(), type = next_text(), at_ms = next_number(), subject = next_text()}
  known_subjects[known[i].id] = known[i].subject
  uncounted[known[i].id] = next_text()
end

-- 4. The destination's frequency caps, over what Redis remembers and what the ledger told besides.
local forgotten = {}
if #caps > 0 then
  for _, attempt in ipairs(known) do
    if attempt.id ~= intent_id and not redis.call('ZSCORE', attempts[attempt.type], attempt.id) then
      forgotten[#forgotten + 1] = attempt
    end
  end
end
-- Whether an attempt counts under a cap by result or per subject: it may have ended so, and it is about the same, or
-- nobody said what it was about. The ledger knows best; of what it has not told yet Redis knows itself.
local function is_counted(index, cap, id)
  if cap.by_result and string.find(uncounted[id] or '-', '<' .. index .. '>', 1, true) then return false end
  if not cap.per_subject then return true end
  local about = known_subjects[id] or redis.call('HGET', subjects, id) or '-'
  return about == '-' or about == subject
end
-- When the attempts that count under a cap were made.
local function times_of(index, cap, since_ms)
  local times = {}
  for type, counts in pairs(cap.counts) do
    if counts then
      local found = redis.call('ZRANGEBYSCORE', attempts[type], '(' .. whole(since_ms), '+inf', 'WITHSCORES')
      for i = 1, #found, 2 do
        if is_counted(index, cap, found[i]) then times[#times + 1] = tonumber(found[i + 1]) end
      end
    end
  end
  for _, attempt in ipairs(forgotten) do
    if cap.counts[attempt.type] and attempt.at_ms > since_ms and is_counted(index, cap, attempt.id) then
      times[#times + 1] = attempt.at_ms
    end
  end
  return times
end
-- A caller whose clock is ahead must not forget attempts for it.
local ahead_ms = math.max(0, caller_ms - agreed)
local longest_ms = 0
for index, cap in ipairs(caps) do
  local since_ms = cap.since_ms - ahead_ms
  longest_ms = math.max(longest_ms, cap.period_ms)
  local used = 0
  if cap.per_subject or cap.by_result then
    used = #times_of(index, cap, since_ms)
  else
    for type, counts in pairs(cap.counts) do
      if counts then used = used + redis.call('ZCOUNT', attempts[type], '(' .. whole(since_ms), '+inf') end
    end
    for _, attempt in ipairs(forgotten) do
      if cap.counts[attempt.type] and attempt.at_ms > since_ms then used = used + 1 end
    end
  end
  if used >= cap.max then
    -- Free again when so many of the oldest have left the period that one place is open.
    local times = times_of(index, cap, since_ms)
    table.sort(times)
    local leaving = times[used - cap.max + 1]
    return refuse('capped', index - 1, used, leaving and leaving + cap.period_ms or 0)
  end
end

-- 5. How far the text is spread, where the account refuses by it. A text of known senders still passes.
if spread and spread.senders_limit >= 0 and spread.senders > math.max(spread.senders_limit, spread.counted) then
  return refuse('spread', 0, spread.senders, 0)
end
if spread and spread.numbers_limit >= 0 and spread.numbers >= spread.numbers_limit then
  return refuse('spread', 1, spread.numbers, 0)
end

-- 6. Every scope's limit less the reserve of the class. The count is exact whatever has not been cleaned yet.
for index, scope in ipairs(scopes) do
  scope.used, scope.ended = leases_in(scope.key, agreed)
  local free, free_at_ms = scope.room - scope.used, 0
  scope.told = redis.call('EXISTS', scope.due_key) == 1
  if free > 0 and scope.told and ticket ~= '-' and is_kept_from(scope, ticket, free, redis_ms) then kept = 1 end
  if free <= 0 or kept == 1 then
    wait_s, free_at_ms = tell(scope, ticket, redis_ms, luck)
    return refuse('full', index - 1, scope.used, free_at_ms)
  end
end

-- 7. Every pace (GCRA: the theoretical arrival time moves on by one interval per intent) and every quota.
for index, pace in ipairs(paces) do
  local span_ms = pace.interval_ms * pace.burst
  local arrival = math.max(tonumber(redis.call('GET', pace.key) or '0'), redis_ms)
  if arrival > redis_ms + span_ms + 1 then
    -- Redis's clock went back, or the pace was made faster. The clamp is stored even with a refusal: it
    -- would otherwise start anew with each request and nobody would ever pass.
    arrival = redis_ms + span_ms
    redis.call('SET', pace.key, string.format('%.3f', arrival), 'PX', whole(math.ceil(span_ms) + 1000))
  end
  pace.next_ms = arrival + pace.interval_ms
  if pace.next_ms > redis_ms + span_ms + 0.001 then
    return refuse('rate_exceeded', index - 1, 0, pace.next_ms - span_ms)
  end
end
for index, quota in ipairs(quotas) do
  quota.window = window_read(quota.key, quota.limit, quota.window_ms, redis_ms)
  if quota.window.exceeded then
    return refuse('rate_exceeded', #paces + index - 1, quota.window.counted, quota.window.free_at_ms)
  end
end

-- 8. Commit all.
for _, pace in ipairs(paces) do
  redis.call('SET', pace.key, string.format('%.3f', pace.next_ms), 'PX', whole(math.ceil(pace.next_ms - redis_ms) + 1000))
end
for _, quota in ipairs(quotas) do window_write(quota.window) end
if spread then spread_write(spread, redis_ms) end
for _, attempt in ipairs(forgotten) do
  redis.call('ZADD', attempts[attempt.type], whole(attempt.at_ms), attempt.id)
  if attempt.subject ~= '-' then redis.call('HSET', subjects, attempt.id, attempt.subject) end
end
if #caps > 0 then
  redis.call('ZADD', attempts[attempt_type], whole(caller_ms), intent_id)
  if subject ~= '-' then redis.call('HSET', subjects, intent_id, subject) end
  for _, key in pairs(attempts) do
    -- Some at a time, more than come in: what is left over is too old to count, and goes with the next.
    local gone = redis.call('ZRANGEBYSCORE', key, '-inf', whole(agreed - longest_ms), 'LIMIT', 0, 64)
    if #gone > 0 then
      redis.call('ZREM', key, unpack(gone))
      redis.call('HDEL', subjects, unpack(gone))
    end
  end
  for _, key in pairs({attempts.call, attempts.sms, subjects}) do
    local left_ms = redis.call('PTTL', key)
    if left_ms ~= -2 and left_ms < longest_ms then redis.call('PEXPIRE', key, whole(longest_ms)) end
  end
end

local fence = whole(redis.call('HINCRBY', account, 'fence', 1))
redis.call('HSET', account, 'high_water', whole(high_water))
redis.call('PEXPIRE', account, ACCOUNT_TTL_MS)
if #scopes == 0 then
  -- A text holds no channel; it is remembered just long enough for a retry whose first answer was lost.
  redis.call('SET', record, string.format('sent %.0f %s @%s', epoch, fence, try), 'PX', 600000)
  return answer('admitted', 0, 0, fence, 0, 0, 0, 0)
end

-- From the latest agreed instant; while Redis's clock is behind, that one stands still, and a lease counted
-- from it would end too early once the clock is right. So the caller's clock counts, up to two hours ahead.
local from_ms = math.max(high_water, math.min(caller_ms, agreed + 2 * 3600 * 1000))
local hard_end_ms = from_ms + hard_ms
local expires_at_ms = math.min(from_ms + ttl_ms, hard_end_ms)
-- "Older than the switch's list" must never hold for a lease that is newer, so the later clock is kept.
local acquired_ms = math.max(math.ceil(redis_ms), caller_ms, high_water)
local names = {}
for i, scope in ipairs(scopes) do
  names[i] = scope.name
  if scope.ended > 0 then redis.call('ZREMRANGEBYRANK', scope.key, 0, math.min(scope.ended, 64) - 1) end
  redis.call('ZADD', scope.key, whole(expires_at_ms), intent_id)
  redis.call('PEXPIRE', scope.key, ACCOUNT_TTL_MS)
  if scope.used + 1 >= scope.room then filled(scope, redis_ms) end
  if scope.told then
    redis.call('ZREM', scope.due_key, ticket)
    redis.call('ZREM', scope.line_key, ticket)
  end
end
-- Ended leases stay in the account's set until somebody has read them, but no longer than a day.
local unread = redis.call('ZRANGEBYSCORE', leases, '-inf', whole(agreed - TOMBSTONE_TTL_MS), 'LIMIT', 0, 4)
if #unread > 0 then redis.call('ZREM', leases, unpack(unread)) end
redis.call('ZADD', leases, whole(expires_at_ms), intent_id)
redis.call('PEXPIRE', leases, ACCOUNT_TTL_MS)
redis.call('SET', record,
  string.format('held %.0f %s %.0f %.0f @%s %s', epoch, fence, acquired_ms, hard_end_ms, try, table.concat(names, ' ')),
  'PX', whole(hard_end_ms - agreed + TOMBSTONE_TTL_MS))
return answer('admitted', 0, expires_at_ms, fence, scopes[1].used + 1, 0, 0, 0)
