-- Search by parts of words. LIKE is not leakproof, so under row-level security PostgreSQL may not use an index for it: these
-- functions run as the owner, name the tenant themselves and stop at `most` rows.

CREATE FUNCTION customer_search(words text, most integer) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT id FROM customer
  WHERE tenant_id = current_tenant()
    AND lower(name) LIKE '%' || replace(replace(replace(lower(words), '\', '\\'), '%', '\%'), '_', '\_') || '%'
  LIMIT most;
END;

CREATE FUNCTION credential_search(beginning text, most integer) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT subscription_id FROM credential
  WHERE tenant_id = current_tenant() AND starts_with(user_name, beginning)
  ORDER BY user_name USING ~<~
  LIMIT most;
END;

REVOKE EXECUTE ON FUNCTION customer_search(text, integer), credential_search(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION customer_search(text, integer), credential_search(text, integer) TO lastmile_app;
