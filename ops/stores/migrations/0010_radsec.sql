-- RadSec: an access server may be known by its certificate. Like an address it decides the tenant; several may share one (a proxy in front of
-- them) and are told apart by their NAS-Identifier, but only within one tenant.

ALTER TABLE nas
  ADD COLUMN radsec_identity text
    CHECK (radsec_identity ~ '^(cn:.{1,64}|dns:[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|sha256:[0-9a-f]{64})$'),
  ADD COLUMN coa_over_radsec boolean NOT NULL DEFAULT false, -- CoA and Disconnect go back over its connection
  ADD CONSTRAINT nas_coa_over_radsec CHECK (radsec_identity IS NOT NULL OR NOT coa_over_radsec),
  ADD CONSTRAINT nas_radsec_tenant EXCLUDE USING gist (radsec_identity WITH =, tenant_id WITH <>);
CREATE UNIQUE INDEX nas_radsec_identity ON nas (radsec_identity, coalesce(nas_identifier, ''));

CREATE OR REPLACE VIEW feed_nas AS
  SELECT tenant_id, id, name, address::text AS address, nas_identifier, vendor, secret_cipher, next_secret_cipher,
    host(coa_address) AS coa_address, coa_port, coa_rate_per_s, mode, adopted_at, require_message_authenticator,
    radsec_identity, coa_over_radsec
  FROM nas WHERE status = 'active';
