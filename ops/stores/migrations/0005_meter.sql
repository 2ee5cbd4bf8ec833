-- Since when the meter of a subscription counts; before that the other one did. The ledger parts bytes at that instant, so it lies at a
-- quarter of an hour (UTC) that has not begun when the switch is made, and one switch is over before the next.

ALTER TABLE subscription ADD COLUMN meter_since timestamptz
  CONSTRAINT subscription_meter_quarter CHECK (meter_since = date_bin('15 minutes', meter_since, 'epoch'));

CREATE FUNCTION subscription_meter_ahead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.meter = OLD.meter OR NEW.meter_since IS NULL OR NEW.meter_since < now() + interval '15 minutes' THEN
    RAISE EXCEPTION 'a switch of the meter begins at least 15 minutes ahead, with another meter'
      USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION subscription_meter_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.meter_since > now() OR OLD.meter_since > NEW.meter_since - interval '24 hours' THEN
    RAISE EXCEPTION 'one switch of the meter in 24 hours' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER subscription_meter_ahead AFTER UPDATE ON subscription FOR EACH ROW
  WHEN (NEW.meter <> OLD.meter OR NEW.meter_since IS DISTINCT FROM OLD.meter_since) EXECUTE FUNCTION subscription_meter_ahead();
CREATE CONSTRAINT TRIGGER subscription_meter_once AFTER UPDATE ON subscription FOR EACH ROW
  WHEN (NEW.meter <> OLD.meter OR NEW.meter_since IS DISTINCT FROM OLD.meter_since) EXECUTE FUNCTION subscription_meter_once();

CREATE OR REPLACE VIEW feed_subscription AS
  SELECT s.tenant_id, s.id, s.customer_id, s.tariff_id AS plan_id, c.status AS customer_status, s.status, s.paid_until,
    s.paid_until_set_at, s.anchor_day, s.meter,
    coalesce((SELECT jsonb_agg(jsonb_build_object('reason', h.reason, 'since', h.since, 'until', h.until) ORDER BY h.id)
      FROM subscription_hold h WHERE h.tenant_id = s.tenant_id AND h.subscription_id = s.id AND h.lifted_at IS NULL), '[]') AS holds,
    coalesce((SELECT jsonb_agg(jsonb_build_object('realm', k.realm, 'user_name', k.user_name,
      'password_cipher', encode(k.password_cipher, 'base64')) ORDER BY k.id)
      FROM credential k WHERE k.tenant_id = s.tenant_id AND k.subscription_id = s.id), '[]') AS credentials,
    coalesce((SELECT jsonb_agg(jsonb_build_object('kind', a.kind, 'prefix', a.prefix::text) ORDER BY a.id)
      FROM address_assignment a WHERE a.tenant_id = s.tenant_id AND a.subscription_id = s.id AND a.released_at IS NULL), '[]') AS addresses,
    s.meter_since
  FROM subscription s JOIN customer c ON c.tenant_id = s.tenant_id AND c.id = s.customer_id;
