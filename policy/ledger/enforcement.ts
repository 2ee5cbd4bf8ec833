// The enforcement side of the ledger: owning partitions, claiming their work, recording what sessions were told.
import type { Cluster, Redis } from 'ioredis';
import { createFunctionCaller } from './call.ts';
import { keys, tag } from './keys.ts';
import { createLook } from './look.ts';
import { type DecidedProfile, encodeProfile, profileFields } from './profile.ts';
import { createTogether } from './together.ts';
import type { LiveSession, Subscriber } from './types.ts';

export type { Subscriber } from './types.ts';

/** Standing ownership of a partition; every write names it and is refused once another owner has taken over. */
export type Lease = { readonly partition: number; readonly node: string; readonly token: string };

export const enforceKinds = ['opened', 'crossed', 'probe'] as const;
export type EnforceKind = (typeof enforceKinds)[number];

export type EnforceEntry = {
  /** Where it stands: crossings have a stream of their own, so that they wait for nobody. */
  readonly stream: 'enforce' | 'opened';
  readonly id: string;
  readonly kind: EnforceKind;
  readonly tenantId: number;
  readonly subscriptionId: number;
  readonly atMs: number;
};

export type Claim = {
  readonly lease: Lease;
  /** The lease was not held before this call: whatever was under way may be half done. */
  readonly fresh: boolean;
  readonly entries: readonly EnforceEntry[];
  readonly due: readonly Subscriber[];
  /** Where the wheel put the members of `due` until they are scheduled anew. */
  readonly dueUntilMs: number;
};

export type ClaimOptions = {
  readonly leaseMs: number;
  /** So many crossings at most. */
  readonly crossings: number;
  /** So many of each other kind of work. */
  readonly count: number;
  /** After this long, work that was claimed and not finished is handed out again. */
  readonly visibilityMs: number;
  /** Looks for such work too; a fresh owner gets all of it in any case. */
  readonly again: boolean;
  readonly nowMs: number;
};

export type SessionRecord = Partial<
  Record<'desired' | 'sent' | 'acked' | 'cause', string> & { readonly updatedAtMs: number }
>;

export type RecordResult = 'ok' | 'gone' | 'not_owner';

export type EnforcementLedger = ReturnType<typeof createEnforcementLedger>;

