// A worker's auth log: rows of its logins, handed over about once a second. Bounded by a rate: a login that is one too many costs a comparison.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { createRowWriter } from '#ops/stores/row-binary.ts';
import { microsoft } from '../auth/mppe.ts';
import { findOwner } from '../auth/vouched.ts';
import type { LoginDecision } from '../radius/login.ts';
import type { RadiusRequest } from '../radius/request.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import { attribute, firstAttribute, firstVendorAttribute, textOf, vendor } from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';
import { type LoginRow, writeLogin } from './row.ts';
import { unknownName, visibleText } from './visible.ts';

/** Rows as they are inserted, and what was too many of the second. */
export type LoginBatch = {
  readonly body: Uint8Array;
  readonly rows: number;
  readonly acceptsLeftOut: number;
  readonly rejectsLeftOut: number;
};

export type LoginLog = {
  note(request: RadiusRequest, decision: LoginDecision): void;
};

export type LoginLogOptions = {
  readonly snapshot: Pick<SnapshotReader, 'credential'>;
  readonly clock: Clock;
  readonly node: string;
  readonly worker: number;
  readonly acceptsPerSecond: number;
  readonly rejectsPerSecond: number;
  send(batch: LoginBatch): void;
};

const everyMs = 1000;

export function createLoginLog(options: LoginLogOptions): LoginLog & Part {
  const { snapshot, clock, node, worker, acceptsPerSecond, rejectsPerSecond, send } = options;
  const writer = createRowWriter();
  /** Rejects and logins without an answer that were too many, by tenant. */
  const leftOut = new Map<number, number>();
  let acceptsLeftOut = 0;
  let accepts = 0;
  let rejects = 0;
  let rows = 0;
  let sequence = 0;
  let timer: NodeJS.Timeout | undefined;

  function write(row: Omit<LoginRow, 'node' | 'worker' | 'sequence'>): void {
    writeLogin(writer, { ...row, node, worker, sequence: sequence++ });
    rows++;
  }

  function flush(): void {
    const rejectsLeftOut = [...leftOut.values()].reduce((sum, count) => sum + count, 0);
    for (const [tenantId, count] of leftOut) write({ ...empty, atMs: clock.nowMs(), tenantId, count });
    if (rows > 0 || acceptsLeftOut > 0) {
      send({ body: new Uint8Array(writer.take()), rows, acceptsLeftOut, rejectsLeftOut });
    }
    leftOut.clear();
    acceptsLeftOut = accepts = rejects = rows = 0;
  }

  /** Nobody's are those of logins that are told apart by what is inside of EAP. */
  function ownerOf({ packet, client }: RadiusRequest, decision: LoginDecision, userName: string): number {
    if (decision.kind === 'accept' && decision.subscriptionId !== undefined) return decision.subscriptionId;
    // Whoever has the name of a member of staff has nothing to do with it.
    if (decision.kind === 'reject' && decision.reason === 'device_login_refused') return 0;
    return findOwner(snapshot, client.record.tenantId, userName, packet)?.subscriptionId ?? 0;
  }

  return {
    name: 'auth log',
    note(request, decision) {
      const { client } = request;
      switch (decision.kind) {
        case 'challenge':
          return;
        case 'accept':
          if (accepts >= acceptsPerSecond && !client.test) {
            acceptsLeftOut++;
            return;
          }
          accepts++;
          break;
        case 'reject':
        case 'drop':
          if (rejects >= rejectsPerSecond && !client.test) {
            leftOut.set(client.record.tenantId, (leftOut.get(client.record.tenantId) ?? 0) + 1);
            return;
          }
          rejects++;
      }
      const durationUs = Math.max(0, Math.round((clock.monotonicMs() - request.startedMs) * 1000));
      client.test?.decided(decision, durationUs);
      const { packet } = request;
      const userName = textOf(packet, attribute.userName) ?? '';
      const subscriptionId = ownerOf(request, decision, userName);
      write({
        atMs: request.receivedAtMs,
        tenantId: client.record.tenantId,
        subscriptionId,
        userName: subscriptionId !== 0 || isProven(decision) ? visibleText(userName) : unknownName(userName),
        nasId: client.record.id,
        method: methodOf(packet, decision),
        ...answerOf(decision),
        callingStationId: visibleText(textOf(packet, attribute.callingStationId) ?? ''),
        nasPortId: visibleText(textOf(packet, attribute.nasPortId) ?? ''),
        durationUs: Math.min(durationUs, 0xffff_ffff),
        test: client.test !== undefined,
        count: 1,
      });
    },
    async start() {
      timer ??= setInterval(flush, everyMs).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      flush();
    },
  };
}

const empty = {
  subscriptionId: 0,
  userName: '',
  nasId: 0,
  method: '',
  result: 'left_out',
  reason: '',
  callingStationId: '',
  nasPortId: '',
  framedIp: '',
  outcome: '',
  durationUs: 0,
  test: false,
} as const;

/** Staff have no subscription. */
function isProven(decision: LoginDecision): boolean {
  return decision.kind === 'accept' && decision.stayFor === undefined;
}

function answerOf(decision: LoginDecision): Pick<LoginRow, 'result' | 'reason' | 'framedIp' | 'outcome'> {
  switch (decision.kind) {
    case 'accept': {
      const address = decision.attributes.find(
        ({ vendor, type }) => vendor === 0 && type === attribute.framedIpAddress,
      );
      const framedIp = typeof address?.value === 'number' ? dotted(address.value) : '';
      const outcome = decision.stayFor === undefined ? (decision.outcome ?? '') : 'garden_stay';
      return { result: 'accept', reason: decision.stayFor ?? '', framedIp, outcome };
    }
    case 'drop':
      return { result: 'unanswered', reason: decision.reason, framedIp: '', outcome: decision.ofStaff ? 'device' : '' };
    case 'reject':
      return { result: 'reject', reason: decision.reason, framedIp: '', outcome: '' };
    case 'challenge':
      throw new Error('a challenge is no answer to a login');
  }
  return decision satisfies never;
}

function methodOf(packet: Packet, decision: LoginDecision): string {
  const isVouched = decision.kind === 'accept' && !decision.byPassword && decision.stayFor === undefined;
  if (isVouched) return 'vouched';
  if (firstAttribute(packet, attribute.eapMessage) >= 0) return 'eap';
  if (firstAttribute(packet, attribute.userPassword) >= 0) return 'pap';
  if (firstAttribute(packet, attribute.chapPassword) >= 0) return 'chap';
  if (firstVendorAttribute(packet, vendor.microsoft, microsoft.chap2Response) >= 0) return 'mschapv2';
  return firstVendorAttribute(packet, vendor.microsoft, microsoft.chapResponse) >= 0 ? 'mschap' : 'none';
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}
