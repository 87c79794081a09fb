-- Writes as an admission does: what a server refuses to a probe (full, read-only, too few replicas), it refuses to all.
-- KEYS 1 probe   ARGV 1 ttl_ms
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 'done'
