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

-- True inside `SET LOCAL lastmile.scope = 'platform'`: sign-in and the super admin's list of tenants. It opens the tables of
-- people and tenants, never a tenant's own data.
CREATE FUNCTION in_platform_scope() RETURNS boolean LANGUAGE sql STABLE
  RETURN coalesce(current_setting('lastmile.scope', true), '') = 'platform';

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['account_number_counter', 'area', 'branch', 'reseller', 'customer', 'service', 'tariff', 'subscription',
    'subscription_hold', 'credential', 'nas', 'address_assignment', 'idempotency_key'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I ALTER tenant_id SET DEFAULT current_tenant()', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO lastmile_app', name);
  END LOOP;
END $$;

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tenant USING (id = current_tenant() OR in_platform_scope());
GRANT SELECT, INSERT, UPDATE ON tenant TO lastmile_app;

ALTER TABLE app_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app_user USING (tenant_id = current_tenant() OR in_platform_scope());
GRANT SELECT, INSERT, UPDATE, DELETE ON app_user TO lastmile_app;

ALTER TABLE auth_session ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform_only ON auth_session USING (in_platform_scope());
GRANT SELECT, INSERT, UPDATE, DELETE ON auth_session TO lastmile_app;

-- Append-only. What happens in no tenant (a super admin signs in, a tenant is made) has none.
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON audit_log
  USING (tenant_id = current_tenant() OR (tenant_id IS NULL AND in_platform_scope()));
GRANT SELECT, INSERT ON audit_log TO lastmile_app;
