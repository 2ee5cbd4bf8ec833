// Makes the first super admin at the first start; keeps trying while the database is away.
import { randomBytes } from 'node:crypto';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Db } from '../database/connect.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import { makeFirstAdmin } from './commands.ts';
import { hashPassword } from './password.ts';
import { superAdminExists } from './queries.ts';

export type FirstAdminOptions = {
  readonly db: Db;
  readonly email: string;
  /** Empty: one is generated and told once by `announce`. */
  readonly password: string;
  readonly log: Logger;
  announce(email: string, password: string): void;
};

const retryMs = 1000;

export function createFirstAdmin(options: FirstAdminOptions): Part & { ready(): string | null } {
  const { db, email, log } = options;
  let state: string | null = 'the first super admin is not made yet';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function attempt(): Promise<void> {
    try {
      await ensure(options);
      state = null;
    } catch (error) {
      state = `the first super admin cannot be made: ${messageOf(error)}`;
      log.warn({ err: error, email }, 'no super admin yet');
      if (!stopped) timer = setTimeout(() => void attempt(), retryMs);
    }
  }

  return {
    name: 'first super admin',
    ready: () => state,
    start: () => attempt(),
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
    },
  };

  async function ensure({ password, announce }: FirstAdminOptions): Promise<void> {
    if (await read(db, { kind: 'platform' }, superAdminExists)) return;
    const chosen = password || randomBytes(12).toString('base64url');
    const hash = await hashPassword(chosen);
    const made = await write(
      db,
      { scope: { kind: 'platform' }, userId: null, requestId: '', action: 'auth.first_admin' },
      (tx) => makeFirstAdmin(tx, email, hash),
    );
    if (made && !password) announce(email, chosen);
  }
}
