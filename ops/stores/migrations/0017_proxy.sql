-- RADIUS proxy: home servers, which realms go to which of them, and second servers that get a copy of the accounting.

CREATE TABLE home_server (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  name text NOT NULL CHECK (name <> ''),
  address inet NOT NULL CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
  auth_port integer NOT NULL DEFAULT 1812 CHECK (auth_port BETWEEN 1 AND 65535),
  acct_port integer NOT NULL DEFAULT 1813 CHECK (acct_port BETWEEN 1 AND 65535),
  secret_cipher bytea NOT NULL, -- of its tenant and address
  response_window_ms integer NOT NULL DEFAULT 2000 CHECK (response_window_ms BETWEEN 100 AND 30000),
  attempts smallint NOT NULL DEFAULT 1 CHECK (attempts BETWEEN 1 AND 5), -- a request is sent so often before the next server is asked
  health_check text NOT NULL DEFAULT 'status_server' CHECK (health_check IN ('status_server', 'none')),
  message_authenticator text NOT NULL DEFAULT 'auto' CHECK (message_authenticator IN ('yes', 'no', 'auto')), -- demanded of its replies
  max_outstanding integer NOT NULL DEFAULT 2048 CHECK (max_outstanding BETWEEN 1 AND 16384), -- requests without answer, per worker
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  CONSTRAINT home_server_name UNIQUE (tenant_id, name)
);

-- The name is in lower case; 'default' stands for every realm that has no entry of its own.
CREATE TABLE realm (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  name text NOT NULL CHECK (name <> '' AND name = lower(name) AND octet_length(name) <= 253),
  strip_user_name boolean NOT NULL DEFAULT false,
  authentication text NOT NULL DEFAULT 'forward' CHECK (authentication IN ('local', 'forward')),
  accounting text NOT NULL DEFAULT 'both' CHECK (accounting IN ('local', 'forward', 'both')),
  choice text NOT NULL DEFAULT 'order' CHECK (choice IN ('order', 'spread')),
  unreachable text NOT NULL DEFAULT 'silence' CHECK (unreachable IN ('silence', 'reject')),
  reply_attributes jsonb CHECK (jsonb_typeof(reply_attributes) = 'array'), -- null: the usual ones
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  CONSTRAINT realm_name UNIQUE (tenant_id, name)
);

-- The pool of home servers of a realm, in order.
CREATE TABLE realm_home_server (
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  realm_id bigint NOT NULL,
  home_server_id bigint NOT NULL,
  position smallint NOT NULL,
  PRIMARY KEY (tenant_id, realm_id, position),
  CONSTRAINT realm_home_server_twice UNIQUE (tenant_id, realm_id, home_server_id),
  FOREIGN KEY (tenant_id, realm_id) REFERENCES realm (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT home_server_in_use FOREIGN KEY (tenant_id, home_server_id) REFERENCES home_server (tenant_id, id)
);
CREATE INDEX realm_home_server_server ON realm_home_server (tenant_id, home_server_id);

CREATE TABLE accounting_copy (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  name text NOT NULL CHECK (name <> ''),
  home_server_id bigint NOT NULL,
  nas_id bigint, -- only of this access server; null: of all
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  CONSTRAINT accounting_copy_name UNIQUE (tenant_id, name),
  CONSTRAINT accounting_copy_home_server FOREIGN KEY (tenant_id, home_server_id) REFERENCES home_server (tenant_id, id),
  FOREIGN KEY (tenant_id, nas_id) REFERENCES nas (tenant_id, id)
);
CREATE INDEX accounting_copy_server ON accounting_copy (tenant_id, home_server_id);
CREATE INDEX accounting_copy_nas ON accounting_copy (tenant_id, nas_id);

ALTER TABLE feed_change DROP CONSTRAINT feed_change_kind_check;
ALTER TABLE feed_change ADD CONSTRAINT feed_change_kind_check
  CHECK (kind IN ('tenant', 'plan', 'subscription', 'nas', 'pool', 'device_user', 'proxy'));

-- All of a tenant is one record of the edge, named by the tenant: it is little, and changes seldom.
CREATE FUNCTION feed_note_proxy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT tenant_id FROM new_rows' WHEN 'DELETE' THEN 'SELECT tenant_id FROM old_rows'
                             ELSE 'SELECT tenant_id FROM new_rows UNION ALL SELECT tenant_id FROM old_rows' END;
BEGIN
  EXECUTE 'INSERT INTO feed_change (tenant_id, kind, key) SELECT DISTINCT tenant_id, ''proxy'', tenant_id FROM (' || changed || ') c';
  PERFORM pg_notify('lastmile_feed', '');
  RETURN NULL;
END $$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['home_server', 'realm', 'realm_home_server', 'accounting_copy'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO lastmile_app', name);
    EXECUTE format('CREATE TRIGGER feed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_proxy()', name);
    EXECUTE format('CREATE TRIGGER feed_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_proxy()', name);
    EXECUTE format('CREATE TRIGGER feed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_proxy()', name);
    EXECUTE format('CREATE TRIGGER feed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION feed_refuse_truncate()', name);
  END LOOP;
END $$;

CREATE VIEW feed_proxy AS
  SELECT t.id AS tenant_id, t.id,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', h.id, 'name', h.name, 'address', host(h.address), 'auth_port', h.auth_port,
        'acct_port', h.acct_port, 'secret_cipher', encode(h.secret_cipher, 'base64'), 'response_window_ms', h.response_window_ms,
        'attempts', h.attempts, 'health_check', h.health_check, 'message_authenticator', h.message_authenticator,
        'max_outstanding', h.max_outstanding) ORDER BY h.id)
      FROM home_server h WHERE h.tenant_id = t.id AND h.status = 'active'), '[]') AS home_servers,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'strip_user_name', r.strip_user_name,
        'authentication', r.authentication, 'accounting', r.accounting, 'choice', r.choice, 'unreachable', r.unreachable,
        'reply_attributes', r.reply_attributes, 'home_server_ids', coalesce((SELECT jsonb_agg(m.home_server_id ORDER BY m.position)
          FROM realm_home_server m WHERE m.tenant_id = r.tenant_id AND m.realm_id = r.id), '[]')) ORDER BY r.id)
      FROM realm r WHERE r.tenant_id = t.id AND r.status = 'active'), '[]') AS realms,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'home_server_id', c.home_server_id, 'nas_id', c.nas_id) ORDER BY c.id)
      FROM accounting_copy c WHERE c.tenant_id = t.id AND c.status = 'active'), '[]') AS copies
  FROM tenant t
  WHERE EXISTS (SELECT FROM realm r WHERE r.tenant_id = t.id AND r.status = 'active')
    OR EXISTS (SELECT FROM accounting_copy c WHERE c.tenant_id = t.id AND c.status = 'active');
GRANT SELECT ON feed_proxy TO lastmile_feed;
