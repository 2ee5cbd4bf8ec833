// The sockets that a supervisor opened for a process and keeps open while processes come and go: which descriptor is what.
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { Environment } from './settings.ts';

const HandedSocket = Type.Object({
  /** In the process that is given it. */
  fd: Type.Integer({ minimum: 3 }),
  /** What listens there, e.g. radius-auth. */
  name: Type.String(),
  address: Type.String(),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  /** Several sockets share an address and port; those of one set are read by one thread. */
  set: Type.Integer({ minimum: 0 }),
});

export type HandedSocket = Static<typeof HandedSocket>;

/** Not a setting: the supervisor tells it to the process that it starts. */
export const handedSocketsVariable = 'LASTMILE_SOCKETS';

/** @throws when the supervisor told something that cannot be read. */
export function handedSockets(environment: Environment): readonly HandedSocket[] {
  const text = environment[handedSocketsVariable];
  if (text === undefined) return [];
  const sockets: unknown = JSON.parse(text);
  if (!Value.Check(Type.Array(HandedSocket), sockets)) throw new Error(`${handedSocketsVariable} cannot be read`);
  return sockets;
}

export type Listening = { readonly name: string; readonly addresses: readonly string[]; readonly port: number };

/**
 * The descriptors that thread `worker` of `workers` reads, one list for each set, in the order of the addresses. Nobody is left with a set
 * that no thread reads: with fewer threads than before each reads several. Empty: nothing was handed over, or not for these addresses.
 */
export function setsOf(
  sockets: readonly HandedSocket[],
  { name, addresses, port }: Listening,
  worker: number,
  workers: number,
): number[][] {
  const own = sockets.filter((socket) => socket.name === name && socket.port === port);
  const sets = [...new Set(own.map(({ set }) => set))].sort((a, b) => a - b);
  return sets
    .filter((_, index) => index % workers === worker)
    .map((set) =>
      addresses
        .flatMap((address) => own.filter((one) => one.set === set && one.address === address))
        .map(({ fd }) => fd),
    )
    .filter((descriptors) => descriptors.length === addresses.length);
}
