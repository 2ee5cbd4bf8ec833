// `npm run seed`: subscribers to try the system with, in tenant `demo`, beside the running stack.
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import Type from 'typebox';
import { adminUrl } from '#ops/runtime/admin-url.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { addresses, port, readSettings } from '#ops/runtime/settings.ts';
import { storeAddresses } from '#ops/stores/addresses.ts';
import { aaaAdmin } from './aaa-admin.ts';
import { ensureDemo } from './demo.ts';
import { waitForEdge } from './edge.ts';
import { confirmRemovals } from './feed-guard.ts';
import { createProgress } from './progress.ts';
import { purge } from './purge.ts';
import { refusal } from './refusal.ts';
import { addSubscribers } from './subscribers.ts';

const settings = Type.Object({
  BIND_HOST: addresses({ default: ['127.0.0.1'], description: 'addresses of the listeners, comma-separated' }),
  AAA_ADMIN_PORT: port({ default: 9101, description: 'admin port of aaa-server' }),
});
const usage = 'usage: npm run seed -- [--subscribers N] [--purge] [--force]';
const most = 5_000_000;

async function seed(): Promise<void> {
  const { values } = parseArgs({
    options: {
      subscribers: { type: 'string', default: '1000' },
      purge: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
    },
  });
  const count = /^\d{1,7}$/.test(values.subscribers) ? Number(values.subscribers) : Number.NaN;
  if (!(count >= 1 && count <= most)) throw new Error(`--subscribers must be 1 to ${most}; ${usage}`);
  const { BIND_HOST, AAA_ADMIN_PORT } = readSettings(settings, process.env);
  const { databaseUrl, secretKeys } = storeAddresses(process.env);
  const keyring = createKeyring(secretKeys);
  const call = aaaAdmin(adminUrl(BIND_HOST, AAA_ADMIN_PORT), keyring);
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5000, application_name: 'seed' });
  // The statement that was under way fails with the reason; without a listener it would end us before that.
  client.on('error', (error) => console.error(`seed: ${messageOf(error)}`));
  await client.connect();
  try {
    const reason = values.force ? null : await refusal(client, BIND_HOST);
    if (reason) throw new Error(`${reason}; --force does it anyway`);
    const startedAt = performance.now();
    if (values.purge) {
      const purged = await purge(client, createProgress('removed'));
      if (purged.records > 0) console.log(await confirmRemovals(call, purged.tenantId, purged));
      console.log(`${purged.subscribers} subscribers are removed`);
    } else {
      const demo = await ensureDemo(client, keyring);
      const added = await addSubscribers(client, keyring, demo, count, createProgress('added'));
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      console.log(`user0 … user${count - 1} are there, ${added} of them new, after ${seconds} s`);
      console.log(await waitForEdge(call, demo.tenantId, `user${count - 1}`));
    }
  } finally {
    await client.end();
  }
}

try {
  await seed();
} catch (error) {
  console.error(`seed: ${messageOf(error)}`);
  process.exitCode = 1;
}
