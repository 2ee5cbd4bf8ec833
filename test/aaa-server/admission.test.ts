// What a handler lets in when more comes than it can answer (RFC 5080 §2.2.3).
import t from 'tap';
import { createEapStates } from '#aaa-server/auth/eap/states.ts';
import { type AdmissionOptions, createAdmission } from '#aaa-server/radius/admission.ts';
import { createThreadLoad } from '#aaa-server/radius/thread-load.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { queuedIn } from '#ops/runtime/udp/receive-queue.ts';
import { createDriven, pap, secret } from './support/driven.ts';
import { keyring } from './support/isp.ts';

const states = createEapStates({ key: keyring.derive('eap-state'), node: 'node', worker: 0 });
/** A State as the handler makes it for an access server, and one that somebody made up. */
const begun = states.encode(states.place(), 1, Number.MAX_SAFE_INTEGER / 64);
const madeUp = Buffer.alloc(begun.length, 7);
const withState = (state: Buffer) => (builder: PacketBuilder) => builder.add(attribute.state, state);

function accounting(identifier: number): Buffer {
  const builder = createPacketBuilder();
  builder.begin(code.accountingRequest, identifier);
  builder.add(attribute.acctStatusType, 1);
  builder.add(attribute.acctSessionId, `session-${identifier}`);
  builder.add(attribute.userName, 'alice');
  builder.finishRequest(secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

/** A thread whose business and backlog the test says. */
function loaded() {
  const load = { busy: 1, bytes: 0, limitBytes: 1_000_000, asked: 0 };
  const options: AdmissionOptions = {
    busy: () => load.busy,
    backlog() {
      load.asked++;
      return { bytes: load.bytes, limitBytes: load.limitBytes };
    },
  };
  return { load, admission: createAdmission(options) };
}

t.test('in a flood logins that go on are all answered, new ones in part, accounting always', async (t) => {
  const { load, admission } = loaded();
  const driven = createDriven({ admission });
  load.bytes = 900_000;
  const answered = { begun: 0, fresh: 0, accounting: 0 };
  const rounds = 2000;
  for (let i = 0; i < rounds; i++) {
    driven.nowMs += 1;
    answered.begun += driven.receive(pap({ extra: withState(begun) })).length;
    answered.fresh += driven.receive(i % 2 === 0 ? pap() : pap({ extra: withState(madeUp) })).length;
    driven.receive(accounting(i & 255), 'acct', { address: '127.0.0.1', port: 1024 + i });
  }
  await driven.handler.drain();
  answered.accounting = driven.sent.splice(0).length;
  t.equal(answered.begun, rounds);
  t.equal(answered.accounting, rounds);
  t.ok(answered.fresh > rounds * 0.05 && answered.fresh < rounds * 0.15, `${answered.fresh} new logins of ${rounds}`);
  t.equal(driven.counted('drops', 'overload'), rounds - answered.fresh, 'and the others are counted');
  t.equal(admission.share(), 0.05, 'never none');

  load.bytes = 0;
  let turnedAway = 0;
  for (let i = 0; i < 1000; i++) {
    driven.nowMs += 1;
    turnedAway += 1 - driven.receive(pap()).length;
  }
  t.equal(admission.share(), 1, 'all again within a second');
  t.ok(turnedAway > 0 && turnedAway < 700, `${turnedAway} on the way there`);
});

t.test('a thread with time to spare is not asked what waits, and one that keeps up turns nobody away', async (t) => {
  const { load, admission } = loaded();
  const driven = createDriven({ admission });
  load.busy = 0.9;
  load.bytes = 900_000;
  for (let i = 0; i < 500; i++) {
    driven.nowMs += 1;
    driven.receive(pap());
  }
  t.equal(load.asked, 0);
  load.busy = 1;
  // Twenty datagrams wait where one is answered each millisecond.
  load.bytes = 20 * 768;
  for (let i = 0; i < 500; i++) {
    driven.nowMs += 1;
    driven.receive(pap());
  }
  t.ok(load.asked > 5);
  t.equal(driven.counted('drops', 'overload'), 0);
  load.bytes = 4000 * 768;
  for (let i = 0; i < 500; i++) driven.nowMs += driven.receive(pap()).length === 1 ? 1 : 0.05;
  const dropped = driven.counted('drops', 'overload');
  t.ok(dropped > 200 && dropped < 300, `of what waits twice as long as it may half is dropped: ${dropped} of 500`);
});

t.test('a buffer full of new logins that are answered in time keeps no room for any that go on', async (t) => {
  const { load, admission } = loaded();
  const driven = createDriven({ admission });
  // Forty wait, ten are answered each millisecond.
  load.limitBytes = 50 * 768;
  load.bytes = 40 * 768;
  const answered = { first: 0, next: 0 };
  for (let i = 0; i < 5000; i++) {
    if (i % 10 === 0) driven.nowMs += 1;
    answered[i < 1000 ? 'first' : 'next'] += driven.receive(pap()).length;
  }
  t.ok(answered.first < 1000, `${answered.first} of the first 1000: they might have gone on`);
  t.ok(answered.next > 3900, `${answered.next} of the next 4000`);
});

t.test('in a flood the repetition of a login that was answered is answered again', async (t) => {
  const { load, admission } = loaded();
  const driven = createDriven({ admission });
  const request = pap();
  t.equal(driven.receive(request).length, 1);
  load.bytes = 900_000;
  for (let i = 0; i < 1000; i++) {
    driven.nowMs += 1;
    driven.receive(pap({ extra: withState(begun) }), 'auth', { address: '127.0.0.1', port: 41_000 });
  }
  t.equal(admission.share(), 0.05);
  for (let i = 0; i < 20; i++) t.equal(driven.receive(request).length, 1);
});

t.test('where the backlog cannot be known everybody is let in', async (t) => {
  const driven = createDriven({ admission: createAdmission({ busy: () => 1, backlog: () => undefined }) });
  for (let i = 0; i < 200; i++) {
    driven.nowMs += 1;
    driven.receive(pap());
  }
  t.equal(driven.counted('replies', 'access_accept'), 200);
});

t.test('the queue of a port is read from the table of the kernel', async (t) => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    '  100: 0100007F:0714 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 1 2 0000 0',
    '  101: 00000000:0714 00000000:0000 07 00000000:00000A00 00:00000000 00000000     0        0 1 2 0000 0',
    '  102: 0100007F:0715 00000000:0000 07 00000000:0000FFFF 00:00000000 00000000     0        0 1 2 0000 0',
    '',
  ].join('\n');
  t.equal(queuedIn(table, 1812), 0xd00);
  t.equal(queuedIn(table, 1813), 0xffff);
  t.equal(queuedIn(table, 1814), 0);
  const real = createThreadLoad({ workers: 2, addresses: ['127.0.0.1'], receiveBufferBytes: 1024, port: () => 9 });
  const busy = real.busy();
  t.ok(busy >= 0 && busy <= 1, `busy ${busy}`);
  t.ok((real.backlog()?.limitBytes ?? 2048) <= 2048);
});
