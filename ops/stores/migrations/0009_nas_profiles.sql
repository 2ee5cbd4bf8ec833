-- What an operator says of access servers beyond their addresses: how they are told speeds, what their counters mean, and attributes
-- that replies carry besides those of the policy.

ALTER TABLE nas
  ALTER COLUMN coa_port DROP NOT NULL, -- null: the vendor's own
  ALTER COLUMN coa_port DROP DEFAULT,
  ADD COLUMN speed_way text CHECK (speed_way IN ('numbers', 'names')), -- null: as usual for the vendor, like all of these
  ADD COLUMN swap_octets boolean NOT NULL DEFAULT false, -- its input is what its vendor calls output
  ADD COLUMN octet_unit integer NOT NULL DEFAULT 1 CHECK (octet_unit BETWEEN 1 AND 1073741824), -- bytes that it counts as one
  ADD COLUMN ipv6_rule text CHECK (ipv6_rule IN ('subset', 'sum')),
  ADD COLUMN attributes jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(attributes) = 'array'); -- [{name, value, vendor, type, octets}], octets in hex
ALTER TABLE tariff ADD COLUMN attributes jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(attributes) = 'array');
ALTER TABLE subscription ADD COLUMN attributes jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(attributes) = 'array');
CREATE INDEX subscription_with_attributes ON subscription (tenant_id, id) WHERE attributes <> '[]';

-- A speed, and the name of the policy that gives it on access servers that know speeds by name.
CREATE TABLE speed_policy (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  vendor text NOT NULL CHECK (vendor <> ''),
  nas_id bigint, -- null: on every access server of the vendor that has none of its own for this speed
  up_bps bigint NOT NULL CHECK (up_bps > 0),
  down_bps bigint NOT NULL CHECK (down_bps > 0),
  name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200),
  up_name text CHECK (octet_length(up_name) BETWEEN 1 AND 200), -- where upload has a policy of its own
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, nas_id) REFERENCES nas (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX speed_policy_speed ON speed_policy (tenant_id, vendor, coalesce(nas_id, 0), up_bps, down_bps);
CREATE INDEX speed_policy_nas ON speed_policy (tenant_id, nas_id);

ALTER TABLE speed_policy ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON speed_policy USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON speed_policy TO lastmile_app;

-- A policy is part of the access servers that it is for.
CREATE FUNCTION feed_note_speed_policy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT * FROM new_rows' WHEN 'DELETE' THEN 'SELECT * FROM old_rows'
                             ELSE 'SELECT * FROM new_rows UNION ALL SELECT * FROM old_rows' END;
BEGIN
  EXECUTE 'INSERT INTO feed_change (tenant_id, kind, key) SELECT DISTINCT n.tenant_id, ''nas'', n.id FROM (' || changed || ') c
    JOIN nas n ON n.tenant_id = c.tenant_id AND n.vendor = c.vendor AND (c.nas_id IS NULL OR c.nas_id = n.id)';
  PERFORM pg_notify('lastmile_feed', '');
  RETURN NULL;
END $$;
CREATE TRIGGER feed_insert AFTER INSERT ON speed_policy REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_speed_policy();
CREATE TRIGGER feed_update AFTER UPDATE ON speed_policy REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_speed_policy();
CREATE TRIGGER feed_delete AFTER DELETE ON speed_policy REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_speed_policy();
CREATE TRIGGER feed_truncate BEFORE TRUNCATE ON speed_policy FOR EACH STATEMENT EXECUTE FUNCTION feed_refuse_truncate();

CREATE VIEW feed_nas_profile AS
  SELECT n.tenant_id, n.id, n.speed_way, n.swap_octets, n.octet_unit, n.ipv6_rule, n.attributes,
    coalesce((SELECT jsonb_agg(jsonb_build_object('up_bps', p.up_bps, 'down_bps', p.down_bps, 'name', p.name, 'up_name', p.up_name))
      FROM (SELECT DISTINCT ON (up_bps, down_bps) up_bps, down_bps, name, up_name FROM speed_policy s
        WHERE s.tenant_id = n.tenant_id AND s.vendor = n.vendor AND (s.nas_id IS NULL OR s.nas_id = n.id)
        ORDER BY up_bps, down_bps, nas_id NULLS LAST) p), '[]') AS policies
  FROM nas n;
CREATE VIEW feed_plan_attributes AS SELECT tenant_id, id, attributes FROM tariff;
CREATE VIEW feed_subscription_attributes AS SELECT tenant_id, id, attributes FROM subscription WHERE attributes <> '[]';
GRANT SELECT ON feed_nas_profile, feed_plan_attributes, feed_subscription_attributes TO lastmile_feed;
