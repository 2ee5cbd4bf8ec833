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

-- How many minor units make one of a currency (ISO 4217; the same table as policy/money.ts): for sorting and filtering prices.
CREATE FUNCTION minor_units(currency char(3)) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE
    WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 1
    WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000
    WHEN currency IN ('CLF', 'UYW') THEN 10000
    ELSE 100 END;
