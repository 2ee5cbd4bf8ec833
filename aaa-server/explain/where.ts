// Which access server a question is about, as a packet from there would be matched, and by which rule.
import { parseAddress, parsePrefix } from '#ops/runtime/ip.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { createNasTable, type NasClient, type NasTable } from '../auth/nas-table.ts';
import type { Trust } from '../radius/trust.ts';
import type { NasRecord, SnapshotReader } from '../subscribers/records.ts';

export type NasFound = {
  readonly client: NasClient;
  readonly foundBy: 'id' | 'address' | 'prefix' | 'identifier' | 'name' | 'only_one';
  readonly rule: string;
};
/** unknown: none of the tenant's; needed: the tenant has several and the question names none; ambiguous: several have that name. */
export type NasLookup = NasFound | { readonly problem: 'nas_unknown' | 'nas_needed' | 'nas_ambiguous' };

export type NasFinder = (tenantId: number, named: string | undefined, identifier: string | undefined) => NasLookup;

/** The table is made anew when an access server changed. */
export function createNasFinder(
  snapshot: Pick<SnapshotReader, 'nasList' | 'nasGeneration'>,
  keyring: Keyring,
  trust?: Pick<Trust, 'of'>,
): NasFinder {
  let generation = Number.NaN;
  let records: readonly NasRecord[] = [];
  let table = createNasTable([], keyring, trust);
  return (tenantId, named, identifier) => {
    const now = snapshot.nasGeneration();
    if (now !== generation) {
      generation = now;
      records = snapshot.nasList();
      table = createNasTable(records, keyring, trust);
    }
    return findNas(table, records, tenantId, named, identifier);
  };
}

/** An access server of another tenant is as good as none: whoever asks learns nothing of it. */
function findNas(
  table: NasTable,
  records: readonly NasRecord[],
  tenantId: number,
  named: string | undefined,
  identifier: string | undefined,
): NasLookup {
  const own = records.filter((record) => record.tenantId === tenantId);
  const found = (record: NasRecord | undefined, foundBy: NasFound['foundBy'], rule: string): NasLookup => {
    const client = record && table.of(record.id);
    return client ? { client, foundBy, rule } : { problem: 'nas_unknown' };
  };
  if (named === undefined) {
    if (own.length > 1) return { problem: 'nas_needed' };
    return found(own[0], 'only_one', 'the only access server of the tenant');
  }
  const byId = own.find(({ id }) => String(id) === named);
  if (byId) return found(byId, 'id', `named by its id ${named}`);
  if (parseAddress(named)) {
    const record = table.find(named, () => identifier)?.record;
    if (record?.tenantId !== tenantId) return { problem: 'nas_unknown' };
    return found(record, ...addressRule(record, named, own));
  }
  for (const [foundBy, text] of [
    ['identifier', (record: NasRecord) => record.identifier],
    ['name', (record: NasRecord) => record.name],
  ] as const) {
    const fits = own.filter((record) => text(record) === named);
    if (fits.length > 1) return { problem: 'nas_ambiguous' };
    if (fits.length === 1) return found(fits[0], foundBy, `its ${foundBy} is ${named}`);
  }
  return { problem: 'nas_unknown' };
}

function addressRule(
  { address, identifier }: NasRecord,
  source: string,
  own: readonly NasRecord[],
): [NasFound['foundBy'], string] {
  const prefix = parsePrefix(address);
  const single = prefix?.length === prefix?.bits;
  const place = single ? `the source address ${source}` : `the longest prefix around ${source} is ${address}`;
  const shared = own.filter((other) => other.address === address).length > 1;
  if (!shared) return [single ? 'address' : 'prefix', place];
  const which = identifier === null ? 'the one without a NAS-Identifier' : `NAS-Identifier ${identifier}`;
  return ['identifier', `${place}, of several there ${which}`];
}
