// Enforcement of an access server behind NAT: what it is told goes over its own connection, and waits while there is none.
import t from 'tap';
import { createRadsecLinks, type RadsecLinks } from '#aaa-server/radsec/links.ts';
import { attribute, firstAttribute, firstVendorAttribute, textAt, vendor } from '#aaa-server/wire/attributes.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, throttled } from '../enforcement/harness.ts';
import { coaAnswer } from './client.ts';

t.test('a crossing is told over RadSec', { skip: missing('redis-server') }, async (t) => {
  // Nothing listens at this port: by UDP nobody would answer.
  const isp = await createIsp(t, 1);
  isp.state.nas = { ...isp.state.nas, radsecIdentity: 'cn:nas', coaOverRadsec: true };
  const asked: Buffer[] = [];
  const links: RadsecLinks = createRadsecLinks(
    (worker, order) => {
      if (order.type !== 'radsec_send') return;
      const request = Buffer.from(order.data);
      asked.push(request);
      const data = coaAnswer(request, request[0] === code.coaRequest ? code.coaAck : code.disconnectAck);
      links.hear(worker, { type: 'radsec_answer', connection: order.connection, data });
    },
    () => t.fail('an answer that nobody waits for'),
  );
  const node = isp.node('a', { links });
  await node.start();

  await isp.open(1);
  await isp.cross(1);
  await until(async () => (await isp.session(1)).cause === 'unsent', 'the access server is unreachable', 15_000);
  t.match(await node.registry.metrics(), /^lastmile_coa_requests_total{kind="coa",result="nas_unreachable"} 1$/m);
  t.not((await isp.session(1)).acked, throttled);

  links.hear(0, { type: 'radsec_connection', connection: 1, nasIds: [1] });
  await isp.open(2);
  await isp.cross(2);
  await until(async () => (await isp.session(2)).acked === throttled, 'the ACK is recorded', 15_000);
  const packet = decodePacket(asked[0]!);
  if (!packet.ok) return t.fail(packet.reason);
  t.equal(packet.code, code.coaRequest);
  t.equal(textAt(packet, firstAttribute(packet, attribute.userName)), 'user2');
  t.equal(textAt(packet, firstVendorAttribute(packet, vendor.mikrotik, 8)), '2M/2M');
  t.ok(packet.messageAuthenticatorAt > 0);
});
