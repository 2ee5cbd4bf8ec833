// The Lastmile that the demo runs on: the one of the data folder when it runs, else one of its own that is stopped at the end.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { adminUrl } from '#ops/runtime/admin-url.ts';
import { codeOf } from '#ops/runtime/errors.ts';
import { createKeyring, type Keyring } from '#ops/runtime/keyring.ts';
import { type Environment, readSettings } from '#ops/runtime/settings.ts';
import { aaaAdmin } from '#ops/seed/aaa-admin.ts';
import { storeAddresses } from '#ops/stores/addresses.ts';
import { type Settings, settings } from '#ops/up/settings.ts';

export type Lastmile = {
  readonly own: boolean;
  readonly dataDir: string;
  readonly bindHosts: readonly string[];
  /** As the owner. */
  readonly databaseUrl: string;
  /** '' when there is none. */
  readonly clickhouseUrl: string;
  readonly keyring: Keyring;
  readonly radius: { readonly host: string; readonly authPort: number; readonly acctPort: number };
  readonly netflow: { readonly host: string; readonly port: number };
  readonly apiUrl: string;
  readonly aaaUrl: string;
  readonly flowUrl: string;
};

const patienceMs = 60_000;

/** @throws when the settings are wrong, or when there is nothing to find. */
export function lastmileOf(environment: Environment, own: boolean): Lastmile {
  const given = readSettings(settings, environment);
  const { databaseUrl, clickhouseUrl, secretKeys, folder } = storeAddresses(environment);
  const host = ipv4Of(given);
  return {
    own,
    dataDir: folder.path,
    bindHosts: given.BIND_HOST,
    databaseUrl,
    clickhouseUrl,
    keyring: createKeyring(secretKeys),
    radius: { host, authPort: given.RADIUS_AUTH_PORT, acctPort: given.RADIUS_ACCT_PORT },
    netflow: { host, port: given.NETFLOW_PORT },
    apiUrl: adminUrl(given.BIND_HOST, given.HTTP_PORT),
    aaaUrl: adminUrl(given.BIND_HOST, given.AAA_ADMIN_PORT),
    flowUrl: adminUrl(given.BIND_HOST, given.FLOW_ADMIN_PORT),
  };
}

/** The running one of the data folder; waits for one that is just being started. Undefined when none runs. */
export async function findRunning(
  environment: Environment,
  say: (line: string) => void,
): Promise<Lastmile | undefined> {
  const { LASTMILE_DATA_DIR } = readSettings(settings, environment);
  if (!existsSync(path.join(LASTMILE_DATA_DIR, 'node-uuid'))) return undefined;
  const endMs = performance.now() + patienceMs;
  let told = false;
  for (;;) {
    const starting = isLocked(LASTMILE_DATA_DIR);
    const found = storesKnown(environment) ? lastmileOf(environment, false) : undefined;
    if (found && (await answers(found))) return found;
    if (!starting) return undefined;
    if (performance.now() > endMs) throw new Error(`\`npm start\` in ${LASTMILE_DATA_DIR} runs, but is not ready`);
    if (!told) say(`waiting until \`npm start\` in ${LASTMILE_DATA_DIR} is ready`);
    told = true;
    await delay(250);
  }
}

/** aaa-server answers to our key, so it is the one of these stores, and the API is ready. */
async function answers({ aaaUrl, apiUrl, keyring }: Lastmile): Promise<boolean> {
  try {
    const [edge, api] = await Promise.all([
      aaaAdmin(aaaUrl, keyring)('GET', '/feed-guard'),
      fetch(`${apiUrl}/readyz`, { signal: AbortSignal.timeout(3000) }),
    ]);
    return edge.ok && api.ok;
  } catch {
    return false; // Nobody listens there.
  }
}

function storesKnown(environment: Environment): boolean {
  try {
    storeAddresses(environment);
    return true;
  } catch {
    return false; // Never started: `lastmileOf` tells why when it is asked.
  }
}

/** Whether a supervisor has the folder: its process id is there, and it lives. */
function isLocked(dataDir: string): boolean {
  try {
    process.kill(Number(readFileSync(path.join(dataDir, 'lock.pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function ipv4Of({ BIND_HOST }: Settings): string {
  const host = BIND_HOST.find((address) => address.includes('.'));
  if (host === undefined)
    throw new Error(`the demo needs an IPv4 address in BIND_HOST, not only ${BIND_HOST.join(', ')}`);
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}
