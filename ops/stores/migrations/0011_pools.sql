-- Pools of addresses, how many sessions and devices a subscription may have, and what becomes of logins that are refused.
-- Who has which address of a pool is live state in Redis (ops/docs/aaa/addresses.md).

CREATE TYPE inetspan AS RANGE (subtype = inet);

CREATE TABLE address_pool (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  name text NOT NULL CHECK (name <> ''),
  family text NOT NULL CHECK (family IN ('ipv4', 'ipv6_prefix', 'delegated_prefix')),
  unit_length smallint NOT NULL DEFAULT 32, -- of a unit as a prefix
  priority integer NOT NULL DEFAULT 100, -- lower first, among the pools of an access server
  fallback_id bigint, -- asked when this one has nothing free
  nas_id bigint, -- only logins at this access server; null: at every one
  on_exhausted text NOT NULL DEFAULT 'reject' CHECK (on_exhausted IN ('reject', 'nas')),
  cool_down_s integer NOT NULL DEFAULT 300 CHECK (cool_down_s BETWEEN 120 AND 604800), -- not shorter than a hold
  reserve integer NOT NULL DEFAULT 0 CHECK (reserve BETWEEN 0 AND 256), -- units per worker for when Redis is away
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, id, family),
  CONSTRAINT address_pool_name UNIQUE (tenant_id, name),
  -- Of the same family, so that what a login gets is what it asked for.
  CONSTRAINT address_pool_fallback FOREIGN KEY (tenant_id, fallback_id, family) REFERENCES address_pool (tenant_id, id, family),
  CONSTRAINT address_pool_not_itself CHECK (fallback_id <> id),
  FOREIGN KEY (tenant_id, nas_id) REFERENCES nas (tenant_id, id),
  CHECK (CASE family WHEN 'ipv4' THEN unit_length = 32 ELSE unit_length BETWEEN 32 AND 128 END)
);
CREATE INDEX address_pool_by_fallback ON address_pool (tenant_id, fallback_id);
CREATE INDEX address_pool_nas ON address_pool (tenant_id, nas_id);

-- A range never changes but for draining: a lease is named by the range and its place in it.
CREATE TABLE address_pool_range (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  pool_id bigint NOT NULL,
  first inet NOT NULL CHECK (masklen(first) = CASE family(first) WHEN 4 THEN 32 ELSE 128 END),
  last inet NOT NULL CHECK (masklen(last) = CASE family(last) WHEN 4 THEN 32 ELSE 128 END AND family(last) = family(first) AND last >= first),
  size bigint NOT NULL CHECK (size BETWEEN 1 AND 4294967296),
  draining boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, pool_id) REFERENCES address_pool (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT address_pool_range_overlap EXCLUDE USING gist (tenant_id WITH =, inetspan(first, last, '[]') WITH &&)
);
CREATE INDEX address_pool_range_pool ON address_pool_range (tenant_id, pool_id);

-- An address of one's own is in no pool, whichever was there first.
CREATE FUNCTION address_pool_range_assigned() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM tenant WHERE id = NEW.tenant_id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM address_assignment a WHERE a.tenant_id = NEW.tenant_id AND a.released_at IS NULL
      AND inetspan(host(a.prefix)::inet, host(broadcast(a.prefix))::inet, '[]') && inetspan(NEW.first, NEW.last, '[]')) THEN
    RAISE EXCEPTION 'addresses of the range are assigned to subscriptions'
      USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION address_assignment_pool() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM tenant WHERE id = NEW.tenant_id FOR SHARE;
  IF EXISTS (SELECT FROM address_pool_range r WHERE r.tenant_id = NEW.tenant_id
      AND inetspan(r.first, r.last, '[]') && inetspan(host(NEW.prefix)::inet, host(broadcast(NEW.prefix))::inet, '[]')) THEN
    RAISE EXCEPTION 'the address belongs to a pool' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER address_pool_range_assigned AFTER INSERT ON address_pool_range FOR EACH ROW
  EXECUTE FUNCTION address_pool_range_assigned();
