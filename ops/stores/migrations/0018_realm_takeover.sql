-- Whose logins a realm takes away from here is counted before it does, and no realm may leave sessions uncounted that are let in here.

UPDATE realm SET accounting = 'both' WHERE authentication = 'local' AND accounting = 'forward';
ALTER TABLE realm ADD CONSTRAINT realm_not_counted CHECK (authentication = 'forward' OR accounting <> 'forward');

-- The realms that the user name of a credential may speak of when it is sent, as aaa-server/proxy/user-name.ts reads it. Null: none.
CREATE FUNCTION realm_behind_at(realm text, user_name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN realm = '' THEN CASE WHEN strpos(user_name, '@') > 0 THEN lower(nullif(split_part(user_name, '@', -1), '')) END
              WHEN NOT starts_with(realm, ':') THEN lower(realm) END;
CREATE FUNCTION realm_before_slash(realm text, user_name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN realm = '' AND strpos(user_name, '\') > 1 THEN lower(split_part(user_name, '\', 1)) END;
CREATE INDEX credential_behind_at ON credential (tenant_id, realm_behind_at(realm, user_name))
  WHERE realm_behind_at(realm, user_name) IS NOT NULL;
CREATE INDEX credential_before_slash ON credential (tenant_id, realm_before_slash(realm, user_name))
  WHERE realm_before_slash(realm, user_name) IS NOT NULL;

-- Whether logins are forwarded under rules such as {"partner.example": true, "ours.example": false, "default": true}.
CREATE FUNCTION realm_forwards(behind_at text, before_slash text, rules jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN coalesce(rules -> behind_at, rules -> before_slash, rules -> 'default', 'false')::boolean;

-- Subscribers with a login that is forwarded under the rules `after` and was not under `before`. `touched`: the realms in which they differ.
-- As in 0004_search.sql it runs as the owner, so that row-level security does not keep it from its indexes, and names the tenant itself.
CREATE FUNCTION subscribers_forwarded(before jsonb, after jsonb, touched text[]) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  found bigint;
BEGIN
  IF 'default' = ANY (touched) THEN
    SELECT count(DISTINCT s.id) INTO found
    FROM (SELECT subscription_id, realm_behind_at(realm, user_name) AS behind_at, realm_before_slash(realm, user_name) AS before_slash
        FROM credential
        WHERE tenant_id = current_tenant()
          AND (realm_behind_at(realm, user_name) IS NOT NULL OR realm_before_slash(realm, user_name) IS NOT NULL)
        OFFSET 0) k -- so that each name is taken apart once
      JOIN subscription s ON s.tenant_id = current_tenant() AND s.id = k.subscription_id AND s.status <> 'terminated'
    WHERE realm_forwards(behind_at, before_slash, after) AND NOT realm_forwards(behind_at, before_slash, before);
  ELSE
    SELECT count(DISTINCT s.id) INTO found
    FROM (SELECT subscription_id, realm_behind_at(realm, user_name) AS behind_at, realm_before_slash(realm, user_name) AS before_slash
        FROM credential
        WHERE tenant_id = current_tenant()
          AND ((realm_behind_at(realm, user_name) IS NOT NULL AND realm_behind_at(realm, user_name) = ANY (touched))
            OR (realm_before_slash(realm, user_name) IS NOT NULL AND realm_before_slash(realm, user_name) = ANY (touched)))
        OFFSET 0) k
      JOIN subscription s ON s.tenant_id = current_tenant() AND s.id = k.subscription_id AND s.status <> 'terminated'
    WHERE realm_forwards(behind_at, before_slash, after) AND NOT realm_forwards(behind_at, before_slash, before);
  END IF;
  RETURN found;
END $$;
REVOKE EXECUTE ON FUNCTION subscribers_forwarded(jsonb, jsonb, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION subscribers_forwarded(jsonb, jsonb, text[]) TO lastmile_app;
