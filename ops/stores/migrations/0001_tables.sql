-- Schema v1: tenants, people, catalog, subscriptions, network access servers, addresses.
-- Every table of a tenant carries tenant_id, and every reference between them includes it: a row can never point into another tenant.
-- Bytes are bytes, speeds are bits per second, money is minor units with its currency, time is UTC.

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE tenant (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text NOT NULL CHECK (name <> ''),
  time_zone text NOT NULL DEFAULT 'UTC',
  currency char(3) NOT NULL DEFAULT 'USD',
  gigabyte_bytes bigint NOT NULL DEFAULT 1000000000 CHECK (gigabyte_bytes IN (1000000000, 1073741824)),
  week_start smallint NOT NULL DEFAULT 1 CHECK (week_start BETWEEN 1 AND 7), -- ISO weekday, 1 = Monday
  enforcement_mode text NOT NULL DEFAULT 'enforce' CHECK (enforcement_mode IN ('enforce', 'observe', 'off')),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Apart from the tenant, so that a new customer is no change of the tenant in the feed of the edge.
CREATE TABLE account_number_counter (
  tenant_id bigint PRIMARY KEY REFERENCES tenant,
  next bigint NOT NULL DEFAULT 10000 CHECK (next BETWEEN 10000 AND 99999999999)
);

CREATE TABLE area (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  parent_id bigint,
  name text NOT NULL CHECK (name <> ''),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES area (tenant_id, id)
);

CREATE TABLE branch (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  name text NOT NULL CHECK (name <> ''),
  UNIQUE (tenant_id, id)
);

CREATE TABLE reseller (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  parent_id bigint,
  name text NOT NULL CHECK (name <> ''),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES reseller (tenant_id, id)
);

-- tenant_id is null only for super admins, who act in any tenant by choosing it per request.
CREATE TABLE app_user (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint REFERENCES tenant,
  email text NOT NULL CHECK (email = lower(email)),
  name text NOT NULL DEFAULT '',
  role text NOT NULL CHECK (role IN ('super_admin', 'admin', 'operator', 'viewer')),
  password_hash text NOT NULL,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  branch_id bigint,
  reseller_id bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((tenant_id IS NULL) = (role = 'super_admin')),
  FOREIGN KEY (tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  FOREIGN KEY (tenant_id, reseller_id) REFERENCES reseller (tenant_id, id)
);
CREATE UNIQUE INDEX app_user_email ON app_user (coalesce(tenant_id, 0), email);

-- Opaque tokens; only their SHA-256 is kept. A refresh replaces its row by a new one of the same login: a refresh token that
-- comes again after that was stolen or replayed, and ends the whole login.
CREATE TABLE auth_session (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
  login uuid NOT NULL,
  access_hash bytea NOT NULL UNIQUE,
  refresh_hash bytea NOT NULL UNIQUE,
  access_expires_at timestamptz NOT NULL,
  refresh_expires_at timestamptz NOT NULL,
  replaced_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX auth_session_login ON auth_session (login);
CREATE INDEX auth_session_user ON auth_session (user_id);

CREATE TABLE customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  account_number text NOT NULL CHECK (account_number ~ '^[0-9]{6,12}$'),
  status text NOT NULL DEFAULT 'new' CHECK (status IN ('lead', 'new', 'active', 'blocked', 'disabled')),
  category text NOT NULL DEFAULT 'person' CHECK (category IN ('person', 'company')),
  name text NOT NULL CHECK (name <> ''),
  email text CHECK (email = lower(email)),
  phone text CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'), -- E.164
  area_id bigint,
  branch_id bigint,
  reseller_id bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, account_number),
  FOREIGN KEY (tenant_id, area_id) REFERENCES area (tenant_id, id),
  FOREIGN KEY (tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  FOREIGN KEY (tenant_id, reseller_id) REFERENCES reseller (tenant_id, id)
);
CREATE INDEX customer_name ON customer (tenant_id, name, id);
CREATE INDEX customer_status ON customer (tenant_id, status, id);
CREATE INDEX customer_email ON customer (tenant_id, email);
CREATE INDEX customer_phone ON customer (tenant_id, phone);
CREATE INDEX customer_name_trgm ON customer USING gin (lower(name) gin_trgm_ops);

CREATE TABLE service (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  category text NOT NULL CHECK (category IN ('internet', 'voice', 'bundle', 'recurring', 'one_time')),
  name text NOT NULL CHECK (name <> ''),
  description text NOT NULL DEFAULT '',
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, name)
);

-- One row per version; a subscription stays on its version until it is moved.
CREATE TABLE tariff (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  service_id bigint NOT NULL,
  version integer NOT NULL CHECK (version >= 1),
  up_bps bigint NOT NULL CHECK (up_bps > 0),
  down_bps bigint NOT NULL CHECK (down_bps > 0),
  fup_rules jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(fup_rules) = 'array'), -- policy/fup/rules.ts
  suspend_action text NOT NULL DEFAULT 'walled_garden' CHECK (suspend_action IN ('walled_garden', 'throttle', 'reject')),
  grace_s integer NOT NULL DEFAULT 0 CHECK (grace_s >= 0),
  interim_interval_s integer NOT NULL DEFAULT 300 CHECK (interim_interval_s BETWEEN 60 AND 86400),
  monthly_fee_minor bigint NOT NULL DEFAULT 0 CHECK (monthly_fee_minor >= 0),
  currency char(3) NOT NULL DEFAULT 'USD',
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, service_id, version),
  FOREIGN KEY (tenant_id, service_id) REFERENCES service (tenant_id, id)
);

