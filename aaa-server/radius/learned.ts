// Keeps what access servers have taught: in a file of the data folder, so that a restart without stores forgets nothing, and in Redis for the other nodes.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type DataFolder, readRecord, writeRecord } from '#ops/stores/data-folder.ts';
import {
  forgetLearned,
  type LearnedOfNas,
  mergeLearned,
  readLearned,
  sameLearned,
  writeLearned,
} from '#ops/stores/nas-edge.ts';
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
  const known = new Map<number, LearnedOfNas>();
  let timer: NodeJS.Timeout | undefined;
  let saving: NodeJS.Timeout | undefined;
  let syncing: Promise<void> | undefined;
  let failing = false;
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

  async function exchange(): Promise<void> {
    const client = redis();
    if (!client) return;
    try {
      const current = nases();
      const records = current && new Map(current.map((nas) => [nas.id, nas]));
      const gone = records ? [...known.keys()].filter((nasId) => !records.has(nasId)) : [];
      for (const nasId of gone) known.delete(nasId);
      await forgetLearned(client, gone);
      const theirs = new Map((await readLearned(client)).map((one) => [one.nasId, one]));
      const sinceOf = (nasId: number) => records?.get(nasId)?.learnSinceMs ?? 0;
      const news = take(
        records ? [...theirs.values()].filter(({ nasId }) => records.has(nasId)) : [...theirs.values()],
        sinceOf,
      );
      if (news.length > 0) onNews(news);
      await writeLearned(
        client,
        [...known.values()].filter((one) => !sameLearned(theirs.get(one.nasId), one)),
      );
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ reason: messageOf(error) }, 'what access servers have taught cannot be shared by Redis');
      failing = true;
    }
  }

  async function sync(): Promise<void> {
    syncing ??= exchange().finally(() => {
      syncing = undefined;
    });
    await syncing;
  }

  return {
    name: 'learned of access servers',
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
    sync,
    async start() {
      timer ??= setInterval(() => void sync(), everyMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await syncing;
      if (saving) save();
    },
  };
}

function lessons({ messageAuthenticator, limitProxyState }: LearnedOfNas) {
  return { messageAuthenticator: messageAuthenticator?.value, limitProxyState: limitProxyState?.value };
}
