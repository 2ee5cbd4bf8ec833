// The mirror of decided profiles follows the streams in Redis and heals after what it missed; and the records keep every value.
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import t from 'tap';
import {
  credentialNames,
  decodeCredential,
  decodeProfileRecord,
  decodeSubscription,
  decodeVersioned,
  encodeCredential,
  encodeProfileRecord,
  encodeSubscription,
  encodeVersioned,
} from '#aaa-server/subscribers/encoding.ts';
import { openNodeForWriting } from '#aaa-server/subscribers/environment.ts';
import { credentialKey } from '#aaa-server/subscribers/keys.ts';
import { createMirror } from '#aaa-server/subscribers/mirror.ts';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { passwordSchemes } from '#policy/credentials/password-scheme.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import {
  type DecidedProfile,
  decodeProfile,
  encodeProfile,
  profileFields,
  profileOfFields,
} from '#policy/ledger/profile.ts';
import { redisForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { temporaryFolder } from './harness.ts';

t.setTimeout(120_000);

/** fast-check makes objects without a prototype otherwise. */
const plain: typeof fc.record = (model: object) => fc.record(model as never, { noNullPrototype: true }) as never;
const count = fc.integer({ min: 1, max: 2 ** 50 });
const instant = fc.integer({ min: 0, max: 4_000_000_000_000 });
const bps = fc.integer({ min: 1, max: 1_000_000_000_000 });
const speed = plain({ upBps: bps, downBps: bps });
const text = fc.string({ unit: 'binary', maxLength: 60 });

t.test('a record comes back from its bytes as it was', async () => {
  const subscription = plain({
    tenantId: count,
    id: count,
    customerId: count,
    planId: count,
    customerStatus: fc.constantFrom('lead', 'new', 'active', 'blocked', 'disabled'),
    status: fc.constantFrom('pending', 'active', 'paused', 'disabled', 'terminated'),
    holds: fc.array(
      plain({
        reason: fc.constantFrom('non_payment', 'fraud', 'abuse', 'customer_request', 'admin'),
        sinceMs: instant,
        untilMs: fc.option(instant),
      }),
      { maxLength: 5 },
    ),
    paidUntilMs: fc.option(instant),
    paidUntilSetAtMs: instant,
    anchorDay: fc.integer({ min: 1, max: 31 }),
    meter: fc.constantFrom('radius', 'flow'),
    meterSinceMs: fc.option(instant),
    addresses: fc.array(
      plain({ kind: fc.constantFrom('ipv4', 'framed_route', 'ipv6_prefix', 'delegated_prefix'), prefix: text }),
      { maxLength: 4 },
    ),
  } as const);
  const attribute = plain({
    vendor: fc.constantFrom(0, 9, 14988),
    type: fc.integer({ min: 1, max: 255 }),
    value: fc.uint8Array({ maxLength: 90 }).map((octets) => Buffer.from(octets)),
  });
  const attributes = fc.array(attribute, { minLength: 1, maxLength: 16 });
  // A ciphertext begins with the version of its layout.
  const cipher = fc.uint8Array({ maxLength: 90 }).map((octets) => Buffer.of(1, ...octets));
  const scheme = fc.constantFrom(...passwordSchemes);
  const names = fc.array(plain({ realm: text, userName: text }), { maxLength: 4 });
  const lent = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(40, 0xee)]);
  fc.assert(
    fc.property(subscription, fc.option(attributes), names, (plainRecord, added, credentials) => {
      const record = added ? { ...plainRecord, attributes: added } : plainRecord;
      const bytes = lent(encodeSubscription(record, credentials));
      deepStrictEqual(decodeSubscription(record.tenantId, record.id, bytes), record);
      deepStrictEqual(credentialNames(bytes), credentials);
    }),
  );
  fc.assert(
    fc.property(count, text, text, count, cipher, scheme, (tenantId, realm, userName, id, passwordCipher, scheme) => {
      const record = { tenantId, realm, userName, subscriptionId: id, passwordCipher, scheme };
      const bytes = encodeCredential(record);
      deepStrictEqual(decodeCredential(tenantId, realm, userName, lent(bytes), bytes.length), record);
    }),
  );
  const profile = plain({
    tenantId: count,
    subscriptionId: count,
    fupSpeed: fc.option(speed),
    fupBlocked: fc.boolean(),
    fupUntilMs: fc.option(instant),
    heldOutcome: fc.option(fc.constantFrom('reject:expired', 'accept:1/2', 'throttle:1/2:fup')),
    decidedAtMs: instant,
  });
  fc.assert(
    fc.property(profile, (record) => {
      deepStrictEqual(decodeProfileRecord(record.tenantId, record.subscriptionId, encodeProfileRecord(record)), record);
      deepStrictEqual(decodeProfile(encodeProfile(record)), record);
      deepStrictEqual(profileOfFields(profileFields(record)), record);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (garbage) => {
      deepStrictEqual(decodeProfile(garbage), undefined);
    }),
  );
  const versioned = {
    name: 'edge',
    secretCiphers: [Buffer.from('ab'), Buffer.alloc(0)],
    address: null,
    rules: [{ a: 1 }],
  };
  const bytes = encodeVersioned(7, versioned);
  deepStrictEqual(decodeVersioned(lent(bytes), bytes.length), versioned);
  const texts = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !value.includes('\0'));
  fc.assert(
    fc.property(texts, texts, texts, texts, (realm, user, otherRealm, otherUser) => {
      const same = credentialKey(1, realm, user).equals(credentialKey(1, otherRealm, otherUser));
      deepStrictEqual(same, realm === otherRealm && user === otherUser);
    }),
  );
});

