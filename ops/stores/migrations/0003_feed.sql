-- The change feed of the edge: triggers note (kind, tenant, key) in the transaction that changes something; the reader re-reads
-- current state from the feed_* views, which are the contract between PostgreSQL and aaa-server.
-- The reader applies every visible row at or above its watermark and moves the watermark only to pg_snapshot_xmin.

CREATE TABLE feed_change (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  tenant_id bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('tenant', 'plan', 'subscription', 'nas')),
  key bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (xid, seq)
);
CREATE INDEX feed_change_at ON feed_change (at);

-- Everything below this transaction id was pruned; a reader whose watermark is older must copy everything anew.
CREATE TABLE feed_horizon (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  pruned_below xid8 NOT NULL
);
INSERT INTO feed_horizon (pruned_below) VALUES ('0');

CREATE FUNCTION feed_prune(keep interval) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE pruned bigint; highest xid8;
BEGIN
  SELECT max(xid) INTO highest FROM feed_change WHERE at < now() - keep AND xid < pg_snapshot_xmin(pg_current_snapshot());
  IF highest IS NULL THEN RETURN 0; END IF;
  DELETE FROM feed_change WHERE xid <= highest;
  GET DIAGNOSTICS pruned = ROW_COUNT;
  UPDATE feed_horizon SET pruned_below = (highest::text::numeric + 1)::text::xid8;
  RETURN pruned;
END $$;
REVOKE EXECUTE ON FUNCTION feed_prune(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_prune(interval) TO lastmile_app;

CREATE FUNCTION feed_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT * FROM new_rows' WHEN 'DELETE' THEN 'SELECT * FROM old_rows'
                             ELSE 'SELECT * FROM new_rows UNION ALL SELECT * FROM old_rows' END;
  keys text := CASE TG_TABLE_NAME
    WHEN 'tenant' THEN 'SELECT DISTINCT id, ''tenant'', id FROM (%s) c'
    WHEN 'tariff' THEN 'SELECT DISTINCT tenant_id, ''plan'', id FROM (%s) c'
    WHEN 'nas' THEN 'SELECT DISTINCT tenant_id, ''nas'', id FROM (%s) c'
    WHEN 'subscription' THEN 'SELECT DISTINCT tenant_id, ''subscription'', id FROM (%s) c'
    WHEN 'customer' THEN 'SELECT DISTINCT s.tenant_id, ''subscription'', s.id FROM (%s) c JOIN subscription s ON s.tenant_id = c.tenant_id AND s.customer_id = c.id'
    ELSE 'SELECT DISTINCT tenant_id, ''subscription'', subscription_id FROM (%s) c'
  END;
BEGIN
  -- Only what the edge sees of a customer matters to the feed.
  IF TG_TABLE_NAME = 'customer' AND TG_OP = 'UPDATE' THEN
    changed := 'SELECT n.* FROM new_rows n JOIN old_rows o USING (id) WHERE n.status <> o.status';
  END IF;
  EXECUTE 'INSERT INTO feed_change (tenant_id, kind, key) ' || format(keys, changed);
  PERFORM pg_notify('lastmile_feed', '');
  RETURN NULL;
END $$;

CREATE FUNCTION feed_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE on % is refused: it would pass the change feed by; use DELETE', TG_TABLE_NAME;
END $$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tenant', 'tariff', 'nas', 'customer', 'subscription', 'subscription_hold', 'credential', 'address_assignment'] LOOP
    EXECUTE format('CREATE TRIGGER feed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note()', name);
    EXECUTE format('CREATE TRIGGER feed_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note()', name);
    EXECUTE format('CREATE TRIGGER feed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note()', name);
    EXECUTE format('CREATE TRIGGER feed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION feed_refuse_truncate()', name);
  END LOOP;
END $$;

CREATE VIEW feed_tenant AS
  SELECT id AS tenant_id, id, slug, time_zone, week_start, enforcement_mode FROM tenant;

CREATE VIEW feed_plan AS
  SELECT tenant_id, id, up_bps, down_bps, fup_rules, suspend_action, grace_s, interim_interval_s FROM tariff;

CREATE VIEW feed_nas AS
  SELECT tenant_id, id, name, address::text AS address, nas_identifier, vendor, secret_cipher, next_secret_cipher,
    host(coa_address) AS coa_address, coa_port, coa_rate_per_s, mode, adopted_at, require_message_authenticator
  FROM nas WHERE status = 'active';

-- Terminated subscriptions stay visible so that a login is told why, until nothing of them is left to tell.
CREATE VIEW feed_subscription AS
  SELECT s.tenant_id, s.id, s.customer_id, s.tariff_id AS plan_id, c.status AS customer_status, s.status, s.paid_until,
    s.paid_until_set_at, s.anchor_day, s.meter,
    coalesce((SELECT jsonb_agg(jsonb_build_object('reason', h.reason, 'since', h.since, 'until', h.until) ORDER BY h.id)
      FROM subscription_hold h WHERE h.tenant_id = s.tenant_id AND h.subscription_id = s.id AND h.lifted_at IS NULL), '[]') AS holds,
    coalesce((SELECT jsonb_agg(jsonb_build_object('realm', k.realm, 'user_name', k.user_name,
      'password_cipher', encode(k.password_cipher, 'base64')) ORDER BY k.id)
      FROM credential k WHERE k.tenant_id = s.tenant_id AND k.subscription_id = s.id), '[]') AS credentials,
    coalesce((SELECT jsonb_agg(jsonb_build_object('kind', a.kind, 'prefix', a.prefix::text) ORDER BY a.id)
      FROM address_assignment a WHERE a.tenant_id = s.tenant_id AND a.subscription_id = s.id AND a.released_at IS NULL), '[]') AS addresses
  FROM subscription s JOIN customer c ON c.tenant_id = s.tenant_id AND c.id = s.customer_id;

GRANT SELECT ON feed_change, feed_horizon, feed_tenant, feed_plan, feed_nas, feed_subscription TO lastmile_feed;
