-- Exporters of flows: a router or probe that sends NetFlow. The address is unique across tenants: it decides the tenant.

CREATE TABLE exporter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenant DEFAULT current_tenant(),
  name text NOT NULL CHECK (name <> ''),
  address inet NOT NULL CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
  role text NOT NULL DEFAULT 'core' CHECK (role IN ('edge', 'core')), -- edge: its flows are usage, where the meter is flow
  sampling_rate integer CHECK (sampling_rate >= 1), -- one packet of this many, where the exporter does not tell; null: unsampled then
  count_direction text NOT NULL DEFAULT 'ingress' CHECK (count_direction IN ('ingress', 'egress', 'both')),
  totals_are_deltas boolean NOT NULL DEFAULT false, -- elements 85 and 86 count: right only where each flow is exported once
  discovered boolean NOT NULL DEFAULT false, -- made because it sent flows; nobody has looked at it yet
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX exporter_address ON exporter (address);

ALTER TABLE exporter ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON exporter USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON exporter TO lastmile_app;

-- What flow-collector reads; it polls, so there is no change feed of exporters.
CREATE VIEW feed_exporter AS
  SELECT tenant_id, id, host(address) AS address, role, sampling_rate, count_direction, totals_are_deltas FROM exporter;
GRANT SELECT ON feed_exporter TO lastmile_feed;

-- Of these senders of flows, those that are no exporter of any tenant, with the tenant each belongs to: that of the access servers at its
-- address (longest prefix, all of one tenant), else the only tenant there is, else null. It looks across tenants: only the platform may ask.
CREATE FUNCTION exporter_owners(senders inet[]) RETURNS TABLE (sender inet, tenant_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT known.sender, coalesce(
    (SELECT CASE WHEN count(DISTINCT n.tenant_id) = 1 THEN min(n.tenant_id) END FROM nas n
     WHERE n.status = 'active' AND n.address = (
       SELECT longest.address FROM nas longest WHERE longest.status = 'active' AND longest.address >>= known.sender
       ORDER BY masklen(longest.address) DESC LIMIT 1)),
    (SELECT min(t.id) FROM tenant t HAVING count(*) = 1))
  FROM unnest(senders) AS known (sender)
  WHERE in_platform_scope() AND NOT EXISTS (SELECT FROM exporter e WHERE e.address = known.sender);
END;
REVOKE EXECUTE ON FUNCTION exporter_owners(inet[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exporter_owners(inet[]) TO lastmile_app;
