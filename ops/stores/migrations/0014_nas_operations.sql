-- How access servers are operated: windows of maintenance, in which nothing is sent to them, and drains, which keep new logins away and may move
-- the sessions that are there. The edge knows both by the feed and acts by its own clock.

CREATE TABLE nas_maintenance (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  nas_id bigint NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  note text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, nas_id) REFERENCES nas (tenant_id, id) ON DELETE CASCADE,
  CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '24 hours'),
  CONSTRAINT nas_maintenance_overlap EXCLUDE USING gist (tenant_id WITH =, nas_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
);

CREATE TABLE nas_drain (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  nas_id bigint NOT NULL,
  answer text NOT NULL DEFAULT 'silence' CHECK (answer IN ('silence', 'reject')), -- what new logins get
  note text NOT NULL DEFAULT '',
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, nas_id) REFERENCES nas (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX nas_drain_running ON nas_drain (tenant_id, nas_id) WHERE ended_at IS NULL;

-- Sessions of a drained access server that are ended on purpose, so many in all and so many a second. Who was told already lies in Redis.
CREATE TABLE nas_move (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  drain_id bigint NOT NULL,
  most integer NOT NULL CHECK (most > 0), -- as it was confirmed
  per_s integer NOT NULL CHECK (per_s BETWEEN 1 AND 100),
  started_at timestamptz NOT NULL DEFAULT now(),
  stopped_at timestamptz,
  FOREIGN KEY (tenant_id, drain_id) REFERENCES nas_drain (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX nas_move_running ON nas_move (tenant_id, drain_id) WHERE stopped_at IS NULL;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['nas_maintenance', 'nas_drain', 'nas_move'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO lastmile_app', name);
  END LOOP;
END $$;

-- All of it is part of the access server.
CREATE FUNCTION feed_note_nas_operation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT * FROM new_rows' WHEN 'DELETE' THEN 'SELECT * FROM old_rows'
                             ELSE 'SELECT * FROM new_rows UNION ALL SELECT * FROM old_rows' END;
  keys text := CASE TG_TABLE_NAME
    WHEN 'nas_move' THEN 'SELECT DISTINCT d.tenant_id, ''nas'', d.nas_id FROM (%s) c JOIN nas_drain d ON d.tenant_id = c.tenant_id AND d.id = c.drain_id'
    ELSE 'SELECT DISTINCT tenant_id, ''nas'', nas_id FROM (%s) c' END;
BEGIN
  EXECUTE 'INSERT INTO feed_change (tenant_id, kind, key) ' || format(keys, changed);
  PERFORM pg_notify('lastmile_feed', '');
  RETURN NULL;
END $$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['nas_maintenance', 'nas_drain', 'nas_move'] LOOP
    EXECUTE format('CREATE TRIGGER feed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_nas_operation()', name);
    EXECUTE format('CREATE TRIGGER feed_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_nas_operation()', name);
    EXECUTE format('CREATE TRIGGER feed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feed_note_nas_operation()', name);
    EXECUTE format('CREATE TRIGGER feed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION feed_refuse_truncate()', name);
  END LOOP;
END $$;

-- Windows that are over stay for a day: what waited for their end may still be on its way.
CREATE OR REPLACE VIEW feed_nas_operation AS
  SELECT n.tenant_id, n.id, n.device_logins,
    coalesce((SELECT jsonb_agg(jsonb_build_object('from', m.starts_at, 'until', m.ends_at) ORDER BY m.starts_at)
      FROM nas_maintenance m WHERE m.tenant_id = n.tenant_id AND m.nas_id = n.id AND m.ends_at > now() - interval '1 day'), '[]') AS maintenance,
    (SELECT jsonb_build_object('answer', d.answer, 'move',
        (SELECT jsonb_build_object('id', v.id, 'most', v.most, 'per_s', v.per_s)
          FROM nas_move v WHERE v.tenant_id = d.tenant_id AND v.drain_id = d.id AND v.stopped_at IS NULL))
      FROM nas_drain d WHERE d.tenant_id = n.tenant_id AND d.nas_id = n.id AND d.ended_at IS NULL) AS drain
  FROM nas n;
