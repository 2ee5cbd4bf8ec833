// A node that forwards: a handler on real sockets with its proxy over a small ISP in memory, and a home server that does as the test says.
import { randomUUID } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAccountingReceiver } from '#aaa-server/accounting/receive.ts';
import { type CounterFamily, type CounterValue, createCounters, sumOf } from '#aaa-server/counters.ts';
import type { HealthTimings } from '#aaa-server/proxy/health.ts';
import { createProxy } from '#aaa-server/proxy/proxy.ts';
import type { Admission } from '#aaa-server/radius/admission.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import { createRadiusServer } from '#aaa-server/radius/server.ts';
import type { Trust } from '#aaa-server/radius/trust.ts';
import type {
  AccountingCopyRecord,
  HomeServerRecord,
  ProxyRecord,
  RealmRecord,
} from '#aaa-server/subscribers/records-of-proxy.ts';
import { signResponse } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { homeServerPlace } from '#policy/proxy/settings.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, keyring, nasOf } from '../support/isp.ts';

export type Teardown = { teardown(handler: () => unknown): unknown };

export const homeSecretText = 'between us and them';
export const homeSecret = createSecret(Buffer.from(homeSecretText));

/** Everything happens sooner than in the field. */
export const quick: HealthTimings = {
  probeEveryMs: 300,
  confirmEveryMs: 50,
  deadAfterMs: 900,
  reviveMs: 2000,
  answersToRevive: 3,
};

export function homeServer(id: number, authPort: number, change: Partial<HomeServerRecord> = {}): HomeServerRecord {
  const { address = '127.0.0.1' } = change;
  return {
    id,
    name: `home ${id}`,
    address,
    authPort,
    acctPort: authPort + 1,
    secretCipher: keyring.encrypt('nas', homeServerPlace(1, address), Buffer.from(homeSecretText)),
    responseWindowMs: 400,
    attempts: 1,
    healthCheck: 'status_server',
    messageAuthenticator: 'auto',
    maxOutstanding: 2048,
    ...change,
  };
}

export function realm(
  id: number,
  name: string,
  homeServerIds: number[],
  change: Partial<RealmRecord> = {},
): RealmRecord {
  return {
    ...{ id, name, homeServerIds, stripUserName: false, authentication: 'forward', accounting: 'both' },
    ...{ choice: 'order', unreachable: 'silence', replyAttributes: null },
    ...change,
  };
}

export type NodeOptions = {
  node?: string;
  worker?: number;
  timings?: HealthTimings;
  /** Of the accounting that waits; kept when the node is started again. */
  folder?: string;
  workers?: ReadonlySet<string>;
  keepMs?: number;
  /** Ports that are ours beside those that the system chooses. */
  ownPorts?: readonly number[];
  ports?: readonly [number, number];
  trust?: Trust;
  admission?: Pick<Admission, 'admits'>;
  /** The access server. */
  nas?: Parameters<typeof nasOf>[0];
};

