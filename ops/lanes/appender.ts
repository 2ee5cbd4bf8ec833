// Appends to a WAL and counts what became of it.
import { codeOf } from '#ops/runtime/errors.ts';
import type { Wal } from '../wal/wal.ts';
import type { LogMetrics } from './metrics.ts';

/** Records that go to disk together have one promise: they are counted together too. */
type Group = { readonly done: Promise<void> | null; records: number };

/** Resolves when the record is on disk, rejects when it was not kept; the same promise for all that go to disk together. */
export type Append = (payload: Buffer) => Promise<void>;

export function createAppender(
  wal: Pick<Wal, 'append'>,
  metrics: Pick<LogMetrics, 'appended' | 'commit' | 'refused'>,
): Append {
  let group: Group = { done: null, records: 0 };

  function follow(done: Promise<void>): Group {
    const started = performance.now();
    const followed: Group = { done, records: 0 };
    const close = () => {
      if (group === followed) group = { done: null, records: 0 };
    };
    done.then(
      () => {
        close();
        metrics.appended.inc(followed.records);
        metrics.commit.observe((performance.now() - started) / 1000);
      },
      (error) => {
        close();
        metrics.refused.inc({ reason: codeOf(error) || 'other' }, followed.records);
      },
    );
    return followed;
  }

  return (payload) => {
    const done = wal.append(payload);
    if (done !== group.done) group = follow(done);
    group.records++;
    return done;
  };
}
