-- What a caller of a full scope is told, in whole seconds from 1 to 300: a quarter of the way to when a channel is
-- expected for it, so that few come long after it is free, and what is left gets shorter with every asking.
-- call_ms: how long a call lasts, as far as is known; 0: nothing is, and the wait is short.
-- channels: of the scope. ahead: channels that have to come back before the one for this caller.
-- ends_in_ms: until so many leases have run out were nobody to hang up (negative: not known); it bounds the wait.
-- luck: at least 0, below 1; rounds up or down by chance, so that a crowd does not come back at one instant.
local function wait_seconds(call_ms, channels, ahead, ends_in_ms, luck)
  if channels < 1 then return 300 end
  local each_ms = call_ms / channels
  -- Next in line one comes often enough to leave the channel idle for a small part of a call, however few there are.
  local expected_ms = math.min(each_ms, call_ms / 10) + ahead * each_ms
  local seconds = math.floor(expected_ms / 4000 + luck)
  if ends_in_ms >= 0 then
    local ends_in = math.ceil(ends_in_ms / 1000)
    -- An end that is near is waited for: whoever has not renewed by now is likely gone.
    seconds = ends_in <= 2 and ends_in or math.min(seconds, ends_in)
  end
  return math.max(1, math.min(300, seconds))
end