t.test('decided profiles reach the mirror, also those that were trimmed or lie in an older Redis', async (t) => {
  const server = await redisForTest(t);
  const redis = new Redis(server.url);
  redis.on('error', () => {});
  t.teardown(() => redis.disconnect());
  const folder = temporaryFolder(t);
  const decide = async (profile: DecidedProfile, options: { keep?: number } = {}) => {
    const { tenantId, subscriptionId } = profile;
    const partition = partitionOf(tenantId, subscriptionId);
    await redis.hset(keys.lastProfiles(partition, tenantId), subscriptionId, encodeProfile(profile));
    await redis.xadd(keys.profile(partition), 'MAXLEN', options.keep ?? 1000, '*', ...profileFields(profile));
    return partition;
  };
  const throttled = (subscriptionId: number, bpsBoth: number): DecidedProfile => ({
    tenantId: 3,
    subscriptionId,
    fupSpeed: { upBps: bpsBoth, downBps: bpsBoth },
    fupBlocked: false,
    fupUntilMs: 5000,
    heldOutcome: null,
    decidedAtMs: 1000,
  });
  const said: object[] = [];
  const log = createLogger('test', 'silent');
  log.info = ((fields: object) => said.push(fields)) as typeof log.info;
  const emptyNode = openNodeForWriting(temporaryFolder(t));
  t.teardown(() => emptyNode.close());
  const ofNothing = createMirror({ redis, node: emptyNode, tenants: () => [3], clock: systemClock, log });
  ofNothing.start();
  await until(() => ofNothing.ageMs() < 60_000, 'the mirror of nothing is in step');
  await ofNothing.stop();
  t.strictSame(said, [], 'a node that starts with nothing says nothing');
  await decide(throttled(1, 100));

  const node = openNodeForWriting(folder);
  t.teardown(() => node.close());
  const reader = openSnapshotReader({ path: folder });
  t.teardown(() => reader.close());
  const start = () => {
    const mirror = createMirror({
      redis,
      node,
      tenants: () => [3],
      clock: systemClock,
      log,
    });
    mirror.start();
    t.teardown(() => mirror.stop());
    return mirror;
  };
  const shows = (subscriptionId: number, bpsBoth: number) =>
    until(
      () => reader.profile(3, subscriptionId)?.fupSpeed?.upBps === bpsBoth,
      `subscription ${subscriptionId} has ${bpsBoth}`,
      2000,
    );

  const first = start();
  await shows(1, 100);
  await until(() => reader.mirrorState().inStepAtMs > 0, 'it is in step');
  const partition = await decide(throttled(1, 200));
  first.poke(partition);
  await shows(1, 200);
  t.ok(first.ageMs() < 1000);
  await first.stop();

  // While nobody reads: two decisions of which the stream keeps only the last one, of another subscription.
  const neighbour = [...Array(5000).keys()].find((id) => id > 1 && partitionOf(3, id) === partition)!;
  await decide(throttled(1, 300));
  await decide(throttled(neighbour, 400), { keep: 1 });
  const second = start();
  await shows(neighbour, 400);
  await shows(1, 300);
  t.match(
    said,
    [
      { gaps: 0, profiles: 1 },
      { partitions: 1, gaps: 1, profiles: 2 },
    ],
    'what was read again is told in one line for all partitions',
  );

  // Away: what is known stays, and the age grows.
  await server.kill9();
  await until(() => second.ageMs() > 600, 'the mirror knows that it is getting old');
  t.equal(reader.profile(3, 1)?.fupSpeed?.upBps, 300);

  // An older Redis: the streams went back, the last profiles with them.
  await server.start();
  await redis.flushall();
  await decide(throttled(1, 500));
  await shows(1, 500);
  await until(() => second.ageMs() < 500, 'in step again');
});
