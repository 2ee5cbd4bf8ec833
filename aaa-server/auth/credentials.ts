// The stored secrets of subscribers as the methods ask for them: the password itself, its NT hash, or whether an offered one is right.
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';
import { ntHash } from '../wire/mschap.ts';
import { decodeDigest, matchesDigest } from './digests.ts';
import { findCredential } from './find-credential.ts';
import type { Passwords } from './passwords.ts';
import { type Dropped, dropped } from './proof.ts';
import type { Proven } from './proven.ts';
import { sameOctets } from './same-octets.ts';
import type { SlowHashes, SlowResult, SlowScheme } from './slow-hashes.ts';

/** unsuitable: what is stored cannot serve the method; unreadable: our fault, so the access server tries another server. */
export type Unusable = 'unsuitable' | 'unreadable';
export type Checked = SlowResult;

export type Credentials = {
  find(tenantId: number, userName: string): CredentialRecord | undefined;
  /** The password; of nobody a stand-in that no password equals. */
  clearOf(credential: CredentialRecord | undefined): Buffer | Unusable;
  /** The NT hash of the password; of nobody one that no password has. */
  ntHashOf(credential: CredentialRecord | undefined): Buffer | Unusable;
  /**
   * Whether `offered` is the password. What was proven before is neither decrypted nor hashed again. For nobody it takes as long as for the
   * tenant's subscriber whose slow hash was computed last. A promise only for a slow hash: `offered` is copied for it. `userName`: as it
   * was asked for.
   */
  check(
    tenantId: number,
    credential: CredentialRecord | undefined,
    offered: Buffer,
    userName: string,
  ): Checked | Promise<Checked>;
};

export type CredentialsDeps = {
  readonly snapshot: Pick<SnapshotReader, 'credential'>;
  readonly passwords: Passwords;
  readonly proven: Proven;
  readonly slowHashes: SlowHashes;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
};

/** Longer than a User-Password can be, so it never equals one. */
const noPassword: Buffer = Buffer.alloc(129, 0x78);
const noHash = ntHash(noPassword);
const mostDecoys = 1000;

type Decoy = { readonly scheme: SlowScheme; readonly stored: Buffer };

export function createCredentials({ snapshot, passwords, proven, slowHashes, warn }: CredentialsDeps): Credentials {
  /** The last slow secret of each tenant: nobody's password is compared with it. */
  const decoys = new Map<number, Decoy>();

  function secretOf(credential: CredentialRecord): Buffer | undefined {
    try {
      return passwords.of(credential);
    } catch (error) {
      warn('stored password cannot be decrypted', { tenantId: credential.tenantId, err: error });
      return undefined;
    }
  }

  async function checkSlowly(
    credential: CredentialRecord,
    decoy: Decoy,
    offered: Buffer,
    userName: string,
  ): Promise<Checked> {
    const { tenantId } = credential;
    const kept = Buffer.from(offered);
    const asker = { tenantId, userName, known: true };
    const onRight = () => proven.remember(credential, kept);
    const checked = await slowHashes.check(asker, decoy.scheme, decoy.stored, kept, onRight);
    if (checked === 'right' || checked === 'wrong') {
      if (decoys.size >= mostDecoys && !decoys.has(tenantId)) decoys.clear();
      decoys.set(tenantId, decoy);
    }
    return checked;
  }

  async function checkNobody(
    tenantId: number,
    { scheme, stored }: Decoy,
    offered: Buffer,
    userName: string,
  ): Promise<Checked> {
    const checked = await slowHashes.check({ tenantId, userName, known: false }, scheme, stored, Buffer.from(offered));
    return checked === 'right' ? 'wrong' : checked;
  }

  return {
    find: (tenantId, userName) => findCredential(snapshot, tenantId, userName),
    clearOf(credential) {
      if (!credential) return noPassword;
      return credential.scheme === 'clear' ? (secretOf(credential) ?? 'unreadable') : 'unsuitable';
    },
    ntHashOf(credential) {
      if (!credential) return noHash;
      if (credential.scheme !== 'clear' && credential.scheme !== 'nt') return 'unsuitable';
      const secret = secretOf(credential);
      if (!secret) return 'unreadable';
      return credential.scheme === 'clear' ? ntHash(secret) : (decodeDigest('nt', secret)?.digest ?? 'unreadable');
    },
    check(tenantId, credential, offered, userName) {
      if (!credential) {
        const decoy = decoys.get(tenantId);
        if (decoy) return checkNobody(tenantId, decoy, offered, userName);
        // Compared all the same: it takes as long.
        sameOctets(offered, noPassword);
        return 'wrong';
      }
      const { scheme } = credential;
      if (scheme === 'none') return 'wrong';
      if (proven.has(credential, offered)) return 'right';
      const stored = secretOf(credential);
      if (!stored) return 'unreadable';
      if (scheme === 'crypt' || scheme === 'argon2')
        return checkSlowly(credential, { scheme, stored }, offered, userName);
      const matches = scheme === 'clear' ? sameOctets(offered, stored) : matchesDigest(scheme, stored, offered);
      if (matches) proven.remember(credential, offered);
      return matches === undefined ? 'unreadable' : matches ? 'right' : 'wrong';
    },
  };
}

/** What becomes of a login whose password could be neither confirmed nor refuted. */
export function unchecked(result: 'busy' | 'unavailable' | 'unreadable'): Dropped {
  switch (result) {
    case 'busy':
      return dropped('password_hash_busy');
    case 'unavailable':
      return dropped('password_scheme_unavailable');
    case 'unreadable':
      return dropped('stored_password_unreadable');
    default:
      return result satisfies never;
  }
}
