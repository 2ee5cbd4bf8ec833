// Asks every process of this node how it is: its own /readyz says which of its dependencies are fine.
import type { Static } from 'typebox';
import Type from 'typebox';
import { Value } from 'typebox/value';
import { type ReadyCheck, readiness } from '#ops/runtime/admin.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { SystemReply } from './contract.ts';

type ProcessHealth = Static<typeof SystemReply>['processes'][number];

/** Another process and where its admin port is. */
export type Neighbour = { readonly name: string; readonly url: string };

const Readiness = Type.Object({ ok: Type.Boolean(), checks: Type.Record(Type.String(), Type.String()) });
const timeoutMs = 2000;

export async function healthOf(
  own: readonly ReadyCheck[],
  neighbours: readonly Neighbour[],
): Promise<readonly ProcessHealth[]> {
  const [self, ...others] = await Promise.all([readiness(own), ...neighbours.map(askReadiness)]);
  return [{ name: 'control-api', ready: self.ok, problem: '', checks: self.checks }, ...others];
}

async function askReadiness({ name, url }: Neighbour): Promise<ProcessHealth> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(timeoutMs) });
    const { ok, checks } = Value.Parse(Readiness, await response.json());
    return { name, ready: ok, problem: '', checks };
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    return { name, ready: false, problem: `does not answer on its admin port: ${messageOf(cause)}`, checks: {} };
  }
}
