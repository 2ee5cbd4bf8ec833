// Keeps the templates of the workers in a file: every minute, and at the end.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Snapshot } from '../wire/learned.ts';
import { writeTemplates } from './template-file.ts';

export type TemplateKeeperOptions = {
  file: string;
  /** Asks the workers; their answers come to `told`. */
  ask(): void;
  told(): Iterable<Snapshot>;
  log: Logger;
  everyMs?: number;
};

/** Stands before the workers in the order of the parts: it stops when they have told what they knew last. */
export function createTemplateKeeper({ file, ask, told, log, everyMs = 60_000 }: TemplateKeeperOptions): Part {
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  async function keep(): Promise<void> {
    const snapshots = [...told()];
    if (snapshots.length === 0) return;
    try {
      await writeTemplates(file, snapshots);
    } catch (error) {
      log.warn({ err: error, file }, 'templates could not be kept');
    }
  }

  return {
    name: 'templates of exporters',
    async start() {
      timer ??= setInterval(() => {
        // What they answered to the question of a minute ago.
        writing = writing.then(keep);
        ask();
      }, everyMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      writing = writing.then(keep);
      await writing;
    },
  };
}
