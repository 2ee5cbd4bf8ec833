// Keeps what access servers have taught: in a file of the data folder, so that a restart without stores forgets nothing, and in Redis for the other nodes.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { createRepeated } from '#ops/runtime/repeated.ts';
import { type DataFolder, readRecord, writeRecord } from '#ops/stores/data-folder.ts';
import { type LearnedOfNas, mergeLearned, readLearned, sameLearned, writeLearned } from '#ops/stores/nas-edge.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import type { NasRecord } from '../subscribers/records.ts';

export type LearnedOptions = {
  readonly folder: DataFolder;
  redis(): RedisClient | undefined;
  /** Undefined until the snapshot is complete. */
  nases(): readonly NasRecord[] | undefined;
  /** What is new to the workers. */
  onNews(learned: readonly LearnedOfNas[]): void;
  readonly log: Logger;
  readonly everyMs?: number;
};

export type Learned = Part & {
  /** A worker has learned something. */
  note(one: LearnedOfNas): void;
  all(): LearnedOfNas[];
  /** Exchanges with Redis now. */
  sync(): Promise<void>;
};

type File = { readonly nas: readonly LearnedOfNas[] };

const recordName = 'nas-learned';
/** The file is written at most this often. */
const saveMs = 1000;

export function createLearned(options: LearnedOptions): Learned {
  const { folder, redis, nases, onNews, log, everyMs = 5000 } = options;
  /** Also of those that are switched off or removed: they may come back, and ids are not used again. */
  const known = new Map<number, LearnedOfNas>();
  let saving: NodeJS.Timeout | undefined;
  for (const one of readRecord<File>(folder, recordName)?.nas ?? []) known.set(one.nasId, one);

  function recordOf(nasId: number): NasRecord | undefined {
    return nases()?.find(({ id }) => id === nasId);
  }

  /** Takes over what is new in `list`; the NASes of which more is known now. */
  function take(list: readonly LearnedOfNas[], sinceOf: (nasId: number) => number): LearnedOfNas[] {
    const news: LearnedOfNas[] = [];
    for (const one of list) {
      const before = known.get(one.nasId);
      const merged = before ? mergeLearned(before, one, sinceOf(one.nasId)) : one;
      if (sameLearned(before, merged)) continue;
      known.set(one.nasId, merged);
      news.push(merged);
    }
    if (news.length > 0) saveSoon();
    return news;
  }

  function save(): void {
    clearTimeout(saving);
    saving = undefined;
    try {
      writeRecord(folder, recordName, { nas: [...known.values()] } satisfies File);
    } catch (error) {
      log.error({ err: error }, 'what access servers have taught cannot be written to the data folder');
    }
  }
  function saveSoon(): void {
    saving ??= setTimeout(save, saveMs);
  }

  const problem = 'what access servers have taught cannot be shared by Redis';
  const exchange = createRepeated({ name: 'learned of access servers', everyMs, log, problem }, async () => {
    const client = redis();
    if (!client) return;
    const current = nases();
    const records = current && new Map(current.map((nas) => [nas.id, nas]));
    const theirs = await readLearned(client);
    const news = take(theirs, (nasId) => records?.get(nasId)?.learnSinceMs ?? 0);
    if (news.length > 0) onNews(news);
    const written = new Map(theirs.map((one) => [one.nasId, one]));
    const ours = [...known.values()].filter((one) => !sameLearned(written.get(one.nasId), one));
    await writeLearned(client, ours);
  });

  return {
    name: exchange.name,
    all: () => [...known.values()],
    note(one) {
      const nas = recordOf(one.nasId);
      const news = take([one], () => nas?.learnSinceMs ?? 0);
      if (news.length === 0) return;
      onNews(news);
      const fields = { nas: one.nasId, name: nas?.name, ...lessons(one) };
      if (one.messageAuthenticator?.value === 'no' || one.limitProxyState?.value === 'no') {
        log.warn(
          fields,
          'an access server logs in without proof of who sends: set its policy to yes once it sends Message-Authenticator',
        );
      } else log.info(fields, 'learned what an access server proves');
    },
    sync: exchange.run,
    start: exchange.start,
    async stop() {
      await exchange.stop();
      if (saving) save();
    },
  };
}

function lessons({ messageAuthenticator, limitProxyState }: LearnedOfNas) {
  return { messageAuthenticator: messageAuthenticator?.value, limitProxyState: limitProxyState?.value };
}
