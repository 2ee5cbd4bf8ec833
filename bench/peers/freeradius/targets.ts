// The FreeRADIUS servers that are measured, two threads each, 32 where they wait for PostgreSQL.
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Bytes, Target } from '../../radius/target.ts';
import { addPool, poolQueriesText, type RadiusDatabase, type SlowUsers, startRadiusDatabase } from './database.ts';
import { type FreeradiusOptions, startFreeradius } from './freeradius.ts';
import { replyAttributes } from './reply-attributes.ts';

export type PeerOptions = {
  readonly folder: string;
  readonly subscribers: number;
  /** With PostgreSQL: passwords that are stored as hashes of crypt(3). */
  readonly slow?: SlowUsers;
};

/** Its users in memory; nothing else is loaded. */
export function startWithUsersFile({ folder, subscribers }: PeerOptions): Promise<Target> {
  return startFreeradius({
    name: 'FreeRADIUS, users file',
    configuration: 'files',
    threads: 2,
    subscribers,
    durability: '',
    folder,
    prepare: (own) => writeFileSync(path.join(own, 'users'), usersFile(subscribers)),
    total: () => Promise.reject(new Error('this FreeRADIUS takes no accounting')),
    counts: false,
  });
}

/** Its stock schema and queries over the same PostgreSQL that Lastmile embeds. */
export function startWithPostgres(options: PeerOptions): Promise<Target> {
  return startOnPostgres(options, (database) => ({
    name: 'FreeRADIUS, PostgreSQL',
    configuration: 'sql',
    durability: 'PostgreSQL commit, fsync and synchronous_commit on',
    total: database.total,
    counts: true,
  }));
}

/** The same, and an address of a pool and one session for everybody. */
export function startWithPool(options: PeerOptions): Promise<Target> {
  return startOnPostgres(options, async (database) => {
    await addPool(database.url, options.subscribers);
    return {
      name: 'FreeRADIUS, PostgreSQL',
      configuration: 'pool',
      durability: '',
      prepare: (own) => writeFileSync(path.join(own, 'ippool.conf'), poolQueriesText()),
      total: () => Promise.reject(new Error('this FreeRADIUS takes no accounting')),
      counts: false,
    };
  });
}

type OnPostgres = Pick<FreeradiusOptions, 'name' | 'configuration' | 'durability' | 'prepare' | 'total' | 'counts'>;

async function startOnPostgres(
  { folder, subscribers, slow }: PeerOptions,
  optionsOver: (database: RadiusDatabase) => OnPostgres | Promise<OnPostgres>,
): Promise<Target> {
  const database = await startRadiusDatabase(folder, subscribers, slow);
  try {
    const own = await optionsOver(database);
    const target = await startFreeradius({
      ...own,
      threads: 32,
      subscribers,
      folder,
      environment: database.environment,
    });
    return {
      ...target,
      async stop() {
        await target.stop();
        await database.stop();
      },
    };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

export function startWithDetailFile({ folder, subscribers }: PeerOptions): Promise<Target> {
  return startFreeradius({
    name: 'FreeRADIUS, detail file',
    configuration: 'detail',
    threads: 2,
    subscribers,
    durability: 'written to a file, not synced, nothing counted',
    folder,
    total: (own) => detailTotal(path.join(own, 'detail')),
    counts: false,
  });
}

function usersFile(subscribers: number): string {
  const lines: string[] = [];
  for (let user = 0; user < subscribers; user++) {
    const attributes = replyAttributes(user).map(([name, value]) => `${name} = ${quoted(value)}`);
    lines.push(
      `user${user} Cleartext-Password := "pass123"\n\tMessage-Authenticator := 0x00, ${attributes.join(', ')}\n`,
    );
  }
  return lines.join('');
}

const quoted = (value: string) => (/^(\d+|0x[0-9a-f]+)$/.test(value) ? value : `"${value}"`);

/** Sum over sessions of the largest counters that the file holds of each. */
async function detailTotal(file: string): Promise<Bytes> {
  if (!existsSync(file)) return { upBytes: 0, downBytes: 0 };
  const largest = new Map<string, { up: number; down: number }>();
  let session = { up: 0, down: 0 };
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [name, value = ''] = line.trim().split(' = ');
    if (name === 'Acct-Session-Id') {
      session = largest.get(value) ?? { up: 0, down: 0 };
      largest.set(value, session);
    } else if (name === 'Acct-Input-Octets') session.up = Math.max(session.up, Number(value));
    else if (name === 'Acct-Output-Octets') session.down = Math.max(session.down, Number(value));
  }
  let upBytes = 0;
  let downBytes = 0;
  for (const { up, down } of largest.values()) {
    upBytes += up;
    downBytes += down;
  }
  return { upBytes, downBytes };
}
