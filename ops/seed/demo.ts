// Tenant `demo` with its access servers and its three tariffs; what is there stays as it is.
import type { Client } from 'pg';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { FupRule } from '#policy/fup/rules.ts';

export const demoSlug = 'demo';
export const seedNasName = 'seed: this machine';
const nasAddress = '127.0.0.0/8';
const nasSecret = 'testing123';

export type Demo = { tenantId: number; plans: readonly { serviceId: number; tariffId: number }[] };

const mega = 1_000_000;
export const catalog = [
  { name: 'Basic', downBps: 20 * mega, upBps: 5 * mega, feeMinor: 1000 },
  { name: 'Standard', downBps: 50 * mega, upBps: 10 * mega, feeMinor: 2000 },
  { name: 'Plus', downBps: 100 * mega, upBps: 20 * mega, feeMinor: 3000 },
] as const;

const afterTenGigabytes: FupRule = {
  window: 'day',
  direction: 'total',
  thresholdBytes: 10_000_000_000,
  effect: { kind: 'speed', upBps: 2 * mega, downBps: 2 * mega },
};

export async function ensureDemo(client: Client, keyring: Keyring): Promise<Demo> {
  await client.query('BEGIN');
  try {
    await client.query(`INSERT INTO tenant (slug, name) VALUES ($1, 'Demo ISP') ON CONFLICT (slug) DO NOTHING`, [
      demoSlug,
    ]);
    const tenantId = await tenantIdOf(client);
    await ensureNas(client, keyring, tenantId);
    const plans: Demo['plans'][number][] = [];
    for (const item of catalog) plans.push(await ensurePlan(client, tenantId, item));
    await client.query('COMMIT');
    return { tenantId, plans };
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

export async function tenantIdOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM tenant WHERE slug = $1', [demoSlug]);
  return Number(rows[0]?.id ?? 0);
}

async function ensureNas(client: Client, keyring: Keyring, tenantId: number): Promise<void> {
  const secret = keyring.encrypt('nas', `${tenantId}:${nasAddress}`, Buffer.from(nasSecret));
  await client.query(
    `INSERT INTO nas (tenant_id, name, address, vendor, secret_cipher, coa_port, message_authenticator, limit_proxy_state)
     VALUES ($1, $2, $3, 'mikrotik', $4, 3799, 'no', 'yes') ON CONFLICT (address, coalesce(nas_identifier, '')) DO NOTHING`,
    [tenantId, seedNasName, nasAddress, secret],
  );
  const { rows } = await client.query<{ tenant_id: string }>(
    'SELECT tenant_id FROM nas WHERE address = $1 AND nas_identifier IS NULL',
    [nasAddress],
  );
  if (Number(rows[0]?.tenant_id) !== tenantId) throw new Error(`another tenant has the NAS ${nasAddress}`);
}

async function ensurePlan(
  client: Client,
  tenantId: number,
  { name, downBps, upBps, feeMinor }: (typeof catalog)[number],
): Promise<Demo['plans'][number]> {
  await client.query(
    `WITH made AS (
       INSERT INTO service (tenant_id, category, name) VALUES ($1, 'internet', $2)
       ON CONFLICT (tenant_id, name) DO NOTHING RETURNING id)
     INSERT INTO tariff (tenant_id, service_id, version, down_bps, up_bps, monthly_fee_minor, fup_rules, suspend_action)
     SELECT $1, id, 1, $3, $4, $5, $6, 'reject' FROM made`,
    [tenantId, name, downBps, upBps, feeMinor, JSON.stringify([afterTenGigabytes])],
  );
  const { rows } = await client.query<{ service_id: string; id: string }>(
    `SELECT service_id, id FROM tariff
     WHERE tenant_id = $1 AND service_id = (SELECT id FROM service WHERE tenant_id = $1 AND name = $2)
     ORDER BY version DESC LIMIT 1`,
    [tenantId, name],
  );
  const [row] = rows;
  if (!row) throw new Error(`service ${name} of tenant ${demoSlug} has no tariff`);
  return { serviceId: Number(row.service_id), tariffId: Number(row.id) };
}
