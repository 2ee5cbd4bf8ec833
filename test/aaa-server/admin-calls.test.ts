// What control-api asks of aaa-server over its admin port, both sides together.
import t from 'tap';
import { adminCalls } from '#aaa-server/admin-calls.ts';
import { loadDictionary } from '#aaa-server/dictionaries/load.ts';
import { createAaaAdmin } from '#control-api/aaa-admin.ts';
import { createFeedGuard } from '#control-api/feed-guard/client.ts';
import { createAttributeDictionary } from '#control-api/reply-attributes/dictionary.ts';
import { createAdminServer } from '#ops/runtime/admin.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { Registry } from '#ops/runtime/metrics.ts';

const keyring = createKeyring(['a secret of the tests only']);
const held = { id: 1, tenantId: 7, kind: 'removals', count: 60, since: new Date(0) };

async function aaaServer(t: { teardown(handler: () => unknown): unknown }): Promise<string> {
  const routes = adminCalls({
    keyring,
    guard: {
      list: () => [held],
      confirm: async (_tenantId: number, count: number) => ({ ok: count === held.count }),
    } as never,
    snapshot: { credential: () => undefined },
    workers: {
      unknownClients: async () => ({ clients: [], networks: [] }),
      testLogin: async () => ({ ok: false, problem: 'nas_unknown' }),
    },
    dictionary: loadDictionary(),
    explain: async () => ({ ok: false, problem: 'nas_unknown' }),
  });
  const server = createAdminServer({ host: '127.0.0.1', port: 0, registry: new Registry(), ready: [], routes });
  await server.start();
  t.teardown(() => server.stop());
  return `http://127.0.0.1:${server.port()}`;
}

t.test('attributes written as text become octets by the dictionaries of aaa-server', async (t) => {
  const dictionary = createAttributeDictionary(createAaaAdmin(await aaaServer(t), keyring));
  t.strictSame(
    await dictionary.encode([
      { name: 'framed-pool', value: 'home' },
      { name: 'Mikrotik-Address-List', value: 'büro' },
      { name: 'Service-Type', value: 'Framed-User' },
      { name: 'Framed-IP-Netmask', value: '255.255.255.0' },
    ]),
    [
      { vendor: 0, type: 88, octets: '686f6d65' },
      { vendor: 14988, type: 19, octets: '62c3bc726f' },
      { vendor: 0, type: 6, octets: '00000002' },
      { vendor: 0, type: 9, octets: 'ffffff00' },
    ],
  );
  t.match(
    await dictionary.encode([
      { name: 'No-Such-Attribute', value: 'x' },
      { name: 'Framed-IP-Address', value: 'somewhere' },
      { name: 'Idle-Timeout', value: '4294967296' },
      { name: 'User-Password', value: 'x' },
    ]),
    [
      { problem: /is in no dictionary/ },
      { problem: /is no value of Framed-IP-Address/ },
      { problem: /is no value of Idle-Timeout/ },
      { problem: /hidden on the wire/ },
    ],
  );
});

t.test('names of attributes become what the edge compares with, and what it cannot carry is said', async (t) => {
  const dictionary = createAttributeDictionary(createAaaAdmin(await aaaServer(t), keyring));
  const names = ['mikrotik-rate-limit', 'Tunnel-Password', 'Framed-Pool', 'No-Such-Attribute', 'Extended-Attribute-1'];
  t.match(await dictionary.describe(names), [
    { name: 'Mikrotik-Rate-Limit', vendor: 14988, type: 8, hiding: 'none', tagged: false },
    { name: 'Tunnel-Password', vendor: 0, type: 69, hiding: 'salted', tagged: true },
    { name: 'Framed-Pool', vendor: 0, type: 88, hiding: 'none', tagged: false },
    { problem: 'is in no dictionary' },
    {},
  ]);
});

t.test('the feed guard is seen and confirmed by its count', async (t) => {
  const guard = createFeedGuard(createAaaAdmin(await aaaServer(t), keyring));
  t.match(await guard.held(), [{ tenantId: 7, kind: 'removals', count: 60 }]);
  t.equal(await guard.confirm(7, 59), false);
  t.equal(await guard.confirm(7, 60), true);
});

t.test('another key is refused, and nobody at home is a problem of its own', async (t) => {
  const url = await aaaServer(t);
  const stranger = createAttributeDictionary(createAaaAdmin(url, createKeyring(['another secret'])));
  await t.rejects(stranger.encode([]), { code: 'aaa_unavailable' });
  const nobody = createAttributeDictionary(createAaaAdmin('http://127.0.0.1:1', keyring));
  await t.rejects(nobody.encode([]), { code: 'aaa_unavailable' });
});
