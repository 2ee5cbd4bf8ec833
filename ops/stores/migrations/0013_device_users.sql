-- Staff who log in to routers, switches and access nodes over RADIUS. They are no subscribers: a name here and the same name of a subscriber
-- have nothing to do with each other.

CREATE TABLE device_user (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  user_name text NOT NULL CHECK (octet_length(user_name) BETWEEN 1 AND 253),
  password_scheme text NOT NULL CHECK (password_scheme <> 'none'),
  password_cipher bytea NOT NULL, -- what password_scheme stores of the password, encrypted
  access text NOT NULL CHECK (access IN ('read', 'write', 'full')),
  enabled boolean NOT NULL DEFAULT true,
  valid_until timestamptz,
  everywhere boolean NOT NULL DEFAULT true, -- false: at the access servers in device_user_nas; when the last of them goes, nowhere
  note text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  CONSTRAINT device_user_name UNIQUE (tenant_id, user_name)
);

CREATE TABLE device_user_nas (
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  device_user_id bigint NOT NULL,
  nas_id bigint NOT NULL,
  PRIMARY KEY (tenant_id, device_user_id, nas_id),
  FOREIGN KEY (tenant_id, device_user_id) REFERENCES device_user (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, nas_id) REFERENCES nas (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_user_nas_nas ON device_user_nas (tenant_id, nas_id);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['device_user', 'device_user_nas'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO lastmile_app', name);
  END LOOP;
END $$;

-- auto: what asks for a login to the device itself is answered to staff alone. never: every login there is a subscriber's.
ALTER TABLE nas ADD COLUMN device_logins text NOT NULL DEFAULT 'auto' CHECK (device_logins IN ('auto', 'never'));

ALTER TABLE feed_change DROP CONSTRAINT feed_change_kind_check;
ALTER TABLE feed_change ADD CONSTRAINT feed_change_kind_check
  CHECK (kind IN ('tenant', 'plan', 'subscription', 'nas', 'pool', 'device_user'));

CREATE FUNCTION feed_note_device_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT * FROM new_rows' WHEN 'DELETE' THEN 'SELECT * FROM old_rows'
                             ELSE 'SELECT * FROM new_rows UNION ALL SELECT * FROM old_rows' END;
  key text := CASE TG_TABLE_NAME WHEN 'device_user' THEN 'id' ELSE 'device_user_id' END;
BEGIN
  EXECUTE format('INSERT INTO feed_change (tenant_id, kind, key) SELECT DISTINCT tenant_id, ''device_user'', %I FROM (%s) c', key, changed);
  PERFORM pg_notify('lastmile_feed', '');
  RETURN NULL;
END $$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['device_user', 'device_user_nas'] LOOP
    EXECUTE format('CREATE TRIGGER feed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_device_user()', name);
    EXECUTE format('CREATE TRIGGER feed_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_device_user()', name);
    EXECUTE format('CREATE TRIGGER feed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_device_user()', name);
    EXECUTE format('CREATE TRIGGER feed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION feed_refuse_truncate()', name);
  END LOOP;
END $$;

CREATE VIEW feed_device_user AS
  SELECT d.tenant_id, d.id, d.user_name, d.password_scheme, d.password_cipher, d.access, d.enabled, d.valid_until,
    CASE WHEN d.everywhere THEN NULL ELSE coalesce((SELECT jsonb_agg(n.nas_id ORDER BY n.nas_id)
      FROM device_user_nas n WHERE n.tenant_id = d.tenant_id AND n.device_user_id = d.id), '[]') END AS nas_ids
  FROM device_user d;

-- How an access server is operated, beside what it is.
CREATE VIEW feed_nas_operation AS SELECT tenant_id, id, device_logins FROM nas;
GRANT SELECT ON feed_device_user, feed_nas_operation TO lastmile_feed;
