-- Login roles and row-level security. The migration owner creates and owns everything; the application role owns nothing,
-- sees the rows of the tenant named by `SET LOCAL lastmile.tenant` and, without one, no row at all.
-- Passwords are set by ops/stores/migrate.ts, derived from LASTMILE_SECRET_KEY.

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lastmile_app') THEN
    CREATE ROLE lastmile_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lastmile_feed') THEN
    CREATE ROLE lastmile_feed LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
  END IF;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO lastmile_app, lastmile_feed;

CREATE FUNCTION current_tenant() RETURNS bigint LANGUAGE sql STABLE
  RETURN nullif(current_setting('lastmile.tenant', true), '')::bigint;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['area', 'branch', 'reseller', 'customer', 'service', 'tariff', 'subscription',
    'subscription_hold', 'credential', 'nas', 'address_assignment', 'audit_log', 'idempotency_key', 'app_user'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO lastmile_app', name);
  END LOOP;
END $$;
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tenant USING (id = current_tenant()) WITH CHECK (id = current_tenant());
GRANT SELECT, UPDATE ON tenant TO lastmile_app;
REVOKE UPDATE, DELETE ON audit_log FROM lastmile_app;

-- Sessions have no tenant; the application reaches them only through the functions of 0004.
ALTER TABLE auth_session ENABLE ROW LEVEL SECURITY;
