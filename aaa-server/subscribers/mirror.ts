// The mirror of decided profiles: follows every `profile:{pNN}` stream into LMDB, so that a login needs no Redis.
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { keys } from '#policy/ledger/keys.ts';
import { decodeMacs, encodeMacs, type LearnedMacs, macsOfFields } from '#policy/ledger/macs.ts';
import { type DecidedProfile, decodeProfile, profileOfFields } from '#policy/ledger/profile.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import type { Changes } from './changes.ts';
import { encodeProfileRecord } from './encoding.ts';
import type { Environment } from './environment.ts';
import { recordKey } from './keys.ts';
import { metaKeys, mirrorPositionKey, numberBytes, readNumber } from './meta.ts';

export type MirrorOptions = {
  redis: Redis | Cluster;
  /** The node file of the store. */
  node: Environment;
  /** Where changed profiles are marked. */
  changes?: Changes;
  /** Tenants whose last profiles are read again after a gap; null until they are known: nothing is read before. */
  tenants(): Iterable<number> | null;
  clock: Clock;
  log: Logger;
  readEveryMs?: number;
};

export type Mirror = {
  start(): void;
  stop(): Promise<void>;
  /** Something was decided in this partition: read it now. */
  poke(partition: number): void;
  /** Milliseconds since the mirror was last known to hold everything Redis had decided; Infinity when never. */
  ageMs(): number;
  trouble(): string | null;
};

/** What one read of a partition brings: profiles, and the id of the entry up to which they are complete. */
type Read = {
  readonly profiles: readonly DecidedProfile[];
  readonly devices: readonly LearnedMacs[];
  readonly position: string;
  readonly atEnd: boolean;
  /** Not the stream: the last profiles themselves. */
  readonly again?: true;
};

/** Position of a stream that was empty when it was last read. */
const beginning = '0-0';
const entriesPerRead = 1000;
const proofEveryMs = 5000;

