// The sources of RADIUS packets that are no NAS of ours, as aaa-server lists them, and how one of them becomes a NAS.
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { type AaaAdmin, refused } from '../aaa-admin.ts';
import type { Tx } from '../database/connect.ts';
import { Problem } from '../problem.ts';
import type { Compiled } from '../reply-attributes/contract.ts';
import { createNas } from './commands.ts';
import type { NasReply, UnknownNasBody, UnknownNasReply } from './contract.ts';

const counts = { packets: Type.Integer(), overcount: Type.Integer(), lastSeenAtMs: Type.Number() };
const Report = Type.Object({
  data: Type.Array(
    Type.Object({
      address: Type.String(),
      network: Type.String(),
      identifier: Type.Union([Type.String(), Type.Null()]),
      ...counts,
    }),
  ),
  networks: Type.Array(Type.Object({ network: Type.String(), ...counts })),
});
export type UnknownSources = Static<typeof Report>;

export function createUnknownSources(aaa: AaaAdmin): () => Promise<UnknownSources> {
  return async () => {
    const response = await aaa.call('GET', '/unknown-clients');
    if (!response.ok) throw refused(response);
    return Value.Parse(Report, await response.json());
  };
}

export function showUnknown({ data, networks }: UnknownSources): UnknownNasReply {
  const shown = ({ packets, overcount, lastSeenAtMs }: UnknownSources['networks'][number]) => ({
    packets,
    overcount,
    last_seen_at: new Date(lastSeenAtMs).toISOString(),
  });
  return {
    data: data.map((one) => ({
      address: one.address,
      network: one.network,
      nas_identifier: one.identifier,
      ...shown(one),
    })),
    networks: networks.map((one) => ({ network: one.network, ...shown(one) })),
  };
}

/** The address as it is listed. */
export function listedAddress({ data }: UnknownSources, address: string): string {
  const wanted = address.toLowerCase();
  const found = data.find((one) => one.address.toLowerCase() === wanted);
  if (!found) throw new Problem('unknown_client_not_listed', `${address} is not among the unknown sources`);
  return found.address;
}

export function addUnknown(
  tx: Tx,
  keyring: Keyring,
  body: Compiled<UnknownNasBody>,
  listed: string,
): Promise<NasReply> {
  return createNas(tx, keyring, { ...body, name: body.name ?? listed, address: listed });
}
