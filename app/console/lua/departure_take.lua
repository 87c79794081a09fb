-- Takes what was kept of a departure to the issuer: it leads back once.
-- KEYS 1 departure
-- Answers: what was kept, or - when there is nothing
local kept = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return kept or '-'
