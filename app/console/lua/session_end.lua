-- Ends a session.
-- KEYS 1 session
-- Answers: 1, or 0 when it had ended already
return tostring(redis.call('DEL', KEYS[1]))
