// Turns what the ledger tells of a session's addresses into intervals of single addresses and prefixes.
import { hash } from 'node:crypto';
import { parsePrefix, wordsOf } from '#ops/runtime/ip.ts';
import type { AddressEvent } from '#policy/ledger/addresses.ts';
import type { AddressInterval } from './address-index.ts';

/** Names the incarnation of a session: 48 bits of a hash, which need to be unlike only among the holders of one address. */
export function holderOf({ sessionKey, incarnation }: Pick<AddressEvent, 'sessionKey' | 'incarnation'>): number {
  return hash('sha256', `${sessionKey}\n${incarnation}`, 'buffer').readUIntBE(0, 6);
}

/**
 * What changes when `event` comes: its own intervals, and the ends of those it replaces. `before` is the event that came before it of the
 * same session and incarnation; from the beginning of the new one on it holds no more.
 */
export function intervalsOf(
  event: AddressEvent,
  before: AddressEvent | undefined,
  partition: number,
): AddressInterval[] {
  const now = held(event, partition, event.toMs ?? Number.POSITIVE_INFINITY);
  if (!before) return now;
  const isReplaced = before.toMs === null || before.toMs > event.fromMs;
  const toMs = isReplaced ? Math.max(before.fromMs, event.fromMs) : (before.toMs ?? Number.POSITIVE_INFINITY);
  const ended = held(before, partition, toMs).filter((old) => !now.some((one) => isSame(one, old)));
  return [...ended, ...now];
}

function held(event: AddressEvent, partition: number, toMs: number): AddressInterval[] {
  const { tenantId, subscriptionId, fromMs } = event;
  const holder = holderOf(event);
  return [event.framedIp, event.framedIpv6Prefix, event.delegatedIpv6Prefix].flatMap((text) => {
    const prefix = text === '' ? undefined : parsePrefix(text);
    if (!prefix) return [];
    const words = prefix.bits === 32 ? [Number(prefix.value)] : [...wordsOf(prefix)];
    return [{ tenantId, subscriptionId, partition, holder, words, length: prefix.length, fromMs, toMs }];
  });
}

function isSame(one: AddressInterval, other: AddressInterval): boolean {
  const sameAddress = one.length === other.length && one.words.join() === other.words.join();
  return sameAddress && one.fromMs === other.fromMs;
}
