// The doctor's checks of RadSec: its files fit together and are not about to expire.
import { messageOf } from '#ops/runtime/errors.ts';
import { type RadsecFileSettings, radsecFiles } from '../pki/radsec-settings.ts';
import { daysLeft, readTlsFiles, type TlsFileKind } from '../pki/tls-files.ts';
import { bad, type Finding, ok, warn } from './finding.ts';

const warnDays = 30;
const called: Readonly<Record<TlsFileKind, { readonly name: string; readonly mend: string }>> = {
  certificate: { name: 'certificate of the server', mend: 'replace RADSEC_CERT and RADSEC_KEY (no restart is needed)' },
  ca: { name: 'authority of access servers', mend: 'add its successor to RADSEC_CA and give them new certificates' },
  crl: { name: 'revocation list', mend: 'make it anew (own authority: `npm run pki -- crl`)' },
};

export function checkRadsec(settings: RadsecFileSettings, nowMs = Date.now()): Finding[] {
  const subject = 'RadSec';
  const files = radsecFiles(settings);
  if (files.kind === 'off') return [ok(subject, 'off')];
  if (files.kind === 'wrong') return files.problems.map((problem) => bad(subject, problem, 'set it, or none of them'));
  try {
    return [...readTlsFiles(files.paths).expiresAtMs].map(([kind, atMs]) => {
      const left = daysLeft(atMs, nowMs);
      const day = new Date(atMs).toISOString().slice(0, 10);
      const { name, mend } = called[kind];
      if (left < 0) return bad(subject, `${name} expired on ${day}: nobody connects`, mend);
      const text = `${name} valid until ${day} (${left} days)`;
      return left < warnDays ? warn(subject, text, mend) : ok(subject, text);
    });
  } catch (error) {
    return [bad(subject, messageOf(error), 'correct the files, or the settings that name them')];
  }
}
