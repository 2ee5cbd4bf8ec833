// Addresses and prefixes as PostgreSQL writes them: `10.0.0.7` becomes `10.0.0.7/32`.
import { isIP } from 'node:net';
import { sql } from 'drizzle-orm';
import { invalid } from '../problem.ts';
import type { Conn } from './connect.ts';

/** The canonical CIDR text of `text`. A prefix with bits right of its mask is refused: it names one address or many? */
export async function canonicalPrefix(conn: Pick<Conn, 'execute'>, text: string, path: string): Promise<string> {
  const [address = '', length, ...rest] = text.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const right = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits);
  if (family === 0 || !right || rest.length > 0 || address.includes('%'))
    throw invalid(path, 'must be an address or a prefix such as 10.0.0.0/24');
  const { rows } = await conn.execute<{ prefix: string; exact: boolean }>(
    sql`SELECT network(x)::text AS prefix, host(x) = host(network(x)) AS exact FROM (SELECT ${text}::text::inet AS x) AS given`,
  );
  const [row] = rows;
  if (!row?.exact) throw invalid(path, `has bits right of its mask; the prefix is ${row?.prefix}`);
  return row.prefix;
}
