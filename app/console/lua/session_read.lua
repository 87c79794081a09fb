-- What a session stands for.
-- KEYS 1 session
-- Answers: what was kept, or - when it has ended
return redis.call('GET', KEYS[1]) or '-'