CREATE CONSTRAINT TRIGGER address_assignment_pool AFTER INSERT OR UPDATE ON address_assignment FOR EACH ROW
  WHEN (NEW.released_at IS NULL) EXECUTE FUNCTION address_assignment_pool();

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['address_pool', 'address_pool_range'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO lastmile_app', name);
  END LOOP;
END $$;

-- What a tariff gives; a subscription may differ in each. session_limit 0: as many as they like, as until now; the API makes new tariffs
-- with 1.
ALTER TABLE tariff
  ADD COLUMN ipv4_pool_id bigint, ADD COLUMN ipv6_pool_id bigint, ADD COLUMN delegated_pool_id bigint,
  ADD COLUMN session_limit smallint NOT NULL DEFAULT 0 CHECK (session_limit BETWEEN 0 AND 50),
  ADD COLUMN mac_limit smallint NOT NULL DEFAULT 0 CHECK (mac_limit BETWEEN 0 AND 16), -- 0: any device
  ADD COLUMN mac_mode text NOT NULL DEFAULT 'lock' CHECK (mac_mode IN ('lock', 'replace')),
  ADD FOREIGN KEY (tenant_id, ipv4_pool_id) REFERENCES address_pool (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, ipv6_pool_id) REFERENCES address_pool (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, delegated_pool_id) REFERENCES address_pool (tenant_id, id);

ALTER TABLE subscription
  ADD COLUMN ipv4_pool_id bigint, ADD COLUMN ipv6_pool_id bigint, ADD COLUMN delegated_pool_id bigint,
  ADD COLUMN session_limit smallint CHECK (session_limit BETWEEN 0 AND 50),
  ADD COLUMN mac_limit smallint CHECK (mac_limit BETWEEN 0 AND 16),
  ADD COLUMN mac_mode text CHECK (mac_mode IN ('lock', 'replace')),
  ADD FOREIGN KEY (tenant_id, ipv4_pool_id) REFERENCES address_pool (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, ipv6_pool_id) REFERENCES address_pool (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, delegated_pool_id) REFERENCES address_pool (tenant_id, id);

-- newest: a login beyond the limit ends the oldest session. refuse: it is refused while the others are alive.
-- refused_logins: what becomes of logins that end in a reject (policy/access/refused-login.ts); {}: rejects.
ALTER TABLE tenant
  ADD COLUMN session_mode text NOT NULL DEFAULT 'newest' CHECK (session_mode IN ('newest', 'refuse')),
  ADD COLUMN refused_logins jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(refused_logins) = 'object');

ALTER TABLE feed_change DROP CONSTRAINT feed_change_kind_check;
ALTER TABLE feed_change ADD CONSTRAINT feed_change_kind_check CHECK (kind IN ('tenant', 'plan', 'subscription', 'nas', 'pool'));

CREATE OR REPLACE FUNCTION feed_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT * FROM new_rows' WHEN 'DELETE' THEN 'SELECT * FROM old_rows'
                             ELSE 'SELECT * FROM new_rows UNION ALL SELECT * FROM old_rows' END;
  keys text := CASE TG_TABLE_NAME
    WHEN 'tenant' THEN 'SELECT DISTINCT id, ''tenant'', id FROM (%s) c'
    WHEN 'tariff' THEN 'SELECT DISTINCT tenant_id, ''plan'', id FROM (%s) c'
    WHEN 'nas' THEN 'SELECT DISTINCT tenant_id, ''nas'', id FROM (%s) c'
    WHEN 'address_pool' THEN 'SELECT DISTINCT tenant_id, ''pool'', id FROM (%s) c'
    WHEN 'address_pool_range' THEN 'SELECT DISTINCT tenant_id, ''pool'', pool_id FROM (%s) c'
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

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['address_pool', 'address_pool_range'] LOOP
    EXECUTE format('CREATE TRIGGER feed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note()', name);
    EXECUTE format('CREATE TRIGGER feed_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note()', name);
    EXECUTE format('CREATE TRIGGER feed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note()', name);
    EXECUTE format('CREATE TRIGGER feed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION feed_refuse_truncate()', name);
  END LOOP;
END $$;

CREATE OR REPLACE VIEW feed_tenant AS
  SELECT id AS tenant_id, id, slug, time_zone, week_start, enforcement_mode, session_mode, refused_logins FROM tenant;

CREATE OR REPLACE VIEW feed_plan AS
  SELECT tenant_id, id, up_bps, down_bps, fup_rules, suspend_action, grace_s, interim_interval_s,
    ipv4_pool_id, ipv6_pool_id, delegated_pool_id, session_limit, mac_limit, mac_mode FROM tariff;

CREATE VIEW feed_pool AS
  SELECT p.tenant_id, p.id, p.name, p.family, p.unit_length, p.priority, p.fallback_id, p.nas_id, p.on_exhausted, p.cool_down_s, p.reserve,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', r.id, 'first', host(r.first), 'size', r.size, 'draining', r.draining) ORDER BY r.id)
      FROM address_pool_range r WHERE r.tenant_id = p.tenant_id AND r.pool_id = p.id), '[]') AS ranges
  FROM address_pool p;
GRANT SELECT ON feed_pool TO lastmile_feed;

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
    s.meter_since, s.ipv4_pool_id, s.ipv6_pool_id, s.delegated_pool_id, s.session_limit, s.mac_limit, s.mac_mode
  FROM subscription s JOIN customer c ON c.tenant_id = s.tenant_id AND c.id = s.customer_id;
