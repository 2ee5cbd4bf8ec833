// Tenant `demo` made ready for a run: its subscribers by the seed, its access server record, and a sign-in to the API.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { messageOf } from '#ops/runtime/errors.ts';
import { aaaAdmin } from '#ops/seed/aaa-admin.ts';
import { demoSlug, ensureDemo, seedNasName } from '#ops/seed/demo.ts';
import { waitForEdge } from '#ops/seed/edge.ts';
import type { Progress } from '#ops/seed/progress.ts';
import { refusal } from '#ops/seed/refusal.ts';
import { addSubscribers, userName } from '#ops/seed/subscribers.ts';
import type { FupRule } from '#policy/fup/rules.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import type { Speed } from '#policy/speed.ts';
import type { Lastmile } from '../stack/lastmile.ts';

export type SubscriptionFacts = {
  readonly userName: string;
  readonly subscriptionId: number;
  readonly tariffSpeed: Speed;
  readonly limitBytes: number | null;
};

export type DemoTenant = {
  readonly tenantId: number;
  readonly nas: { readonly secret: string; readonly coaPort: number };
  /** Why no CoA will come, or null. */
  readonly muted: string | null;
  /** Addresses on loopback that belong to other records of access servers. */
  readonly otherAddresses: readonly string[];
  readonly subscriptions: readonly SubscriptionFacts[];
  /** Access token of the API, for tenant `demo` only. */
  readonly token: string;
};

const email = 'demo@lastmile.invalid';
const tokenLifetime = '7 days';

/** @throws as the seed does beside other tenants' customers or on open addresses. */
export async function prepareTenant(
  lastmile: Lastmile,
  count: number,
  { say, progress }: { say(line: string): void; progress: Progress },
): Promise<DemoTenant> {
  return withClient(lastmile, async (client) => {
    const reason = await refusal(client, lastmile.bindHosts);
    if (reason) throw new Error(`${reason}: the demo does not run there`);
    const demo = await ensureDemo(client, lastmile.keyring);
    await addSubscribers(client, lastmile.keyring, demo, count, progress);
    const admin = aaaAdmin(lastmile.aaaUrl, lastmile.keyring);
    say(await waitForEdge(admin, demo.tenantId, userName(count - 1)));
    return {
      tenantId: demo.tenantId,
      ...(await nasOf(client, lastmile, demo.tenantId)),
      otherAddresses: await otherAddresses(client, demo.tenantId),
      subscriptions: await subscriptionsOf(client, demo.tenantId, count),
      token: await signIn(client, demo.tenantId),
    };
  });
}

/** Ends the sign-in of {@link prepareTenant}. */
export async function signOut(lastmile: Lastmile, token: string): Promise<void> {
  await withClient(lastmile, (client) =>
    client.query('DELETE FROM auth_session WHERE access_hash = $1', [hashOf(token)]),
  );
}

async function withClient<T>({ databaseUrl }: Lastmile, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5000, application_name: 'demo' });
  let lost: Error | undefined;
  // The statement that is under way fails with the reason; without a listener it would end us before that.
  client.on('error', (error) => {
    lost = error;
  });
  await client.connect();
  try {
    return await use(client);
  } catch (error) {
    throw lost ? new Error(`PostgreSQL: ${messageOf(lost)}`, { cause: error }) : error;
  } finally {
    await client.end();
  }
}

async function nasOf(
  client: Client,
  { keyring }: Lastmile,
  tenantId: number,
): Promise<Pick<DemoTenant, 'nas' | 'muted'>> {
  const { rows } = await client.query<{
    address: string;
    secret_cipher: Buffer;
    vendor: string;
    coa_port: number | null;
    coa_address: string | null;
    mode: string;
    tenant_mode: string;
  }>(
    `SELECT nas.address, secret_cipher, vendor, coa_port, coa_address, mode, enforcement_mode AS tenant_mode
     FROM nas JOIN tenant ON tenant.id = tenant_id WHERE tenant_id = $1 AND nas.name = $2`,
    [tenantId, seedNasName],
  );
  const [row] = rows;
  if (!row) throw new Error(`the access server record "${seedNasName}" of tenant ${demoSlug} was renamed`);
  const secret = keyring.decrypt('nas', `${tenantId}:${row.address}`, row.secret_cipher).toString();
  const mode = [row.tenant_mode, row.mode].find((each) => each !== 'enforce');
  const muted = row.coa_address ? `CoA goes to ${row.coa_address}` : mode ? `the enforcement mode is ${mode}` : null;
  return { nas: { secret, coaPort: row.coa_port ?? nasProfile(row.vendor).coaPort }, muted };
}

async function otherAddresses(client: Client, tenantId: number): Promise<string[]> {
  const { rows } = await client.query<{ address: string }>(
    `SELECT address FROM nas WHERE address <<= '127.0.0.0/8' AND NOT (tenant_id = $1 AND name = $2)`,
    [tenantId, seedNasName],
  );
  return rows.map(({ address }) => address);
}

async function subscriptionsOf(client: Client, tenantId: number, count: number): Promise<SubscriptionFacts[]> {
  const { rows } = await client.query<{ user_name: string; id: string; up: string; down: string; rules: FupRule[] }>(
    `SELECT user_name, s.id, f.up_bps AS up, f.down_bps AS down, f.fup_rules AS rules
     FROM credential k JOIN subscription s ON s.tenant_id = k.tenant_id AND s.id = k.subscription_id
       JOIN tariff f ON f.tenant_id = s.tenant_id AND f.id = s.tariff_id
     WHERE k.tenant_id = $1 AND realm = '' AND user_name = ANY($2) ORDER BY s.id`,
    [tenantId, Array.from({ length: count }, (_, index) => userName(index))],
  );
  return rows.map(({ user_name, id, up, down, rules }) => ({
    userName: user_name,
    subscriptionId: Number(id),
    tariffSpeed: { upBps: Number(up), downBps: Number(down) },
    limitBytes: dailyLimit(rules),
  }));
}

function dailyLimit(rules: readonly FupRule[]): number | null {
  const limits = rules
    .filter(({ window, direction, effect }) => window === 'day' && direction === 'total' && effect.kind !== 'block')
    .map(({ thresholdBytes }) => thresholdBytes);
  return limits.length > 0 ? Math.min(...limits) : null;
}

/** A person of the tenant whom no password fits, signed in by the only one who has the database and the token. */
async function signIn(client: Client, tenantId: number): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await client.query(
    `WITH person AS (
       INSERT INTO app_user (tenant_id, email, name, role, password_hash) VALUES ($1, $2, 'the demo', 'admin', 'none')
       ON CONFLICT (coalesce(tenant_id, 0), email) DO UPDATE SET status = 'active' RETURNING id)
     INSERT INTO auth_session (user_id, login, access_hash, refresh_hash, access_expires_at, refresh_expires_at)
     SELECT id, $3, $4, $5, now() + $6::interval, now() + $6::interval FROM person`,
    [tenantId, email, randomUUID(), hashOf(token), randomBytes(32), tokenLifetime],
  );
  return token;
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