export function createMirror(options: MirrorOptions): Mirror {
  const { redis, node, clock, log, readEveryMs = 250 } = options;
  const poked = new Set<number>();
  const behind = new Set<number>();
  let provedAtMs = Number.NEGATIVE_INFINITY;
  let writtenProofAtMs = Number.NEGATIVE_INFINITY;
  let trouble: string | null = 'the mirror has not started';
  let running: Promise<void> | undefined;
  let stopping = false;
  let wake = () => {};

  async function run(): Promise<void> {
    for (let fullAtMs = Number.NEGATIVE_INFINITY; !stopping; ) {
      if (options.tenants() === null) {
        await pause(readEveryMs);
        continue;
      }
      const isFull = clock.monotonicMs() - fullAtMs >= readEveryMs;
      const due = isFull ? allPartitions : [...new Set([...poked, ...behind])];
      poked.clear();
      if (isFull) fullAtMs = clock.monotonicMs();
      try {
        await pass(due, isFull);
        trouble = null;
      } catch (error) {
        if (trouble === null) log.warn({ err: error }, 'profile mirror cannot read redis, it keeps what it has');
        trouble = `mirror of profiles: ${messageOf(error)}`;
      }
      const waitMs = fullAtMs + readEveryMs - clock.monotonicMs();
      if (poked.size === 0 && (behind.size === 0 || trouble !== null) && waitMs > 0) await pause(waitMs);
    }
  }

  async function pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    wake = () => {};
  }

  async function pass(partitions: readonly number[], isFull: boolean): Promise<void> {
    const beganAtMs = clock.monotonicMs();
    const reads = await Promise.all(
      partitions.map(async (partition) => ({ partition, read: await readPartition(partition) })),
    );
    // Nobody may wait for what is read again, and half of it must not be kept.
    if (stopping) return;
    tellReadAgain(reads);
    const news = reads.filter(({ partition, read }) => read.position !== storedPosition(partition));
    for (const { partition, read } of reads) read.atEnd ? behind.delete(partition) : behind.add(partition);
    const inStep = isFull && behind.size === 0;
    if (inStep) provedAtMs = beganAtMs;
    const proof = inStep && beganAtMs - writtenProofAtMs >= proofEveryMs;
    if (news.length === 0 && !proof) return;
    const profiles = news
      .flatMap(({ read }) => read.profiles)
      .map((profile) => ({
        key: recordKey('profile', profile.tenantId, profile.subscriptionId),
        value: encodeProfileRecord(profile),
      }));
    const version = profiles.length > 0 ? readNumber(node, metaKeys.profileGeneration) + 1 : 0;
    if (version > 0) {
      const marked = profiles.map(({ key }) => key);
      options.changes?.mark(marked, version);
    }
    await node.batch(() => {
      for (const { key, value } of profiles) void node.put(key, value);
      if (version > 0) void node.put(metaKeys.profileGeneration, numberBytes(version));
      for (const { partition, read } of news) {
        for (const { tenantId, subscriptionId, macs } of read.devices) {
          void node.put(recordKey('macs', tenantId, subscriptionId), Buffer.from(encodeMacs(macs), 'latin1'));
        }
        void node.put(mirrorPositionKey(partition), Buffer.from(read.position));
      }
      if (proof) void node.put(metaKeys.mirrorInStep, numberBytes(clock.nowMs()));
    });
    if (proof) writtenProofAtMs = beganAtMs;
  }

  function storedPosition(partition: number): string {
    return node.getBinary(mirrorPositionKey(partition))?.toString() ?? '';
  }

  /**
   * Reads from the entry applied last, that entry included: as long as it is still there, nothing behind it was trimmed. When it
   * is gone (trimmed, or Redis is an older one), the last profiles themselves are read again.
   */
  async function readPartition(partition: number): Promise<Read> {
    const stream = keys.profile(partition);
    const position = storedPosition(partition);
    if (position === '') return readAgain(partition);
    const entries = await redis.xrange(stream, position, '+', 'COUNT', entriesPerRead + 1);
    const [first] = entries;
    if (position === beginning) {
      if (!first) return { profiles: [], devices: [], position, atEnd: true };
      if (await wasTrimmed(stream)) return readAgain(partition);
    } else if (first?.[0] !== position) return readAgain(partition);
    const fresh = position === beginning ? entries : entries.slice(1);
    return {
      profiles: fresh.flatMap(([id, fields]) =>
        macsOfFields(fields) ? [] : (profileOfFields(fields) ?? unreadable(stream, id)),
      ),
      devices: fresh.flatMap(([, fields]) => macsOfFields(fields) ?? []),
      position: fresh.at(-1)?.[0] ?? position,
      atEnd: entries.length <= entriesPerRead,
    };
  }

  async function readAgain(partition: number): Promise<Read> {
    const [last] = await redis.xrevrange(keys.profile(partition), '+', '-', 'COUNT', 1);
    const profiles: DecidedProfile[] = [];
    const devices: LearnedMacs[] = [];
    for (const tenantId of options.tenants() ?? []) {
      const key = keys.lastProfiles(partition, tenantId);
      for await (const [subscription, text] of fieldsOf(key)) {
        profiles.push(...[decodeProfile(text) ?? unreadable(key, subscription)].flat());
      }
      for await (const [subscription, text] of fieldsOf(keys.macs(partition, tenantId))) {
        devices.push({ tenantId, subscriptionId: Number(subscription), macs: decodeMacs(text) });
      }
    }
    return { profiles, devices, position: last?.[0] ?? beginning, atEnd: true, again: true };
  }

  async function* fieldsOf(key: string): AsyncGenerator<readonly [field: string, value: string]> {
    let cursor = '0';
    do {
      const [next, pairs] = await redis.hscan(key, cursor, 'COUNT', 1000);
      for (let at = 1; at < pairs.length; at += 2) yield [pairs[at - 1] ?? '', pairs[at] ?? ''];
      cursor = next;
    } while (cursor !== '0' && !stopping);
  }

  /** One line for a pass; none for a node that starts with nothing. */
  function tellReadAgain(reads: readonly { readonly partition: number; readonly read: Read }[]): void {
    const again = reads.filter(({ read }) => read.again);
    const profiles = again.reduce((sum, { read }) => sum + read.profiles.length, 0);
    const gaps = again.filter(({ partition }) => storedPosition(partition) !== '').length;
    if (profiles > 0 || gaps > 0) log.info({ partitions: again.length, gaps, profiles }, 'decided profiles read again');
  }

  async function wasTrimmed(stream: string): Promise<boolean> {
    const facts = (await redis.xinfo('STREAM', stream)) as (string | number)[];
    const fact = (name: string) => Number(facts[facts.indexOf(name) + 1]);
    return fact('entries-added') !== fact('length');
  }

  function unreadable(place: string, id: string): never[] {
    log.error({ place, id }, 'a decided profile cannot be read');
    return [];
  }

  return {
    start() {
      running ??= run();
    },
    async stop() {
      stopping = true;
      wake();
      await running;
    },
    poke(partition) {
      poked.add(partition);
      wake();
    },
    ageMs() {
      if (provedAtMs > 0) return clock.monotonicMs() - provedAtMs;
      const written = readNumber(node, metaKeys.mirrorInStep);
      return written === 0 ? Number.POSITIVE_INFINITY : Math.max(0, clock.nowMs() - written);
    },
    trouble: () => trouble,
  };
}

const allPartitions: readonly number[] = Array.from({ length: partitionCount }, (_, partition) => partition);
