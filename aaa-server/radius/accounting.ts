// Answers Accounting-Requests when their records are on disk (RFC 2866 §4.2): those that reach it together, together.
import type { DropReason } from '../counters.ts';
import { code } from '../wire/packet.ts';
import type { Answers } from './answers.ts';
import type { Entry } from './duplicates.ts';
import { makerOf } from './maker.ts';
import type { RadiusDeps, RadiusRequest } from './request.ts';

export type Accounting = {
  /** Why the request gets no answer, or null. */
  handle(request: RadiusRequest): DropReason | null;
  /** Groups of records on their way to the disk. */
  waiting(): number;
  /** Settles when every accepted record is answered or given up. */
  drain(): Promise<void>;
};

/** A request whose record is on its way to the disk. The packet's memory is gone when the disk has answered, so the reply is made before. */
type Waiting = { readonly request: RadiusRequest; readonly entry: Entry; readonly reply: Buffer };

export function createAccounting(deps: RadiusDeps, answers: Answers): Accounting {
  const { clock, counters } = deps;
  /** Groups under way. */
  let appending = 0;
  let whenAnswered: (() => void) | undefined;
  let lastKept: Promise<void> | undefined;
  let lastWaiting: Waiting[] = [];

  /** Records that reach the disk together have one promise. */
  function answerWhenKept(kept: Promise<void>, waiting: Waiting): void {
    if (kept === lastKept) return void lastWaiting.push(waiting);
    const group = [waiting];
    lastKept = kept;
    lastWaiting = group;
    // What comes with this promise afterwards would be answered by nobody.
    const close = () => {
      if (lastKept === kept) lastKept = undefined;
    };
    appending++;
    void kept
      .then(
        () => {
          close();
          const nowMs = clock.monotonicMs();
          for (const { request, entry, reply } of group) {
            answers.sendLater(request, entry, reply, 'accounting_response');
            counters.observe('accounting', (nowMs - request.startedMs) / 1000);
          }
        },
        (error) => {
          close();
          for (const { request, entry } of group) answers.giveUp(request, entry, 'accounting_not_durable');
          deps.warn('accounting record is not on disk: not acknowledged', { err: error });
        },
      )
      .finally(() => {
        if (--appending === 0) whenAnswered?.();
      });
  }

  return {
    handle(request) {
      const { packet, client, peer, receivedAtMs } = request;
      counters.count('requests', 'accounting');
      request.activity.accounting++;
      const verified = makerOf(request);
      if (!verified.ok) return verified.reason;
      const { secret } = verified;
      if (!secret) return 'bad_request_authenticator';
      return answers.once(request, (entry) => {
        const result = deps.receiveAccounting({
          packet,
          nas: client.record,
          several: client.several,
          sourceAddress: peer.address,
          receivedAtMs,
        });
        if (!result.ok && !result.ack) return 'accounting_refused';
        const forwarded = deps.proxy?.keepAccounting(request, result.ok && result.record.classUuid !== '');
        if (typeof forwarded === 'string') return forwarded;
        if (!answers.build(request, code.accountingResponse, secret)) return 'reply_too_long';
        const reply = answers.copy();
        const counted = result.ok && forwarded?.local !== false ? deps.append(result.record) : undefined;
        const kept = forwarded ? Promise.all([counted, forwarded.kept]).then(() => undefined) : counted;
        if (kept) answerWhenKept(kept, { request, entry, reply });
        else answers.sendLater(request, entry, reply, 'accounting_response');
        return null;
      });
    },
    waiting: () => appending,
    async drain() {
      while (appending > 0) {
        await new Promise<void>((resolve) => {
          whenAnswered = resolve;
        });
      }
    },
  };
}
