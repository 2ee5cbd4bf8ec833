-- In what form a credential's password is stored; password_cipher holds the password itself (clear), what the scheme keeps of it, or nothing
-- (none: an access server vouches for a MAC address or a line).

ALTER TABLE credential ADD COLUMN password_scheme text NOT NULL DEFAULT 'clear'
  CONSTRAINT credential_password_scheme CHECK (password_scheme IN ('clear', 'crypt', 'md5', 'smd5', 'sha', 'ssha', 'sha256', 'ssha256',
    'sha384', 'ssha384', 'sha512', 'ssha512', 'nt', 'argon2', 'none'));

CREATE OR REPLACE VIEW feed_subscription AS
  SELECT s.tenant_id, s.id, s.customer_id, s.tariff_id AS plan_id, c.status AS customer_status, s.status, s.paid_until,
    s.paid_until_set_at, s.anchor_day, s.meter,
    coalesce((SELECT jsonb_agg(jsonb_build_object('reason', h.reason, 'since', h.since, 'until', h.until) ORDER BY h.id)
      FROM subscription_hold h WHERE h.tenant_id = s.tenant_id AND h.subscription_id = s.id AND h.lifted_at IS NULL), '[]') AS holds,
    coalesce((SELECT jsonb_agg(jsonb_build_object('realm', k.realm, 'user_name', k.user_name,
      'password_cipher', encode(k.password_cipher, 'base64'), 'scheme', k.password_scheme) ORDER BY k.id)
      FROM credential k WHERE k.tenant_id = s.tenant_id AND k.subscription_id = s.id), '[]') AS credentials,
    coalesce((SELECT jsonb_agg(jsonb_build_object('kind', a.kind, 'prefix', a.prefix::text) ORDER BY a.id)
      FROM address_assignment a WHERE a.tenant_id = s.tenant_id AND a.subscription_id = s.id AND a.released_at IS NULL), '[]') AS addresses,
    s.meter_since
  FROM subscription s JOIN customer c ON c.tenant_id = s.tenant_id AND c.id = s.customer_id;
