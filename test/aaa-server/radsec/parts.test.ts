// The parts of RadSec by themselves: who a certificate is, how a stream is cut, what a revocation list says, and files that change.

import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import t from 'tap';
import { createFrames } from '#aaa-server/radsec/frames.ts';
import { createIdentityTable, namesOf } from '#aaa-server/radsec/identity.ts';
import { createRadsecMaterial } from '#aaa-server/radsec/material.ts';
import { createRadsecMetrics } from '#aaa-server/radsec/metrics.ts';
import type { TlsMaterial } from '#aaa-server/radsec/protocol.ts';
import { crlExpiresAtMs } from '#ops/pki/crl.ts';
import { radsecFiles } from '#ops/pki/radsec-settings.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { radsecIdentity } from '#policy/nas/radsec-identity.ts';
import { runs } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { nasOf } from '../support/isp.ts';
import { testAuthority } from './certificates.ts';

const skip = missing('openssl');

t.test('an identity is kept in one spelling', async (t) => {
  const hex = 'ab'.repeat(32);
  const colons = hex.toUpperCase().match(/../g)?.join(':');
  for (const [given, kept] of [
    ['dns:NAS1.Example.net.', 'dns:nas1.example.net'],
    [`SHA256:${colons}`, `sha256:${hex}`],
    ['cn:Tower 1', 'cn:Tower 1'],
  ] as const) {
    t.equal(radsecIdentity(given), kept);
  }
  for (const wrong of [
    '',
    'tower',
    'dns:',
    'dns:*.example.net',
    'dns:a..b',
    'sha256:abc',
    'cn: x',
    `cn:${'x'.repeat(65)}`,
    'ip:1.2.3.4',
  ]) {
    t.equal(radsecIdentity(wrong), undefined, wrong);
  }
});

t.test('names of a certificate', { skip }, async (t) => {
  const authority = testAuthority(t);
  const names = namesOf(new X509Certificate(authority.nas('Tower-1').cert));
  t.strictSame(names.slice(1), [['dns:tower-1'], ['cn:Tower-1']]);
  t.match(names[0]?.[0], /^sha256:[0-9a-f]{64}$/);
  const server = namesOf(new X509Certificate(authority.server.cert));
  t.strictSame(server[1], ['dns:localhost'], 'an address is no DNS name');
});

t.test('names that belong to different access servers belong to nobody', async (t) => {
  const table = createIdentityTable([
    nasOf({ id: 1, radsecIdentity: 'dns:a' }),
    nasOf({ id: 2, radsecIdentity: 'dns:b' }),
    nasOf({ id: 3, radsecIdentity: 'cn:c' }),
    nasOf({ id: 4 }),
  ]);
  const ids = (names: readonly (readonly string[])[]) => table.clientsOf(names).map(({ record }) => record.id);
  t.strictSame(ids([[], ['dns:a', 'dns:a'], ['cn:c']]), [1]);
  t.strictSame(ids([[], ['dns:a', 'dns:b'], ['cn:c']]), []);
  t.strictSame(ids([[], ['dns:x'], ['cn:c']]), [3]);
  t.strictSame(ids([['sha256:00'], [], []]), []);
});

t.test('a tenant that enters another name of a certificate takes no access server over', async (t) => {
  const theirs = nasOf({ id: 1, tenantId: 1, radsecIdentity: 'cn:bras1' });
  const names = [['sha256:00'], ['dns:bras1'], ['cn:bras1']];
  t.strictSame(
    createIdentityTable([theirs])
      .clientsOf(names)
      .map(({ record }) => record.id),
    [1],
  );
  const another = nasOf({ id: 2, tenantId: 2, radsecIdentity: 'dns:bras1' });
  t.strictSame(createIdentityTable([theirs, another]).clientsOf(names), []);
});

t.test('however a stream arrives, the packets in it are the same', async () => {
  const packet = fc.uint8Array({ minLength: 0, maxLength: 60 }).map((body) => {
    const data = Buffer.concat([Buffer.alloc(20, 1), body]);
    data.writeUInt16BE(data.length, 2);
    return data;
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 50 })), (packets, sizes) => {
      const seen: Buffer[] = [];
      const frames = createFrames((data, start, length) => {
        seen.push(Buffer.from(data.subarray(start, start + length)));
        return true;
      });
      let rest = Buffer.concat(packets);
      for (let i = 0; rest.length > 0; i++) {
        const size = sizes[i] ?? rest.length;
        if (frames.push(rest.subarray(0, size)) !== null) return false;
        rest = rest.subarray(size);
      }
      return (
        !frames.unfinished() && seen.length === packets.length && seen.every((data, i) => data.equals(packets[i]!))
      );
    }),
    { numRuns: runs(300) },
  );
});

