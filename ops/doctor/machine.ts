// The doctor's checks of the machine: Node, installed programs, kernel buffers, clock, disk.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '#ops/runtime/errors.ts';
import { requireClickHouseProgram } from '../stores/embedded/clickhouse/program.ts';
import { findPostgresBinaries } from '../stores/embedded/postgres-binaries.ts';
import { findRedisProgram } from '../stores/embedded/redis-program.ts';
import { bad, type Finding, ok, warn } from './finding.ts';

export function checkNode(version: string = process.versions.node): Finding {
  if (Number(version.split('.')[0]) >= 24) return ok('Node', version);
  return bad('Node', `${version} is too old`, 'run `npm ci` with install scripts allowed, then `npm run doctor`');
}

export function checkPostgresPrograms(): Finding {
  const subject = 'PostgreSQL programs';
  try {
    const { version, directory } = findPostgresBinaries();
    return ok(subject, `${version} in ${directory}`);
  } catch (error) {
    return bad(subject, messageOf(error), 'run `npm ci` without --omit=optional, or set DATABASE_URL');
  }
}

export function checkRedisProgram(): Finding {
  const subject = 'Redis program';
  const { found, tooOld } = findRedisProgram();
  if (found) return ok(subject, `${found.name} ${found.version} in ${path.dirname(found.path)}`);
  return bad(
    subject,
    tooOld ? `${tooOld.path} is version ${tooOld.version}` : 'neither redis-server nor valkey-server is installed',
    'install version 7.0 or newer (Debian: `apt-get install redis-server`), or set REDIS_URL',
  );
}

export function checkClickHouseProgram(): Finding {
  const subject = 'ClickHouse engine';
  try {
    const { version, path: library } = requireClickHouseProgram();
    return ok(subject, `chdb ${version} in ${path.dirname(library)}`);
  } catch (error) {
    const mend = 'run `npm ci` without --omit=optional, or set CLICKHOUSE_URL';
    return warn(subject, `${messageOf(error).split(': run')[0]}: no history is kept`, mend);
  }
}

const WANTED_BUFFER = 8 * 1024 * 1024;

/** Bursts of datagrams wait in the socket's buffer; root may exceed the limit, others may not. */
export function checkKernelBuffers(file = '/proc/sys/net/core/rmem_max'): Finding {
  const subject = 'kernel buffers';
  if (!existsSync(file)) return ok(subject, 'not visible here');
  const bytes = Number(readFileSync(file, 'utf8').trim());
  const text = `net.core.rmem_max is ${bytes}`;
  if (bytes >= WANTED_BUFFER) return ok(subject, text);
  const command = `sysctl -w net.core.rmem_max=${WANTED_BUFFER}`;
  return warn(subject, `${text}: bursts of datagrams may be lost`, `${command} (and in /etc/sysctl.d to keep it)`);
}

/** Accounting, expiries and tokens trust the wall clock. */
export function checkClock(): Finding {
  const subject = 'clock';
  if (Date.now() < Date.UTC(2025, 0, 1)) {
    return bad(subject, `says ${new Date().toISOString()}`, 'set it, and run an NTP client (`apt-get install chrony`)');
  }
  const systemd = spawnSync('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { encoding: 'utf8' });
  const answer = systemd.status === 0 ? systemd.stdout.trim() : '';
  const chrony = answer === '' ? spawnSync('chronyc', ['-c', 'tracking'], { encoding: 'utf8' }) : undefined;
  if (answer === 'yes' || (chrony?.status === 0 && !chrony.stdout.includes('Not synchronised'))) {
    return ok(subject, 'synchronised by NTP');
  }
  if (answer === 'no' || chrony?.status === 0) {
    return warn(subject, 'not synchronised by NTP', 'run an NTP client (`apt-get install chrony`)');
  }
  return ok(subject, `${new Date().toISOString()}; its synchronisation is not visible here`);
}

export function checkDisk(directory: string): Finding {
  const subject = 'disk';
  const nearest = existingAbove(directory);
  const { bavail, blocks, bfree, bsize } = statfsSync(nearest);
  const freeGb = (bavail * bsize) / 1e9;
  const used = Math.round(((blocks - bfree) / Math.max(1, blocks - bfree + bavail)) * 100);
  const text = `${used} % used, ${freeGb.toFixed(1)} GB free at ${nearest}`;
  const mend = 'free some space or move LASTMILE_DATA_DIR: accounting is not acknowledged on a full disk';
  if (freeGb < 0.5 || used >= 98) return bad(subject, text, mend);
  return used >= 80 ? warn(subject, text, mend) : ok(subject, text);
}

function existingAbove(directory: string): string {
  let nearest = path.resolve(directory);
  while (!existsSync(nearest)) nearest = path.dirname(nearest);
  return nearest;
}