/** A process of ours with one worker: alice logs in with wonderland where nothing is forwarded. */
export async function startNode(
  t: Teardown,
  proxy: Partial<Pick<ProxyRecord, 'homeServers' | 'realms'>> & { copies?: AccountingCopyRecord[] } = {},
  options: NodeOptions = {},
) {
  const { node = randomUUID(), worker = 0, timings = quick, folder = temporaryFolder(t) } = options;
  const isp = createIsp();
  isp.addSubscriber('alice', 'wonderland');
  isp.setNases([nasOf({ limitProxyState: 'no', ...options.nas })]);
  const configure = (record: typeof proxy) =>
    isp.setProxies([{ tenantId: 1, id: 1, homeServers: [], realms: [], copies: [], ...record }]);
  if (Object.keys(proxy).length > 0) configure(proxy);
  const counters = createCounters();
  const registry = new Registry();
  const warnings: string[] = [];
  const records: AccountingRecord[] = [];
  const warn = (message: string, fields: Readonly<Record<string, unknown>>) =>
    void warnings.push(`${message} ${JSON.stringify(fields.err ?? '')}`);
  const own = `node-${worker}`;
  const forwarding = createProxy({
    ...{ snapshot: isp.snapshot, keyring, clock: systemClock, registry, node, worker, timings, warn },
    own: () => ({ addresses: ['127.0.0.1'], ports: options.ownPorts ?? [] }),
    logs: {
      ...{ root: folder, own, workers: options.workers ?? new Set([own]) },
      keeping: { keepMs: options.keepMs ?? 3_600_000, bytes: 1_000_000_000 },
    },
  });
  const classKey = keyring.derive('class');
  const handler = createRadiusHandler({
    snapshot: isp.snapshot,
    keyring,
    clock: systemClock,
    counters,
    rejectDelayMs: 0,
    crypt: 'not in this test',
    eap: { node, worker: 0, workers: 1, makers: [] },
    handOver: () => undefined,
    authorize: createAnswerLogin({
      snapshot: isp.snapshot,
      clock: systemClock,
      classKey,
      feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
      random: () => 0.5,
      uuid: () => randomUUID().replaceAll('-', ''),
    }),
    proxy: forwarding,
    ...(options.trust ? { trust: options.trust } : {}),
    ...(options.admission ? { admission: options.admission } : {}),
    receiveAccounting: createAccountingReceiver({ snapshot: isp.snapshot, classKey }),
    append: async (record) => void records.push(record),
    later: () => undefined,
    warn,
  });
  const server = createRadiusServer({
    addresses: ['127.0.0.1'],
    authPort: options.ports?.[0] ?? 0,
    acctPort: options.ports?.[1] ?? 0,
    udpDriver: 'dgram',
    receiveBufferBytes: 0,
    handler,
    counters,
    warn: () => undefined,
    onFatal: (error) => {
      throw error;
    },
  });
  await forwarding.start();
  await server.start();
  const stop = async () => {
    await server.stop();
    await forwarding.stop();
  };
  t.teardown(stop);
  const { authPort, acctPort } = server.bound();
  return {
    ...{ isp, handler, configure, warnings, records, stop, forwarding, authPort, acctPort, folder },
    auth: `127.0.0.1:${authPort}`,
    acct: `127.0.0.1:${acctPort}`,
    counted: <F extends CounterFamily>(family: F, value: CounterValue<F>) => sumOf([counters.array], family, value),
    /** The sum of a metric's series that have these labels. */
    async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
      const { values = [] } = (await registry.getSingleMetric(name)?.get()) ?? {};
      return values
        .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label as never] === value))
        .reduce((sum, { value }) => sum + value, 0);
    },
  };
}

/** A home server that answers, if it does, what `answer` makes of a request. */
export type ScriptedHome = {
  readonly authPort: number;
  readonly received: { packet: Packet; from: RemoteInfo }[];
  readonly socket: Socket;
  answer(packet: Packet, from: RemoteInfo): void;
  /** A reply that is right, with these attributes; `change` may spoil it. */
  reply(
    to: { packet: Packet; from: RemoteInfo },
    code: number,
    add?: (builder: PacketBuilder) => void,
    secret?: typeof homeSecret,
    signed?: boolean,
  ): Buffer;
  send(data: Buffer, to: RemoteInfo): void;
};

export async function startScriptedHome(t: Teardown, port = 0): Promise<ScriptedHome> {
  const socket = createSocket('udp4');
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  const builder = createPacketBuilder();
  const home: ScriptedHome = {
    authPort: socket.address().port,
    received: [],
    socket,
    answer: () => undefined,
    reply({ packet }, code, add, secret = homeSecret, signed = true) {
      builder.begin(code, packet.identifier);
      if (signed) builder.messageAuthenticator();
      add?.(builder);
      if (!builder.finishReply(packet.data, packet.start + 4, secret)) throw new Error('the reply does not fit');
      return Buffer.from(builder.data.subarray(0, builder.length()));
    },
    send: (data, to) => socket.send(data, to.port, to.address),
  };
  socket.on('message', (data, from) => {
    const packet = decodePacket(Buffer.from(data));
    if (!packet.ok) return;
    home.received.push({ packet, from });
    home.answer(packet, from);
  });
  return home;
}

/** Two ports beside each other that nobody has. */
export async function freePorts(): Promise<[number, number]> {
  for (;;) {
    const first = createSocket('udp4');
    first.bind(0, '127.0.0.1');
    await once(first, 'listening');
    const { port } = first.address();
    const second = createSocket('udp4');
    const free = await new Promise<boolean>((resolve) => {
      second.once('error', () => resolve(false));
      second.bind(port + 1, '127.0.0.1', () => resolve(true));
    });
    first.close();
    if (free) second.close();
    if (free) return [port, port + 1];
  }
}

export function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-proxy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Spoils the signature that is right. */
export function resigned(reply: Buffer, request: Packet, secret: typeof homeSecret): Buffer {
  signResponse(reply, 0, reply.length, request.data, request.start + 4, secret);
  return reply;
}

export { until };