t.test('a revocation list says until when it is valid; rubbish is told', { skip }, async (t) => {
  const authority = testAuthority(t);
  const pem = readFileSync(authority.crlFile, 'utf8');
  const days = ((crlExpiresAtMs(pem) ?? 0) - Date.now()) / 86_400_000;
  t.ok(days > 396 && days < 398, `${days} days`);
  t.throws(() => crlExpiresAtMs(authority.server.cert), /no revocation list|cannot be read/);
  t.throws(() => crlExpiresAtMs(`${pem.slice(0, 200)}\n-----END X509 CRL-----`), /cut off|no revocation list/);
});

t.test('settings: all three files or none', async (t) => {
  const none = { RADSEC_PORT: 2083, RADSEC_CERT: '', RADSEC_KEY: '', RADSEC_CA: '', RADSEC_CRL: '' };
  t.strictSame(radsecFiles(none), { kind: 'off' });
  t.match(radsecFiles({ ...none, RADSEC_CRL: 'x' }), { kind: 'wrong', problems: { length: 3 } });
  t.match(radsecFiles({ ...none, RADSEC_CERT: 'c', RADSEC_KEY: 'k', RADSEC_CA: 'a' }), { kind: 'on' });
});

t.test('files that change are read again; what cannot be used changes nothing', { skip }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-material-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const first = testAuthority(t);
  const second = testAuthority(t, 'second');
  const at = (name: string) => path.join(folder, name);
  const put = (name: string, text: string) => {
    writeFileSync(at('new'), text);
    renameSync(at('new'), at(name));
  };
  const { cert, key, ca } = first.material();
  put('cert', cert);
  put('key', key);
  put('ca', ca);
  put('crl', readFileSync(first.crlFile, 'utf8'));
  const paths = { cert: at('cert'), key: at('key'), ca: at('ca'), crl: at('crl') };
  const changes: { material: TlsMaterial; recheck: boolean }[] = [];
  const logged: { msg: string; file?: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(JSON.parse(line)) });
  const clock = { aheadMs: 0, nowMs: () => Date.now() + clock.aheadMs };
  const material = createRadsecMaterial(paths, {
    ...{ log, clock, pollMs: 10 },
    onChange: (changed, recheck) => changes.push({ material: changed, recheck }),
    onFailure: () => metrics.reloadFailures.inc(),
  });
  const registry = new Registry();
  const metrics = createRadsecMetrics(registry, {
    snapshot: { nasList: () => [nasOf(), nasOf({ id: 2, name: 'mast', radsecIdentity: 'cn:mast' })] },
    expiresAtMs: material.expiresAtMs,
    connections: () => new Map([[2, 3]]),
  });
  await material.start();
  t.teardown(() => material.stop());
  const metric = async (name: string) =>
    Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (.*)$`, 'm').exec(await registry.metrics())?.[1]);
  t.equal(
    await metric('lastmile_radsec_certificate_expires_seconds{file="certificate"}'),
    Date.parse(new X509Certificate(cert).validTo) / 1000,
  );
  t.ok((await metric('lastmile_radsec_certificate_expires_seconds{file="crl"}')) > Date.now() / 1000);
  t.equal(await metric('lastmile_nas_radsec_connections{tenant="1",nas="2",name="mast"}'), 3);
  t.notMatch(await registry.metrics(), 'name="tower"', 'only those that are known by a certificate');
  t.strictSame(logged, [], 'nothing expires soon');

  put('cert', second.material().cert);
  await until(() => logged.length === 1, 'a certificate without its key is told');
  t.equal(await metric('lastmile_radsec_reload_failures_total'), 1);
  t.equal(changes.length, 0);
  t.equal(material.current().cert, cert, 'the former stays');
  put('key', second.material().key);
  await until(() => changes.length === 1, 'the pair is taken');
  t.strictSame([changes[0]?.recheck, changes[0]?.material.cert], [false, second.material().cert]);
  first.nas('mast');
  first.revoke('mast');
  put('crl', readFileSync(first.crlFile, 'utf8'));
  await until(() => changes.length === 2, 'the list is taken');
  t.equal(changes[1]?.recheck, true);

  logged.length = 0;
  clock.aheadMs = 390 * 86_400_000;
  await until(() => logged.length > 0, 'the list expires soon');
  t.match(logged[0], { msg: 'a radsec file expires soon', file: 'crl' });
  t.throws(
    () => createRadsecMaterial({ ...paths, crl: at('cert') }, { log, clock, onChange() {}, onFailure() {} }),
    /holds no revocation list/,
  );
});
