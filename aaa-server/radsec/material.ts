// Keeps the certificates of RadSec as the files are: read at the start, read again when they change, and their expiry shown.

import { readTlsFiles, type TlsFileKind, type TlsPaths, type TlsTexts } from '#ops/pki/tls-files.ts';
import type { Clock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { TlsMaterial } from './protocol.ts';

export type RadsecMaterial = Part & {
  current(): TlsMaterial;
  /** Wall clock of the first of each kind to expire. */
  expiresAtMs(): ReadonlyMap<TlsFileKind, number>;
};

export type RadsecMaterialDeps = {
  readonly log: Logger;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** `recheck`: who is trusted has changed, so those that are connected must show their certificates again. */
  onChange(material: TlsMaterial, recheck: boolean): void;
  /** Changed files cannot be used. */
  onFailure(): void;
  readonly pollMs?: number;
};

const dayMs = 86_400_000;
/** A replacement takes people some days. */
const soonMs = 14 * dayMs;

/** @throws when the files cannot be used as they are now. */
export function createRadsecMaterial(paths: TlsPaths, deps: RadsecMaterialDeps): RadsecMaterial {
  const { log, clock, onChange, onFailure, pollMs = 10_000 } = deps;
  let files = readTlsFiles(paths);
  let problem = '';
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  function reload(): void {
    try {
      const read = readTlsFiles(paths);
      problem = '';
      if (same(read.texts, files.texts)) return;
      const recheck = read.texts.ca !== files.texts.ca || read.texts.crls.join() !== files.texts.crls.join();
      files = read;
      toldAtMs = Number.NEGATIVE_INFINITY;
      log.info({ subject: files.subject, recheck }, 'radsec certificates read again');
      onChange(files.texts, recheck);
    } catch (error) {
      const now = messageOf(error);
      if (now === problem) return;
      problem = now;
      onFailure();
      log.error({ err: error }, 'changed radsec certificates cannot be used, the former ones stay');
    }
  }

  /** Once a day, while there is something to say. */
  function tellExpiry(): void {
    const nowMs = clock.nowMs();
    if (nowMs - toldAtMs < dayMs) return;
    for (const [file, atMs] of files.expiresAtMs) {
      if (atMs - nowMs > soonMs) continue;
      toldAtMs = nowMs;
      const expires = new Date(atMs).toISOString();
      log.error({ file, expires }, atMs <= nowMs ? 'a radsec file has expired' : 'a radsec file expires soon');
    }
  }

  return {
    name: 'radsec certificates',
    current: () => files.texts,
    expiresAtMs: () => files.expiresAtMs,
    async start() {
      tellExpiry();
      timer = setInterval(() => {
        reload();
        tellExpiry();
      }, pollMs);
    },
    async stop() {
      clearInterval(timer);
    },
  };
}

function same(a: TlsTexts, b: TlsTexts): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca && a.crls.join() === b.crls.join();
}
