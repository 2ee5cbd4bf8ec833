// Why the seed will not run here: passwords that everybody knows do not belong beside real customers or on open addresses.
import { BlockList, isIPv6 } from 'node:net';
import type { Client } from 'pg';
import { demoSlug } from './demo.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** One sentence, or null when nothing stands against it. */
export async function refusal(client: Client, bindHosts: readonly string[]): Promise<string | null> {
  const open = bindHosts.find((host) => !loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4'));
  if (open !== undefined) return `BIND_HOST ${open} is not a loopback address`;
  const { rows } = await client.query<{ slug: string }>(
    'SELECT slug FROM tenant WHERE slug <> $1 AND EXISTS (SELECT FROM customer WHERE tenant_id = tenant.id) LIMIT 1',
    [demoSlug],
  );
  return rows[0] ? `the database has customers of tenant ${rows[0].slug}` : null;
}