export function createEnforcementLedger(redis: Redis | Cluster, node: string) {
  const caller = createFunctionCaller(redis, () => {});
  const { call } = caller;
  const leaseKey = (partition: number) => `lease:${tag(partition)}`;
  const textOf = (lease: Lease) => `${lease.node}:${lease.token}`;
  const write = createTogether<Write, RecordResult>({
    groupOf: ({ lease }) => `${lease.partition} ${textOf(lease)}`,
    most: 32,
    async send(writes) {
      const [first] = writes;
      if (!first) return [];
      const { lease } = first;
      const described = writes.flatMap(({ name, args }) => [name, args.length, ...args]);
      const answers = await call(
        'enforcement_write',
        [leaseKey(lease.partition)],
        [textOf(lease), tag(lease.partition), ...described],
      );
      return answers as RecordResult[];
    },
  });

  return {
    /** Takes or renews the ownership and hands out work; null while another node owns the partition. `held` = the standing token, '' at start. */
    async claim(partition: number, held: string, options: ClaimOptions): Promise<Claim | null> {
      const { leaseMs, crossings, count, visibilityMs, again, nowMs } = options;
      const answer = await call(
        'enforcement_claim',
        [
          ...[leaseKey(partition), `fence:${tag(partition)}`],
          ...[keys.enforce(partition), keys.opened(partition), keys.wheel(partition)],
        ],
        [node, held, leaseMs, crossings, count, visibilityMs, nowMs, again ? 1 : 0],
      );
      const [token, fresh, crossed, opened, due] = answer as [string?, number?, Entries?, Entries?, string[]?];
      if (token === undefined) return null;
      return {
        lease: { partition, node, token },
        fresh: fresh === 1,
        entries: [...entriesOf('enforce', crossed), ...entriesOf('opened', opened)],
        due: (due ?? []).map(subscriberOf),
        dueUntilMs: nowMs + visibilityMs,
      };
    },

    async release(lease: Lease): Promise<void> {
      await call('enforcement_release', [leaseKey(lease.partition)], [textOf(lease)]);
    },

    look: createLook(caller),

    /** The entries are worked off. */
    async done(lease: Lease, entries: readonly EnforceEntry[]): Promise<void> {
      const streams = Map.groupBy(entries, ({ stream }) => stream);
      await Promise.all(
        [...streams].map(([stream, own]) => write({ lease, name: 'done', args: [stream, ...own.map(({ id }) => id)] })),
      );
    },

    /** When the subscription must be evaluated next (null: no such instant); an earlier one that stands is kept. `claimedMs` = the claim's `dueUntilMs`. */
    async schedule(lease: Lease, who: Subscriber, atMs: number | null, claimedMs?: number): Promise<void> {
      if (atMs === null && claimedMs === undefined) return;
      const args = [memberOf(who), atMs === null ? '' : Math.ceil(atMs), claimedMs ?? ''];
      await write({ lease, name: 'schedule', args });
    },

    /** Writes enforcement fields of the session, only while it is open in this incarnation. */
    record(lease: Lease, sessionKey: string, incarnation: number, fields: SessionRecord): Promise<RecordResult> {
      const { updatedAtMs, ...texts } = fields;
      const pairs = Object.entries(updatedAtMs === undefined ? texts : { ...texts, eupd: String(updatedAtMs) });
      return write({ lease, name: 'session', args: [sessionKey, incarnation, ...pairs.flat()] });
    },

    /** Closes a session that its access server no longer knows, as of its last event; false when anything happened to it since it was read. */
    async closeForgotten(lease: Lease, session: LiveSession): Promise<boolean> {
      const { tenantId, nasInstance, sessionId, incarnation, lastEventAtMs, enforcement } = session;
      const { partition } = lease;
      const answer = await call(
        'enforcement_close_forgotten',
        [leaseKey(partition), keys.session(partition, tenantId, nasInstance, sessionId)],
        [textOf(lease), tag(partition), incarnation, lastEventAtMs, enforcement.updatedAtMs, nasInstance],
      );
      return answer === 1;
    },

    /** Subscribers with an open session in the partition, each once, read in pages. */
    async liveSubscribers(partition: number): Promise<Subscriber[]> {
      const members = new Set<string>();
      for (let offset = 0, read = livePage; read === livePage; offset += livePage) {
        const answer = await call('enforcement_live', [keys.live(partition)], [offset, livePage]);
        const [count, ...page] = answer as [number, ...string[]];
        for (const member of page) members.add(member);
        read = count;
      }
      return [...members].map(subscriberOf);
    },

    /** Publishes a decided profile to every node, unless it is the last one anyway. */
    async publishProfile(lease: Lease, profile: DecidedProfile): Promise<void> {
      const { tenantId, subscriptionId } = profile;
      const args = [tenantId, subscriptionId, encodeProfile(profile), profilesKept, ...profileFields(profile)];
      await write({ lease, name: 'profile', args });
    },
  };
}

/** What a lease lets its owner write; one function of lua/enforcement.lua each. */
type Write = {
  readonly lease: Lease;
  readonly name: 'done' | 'schedule' | 'session' | 'profile';
  readonly args: readonly (string | number)[];
};

/** A stream of this length lets a node that was away for a while catch up without reading everything anew. */
const profilesKept = 4096;

const livePage = 500;

export function memberOf(who: Subscriber): string {
  return `${who.tenantId}:${who.subscriptionId}`;
}

function subscriberOf(member: string): Subscriber {
  const [tenantId = 0, subscriptionId = 0] = member.split(':').map(Number);
  return { tenantId, subscriptionId };
}

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

function entriesOf(stream: EnforceEntry['stream'], found: Entries = []): EnforceEntry[] {
  return found.map(([id, fields]) => entryOf(stream, id, fields));
}

function entryOf(stream: EnforceEntry['stream'], id: string, fields: readonly string[]): EnforceEntry {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(fields[i] ?? '', fields[i + 1] ?? '');
  const number = (name: string) => Number(values.get(name) ?? 0);
  return {
    stream,
    id,
    kind: enforceKinds.find((kind) => kind === values.get('type')) ?? 'crossed',
    tenantId: number('tenant'),
    subscriptionId: number('sub'),
    atMs: number('at'),
  };
}
