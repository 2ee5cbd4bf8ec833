-- The longest prefix decides whose packets they are, so a tenant could take over another one's access servers by a narrower address. New and
-- changed records may not overlap with those of another tenant, unless they have the same address and both a NAS-Identifier, which tells them
-- apart. What overlaps already stays as it is until it is changed.

CREATE FUNCTION nas_of_one_tenant() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  -- One after the other: neither of two at once would see the other.
  PERFORM pg_advisory_xact_lock(hashtext('nas_of_one_tenant'));
  IF EXISTS (
    SELECT FROM nas other
    WHERE other.tenant_id <> NEW.tenant_id AND other.address && NEW.address
      AND NOT (other.address = NEW.address AND other.nas_identifier IS NOT NULL AND NEW.nas_identifier IS NOT NULL)
  ) THEN
    RAISE EXCEPTION 'the address % overlaps with an access server of another tenant', NEW.address
      USING ERRCODE = 'exclusion_violation', TABLE = 'nas', CONSTRAINT = 'nas_of_one_tenant';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER nas_of_one_tenant BEFORE INSERT OR UPDATE OF address, nas_identifier, tenant_id ON nas
  FOR EACH ROW EXECUTE FUNCTION nas_of_one_tenant();
