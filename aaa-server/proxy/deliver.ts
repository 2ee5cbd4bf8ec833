// Brings one accounting record to a home server, as long as it takes: server after server, again and again with pauses, until it is taken or too old.
import type { ServerChoice } from '#policy/proxy/settings.ts';
import type { WaitingRecord } from './accounting-record.ts';
import { sessionOf } from './accounting-record.ts';
import { inTurn } from './choose.ts';
import type { HomePort } from './home-port.ts';
import type { LossReason } from './metrics.ts';
import { forwardedAccounting } from './requests.ts';

/** Where the records of a log go now. */
export type Target = {
  readonly homes: readonly HomePort[];
  readonly choice: ServerChoice;
  /** What the User-Name of a record becomes; undefined: it stays. */
  userNameOf(record: WaitingRecord): string | undefined;
};

export type DeliverDeps = {
  /** Undefined: nobody wants them (any more). */
  target(): Target | undefined;
  /** Why it is not waited for any longer, or null. */
  lostBecause(record: WaitingRecord): LossReason | null;
  readonly mark: Buffer;
  nowMs(): number;
  /** Sooner when it is stopped. */
  pause(ms: number): Promise<void>;
  stopping(): boolean;
};

export type Delivered = 'forwarded' | 'stopped' | LossReason;

const firstPauseMs = 500;
const longestPauseMs = 10_000;

export async function deliver(deps: DeliverDeps, record: WaitingRecord): Promise<Delivered> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    if (deps.stopping()) return 'stopped';
    const target = deps.target();
    const homes = target ? inTurn(target.homes, target.choice, () => sessionOf(record)) : [];
    for (const home of homes) {
      if (deps.stopping()) return 'stopped';
      const outcome = await askOnce(deps, home, record, target?.userNameOf(record));
      if (outcome === 'answered') return 'forwarded';
      if (outcome === 'too_long') return outcome;
    }
    // Only what nobody takes is given up: a server that is back gets all that is still there.
    const reason = deps.lostBecause(record);
    if (reason) return reason;
    // Nobody was asked: it costs nothing to look again soon.
    if (homes.length === 0) pauseMs = firstPauseMs;
    await deps.pause(pauseMs);
  }
}

function askOnce(
  { mark, nowMs }: DeliverDeps,
  home: HomePort,
  record: WaitingRecord,
  userName: string | undefined,
): Promise<'answered' | 'silent' | 'full' | 'too_long'> {
  return new Promise((resolve) => {
    const heldMs = nowMs() - record.receivedAtMs;
    const asked = home.ask(
      (identifier) => forwardedAccounting(record.packet, heldMs, { identifier, secret: home.secret, mark, userName }),
      { reply: () => resolve('answered'), silent: () => resolve('silent') },
    );
    if (typeof asked === 'string') resolve(asked);
  });
}
