// Which names of policies access servers would need for the tariffs there are, and nobody gave.
import { and, eq, ne, or, sql } from 'drizzle-orm';
import { speedsOfPlan } from '#policy/access/speeds-of-plan.ts';
import { mbpsOfBps } from '#policy/mbps.ts';
import { wantsNames } from '#policy/nas/configured.ts';
import { isSameSpeed, type Speed } from '#policy/speed.ts';
import type { Conn } from '../database/connect.ts';
import { nas } from '../nas/schema.ts';
import { Problem } from '../problem.ts';
import { service, tariff } from '../services/schema.ts';
import { subscription } from '../subscriptions/schema.ts';
import { speedPolicy } from './schema.ts';

/** A speed without a name, and the access servers of the vendor that would need it. */
export type MissingPolicy = { readonly vendor: string; readonly nasIds: readonly number[]; readonly speed: Speed };

/** What was just changed: only that is looked at. */
export type Touched = { readonly nasId?: number; readonly tariffId?: number; readonly speed?: Speed };

/** @throws the problem speed_policy_missing, which names what to map. */
export async function requirePolicies(conn: Pick<Conn, 'select'>, touched: Touched): Promise<void> {
  const missing = await missingPolicies(conn, touched);
  const [first] = missing;
  if (!first) return;
  const sentence = ({ vendor, speed }: MissingPolicy) => `${vendor} has no policy for ${textOf(speed)}`;
  throw new Problem(
    'speed_policy_missing',
    `${sentence(first)}: add it with POST /speed-policies`,
    missing.slice(0, mostTold).map((one) => ({ in: 'body', path: '', message: sentence(one) })),
  );
}

const mostTold = 50;

export async function missingPolicies(conn: Pick<Conn, 'select'>, touched: Touched = {}): Promise<MissingPolicy[]> {
  const servers = await namingServers(conn, touched.nasId);
  if (servers.length === 0) return [];
  const speeds = (await speedsInUse(conn, touched.tariffId)).filter(
    (speed) => !touched.speed || isSameSpeed(speed, touched.speed),
  );
  const policies = await conn.select().from(speedPolicy);
  const missing = new Map<string, { vendor: string; nasIds: number[]; speed: Speed }>();
  for (const { id, vendor } of servers) {
    const known = policies.filter((policy) => policy.vendor === vendor && (policy.nasId ?? id) === id);
    for (const speed of speeds) {
      if (known.some((policy) => isSameSpeed(policy, speed))) continue;
      const key = `${vendor} ${speed.upBps}/${speed.downBps}`;
      const found = missing.get(key);
      if (found) found.nasIds.push(id);
      else missing.set(key, { vendor, nasIds: [id], speed });
    }
  }
  return [...missing.values()];
}

/** Active access servers that are told speeds by name. */
async function namingServers(conn: Pick<Conn, 'select'>, nasId: number | undefined) {
  const rows = await conn
    .select({ id: nas.id, vendor: nas.vendor, speedWay: nas.speedWay })
    .from(nas)
    .where(and(eq(nas.status, 'active'), nasId === undefined ? undefined : eq(nas.id, nasId)))
    .orderBy(nas.id);
  return rows.filter(wantsNames);
}

/** The speeds of every tariff that is sold or that somebody has; with `tariffId` those of this one. */
async function speedsInUse(conn: Pick<Conn, 'select'>, tariffId: number | undefined): Promise<Speed[]> {
  const had = sql`EXISTS (SELECT FROM ${subscription} WHERE ${and(eq(subscription.tariffId, tariff.id), ne(subscription.status, 'terminated'))})`;
  const newer = sql`EXISTS (SELECT FROM tariff AS newer WHERE newer.service_id = ${tariff.serviceId} AND newer.version > ${tariff.version})`;
  const plans = await conn
    .select({
      upBps: tariff.upBps,
      downBps: tariff.downBps,
      fupRules: tariff.fupRules,
      suspendAction: tariff.suspendAction,
    })
    .from(tariff)
    .innerJoin(service, eq(service.id, tariff.serviceId))
    .where(
      tariffId === undefined ? or(had, and(eq(service.status, 'active'), sql`NOT ${newer}`)) : eq(tariff.id, tariffId),
    );
  const speeds = new Map<string, Speed>();
  for (const { upBps, downBps, fupRules, suspendAction } of plans) {
    for (const speed of speedsOfPlan({ speed: { upBps, downBps }, fupRules, suspendAction }))
      speeds.set(`${speed.upBps}/${speed.downBps}`, speed);
  }
  return [...speeds.values()].sort((a, b) => a.downBps - b.downBps || a.upBps - b.upBps);
}

function textOf({ upBps, downBps }: Speed): string {
  return `${mbpsOfBps(downBps)} Mbps down and ${mbpsOfBps(upBps)} Mbps up`;
}
