// `npm run bench:handler`: processor time of one login and one accounting record in a worker, without sockets and with each driver of them.
import { tmpdir } from 'node:os';
import { createChanges } from '#aaa-server/subscribers/changes.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { profile } from './handler/profile.ts';
import { costOverSockets } from './handler/sockets.ts';
import { password, secret, tenantId, writeSubscribers } from './handler/subscribers.ts';
import { openBareWorker } from './handler/worker.ts';
import { accessPackets } from './load/access-packets.ts';
import { accountingPackets } from './load/accounting-packets.ts';
import { makePackets, type PacketStore } from './load/packet-store.ts';
import { readOptions } from './options.ts';
import { median, rate } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

const { folder: parent, subscribers, runs, seconds, quick, profiles, only } = readOptions('handler', tmpdir());
const [sockets, lines] = [16, 256];
const perLine = quick ? 16 : 512;
const keyring = createKeyring(['a secret of the bench only']);
const say = (line: string) => console.error(line);

const login = { method: 'pap', subscribers, password, perLine } as const;
const accounts = {
  sessions: 'whole',
  startedAtS: Math.floor(Date.now() / 1000) - 3600,
  tenantId,
  subscriptionIds: Array.from({ length: subscribers }, (_, i) => i + 1),
  classKey: keyring.derive('class').toString('hex'),
} as const;

function logins(): PacketStore {
  return makePackets({ sockets, lines, perLine, once: false }, accessPackets({ secret, ...login }));
}

let firstSession = 0;

/** No record twice. */
function nextRecords(each: number) {
  firstSession += (lines * each) / 4;
  return { ...accounts, run: 'bench', firstSession, perLine: each };
}

function records(): PacketStore {
  const make = accountingPackets({ secret, ...nextRecords(perLine) });
  return makePackets({ sockets, lines, perLine, once: true }, make);
}

await inWorkFolder(parent, async (folder) => {
  say(`writing ${subscribers} subscribers`);
  const changes = { snapshot: createChanges(), profiles: createChanges() };
  const snapshotPath = await writeSubscribers(folder, subscribers, keyring, changes.snapshot);
  const worker = await openBareWorker(folder, snapshotPath, keyring, changes);
  const ring = logins();
  for (const [name, port, packets] of [
    ['login', 'auth', () => ring],
    ['accounting record', 'acct', records],
  ] as const) {
    if (!name.includes(only)) continue;
    const once = async (): Promise<number> => {
      const store = packets();
      const started = process.cpuUsage();
      const answered = await worker.drive(port, store, sockets);
      const { user, system } = process.cpuUsage(started);
      if (answered !== lines * perLine) throw new Error(`${answered} of ${lines * perLine} were answered`);
      return (user + system) / answered;
    };
    say(`${name}: the first round costs ${(await once()).toFixed(2)} µs each`);
    const costs: number[] = [];
    for (let run = 0; run < runs; run++) costs.push(await once());
    console.log(
      `${name}: ${median(costs).toFixed(2)} µs of processor time (${costs.map((cost) => cost.toFixed(2)).join(', ')})`,
    );
    for (const driver of ['dgram', 'mmsg'] as const) {
      const each = Math.ceil((seconds + 1) * 256);
      const load =
        port === 'auth'
          ? ({ kind: 'access', ...login } as const)
          : ({ kind: 'accounting', ...nextRecords(each) } as const);
      const shape = { secret, sockets, lines, verify: true, packets: load };
      const { microseconds, ofKernel, perSecond } = await costOverSockets(
        worker,
        driver,
        shape,
        `${port}Port`,
        seconds,
      );
      console.log(
        `${name}, sockets by ${driver}: ${microseconds.toFixed(2)} µs, ${ofKernel.toFixed(2)} of them in the kernel, at ${rate(perSecond)}/s`,
      );
    }
    if (profiles) {
      const cost = median(costs);
      for (const { where, share } of (await profile(once)).slice(0, 40)) {
        console.log(`  ${(share * cost).toFixed(2).padStart(6)} µs  ${where}`);
      }
    }
  }
  await worker.close();
});