CREATE TABLE subscription (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  customer_id bigint NOT NULL,
  service_id bigint NOT NULL,
  tariff_id bigint NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'active', 'paused', 'disabled', 'terminated')),
  paid_until timestamptz,
  paid_until_set_at timestamptz NOT NULL DEFAULT now(), -- an expiry that stood for 24 h was forecast
  anchor_day smallint NOT NULL DEFAULT 1 CHECK (anchor_day BETWEEN 1 AND 31), -- first day of the billing month
  meter text NOT NULL DEFAULT 'radius' CHECK (meter IN ('radius', 'flow')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  terminated_at timestamptz,
  termination_reason text CHECK (termination_reason IN ('non_payment', 'moved', 'competitor', 'deceased', 'fraud', 'other')),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, service_id) REFERENCES service (tenant_id, id),
  FOREIGN KEY (tenant_id, tariff_id) REFERENCES tariff (tenant_id, id),
  CHECK ((status = 'terminated') = (terminated_at IS NOT NULL)),
  CHECK (termination_reason IS NULL OR status = 'terminated')
);
CREATE INDEX subscription_customer ON subscription (tenant_id, customer_id);
CREATE INDEX subscription_tariff ON subscription (tenant_id, tariff_id);
CREATE INDEX subscription_status ON subscription (tenant_id, status, id);
CREATE INDEX subscription_paid_until ON subscription (tenant_id, paid_until);
CREATE INDEX subscription_service ON subscription (tenant_id, service_id);

CREATE TABLE subscription_hold (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  subscription_id bigint NOT NULL,
  reason text NOT NULL CHECK (reason IN ('non_payment', 'fraud', 'abuse', 'customer_request', 'admin')),
  since timestamptz NOT NULL DEFAULT now(),
  until timestamptz,
  placed_by bigint REFERENCES app_user,
  lifted_at timestamptz,
  lifted_by bigint REFERENCES app_user,
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
CREATE INDEX subscription_hold_subscription ON subscription_hold (tenant_id, subscription_id);
CREATE UNIQUE INDEX subscription_hold_standing ON subscription_hold (tenant_id, subscription_id, reason) WHERE lifted_at IS NULL;

CREATE TABLE credential (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  subscription_id bigint NOT NULL,
  realm text NOT NULL DEFAULT '',
  user_name text NOT NULL CHECK (octet_length(user_name) BETWEEN 1 AND 253),
  password_cipher bytea NOT NULL, -- keyring purpose 'credential', place '<tenant>:<realm>:<user name>'
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, realm, user_name),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
CREATE INDEX credential_subscription ON credential (tenant_id, subscription_id);
CREATE INDEX credential_user_name_prefix ON credential (tenant_id, user_name text_pattern_ops);

-- A network access server, or a prefix of them. The address is unique across tenants: it decides the tenant.
CREATE TABLE nas (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  name text NOT NULL CHECK (name <> ''),
  address cidr NOT NULL,
  nas_identifier text, -- tells apart several that share an address
  vendor text NOT NULL DEFAULT 'generic',
  secret_cipher bytea NOT NULL, -- keyring purpose 'nas', place '<tenant>:<address>'
  next_secret_cipher bytea, -- both verify while a secret is being rotated
  coa_address inet, -- else the source of the session's last accounting packet
  coa_port integer NOT NULL DEFAULT 3799 CHECK (coa_port BETWEEN 1 AND 65535),
  coa_rate_per_s integer NOT NULL DEFAULT 100 CHECK (coa_rate_per_s BETWEEN 1 AND 10000),
  mode text NOT NULL DEFAULT 'enforce' CHECK (mode IN ('enforce', 'observe', 'off')),
  adopted_at timestamptz, -- set by a migration: sessions older than this start from a baseline
  require_message_authenticator boolean NOT NULL DEFAULT true,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX nas_address ON nas (address, coalesce(nas_identifier, ''));

CREATE TABLE address_assignment (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant,
  subscription_id bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('ipv4', 'framed_route', 'ipv6_prefix', 'delegated_prefix')),
  prefix cidr NOT NULL,
  assigned_at timestamptz NOT NULL DEFAULT now(),
  released_at timestamptz,
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id),
  CHECK (CASE kind WHEN 'ipv4' THEN family(prefix) = 4 AND masklen(prefix) = 32
                   WHEN 'framed_route' THEN family(prefix) = 4
                   ELSE family(prefix) = 6 END),
  CONSTRAINT address_assignment_overlap EXCLUDE USING gist (tenant_id WITH =, (prefix::inet) inet_ops WITH &&) WHERE (released_at IS NULL)
);
CREATE INDEX address_assignment_subscription ON address_assignment (tenant_id, subscription_id);

CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint REFERENCES tenant,
  user_id bigint REFERENCES app_user,
  action text NOT NULL,
  entity text NOT NULL DEFAULT '',
  entity_id bigint,
  detail jsonb NOT NULL DEFAULT '{}',
  request_id text NOT NULL DEFAULT '',
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_entity ON audit_log (tenant_id, entity, entity_id, at);

-- Written in the transaction of the command it protects: it stands exactly when the command was done.
CREATE TABLE idempotency_key (
  tenant_id bigint NOT NULL REFERENCES tenant,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  operation text NOT NULL,
  body_hash bytea NOT NULL,
  response jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);
