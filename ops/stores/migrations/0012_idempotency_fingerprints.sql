-- What stood here were plain digests of requests that may hold passwords and secrets. A key from before stays used; for what is forgotten.
UPDATE idempotency_key SET body_hash = '';
