// The accounting records of a log that are on their way: those of one session in order, Accounting-On and -Off with all, the others beside each other.
import { concernsAll, sessionOf, type WaitingRecord } from './accounting-record.ts';
import type { Delivered } from './deliver.ts';

export type UnderWay = {
  /** Begins with a record behind all that were added. */
  add(position: number, record: WaitingRecord): void;
  /** How many more may be added; it changes when one ends or was left unanswered. */
  room(): number;
  /** The first that is neither delivered nor lost. */
  oldest(): { readonly position: number; readonly receivedAtMs: number } | undefined;
  /** Of all that are neither delivered nor lost. */
  positions(): number[];
  /** Settles when nothing is being delivered. */
  settled(): Promise<void>;
};

export type UnderWayOptions = {
  /** Hears how many rounds of all its servers have left the record unanswered. */
  deliver(record: WaitingRecord, position: number, unanswered: (rounds: number) => void): Promise<Delivered>;
  onEnd(outcome: Exclude<Delivered, 'stopped'>): void;
  /** `room` may have changed. */
  onChange(): void;
};

/** `stuck`: left unanswered so often, or behind one that was, that what concerns all does not wait for it any longer. */
type Begun = { readonly done: Promise<void>; readonly stuck: Promise<void> };

/** Records under way; as many again, one by one, when all of these were left unanswered: what a server takes tells that it is there. */
const most = 4096;
const atOnce = 256;
/** Otherwise one record that nobody ever answers would hold up every other one behind the next Accounting-On. */
const patientRounds = 10;

export function createUnderWay({ deliver, onEnd, onChange }: UnderWayOptions): UnderWay {
  /** By position, in the order of the log. */
  const records = new Map<number, WaitingRecord>();
  const carried = new Set<Promise<void>>();
  /** The last record of each session. */
  const sessions = new Map<string, Begun>();
  /** Those behind the last Accounting-On or -Off. */
  let since = new Map<string, Begun>();
  let onOrOff: Promise<unknown> = Promise.resolve();
  /** Being sent for the first time. */
  let untried = 0;

  async function carry(
    position: number,
    record: WaitingRecord,
    before: Promise<unknown>,
    onStuck: () => void,
  ): Promise<void> {
    await before;
    let isUntried = true;
    untried++;
    const tried = () => {
      if (isUntried) untried--;
      isUntried = false;
    };
    const outcome = await deliver(record, position, (rounds) => {
      tried();
      if (rounds === patientRounds) onStuck();
      onChange();
    });
    tried();
    if (outcome === 'stopped') return;
    records.delete(position);
    onEnd(outcome);
    onChange();
  }

  function begin(position: number, record: WaitingRecord, before: Promise<unknown>, former?: Begun): Begun {
    const { promise: stuck, resolve } = Promise.withResolvers<void>();
    void former?.stuck.then(resolve);
    records.set(position, record);
    const done = carry(position, record, before, resolve);
    carried.add(done);
    void done.then(() => carried.delete(done));
    return { done, stuck };
  }

  const passable = ({ done, stuck }: Begun) => Promise.race([done, stuck]);

  return {
    add(position, record) {
      if (concernsAll(record)) {
        const before = Promise.all([onOrOff, ...[...since.values()].map(passable)]);
        since = new Map();
        onOrOff = passable(begin(position, record, before));
        return;
      }
      const session = sessionOf(record);
      const former = sessions.get(session);
      const begun = begin(position, record, Promise.all([onOrOff, former?.done]), former);
      sessions.set(session, begun);
      since.set(session, begun);
      void begun.done.then(() => {
        if (sessions.get(session) === begun) sessions.delete(session);
        if (since.get(session) === begun) since.delete(session);
      });
    },
    room() {
      if (records.size <= most - atOnce) return atOnce;
      return untried === 0 && records.size < 2 * most ? 1 : 0;
    },
    oldest() {
      const [first] = records;
      return first && { position: first[0], receivedAtMs: first[1].receivedAtMs };
    },
    positions: () => [...records.keys()],
    async settled() {
      while (carried.size > 0) await Promise.all(carried);
    },
  };
}
