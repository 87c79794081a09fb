-- Keeps a session until it ends by itself.
-- KEYS 1 session   ARGV 1 what it stands for, 2 ttl_ms
-- Answers: ok
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'ok'
