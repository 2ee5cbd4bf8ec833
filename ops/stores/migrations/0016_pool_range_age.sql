-- The edge hands out of a new range only when it has looked for sessions that have its addresses already: it must know which ranges are new.

CREATE OR REPLACE VIEW feed_pool AS
  SELECT p.tenant_id, p.id, p.name, p.family, p.unit_length, p.priority, p.fallback_id, p.nas_id, p.on_exhausted, p.cool_down_s, p.reserve,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', r.id, 'first', host(r.first), 'size', r.size, 'draining', r.draining,
        'createdAtMs', floor(extract(epoch FROM r.created_at) * 1000)::bigint) ORDER BY r.id)
      FROM address_pool_range r WHERE r.tenant_id = p.tenant_id AND r.pool_id = p.id), '[]') AS ranges
  FROM address_pool p;
