// Finds the NAS a packet comes from: longest prefix of the source address, then NAS-Identifier where several share one.
import { messageOf } from '#ops/runtime/errors.ts';
import { type IpPrefix, maskTo, parseAddress, parsePrefix } from '#ops/runtime/ip.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { LoginDecision } from '../radius/login.ts';
import { type ClientTrust, createTrust, type Trust } from '../radius/trust.ts';
import type { NasRecord } from '../subscribers/records.ts';
import { createSecret, type Secret } from '../wire/md5.ts';

export type NasClient = {
  readonly record: NasRecord;
  /** Current, then next while rotating; never empty. */
  readonly secrets: readonly Secret[];
  /** Several devices stand behind this record: it is a prefix or shares its address with another. */
  readonly several: boolean;
  readonly trust: ClientTrust;
  /** Index of the secret that verified last: what signs a reply when the request itself proves none. */
  lastVerified: number;
  /** Its packets come through TLS with a certificate of its own. */
  readonly secured?: true;
  /** It stands in for the access server in a login that an operator tries: nothing is taken of the network. */
  readonly test?: { decided(decision: LoginDecision, durationUs: number): void };
};

export type NasTable = {
  /** `identifier` is asked only where several records share the address. */
  find(address: string, identifier: () => string | undefined): NasClient | undefined;
  /** The one of that record. */
  of(nasId: number): NasClient | undefined;
  /** Records that cannot be used, one sentence each. */
  readonly problems: readonly string[];
};

type Level = { readonly length: number; readonly clients: ReadonlyMap<bigint, readonly NasClient[]> };

const maxRemembered = 10_000;

/** Nothing is learned: `auto` demands what it cannot know. */
const withoutLearning = createTrust({ windowMs: 0, nowMs: () => 0, onLearned: () => {} });

export function createNasTable(
  records: readonly NasRecord[],
  keyring: Keyring,
  trust: Pick<Trust, 'of'> = withoutLearning,
): NasTable {
  const problems: string[] = [];
  const groups = new Map<string, { prefix: IpPrefix; records: NasRecord[] }>();
  for (const record of records) {
    const prefix = parsePrefix(record.address);
    if (!prefix) {
      problems.push(`NAS ${record.id} (${record.name}): ${record.address} is not an address or prefix`);
      continue;
    }
    const key = `${prefix.bits}/${prefix.length}/${prefix.value}`;
    const group = groups.get(key) ?? { prefix, records: [] };
    group.records.push(record);
    groups.set(key, group);
  }

  const byId = new Map<number, NasClient>();
  const levels = { 32: new Map<number, Map<bigint, NasClient[]>>(), 128: new Map<number, Map<bigint, NasClient[]>>() };
  for (const { prefix, records } of groups.values()) {
    const clients = records.flatMap((record) => {
      const secrets = secretsOf(record, keyring, problems);
      const isPrefix = prefix.length < prefix.bits;
      const several = records.length > 1 || isPrefix;
      if (secrets.length === 0) return [];
      return [{ record, secrets, several, trust: trust.of(record, isPrefix), lastVerified: 0 }];
    });
    if (clients.length === 0) continue;
    for (const client of clients) byId.set(client.record.id, client);
    const level = levels[prefix.bits].get(prefix.length) ?? new Map<bigint, NasClient[]>();
    level.set(prefix.value, clients);
    levels[prefix.bits].set(prefix.length, level);
  }
  const ordered = { 32: longestFirst(levels[32]), 128: longestFirst(levels[128]) };
  // Only sources that match are remembered, so strangers cannot fill it.
  const remembered = new Map<string, readonly NasClient[]>();

  function candidates(address: string): readonly NasClient[] {
    const known = remembered.get(address);
    if (known) return known;
    const parsed = parseAddress(address);
    if (!parsed) return [];
    for (const { length, clients } of ordered[parsed.bits]) {
      const found = clients.get(maskTo(parsed, length));
      if (!found) continue;
      if (remembered.size >= maxRemembered) remembered.clear();
      remembered.set(address, found);
      return found;
    }
    return [];
  }

  return {
    problems,
    find(address, identifier) {
      return deviceOf(candidates(address), identifier);
    },
    of: (nasId) => byId.get(nasId),
  };
}

/** Which of those that share an address or certificate: the one of that NAS-Identifier, else the one that has none. */
export function deviceOf(clients: readonly NasClient[], identifier: () => string | undefined): NasClient | undefined {
  if (clients.length <= 1) return clients[0];
  const named = identifier();
  return (
    clients.find(({ record }) => record.identifier !== null && record.identifier === named) ??
    clients.find(({ record }) => record.identifier === null)
  );
}

function longestFirst(levels: ReadonlyMap<number, ReadonlyMap<bigint, readonly NasClient[]>>): Level[] {
  return [...levels].map(([length, clients]) => ({ length, clients })).sort((a, b) => b.length - a.length);
}

function secretsOf(record: NasRecord, keyring: Keyring, problems: string[]): Secret[] {
  return record.secretCiphers.flatMap((cipher) => {
    try {
      return [createSecret(keyring.decrypt('nas', `${record.tenantId}:${record.address}`, cipher))];
    } catch (error) {
      problems.push(`NAS ${record.id} (${record.name}): its secret cannot be used: ${messageOf(error)}`);
      return [];
    }
  });
}
