// EAP through what sends every round from another source port, as NAT and proxies do, also behind Debian's radsecproxy: the kernel gives the rounds
// to different workers.
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { makeCertificates } from '#test/aaa-server/support/certificates.ts';
import { startWorkers } from '#test/aaa-server/support/workers.ts';
import { type Device, eapolTest } from '#test/support/eapol-test.ts';
import { missing } from '#test/support/peers.ts';
import { startRadsecproxy } from '#test/support/radsecproxy.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

/** Passes each request on by a socket of its own, and its answers back. */
async function startRelay(t: Teardown, target: number) {
  const ports = new Set<number>();
  const open = new Set<Socket>();
  const front = createSocket('udp4');
  front.on('message', (request, { address, port }) => {
    const back = createSocket('udp4');
    open.add(back);
    back.on('message', (reply) => {
      front.send(reply, port, address);
      open.delete(back);
      back.close();
    });
    back.bind(0, '127.0.0.1', () => {
      ports.add(back.address().port);
      back.send(request, target, '127.0.0.1');
    });
  });
  await new Promise<void>((resolve) => front.bind(0, '127.0.0.1', resolve));
  t.teardown(() => {
    front.close();
    for (const socket of open) socket.close();
  });
  return { port: front.address().port, ports };
}

const common = { identity: '"alice"', password: '"wonderland"', ca_cert: '"ca.pem"' };
const certificate = { client_cert: '"alice.pem"', private_key: '"alice.key"' };
const inFragments: Device = { ...common, eap: 'TLS', ...certificate, fragment_size: '300' };
const cases: readonly [string, Device][] = [
  ['TLS, in fragments of 300 octets', inFragments],
  ['TLS 1.3', { ...common, eap: 'TLS', ...certificate, phase1: '"tls_disable_tlsv1_3=0"' }],
  ['PEAP, in fragments of 120 octets', { ...common, eap: 'PEAP', phase2: '"auth=MSCHAPV2"', fragment_size: '120' }],
  ['TTLS', { ...common, eap: 'TTLS', phase2: '"auth=PAP"' }],
];

/** `front`: starts what stands before the relay, whose port it is given; answers where devices send. */
async function converse(t: Test, front: (relayPort: number) => Promise<number>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { authPort, metric, fatal } = await startWorkers(t, {
    count: 4,
    identity: makeCertificates(folder),
    methods: ['tls', 'peap', 'ttls'],
  });
  const relay = await startRelay(t, authPort);
  const port = await front(relay.port);
  for (const [name, device] of cases) {
    const before = relay.ports.size;
    const { ok, output } = await eapolTest(folder, port, device, true);
    t.ok(ok, name, ok ? {} : { output: output.slice(-6000) });
    t.ok(relay.ports.size - before >= 5, `${name}: ${relay.ports.size - before} source ports`);
  }
  const together = Array.from({ length: 4 }, () => eapolTest(folder, port, inFragments, true));
  t.ok(
    (await Promise.all(together)).every(({ ok }) => ok),
    'four at the same time',
  );
  const handedOver = await metric(/^lastmile_radius_eap_total\{event="handed_over"/);
  t.ok(handedOver >= 10, `${handedOver} of ${relay.ports.size} rounds came to a worker that did not lead them`);
  t.equal(await metric(/^lastmile_radius_eap_total\{event="started"/), cases.length + 4, 'none was begun twice');
  t.equal(await metric(/^lastmile_radius_dropped_total\{reason="handler_error"/), 0);
  t.strictSame(fatal, []);
}

t.setTimeout(480_000);

t.test(
  'a conversation survives a new source port each round, over four workers',
  { skip: missing('eapol_test', 'openssl'), timeout: 230_000 },
  (t) => converse(t, async (relayPort) => relayPort),
);

t.test(
  'and so it does behind radsecproxy, with the keys that it encrypts anew',
  { skip: missing('eapol_test', 'openssl', 'radsecproxy'), timeout: 230_000 },
  (t) =>
    converse(t, async (relayPort) => {
      const udpPort = await freePort();
      await startRadsecproxy(t, { udpPort, targetPort: relayPort });
      return udpPort;
    }),
);
