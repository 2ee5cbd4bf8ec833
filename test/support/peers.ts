// The Debian programs that tests talk to: installed when root, else named so that their tests skip with a reason.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What a package brings: a program, or a file by its path. */
const programOf: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  freeradius: 'freeradius',
  'freeradius-utils': 'radclient',
  prometheus: 'promtool',
  'freeradius-postgresql': '/usr/lib/freeradius/rlm_sql_postgresql.so',
  eapoltest: 'eapol_test',
  nfdump: 'nfcapd',
  pmacct: 'nfacctd',
};

export function hasProgram(name: string): boolean {
  if (name.startsWith('/')) return existsSync(name);
  return (
    spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } })
      .status === 0
  );
}

/** A reason to skip, or false: `t.test('…', { skip: missing('radclient') }, …)`. */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter((program) => !hasProgram(programOf[program] ?? program));
  return absent.length > 0 && `not installed: ${absent.join(', ')}`;
}

/** Installs what is missing with apt-get when root; returns the lines to print. Never leaves a service running. */
export function installPeers(packages: readonly string[]): string[] {
  const absent = packages.filter((name) => !hasProgram(programOf[name] ?? name));
  if (absent.length === 0) return [];
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) {
    return [
      `peers missing: ${absent.join(', ')}; their tests are skipped. Install: apt-get install ${absent.join(' ')}`,
    ];
  }
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...absent], { env: environment });
  let result = install();
  if (result.status !== 0) {
    spawnSync('apt-get', ['update'], { env: environment });
    result = install();
  }
  return [
    result.status === 0
      ? `peers installed: ${absent.join(', ')}`
      : `peers could not be installed (${absent.join(', ')}): ${result.stderr.toString().trim().split('\n').at(-1)}`,
  ];
}
