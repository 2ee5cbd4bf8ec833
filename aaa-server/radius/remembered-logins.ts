// Logins by PAP and CHAP that were accepted before, answered again from one place in memory for as long as nothing of them has changed.
import { randomBytes } from 'node:crypto';
import { partitionOf } from '#policy/ledger/keys.ts';
import { classLength, writeClass } from '../accounting/class.ts';
import { type Authorization, isInStep, jittered, secondsUntil } from '../auth/authorize.ts';
import type { Credentials } from '../auth/credentials.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { Counters, CounterValue } from '../counters.ts';
import type { CredentialRecord } from '../subscribers/records.ts';
import { attribute, textAt } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { chapPasswordLength } from '../wire/chap.ts';
import { addMd5, beginHmacMd5, digestLength, finishHmacMd5, hmacStates, type Secret, sameDigest } from '../wire/md5.ts';
import { headerLength, maxPacketLength, octet, type Packet } from '../wire/packet.ts';
import { maxPasswordLength, revealInto } from '../wire/user-password.ts';
import type { AnswerLoginDeps } from './answer-login.ts';
import type { EncodedAttributes } from './answers.ts';
import { createKeptPasswords, longestKept } from './kept-passwords.ts';
import { createReplyTemplates } from './reply-templates.ts';

/** The attributes of an Accept, and what they follow from. */
export type RememberedLogin = EncodedAttributes & { readonly subscriptionId: number; readonly outcome: string };

export type RememberedLogins = {
  /** `key` as of `Check`. Valid until the next call; undefined: it has to be decided. `secret` is that of its maker, null where nothing proved it. */
  answer(
    packet: Packet,
    client: NasClient,
    secret: Secret | null,
    nowMs: number,
    key?: Uint8Array,
  ): RememberedLogin | undefined;
  /** To be called after the login was accepted, as it was found now. Remembers nothing that depends on more than records and time. */
  remember(
    packet: Packet,
    client: NasClient,
    secret: Secret,
    credential: CredentialRecord,
    found: Authorization,
    nowMs: number,
    credentials: Pick<Credentials, 'clearOf'>,
  ): void;
};

export type RememberedLoginsDeps = Pick<AnswerLoginDeps, 'snapshot' | 'classKey' | 'random'> & {
  readonly counters: Pick<Counters, 'count'>;
  /** 16 octets, new with every call. */
  uuid(): Uint8Array;
};

/**
 * A login may lie in any of so many places beside each other; the hashes of their names fill one line of the cache. Where they are full it lies
 * in as many others: else four in a hundred of 100,000 logins found no room.
 */
const ways = 16;
/** Of a place, in doubles: subscription, until when it stands, where Session-Timeout leads (NaN: none), versions of its records. */
const doublesEach = 9;
const [subscriptionAt, untilAt, timeoutAt, versionAt, profileVersionAt] = [0, 1, 2, 3, 4];
/** And in words behind those: template, marks of credential and subscription, partition; then the fingerprint. */
const wordsEach = 2 * doublesEach;
const [templateAt, credentialAt, placeAt, partitionAt, fingerprintAt] = [10, 11, 12, 13, 14];
/** Where the length of a password would be, for a fingerprint of the name alone. */
const noPassword = 255;
/** Tells the places of CHAP from those of PAP. */
const chapMark = 0x5bd1e995;

/**
 * A fingerprint is HMAC-MD5 of name and password under a key that only this process knows: memory tells no password, and what is found
 * cannot be steered from outside. A change of the credential, the subscription, its tariff, tenant or decided profile is marked (subscribers/changes.ts),
 * and an access server that changes is another object: what was remembered stands no more.
 * Of CHAP the fingerprint is that of the name, and the password is kept (kept-passwords.ts).
 * @param capacity a power of two from 16, of 93 octets each
 */
