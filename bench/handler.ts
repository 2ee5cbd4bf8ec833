// `npm run bench:handler`: processor time of one login and one accounting record inside a worker, without sockets and the kernel's share.
import { tmpdir } from 'node:os';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { profile } from './handler/profile.ts';
import { password, secret, tenantId, writeSubscribers } from './handler/subscribers.ts';
import { openBareWorker } from './handler/worker.ts';
import { accessPackets } from './load/access-packets.ts';
import { accountingPackets } from './load/accounting-packets.ts';
import { makePackets, type PacketStore } from './load/packet-store.ts';
import { readOptions } from './options.ts';
import { median } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

const { folder: parent, subscribers, runs, quick, profiles, only } = readOptions('handler', tmpdir());
const [sockets, lines] = [16, 256];
const perLine = quick ? 16 : 512;
const keyring = createKeyring(['a secret of the bench only']);
const say = (line: string) => console.error(line);

function logins(): PacketStore {
  const make = accessPackets({ method: 'pap', secret, subscribers, password, perLine });
  return makePackets({ sockets, lines, perLine, once: false }, make);
}

let firstSession = 0;

function records(): PacketStore {
  const make = accountingPackets({
    secret,
    perLine,
    sessions: 'whole',
    run: 'bench',
    firstSession,
    startedAtS: Math.floor(Date.now() / 1000) - 3600,
    tenantId,
    subscriptionIds: Array.from({ length: subscribers }, (_, i) => i + 1),
    classKey: keyring.derive('class').toString('hex'),
  });
  firstSession += (lines * perLine) / 4;
  return makePackets({ sockets, lines, perLine, once: true }, make);
}

await inWorkFolder(parent, async (folder) => {
  say(`writing ${subscribers} subscribers`);
  const snapshotPath = await writeSubscribers(folder, subscribers, keyring);
  const worker = await openBareWorker(folder, snapshotPath, keyring);
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
    if (profiles) {
      const cost = median(costs);
      for (const { where, share } of (await profile(once)).slice(0, 40)) {
        console.log(`  ${(share * cost).toFixed(2).padStart(6)} µs  ${where}`);
      }
    }
  }
  await worker.close();
});
