-- Forgets the senders of texts that left the account's texts as the longest silent. One that was said again meanwhile
-- stays. Should this never come, the senders end by their own TTL.
-- KEYS 1 texts, 2.. senders of each text   ARGV the digest of each text
for at = 1, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[at]) then redis.call('UNLINK', KEYS[1 + at]) end
end
return 'forgotten'