export function createRememberedLogins(
  { snapshot, classKey, random, counters, uuid }: RememberedLoginsDeps,
  capacity = 131_072,
): RememberedLogins {
  const sets = capacity / ways;
  const memory = new ArrayBuffer(capacity * wordsEach * 4);
  const doubles = new Float64Array(memory);
  const words = new Int32Array(memory);
  const octets = new Uint8Array(memory);
  const hashes = new Int32Array(capacity);
  const templates = createReplyTemplates(() => words.fill(0));
  const states = hmacStates(randomBytes(digestLength));
  const kept = createKeptPasswords(capacity);
  const lengths = new Uint8Array(2);
  const plain = new Uint8Array(maxPasswordLength);
  const fingerprint = new Uint8Array(digestLength);
  const out = Buffer.alloc(maxPacketLength);
  const login = { octets: out, length: 0, subscriptionId: 0, outcome: '' };
  let nameAt = -1;
  let passwordAt = -1;
  let chapAt = -1;
  let challengeAt = -1;
  let turn = 0;
  /** The login that was asked for last and not remembered. */
  let missed: Packet | undefined;
  let missedVersion = 0;
  let missedProfiles = 0;

  /** Notes where name and password are; false when it is anything but a plain login by PAP or CHAP. */
  function look({ data, start, end }: Packet): boolean {
    nameAt = passwordAt = chapAt = challengeAt = -1;
    for (let at = start + headerLength; at < end; at += octet(data, at + 1)) {
      const type = octet(data, at);
      if (type === attribute.eapMessage) return false;
      if (octet(data, at + 1) === 2) continue;
      if (type === attribute.userName && nameAt < 0) nameAt = at;
      else if (type === attribute.userPassword && passwordAt < 0) passwordAt = at;
      else if (type === attribute.chapPassword && chapAt < 0) chapAt = at;
      else if (type === attribute.chapChallenge && challengeAt < 0) challengeAt = at;
    }
    if (chapAt >= 0 && octet(data, chapAt + 1) !== 2 + chapPasswordLength) return false;
    return nameAt >= 0 && passwordAt >= 0 !== chapAt >= 0;
  }

  function hashOf({ data }: Packet, nasId: number): number {
    let hash = 0x811c9dc5 ^ nasId ^ (chapAt < 0 ? 0 : chapMark);
    const end = nameAt + octet(data, nameAt + 1);
    for (let at = nameAt + 2; at < end; at++) hash = Math.imul(hash ^ octet(data, at), 0x01000193);
    return hash ^ (hash >>> 16);
  }

  /** Of name and password, by CHAP of the name; false when the password is malformed. */
  function computeFingerprint({ data, start }: Packet, secret: Secret, key?: Uint8Array): boolean {
    if (chapAt >= 0) {
      fingerprintOf(data, noPassword);
      return true;
    }
    const passwordEnd = passwordAt + octet(data, passwordAt + 1);
    const authenticatorAt = start + authenticatorOffset;
    const length = revealInto(plain, data, passwordAt + 2, passwordEnd, secret, data, authenticatorAt, key);
    if (length < 0) return false;
    fingerprintOf(data, length);
    return true;
  }

  function fingerprintOf(data: Buffer, passwordLength: number): void {
    const nameEnd = nameAt + octet(data, nameAt + 1);
    // The lengths come first, so no two of them give the same octets.
    lengths[0] = nameEnd - nameAt;
    lengths[1] = passwordLength;
    beginHmacMd5(states);
    addMd5(lengths, 0, 2);
    addMd5(data, nameAt + 2, nameEnd);
    if (passwordLength !== noPassword) addMd5(plain, 0, passwordLength);
    finishHmacMd5(states, fingerprint, 0);
  }

  function anew(reason: CounterValue<'remembered'>): undefined {
    counters.count('remembered', reason);
  }

  const firstOf = (hash: number) => (hash & (sets - 1)) * ways;
  /** The places of a name, in the order in which they are looked at: `i` below twice the ways. */
  const slotOf = (hash: number, i: number) =>
    i < ways ? firstOf(hash) + i : firstOf(Math.imul(hash, 0x9e3779b1) >>> 15) + i - ways;
  const isHere = (slot: number) => sameDigest(octets, (slot * wordsEach + fingerprintAt) * 4, fingerprint, 0);

  function stands(slot: number, nowMs: number): boolean {
    const { standing } = snapshot;
    const at = slot * wordsEach;
    const from = slot * doublesEach;
    const version = doubles[from + versionAt] as number;
    return (
      standing !== undefined &&
      nowMs < (doubles[from + untilAt] as number) &&
      standing.ofSnapshot(words[at + credentialAt] as number, version) &&
      standing.ofSnapshot(words[at + placeAt] as number, version) &&
      standing.ofProfiles(words[at + placeAt] as number, doubles[from + profileVersionAt] as number)
    );
  }

  function encode(slot: number, nowMs: number): RememberedLogin {
    const at = slot * wordsEach;
    const from = slot * doublesEach;
    const { head, tail, tenantId, interimIntervalS, outcome, outcomeWord } = templates.at(
      words[at + templateAt] as number,
    );
    let end = copy(head, 0);
    const expiryMs = doubles[from + timeoutAt] as number;
    const timeoutS = Number.isNaN(expiryMs) ? null : secondsUntil(expiryMs, nowMs, random);
    if (timeoutS !== null) end = putNumber(attribute.sessionTimeout, timeoutS, end);
    end = putNumber(attribute.acctInterimInterval, jittered(interimIntervalS, random), end);
    out[end] = attribute.class;
    out[end + 1] = 2 + classLength;
    const subscriptionId = doubles[from + subscriptionAt] as number;
    const partition = words[at + partitionAt] as number;
    writeClass(classKey, out, end + 2, tenantId, partition, subscriptionId, uuid(), outcomeWord);
    login.length = copy(tail, end + 2 + classLength);
    login.subscriptionId = subscriptionId;
    login.outcome = outcome;
    return login;
  }

  function copy(part: Uint8Array, at: number): number {
    for (let i = 0; i < part.length; i++) out[at + i] = part[i] as number;
    return at + part.length;
  }

  function putNumber(type: number, value: number, at: number): number {
    out[at] = type;
    out[at + 1] = 6;
    out[at + 2] = value >>> 24;
    out[at + 3] = value >>> 16;
    out[at + 4] = value >>> 8;
    out[at + 5] = value;
    return at + 6;
  }

  return {
    answer(packet, client, secret, nowMs, key) {
      missed = undefined;
      // A login that an operator tries is to show how it is decided.
      if (client.test) return undefined;
      if (!secret) return anew('unproven');
      if (!look(packet)) return anew('other_method');
      const { standing } = snapshot;
      if (!standing) return anew('unmarked');
      const hash = hashOf(packet, client.record.id);
      let isComputed = false;
      let hasChanged = false;
      for (let i = 0; i < 2 * ways; i++) {
        const slot = slotOf(hash, i);
        if (hashes[slot] !== hash) continue;
        const at = slot * wordsEach;
        if (words[at + templateAt] === 0) continue;
        const template = templates.at(words[at + templateAt] as number);
        if (template.nas !== client.record || !stands(slot, nowMs)) {
          hasChanged = true;
          continue;
        }
        if (!isInStep(template, snapshot.mirrorState().inStepAtMs, nowMs)) return anew('mirror_behind');
        if (!isComputed && !computeFingerprint(packet, secret, key)) return anew('other_password');
        isComputed = true;
        if (isHere(slot) && (chapAt < 0 || kept.answer(slot, packet, nameAt, chapAt, challengeAt))) {
          counters.count('remembered', 'answered');
          return encode(slot, nowMs);
        }
      }
      // What is read to decide it has these versions at least.
      const versions = standing.versions();
      missed = packet;
      missedVersion = versions.snapshot;
      missedProfiles = versions.profiles;
      return anew(isComputed ? 'other_password' : hasChanged ? 'changed' : 'unknown');
    },

    remember(packet, { record: nas }, secret, credential, found, nowMs, credentials) {
      const { realm, userName } = credential;
      const { standing } = snapshot;
      // What was awaited meanwhile may be older than what it is compared with.
      if (!standing || packet !== missed || found.standsUntilMs <= nowMs) return;
      // A name that is split has more than one place where it could be found.
      if (realm !== '' || userName !== textAt(packet, nameAt)) return;
      const credentialPlace = standing.placeOfCredential(nas.tenantId, '', userName);
      const template = templates.of(nas, found);
      if (credentialPlace === undefined || template === 0 || !computeFingerprint(packet, secret)) return;
      const password = chapAt < 0 ? undefined : credentials.clearOf(credential);
      if (typeof password === 'string' || (password && password.length > longestKept)) return;
      const { id } = found.subscription;
      const hash = hashOf(packet, nas.id);
      const slot = roomFor(hash);
      const at = slot * wordsEach;
      const from = slot * doublesEach;
      doubles[from + subscriptionAt] = id;
      doubles[from + untilAt] = found.standsUntilMs;
      doubles[from + timeoutAt] = found.reply.timeoutAtMs ?? Number.NaN;
      doubles[from + versionAt] = missedVersion;
      doubles[from + profileVersionAt] = missedProfiles;
      hashes[slot] = hash;
      words[at + templateAt] = template;
      words[at + credentialAt] = credentialPlace;
      words[at + placeAt] = standing.placeOfSubscription(nas.tenantId, id);
      words[at + partitionAt] = partitionOf(nas.tenantId, id);
      octets.set(fingerprint, (at + fingerprintAt) * 4);
      if (password) kept.keep(slot, packet, nameAt, password);
      counters.count('remembered', 'kept');
    },
  };

  /** Where the same name lies, else where nothing does, else where one in turn does. */
  function roomFor(hash: number): number {
    let free = -1;
    for (let i = 0; i < 2 * ways; i++) {
      const slot = slotOf(hash, i);
      if (words[slot * wordsEach + templateAt] === 0) free = free < 0 ? slot : free;
      else if (hashes[slot] === hash) return slot;
    }
    return free >= 0 ? free : firstOf(hash) + (turn++ % ways);
  }
}
