// Half an hour of mutated packets of every kind, and of devices that say anything in EAP, at real workers: `npm run test:long`. Seconds in `npm test`.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { eapMessages, eapType } from '#aaa-server/wire/eap.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import { kernelDrops } from '#ops/runtime/udp/kernel-drops.ts';
import { isLong } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { makeCertificates } from './support/certificates.ts';
import { pap, secret } from './support/driven.ts';
import { everyKind, resign } from './support/every-kind.ts';
import { mulberry32, mutate, type Random } from './support/mutate.ts';
import { startWorkers } from './support/workers.ts';

const longMs = 30 * 60_000;
const fewest = 4000;
/** So many packets at a time, then one login that must be answered: nothing is lost in a buffer of the kernel. */
const group = 32;
/** What is bounded (answers, conversations, unknown sources, young heaps) is full before the last three tenths of the half hour. */
const tenths = 10;
const lastTenths = 3;
const mostGrowth = (isLong ? 48 : 160) * 1024 * 1024;

t.setTimeout(isLong ? longMs + 600_000 : 240_000);

/** What a device may say: an identity, the answer to a method, or anything, going on with one of the conversations it has. */
function eapRequest(random: Random, states: readonly Buffer[]): Buffer {
  const builder = createPacketBuilder();
  const upTo = (limit: number) => Math.floor(random() * limit);
  const types = [eapType.identity, eapType.nak, eapType.md5, eapType.tls, eapType.peap, eapType.ttls, eapType.mschapv2];
  const data = randomBytes(upTo(random() < 0.1 ? 1400 : 60));
  const body = random() < 0.4 ? Buffer.from('alice') : data;
  const head = Buffer.of(random() < 0.9 ? 2 : upTo(256), upTo(256), 0, 0, types[upTo(types.length)] ?? 1);
  head.writeUInt16BE(random() < 0.9 ? head.length + body.length : upTo(65_536), 2);
  builder.begin(code.accessRequest, upTo(256));
  builder.messageAuthenticator();
  builder.add(attribute.userName, 'alice');
  for (const part of eapMessages(Buffer.concat([head, body]))) builder.add(attribute.eapMessage, part);
  const state = states[upTo(states.length)];
  if (state && random() < 0.8) builder.add(attribute.state, state);
  builder.finishAccessRequest(randomBytes(16), secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

t.test(
  'whatever comes is answered or dropped with a reason, and takes no memory',
  { timeout: isLong ? longMs + 500_000 : 230_000, skip: missing('openssl') },
  async (t) => {
    const seed = Number(process.env.FUZZ_SEED ?? 20_261_127);
    t.comment(`FUZZ_SEED=${seed}`);
    const random = mulberry32(seed);
    const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-fuzz-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const methods = ['md5', 'mschapv2', 'gtc', 'tls', 'peap', 'ttls'] as const;
    const { authPort, acctPort, registry, fatal } = await startWorkers(t, {
      ...{ identity: makeCertificates(folder), methods },
      // Half an hour of the auth log would be all the memory that grows.
      onLogins: () => undefined,
    });
    const sum = async (name: string, label = '') =>
      (await registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

    const states: Buffer[] = [];
    let replies = 0;
    const socket = createSocket('udp4');
    t.teardown(() => socket.close());
    socket.on('message', (reply) => {
      replies++;
      const packet = decodePacket(reply);
      const at = packet.ok ? firstAttribute(packet, attribute.state) : -1;
      if (packet.ok && at >= 0) states[replies % 64] = Buffer.from(octetsAt(packet, at));
    });
    const kinds = everyKind();
    let sent = 0;

    function sendOne(): void {
      const [name, original] = kinds[Math.floor(random() * kinds.length)] ?? ['', Buffer.alloc(0)];
      const isEap = random() < 0.3;
      const data = isEap ? eapRequest(random, states) : mutate(original, random);
      if (random() < 0.5 && data.length >= 20) resign(data);
      // Accounting that is right goes to the disk: some of it is enough.
      const toAcct = name.startsWith('accounting') ? random() < 0.2 : !isEap && random() < 0.2;
      socket.send(data, toAcct ? acctPort : authPort, '127.0.0.1');
      sent++;
    }

    async function login(): Promise<void> {
      const probe = createSocket('udp4');
      let code = 0;
      probe.on('message', ([answer = 0]) => (code = answer));
      const request = pap({ messageAuthenticator: true });
      let askedAtMs = Number.NEGATIVE_INFINITY;
      await until(
        () => {
          // A worker that cannot keep up with all that may leave one unanswered: access servers ask again.
          if (performance.now() - askedAtMs < 1000 || code > 0) return code > 0;
          askedAtMs = performance.now();
          probe.send(request, authPort, '127.0.0.1');
          sent++;
          return false;
        },
        () => `a login among all that is answered; died: ${fatal.map(String)}`,
        30_000,
        1,
      );
      if (code !== 2) throw new Error(`a right login was answered ${code}`);
      probe.close();
    }

    const startedAt = performance.now();
    const done = () => Math.min(sent / fewest, isLong ? (performance.now() - startedAt) / longMs : 1);
    const resident: number[] = [];
    while (done() < 1) {
      for (let i = 0; i < group; i++) sendOne();
      await login();
      if (done() * tenths >= resident.length + 1) resident.push(process.memoryUsage().rss);
    }
    const droppedByKernel = async () => {
      const drops = await kernelDrops();
      return (drops.get(authPort) ?? 0) + (drops.get(acctPort) ?? 0);
    };
    const settled = async () =>
      (await sum('lastmile_radius_replies_total')) +
      (await sum('lastmile_radius_dropped_total')) +
      (await sum('lastmile_radius_duplicates_total')) +
      (await sum('lastmile_radius_udp_events_total', 'event="truncated"')) +
      (await droppedByKernel());
    let counted = 0;
    await until(
      async () => {
        counted = await settled();
        return counted >= sent;
      },
      () => `all of ${sent} packets are accounted for, not ${counted}`,
      30_000,
      100,
    );
    t.equal(counted, sent, `${sent} packets, ${replies} answered`);
    t.equal(await sum('lastmile_radius_dropped_total', 'reason="handler_error"'), 0);
    t.ok((await sum('lastmile_radius_eap_total', 'event="started"')) > 0);
    const inMb = (bytes: number) => Math.round(bytes / 1024 / 1024);
    t.comment(`resident after each tenth, MB: ${resident.map(inMb).join(' ')}`);
    const growth = resident.at(-1)! - resident.at(-1 - lastTenths)!;
    t.ok(growth < mostGrowth, `resident memory grew by ${inMb(growth)} MB in the last ${lastTenths} tenths`);
    t.strictSame(fatal, []);
  },
);
