// What is asked again of a password that was proven before: nothing, until what is stored is another.
import t from 'tap';
import { createCredentials } from '#aaa-server/auth/credentials.ts';
import { createProven, createProvenPlaces } from '#aaa-server/auth/proven.ts';
import type { SlowResult } from '#aaa-server/auth/slow-hashes.ts';
import type { CredentialRecord } from '#aaa-server/subscribers/records.ts';

function setUp(scheme: CredentialRecord['scheme']) {
  const asked = { decryptions: 0, slow: 0, answer: 'right' as SlowResult };
  const credentials = createCredentials({
    snapshot: { credential: () => undefined },
    passwords: {
      // A ciphertext is the password backwards.
      of: ({ passwordCipher }) => {
        asked.decryptions++;
        return Buffer.from(passwordCipher).reverse();
      },
    },
    proven: createProven(createProvenPlaces()),
    slowHashes: {
      waiting: () => 0,
      check: async (_asker, _scheme, _stored, _offered, onRight) => {
        asked.slow++;
        if (asked.answer === 'right') onRight?.();
        return asked.answer;
      },
    },
    warn: () => {},
  });
  const alice: CredentialRecord = {
    tenantId: 1,
    realm: '',
    userName: 'alice',
    subscriptionId: 1,
    scheme,
    passwordCipher: Buffer.from('dnalrednow'),
  };
  const check = (credential: CredentialRecord, offered: string) =>
    credentials.check(1, credential, Buffer.from(offered), 'alice');
  return { asked, alice, check };
}

t.test('a password in clear is decrypted once; a wrong one each time, a changed one anew', async (t) => {
  const { asked, alice, check } = setUp('clear');
  t.equal(check(alice, 'wonderland'), 'right');
  t.equal(check(alice, 'wonderland'), 'right');
  t.equal(asked.decryptions, 1);
  t.equal(check(alice, 'wunderland'), 'wrong');
  t.equal(check(alice, 'wunderland'), 'wrong');
  t.equal(asked.decryptions, 3);
  const changed = { ...alice, passwordCipher: Buffer.from('ssalg-gnikool') };
  t.equal(check(changed, 'wonderland'), 'wrong', 'at once');
  t.equal(check(changed, 'looking-glass'), 'right');
  t.equal(check({ ...alice, scheme: 'none' }, 'wonderland'), 'wrong', 'without a password none is right');
});

t.test('a slow hash is asked for once, as long as its answer was that it is the password', async (t) => {
  const { asked, alice, check } = setUp('crypt');
  for (const answer of ['busy', 'wrong', 'right'] as const) {
    asked.answer = answer;
    const offered = Buffer.from('wonderland');
    t.equal(await check(alice, String(offered)), answer);
  }
  t.equal(asked.slow, 3);
  t.equal(check(alice, 'wonderland'), 'right', 'at once, without a promise');
  t.equal(asked.slow, 3);
  asked.answer = 'wrong';
  t.equal(await check({ ...alice, passwordCipher: Buffer.from('another') }, 'wonderland'), 'wrong');
  t.equal(await check(alice, 'another'), 'wrong');
});
