// The doctor's checks of this node: data folder, stores, ports.
import { createSocket } from 'node:dgram';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import { clickHouseFacts, clickHouseProblem, createClickHouse } from '../stores/clickhouse.ts';
import { readRecord } from '../stores/data-folder.ts';
import { type ClickHouseRecord, clickHouseUrl } from '../stores/embedded/clickhouse.ts';
import { answers, isFree } from '../stores/embedded/ports.ts';
import { postgresUrl } from '../stores/embedded/postgres.ts';
import { dataDirectory, postgresRecord } from '../stores/embedded/postgres-place.ts';
import { type RedisRecord, redisUrl } from '../stores/embedded/redis.ts';
import { postgresProblem } from '../stores/postgres.ts';
import { connectRedis, redisProblem } from '../stores/redis.ts';
import { reachableHost } from '../up/ready.ts';
import type { Settings } from '../up/settings.ts';
import { bad, type Finding, ok } from './finding.ts';

export function checkDataFolder(location: string): Finding[] {
  const subject = 'data folder';
  const folder = path.resolve(location);
  if (!existsSync(path.join(folder, 'node-uuid'))) return [ok(subject, `${folder}: made by the first \`npm start\``)];
  const findings: Finding[] = [];
  if ((statSync(folder).mode & 0o067) !== 0) {
    findings.push(bad(subject, `${folder} is open to others`, `chmod o-rwx,g-rw ${folder}`));
  }
  const key = path.join(folder, 'secret-key');
  if (existsSync(key) && (statSync(key).mode & 0o077) !== 0) {
    findings.push(bad(subject, `${key} can be read by others`, `chmod 600 ${key}`));
  }
  if (findings.length === 0) findings.push(ok(subject, folder));
  const record = postgresRecord({ path: folder, uuid: '' });
  if (!record) return findings;
  const directory = dataDirectory({ path: folder, uuid: '' }, record);
  const mend = 'restore it from a backup, or correct `directory` in postgres.json';
  return findings.concat(
    existsSync(path.join(directory, 'PG_VERSION')) || !readable(directory)
      ? ok("PostgreSQL's data", `in ${directory}`)
      : bad("PostgreSQL's data", `is not in ${directory}, where postgres.json points`, mend),
  );
}

export async function checkPostgres(settings: Settings): Promise<Finding> {
  const subject = 'PostgreSQL';
  const record = postgresRecord({ path: path.resolve(settings.LASTMILE_DATA_DIR), uuid: '' });
  const embedded = settings.DATABASE_URL === '';
  if (embedded && !(record && (await answers(record.port)))) return ok(subject, 'embedded, not running now');
  const url = embedded && record ? postgresUrl(record) : settings.DATABASE_URL;
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  let lost = '';
  client.on('error', (error) => {
    lost = messageOf(error);
  });
  try {
    await client.connect();
    const problem = await postgresProblem(client);
    const where = `${embedded ? 'embedded, ' : ''}port ${client.port} of ${client.host}`;
    return problem === null ? ok(subject, where) : bad(subject, `${where}: ${problem}`, 'change its configuration');
  } catch (error) {
    return bad(subject, `does not answer: ${lost || messageOf(error)}`, 'start it, or correct DATABASE_URL');
  } finally {
    await client.end().catch(messageOf);
  }
}

export async function checkRedis(settings: Settings): Promise<Finding> {
  const subject = 'Redis';
  const folder = { path: path.resolve(settings.LASTMILE_DATA_DIR), uuid: '' };
  const record = readRecord<RedisRecord>(folder, 'redis');
  const embedded = settings.REDIS_URL === '';
  if (embedded && !(record && (await answers(record.port)))) return ok(subject, 'embedded, not running now');
  const url = embedded && record ? redisUrl(record) : settings.REDIS_URL;
  let last = '';
  try {
    const client = await connectRedis({
      url,
      name: 'doctor',
      signal: AbortSignal.timeout(2000),
      onProblem: (problem) => {
        last = problem;
      },
    });
    const problem = await redisProblem(client);
    client.disconnect();
    const where = embedded ? `embedded, port ${record?.port}` : 'answers';
    return problem === null ? ok(subject, where) : bad(subject, problem, 'change its configuration');
  } catch (error) {
    return bad(subject, `does not answer: ${last || messageOf(error)}`, 'start it, or correct REDIS_URL');
  }
}

export async function checkClickHouse(settings: Settings): Promise<Finding> {
  const subject = 'ClickHouse';
  const folder = { path: path.resolve(settings.LASTMILE_DATA_DIR), uuid: '' };
  const record = readRecord<ClickHouseRecord>(folder, 'clickhouse');
  const embedded = settings.CLICKHOUSE_URL === '';
  if (embedded && !(record && (await answers(record.port)))) return ok(subject, 'embedded, not running now');
  const url = embedded && record ? clickHouseUrl(record) : settings.CLICKHOUSE_URL;
  const client = createClickHouse(url, { name: 'doctor', requestTimeoutMs: 5000 });
  try {
    const problem = await clickHouseProblem(client);
    if (problem !== null) return bad(subject, problem, 'start it, or correct CLICKHOUSE_URL or its configuration');
    const { version } = await clickHouseFacts(client);
    return ok(subject, `${version}, ${embedded ? `embedded, port ${record?.port}` : `at ${new URL(url).host}`}`);
  } finally {
    await client.close();
  }
}

/** Each port is free, or held by the process it belongs to, which then answers on its health address. */
export async function checkPorts(settings: Settings): Promise<Finding[]> {
  const local = reachableHost(settings.BIND_HOST[0]);
  const [apiRuns, aaaRuns, flowRuns] = await Promise.all(
    [settings.HTTP_PORT, settings.AAA_ADMIN_PORT, settings.FLOW_ADMIN_PORT].map((port) =>
      isAlive(`http://${local}:${port}/healthz`),
    ),
  );
  const ports = [
    { name: 'HTTP_PORT', kind: 'tcp', ours: apiRuns },
    { name: 'AAA_ADMIN_PORT', kind: 'tcp', ours: aaaRuns },
    { name: 'RADIUS_AUTH_PORT', kind: 'udp', ours: aaaRuns },
    { name: 'RADIUS_ACCT_PORT', kind: 'udp', ours: aaaRuns },
    ...(settings.RADSEC_CERT === '' ? [] : [{ name: 'RADSEC_PORT', kind: 'tcp', ours: aaaRuns } as const]),
    { name: 'FLOW_ADMIN_PORT', kind: 'tcp', ours: flowRuns },
    { name: 'NETFLOW_PORT', kind: 'udp', ours: flowRuns },
  ] as const;
  return Promise.all(
    ports.map(async ({ name, kind, ours }) => {
      const port = settings[name];
      const where = `${port}/${kind}`;
      const free = await Promise.all(
        settings.BIND_HOST.map((host) => (kind === 'tcp' ? isFree(port, host) : isFreeUdp(port, host))),
      );
      if (free.every(Boolean)) return ok(name, `${where} is free`);
      if (ours) return ok(name, `${where} is ours`);
      return bad(name, `${where} is in use by another program, or not allowed`, `stop that program, or set ${name}`);
    }),
  );
}

async function isAlive(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

function isFreeUdp(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** Another user's directory cannot be looked into; that is not a fault. */
function readable(directory: string): boolean {
  try {
    statSync(path.join(directory, 'PG_VERSION'));
    return true;
  } catch (error) {
    return codeOf(error) !== 'EACCES';
  }
}
