// `npm run doctor`: one line per check of this machine, with the mend; exit 1 when something must be mended.
import { InvalidSettings } from '#ops/runtime/errors.ts';
import { readSettings } from '#ops/runtime/settings.ts';
import { checkEap } from './doctor/eap.ts';
import { bad, type Finding } from './doctor/finding.ts';
import { checkHistory } from './doctor/history.ts';
import {
  checkClickHouseProgram,
  checkClock,
  checkDisk,
  checkKernelBuffers,
  checkNode,
  checkPostgresPrograms,
  checkRedisProgram,
} from './doctor/machine.ts';
import { checkClickHouse, checkDataFolder, checkPorts, checkPostgres, checkRedis } from './doctor/node-stores.ts';
import { checkRadsec } from './doctor/radsec.ts';
import { type Settings, settings as schema } from './up/settings.ts';

const marks = { ok: 'ok  ', warn: 'warn', bad: 'BAD ' } as const;

async function examine(settings: Settings): Promise<Finding[]> {
  return [
    checkNode(),
    ...(settings.DATABASE_URL === '' ? [checkPostgresPrograms()] : []),
    ...(settings.REDIS_URL === '' ? [checkRedisProgram()] : []),
    ...(settings.CLICKHOUSE_URL === '' ? [checkClickHouseProgram()] : []),
    ...checkDataFolder(settings.LASTMILE_DATA_DIR),
    await checkPostgres(settings),
    await checkRedis(settings),
    await checkClickHouse(settings),
    ...checkHistory(settings.LASTMILE_DATA_DIR),
    ...(await checkPorts(settings)),
    ...checkRadsec(settings),
    checkEap(settings, Date.now()),
    checkKernelBuffers(),
    checkClock(),
    checkDisk(settings.LASTMILE_DATA_DIR),
  ];
}

function settingsOrFindings(): Settings | Finding[] {
  try {
    return readSettings(schema, process.env);
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    return error.problems.map((problem) => bad('settings', problem, 'correct it'));
  }
}

const read = settingsOrFindings();
const findings = Array.isArray(read) ? read : await examine(read);
for (const { state, subject, text, mend } of findings) {
  console.log(`${marks[state]}  ${subject}: ${text.replace(/\.$/, '')}${mend ? `. Mend: ${mend}` : ''}`);
}
process.exit(findings.some(({ state }) => state === 'bad') ? 1 : 0);
