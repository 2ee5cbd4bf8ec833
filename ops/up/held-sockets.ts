// The sockets of the processes, held by the supervisor: they stay open while processes come and go, and what arrives meanwhile waits in the kernel.
import { isIPv6 } from 'node:net';
import type { HandedSocket } from '#ops/runtime/handed-sockets.ts';
import { loadCalls } from '#ops/runtime/udp/mmsg/calls.ts';
import {
  bindSocket,
  growReceiveBuffer,
  makeSocket,
  type SocketWish as Step,
} from '#ops/runtime/udp/mmsg/socket-steps.ts';
import { assertPortFree } from '#ops/runtime/udp.ts';
import { isFree } from '../stores/embedded/ports.ts';

/** One listening place of a process. */
export type SocketWish = {
  readonly name: string;
  readonly kind: 'datagrams' | 'streams';
  readonly addresses: readonly string[];
  readonly port: number;
  /** So many threads read it. */
  readonly sets: number;
};

export type PreparedSockets = {
  /** `fd`: in this process. Those that are new are not bound yet: nobody sends to them before somebody is about to read them. */
  readonly sockets: readonly HandedSocket[];
  /** Binds those of the new ones that share their port with none that is held. Throws with the reason. */
  bind(): Promise<void>;
  /**
   * Binds the others too. The kernel spreads what arrives over all sockets of a port at once: not before whoever reads the held ones has
   * ended, for what falls into these waits from now on. Throws with the reason.
   */
  share(): void;
  /** From now on these are held, and no others. */
  keep(): void;
  /** Closes the new ones: everything stays as it was. */
  discard(): void;
  /** Goes back to the former ones after the new ones were bound; those that share a port stay with them, for what waits in them. */
  retreat(): readonly HandedSocket[];
};

export type HeldSockets = {
  /** The sockets for these wishes, those that are held already among them. */
  prepare(wishes: readonly SocketWish[]): Promise<PreparedSockets>;
  close(): void;
};

type Held = { readonly socket: HandedSocket; readonly step: Step };

/** The process that reads them may set another size. */
const receiveBufferBytes = 8 * 1024 * 1024;

/** Without batched system calls (another system than Linux, koffi missing) nothing is held, and each process opens its own. */
export function createHeldSockets(): HeldSockets {
  let held: readonly Held[] = [];
  let closeOne: (fd: number) => void = () => undefined;

  return {
    async prepare(wishes) {
      const loaded = await loadCalls();
      if (!loaded.ok) return nothing;
      const { calls } = loaded;
      closeOne = (fd) => void calls.close(fd);
      const wanted: Held[] = [];
      const fresh: Held[] = [];
      const bound = new Set<Held>();
      const heldPorts = () => new Set(held.map(({ step }) => portOf(step)));
      const bindOne = (one: Held) => {
        const { socket, step } = one;
        bindSocket(calls, socket.fd, step);
        if (step.kind === 'datagrams') growReceiveBuffer(calls, socket.fd, step);
        bound.add(one);
      };
      const discard = () => {
        for (const { socket } of fresh.splice(0)) calls.close(socket.fd);
      };
      try {
        for (const { step, name, set } of wishes.flatMap((wish) => stepsOf(wish, held))) {
          const same = held.find((one) => placeOf(one.socket) === placeOf({ name, set, ...step }));
          const one = same ?? { step, socket: { fd: makeSocket(calls, step), name, set, ...placeIn(step) } };
          if (!same) fresh.push(one);
          wanted.push(one);
        }
      } catch (error) {
        discard();
        throw error;
      }
      return {
        sockets: wanted.map(({ socket }) => socket),
        async bind() {
          const shared = heldPorts();
          const alone = fresh.filter(({ step }) => !shared.has(portOf(step)));
          await assertOurs(alone.map(({ step }) => step));
          for (const one of alone) bindOne(one);
        },
        share() {
          for (const one of fresh) if (!bound.has(one)) bindOne(one);
        },
        keep() {
          for (const one of held) if (!wanted.includes(one)) calls.close(one.socket.fd);
          held = wanted;
          fresh.length = 0;
        },
        discard,
        retreat() {
          const ports = heldPorts();
          const sharing = fresh.filter((one) => bound.has(one) && ports.has(portOf(one.step)));
          for (const one of fresh.splice(0)) if (!sharing.includes(one)) calls.close(one.socket.fd);
          held = [...held, ...sharing];
          return held.map(({ socket }) => socket);
        },
      };
    },
    close() {
      for (const { socket } of held) closeOne(socket.fd);
      held = [];
    },
  };
}

const nothing: PreparedSockets = {
  sockets: [],
  bind: async () => {},
  share: () => {},
  keep: () => {},
  discard: () => {},
  retreat: () => [],
};

/** A port that the system is to choose is opened by the process. */
function stepsOf(wish: SocketWish, held: readonly Held[]) {
  const { name, kind, addresses, port } = wish;
  if (port === 0) return [];
  const dualStack = addresses.every((address) => isIPv6(address));
  // Closing one of several that share a port would lose what waits in it: with fewer threads each reads more of them.
  const before = held
    .filter(({ socket }) => socket.name === name && socket.port === port)
    .map(({ socket }) => socket.set);
  const sets = Math.max(wish.sets, ...before.map((set) => set + 1));
  return Array.from({ length: sets }, (_, set) =>
    addresses.map((address): { name: string; set: number; step: Step } => ({
      name,
      set,
      step: { kind, address, port, dualStack, reusePort: true, receiveBufferBytes },
    })),
  ).flat();
}

/** SO_REUSEPORT alone would share the port with a second server without a word. */
async function assertOurs(fresh: readonly Step[]): Promise<void> {
  for (const step of new Map(fresh.map((one) => [portOf(one), one])).values()) {
    const { kind, address, port } = step;
    if (kind === 'datagrams') await assertPortFree([address], port);
    else if (!(await isFree(port, address))) throw new Error(`port ${port} of ${address} is in use, or not allowed`);
  }
}

function portOf({ kind, address, port }: Step): string {
  return `${kind} ${address} ${port}`;
}

function placeIn({ address, port }: Step) {
  return { address, port };
}

function placeOf({ name, address, port, set }: Omit<HandedSocket, 'fd'>): string {
  return `${name} ${address} ${port} ${set}`;
}
