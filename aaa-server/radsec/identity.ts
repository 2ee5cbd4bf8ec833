// Which access servers a certificate stands for (RFC 6614 §2.3): by its fingerprint, else a DNS name in it, else its common name.
import type { X509Certificate } from 'node:crypto';
import { radsecIdentity } from '#policy/nas/radsec-identity.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { ClientTrust } from '../radius/trust.ts';
import type { NasRecord } from '../subscribers/records.ts';
import { createSecret } from '../wire/md5.ts';

/** The identities a certificate could be known by, the most exact kind first; within one kind all count alike. */
export type CertificateNames = readonly (readonly string[])[];

export type IdentityTable = {
  /** Those that hold the certificate; several when they share it. Empty when nobody does, or when its names belong to different ones. */
  clientsOf(names: CertificateNames): readonly NasClient[];
  /** The one with that record. */
  withId(nasId: number): NasClient | undefined;
};

/** The shared secret of every packet inside TLS (RFC 6614 §2.3). */
export const radsecSecret = createSecret(Buffer.from('radsec'));

/** Who holds the certificate made the packet: nothing of it has to prove that, and nothing is learned. */
const provenByTls: ClientTrust = {
  requiresMessageAuthenticator: () => false,
  limitsProxyState: () => false,
  proved() {},
  loggedIn() {},
};

export function namesOf(certificate: X509Certificate): CertificateNames {
  // Node quotes an alternative name that holds a comma or a quote: such a name is no host name and stands for nobody.
  const dns = (certificate.subjectAltName ?? '').split(', ').flatMap((name) => /^DNS:([^"]+)$/.exec(name)?.[1] ?? []);
  const common: unknown = certificate.toLegacyObject().subject?.CN;
  const kept = (kind: string, values: readonly string[]) =>
    values.flatMap((value) => radsecIdentity(`${kind}:${value}`) ?? []);
  return [
    kept('sha256', [certificate.fingerprint256]),
    kept('dns', dns),
    // Of several common names none is the one.
    kept('cn', typeof common === 'string' ? [common] : []),
  ];
}

export function createIdentityTable(records: readonly NasRecord[]): IdentityTable {
  const holders = new Map<string, NasRecord[]>();
  for (const record of records) {
    if (!record.radsecIdentity) continue;
    holders.set(record.radsecIdentity, [...(holders.get(record.radsecIdentity) ?? []), record]);
  }
  const clients = new Map(
    [...holders].map(([identity, sharing]) => [
      identity,
      sharing.map(
        (record): NasClient => ({
          record,
          secrets: [radsecSecret],
          several: sharing.length > 1,
          lastVerified: 0,
          trust: provenByTls,
          secured: true,
        }),
      ),
    ]),
  );
  return {
    withId: (nasId) => [...clients.values()].flat().find(({ record }) => record.id === nasId),
    clientsOf(names) {
      // One certificate under names of several tenants belongs to none of them: whoever adds a name later takes nobody over.
      const tenants = new Set(
        names
          .flat()
          .flatMap((name) => clients.get(name) ?? [])
          .map(({ record }) => record.tenantId),
      );
      if (tenants.size > 1) return [];
      for (const sameKind of names) {
        const known = [...new Set(sameKind)].flatMap((identity) => clients.get(identity) ?? []);
        if (known.length === 0) continue;
        return new Set(known.map(({ record }) => record.radsecIdentity)).size === 1 ? known : [];
      }
      return [];
    },
  };
}
