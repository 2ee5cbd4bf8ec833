// New logins are kept away from an access server that is drained; what has begun goes on, and so do staff and accounting.
import t from 'tap';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import type { PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createDriven, eap, pap } from './support/driven.ts';
import { nasOf } from './support/isp.ts';

function drained(answer: 'silence' | 'reject', change: Partial<NasRecord> = {}) {
  const driven = createDriven({ refusedAnswer: () => [{ vendor: 0, type: attribute.filterId, value: 'garden' }] });
  driven.isp.setNases([nasOf({ drain: { answer, move: null }, ...change })]);
  return driven;
}

t.test('new logins get no answer, so that another access server is asked', async (t) => {
  const driven = drained('silence');
  t.equal(driven.answer(pap()), 'none');
  t.equal(driven.counted('drops', 'nas_draining'), 1);
  driven.isp.setNases([nasOf()]);
  driven.nowMs += 1000;
  t.equal(driven.answer(pap()), 'accessAccept', 'until the drain is over');
});

t.test('or a reject where the operator wants that, never a garden; EAP stays without an answer', async (t) => {
  const driven = drained('reject');
  t.equal(driven.answer(pap()), 'accessReject');
  t.equal(driven.counted('rejects', 'nas_draining'), 1);
  t.equal(driven.answer(eap({ messageAuthenticator: true })), 'none');
});

t.test('a login that has begun goes on, and staff get in to work on the device', async (t) => {
  const driven = drained('silence');
  driven.isp.addDeviceUser('alice', 'engineer');
  const begun = { extra: (builder: PacketBuilder) => void builder.add(attribute.state, Buffer.from('x')) };
  t.equal(driven.answer(pap(begun)), 'accessAccept');
  const prompt = { extra: (builder: PacketBuilder) => void builder.add(attribute.serviceType, 6) };
  t.equal(driven.answer(pap(prompt, 'engineer')), 'accessAccept');
});
