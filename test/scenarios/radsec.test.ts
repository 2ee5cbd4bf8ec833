// An access server behind NAT on the whole product: known by its certificate, counted, throttled over the connection it opened itself.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { attribute, firstVendorAttribute, textAt, textOf, vendor } from '#aaa-server/wire/attributes.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { testAuthority } from '#test/aaa-server/radsec/certificates.ts';
import { accounting, coaAnswer, pap, radsecClient } from '#test/aaa-server/radsec/client.ts';
import { missing } from '#test/support/peers.ts';
import { freePorts, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';

type Enforcement = { sessions: { session_id: string; desired: string; acked: string }[] };

function packetOf(data: Buffer): Packet {
  const packet = decodePacket(data);
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

t.setTimeout(240_000);

t.test('RadSec on the whole product', { timeout: 240_000, skip: missing('openssl') }, async (t) => {
  const authority = testAuthority(t);
  const tower = authority.nas('tower');
  const { ca } = authority.material();
  const [port = 0] = await freePorts(1);
  const stack = await startStack(t, {
    RADSEC_PORT: String(port),
    RADSEC_CERT: authority.server.certFile,
    RADSEC_KEY: authority.server.keyFile,
    RADSEC_CA: authority.caFile,
    RADSEC_CRL: authority.crlFile,
  });
  await stack.seed(10);
  const metric = async (line: RegExp) => {
    const text = await (await fetch(`${stack.aaaAdminUrl}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((found) => line.test(found))
        ?.split(' ')
        .at(-1),
    );
  };
  const unknown = await radsecClient(t, { port, ca, ...tower });
  await until(unknown.closed, 'a certificate without an access server is refused');
  await stack.api('POST', '/nas', {
    ...{ name: 'tower', address: '100::7', secret: 'not used inside TLS', vendor: 'mikrotik' },
    ...{ radsec_identity: 'cn:tower', coa_over_radsec: true },
  });
  const nas = await until(
    async () => {
      const client = await radsecClient(t, { port, ca, ...tower });
      client.send(pap('user0', 'pass123'));
      return (await client.packet(1).catch(() => undefined)) && client;
    },
    'the record is known at the edge',
    60_000,
  );
  const accept = packetOf(nas.received[0]!);
  t.equal(accept.code, code.accessAccept);
  t.equal(textAt(accept, firstVendorAttribute(accept, vendor.mikrotik, 8)), '5M/20M');

  const say = (identifier: number, status: number, gigawords: number) =>
    nas.send(
      accounting('user0', 'over-tls', status, {
        identifier,
        add(builder) {
          builder.add(attribute.acctSessionTime, 60);
          builder.add(attribute.acctOutputOctets, 0);
          builder.add(attribute.acctOutputGigawords, gigawords);
        },
      }),
    );
  say(2, 1, 0);
  t.equal((await nas.packet(2))[0], code.accountingResponse);
  say(3, 3, 3);
  const acknowledged = new Set<Buffer>();
  /** Says yes to every CoA, and gives the rates they named: a session that showed no Class may be told its full speed first. */
  const rates = () => {
    const requests = nas.received.filter((request) => request[0] === code.coaRequest);
    for (const request of requests) if (!acknowledged.has(request)) nas.send(coaAnswer(request, code.coaAck));
    for (const request of requests) acknowledged.add(request);
    return requests.map(packetOf).map((coa) => {
      t.equal(textOf(coa, attribute.acctSessionId), 'over-tls');
      return textAt(coa, firstVendorAttribute(coa, vendor.mikrotik, 8));
    });
  };
  await until(() => rates().includes('2M/2M'), 'the CoA came here', 20_000);
  const { data } = (await stack.api('GET', '/subscriptions?search=user0')) as { data: { id: number }[] };
  await until(
    async () => {
      const state = (await stack.api('GET', `/subscriptions/${data[0]?.id}/enforcement`)) as Enforcement;
      return state.sessions.some(({ session_id, acked }) => session_id === 'over-tls' && acked.startsWith('throttle'));
    },
    'its ACK is recorded',
    20_000,
  );
  t.equal(await metric(/^lastmile_nas_radsec_connections\{.*name="tower"/), 1);
  t.ok((await metric(/^lastmile_radsec_certificate_expires_seconds\{.*file="crl"/)) > Date.now() / 1000);

  authority.revoke('tower');
  await until(nas.closed, 'the list was read again: the certificate is taken back', 30_000);
  const again = await radsecClient(t, { port, ca, ...tower });
  await until(again.closed, 'and refused');
  t.ok((await metric(/^lastmile_radsec_refused_total\{reason="certificate_revoked"/)) >= 1);
  writeFileSync(path.join(authority.folder, 'server.pem'), 'rubbish');
  await until(() => metric(/^lastmile_radsec_reload_failures_total/), 'what cannot be used is counted', 30_000);
});
