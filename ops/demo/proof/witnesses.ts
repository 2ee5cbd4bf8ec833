// Who is asked at the end of a run, and who cannot be asked and why.

import { messageOf } from '#ops/runtime/errors.ts';
import { type ClickHouseClient, createClickHouse } from '#ops/stores/clickhouse.ts';
import type { Lastmile } from '../stack/lastmile.ts';
import type { Api } from '../tenant/api.ts';
import { flowWitness, historyWitness, type RunFacts } from './clickhouse-witnesses.ts';
import { usageWitness } from './usage-witness.ts';
import type { Witness } from './witness.ts';

export type Witnesses = {
  readonly called: readonly Witness[];
  /** One sentence each. */
  readonly absent: readonly string[];
  close(): Promise<void>;
};

export type CallOptions = {
  readonly lastmile: Pick<Lastmile, 'clickhouseUrl'>;
  readonly api: Pick<Api, 'usage'>;
  readonly facts: RunFacts;
  /** flow-collector was there from the beginning to the end, and knew the routers. */
  readonly flowSawAll: boolean;
};

export async function callWitnesses({ lastmile, api, facts, flowSawAll }: CallOptions): Promise<Witnesses> {
  const called = [usageWitness(api)];
  const absent: string[] = [];
  if (lastmile.clickhouseUrl === '') {
    return { called, absent: ['there is no ClickHouse: history and flows are not asked'], close: async () => {} };
  }
  const client = createClickHouse(lastmile.clickhouseUrl, { name: 'demo' });
  const reason = await problemOf(client);
  if (reason !== null) absent.push(`ClickHouse does not answer (${reason}): history and flows are not asked`);
  else {
    called.push(historyWitness(client, facts));
    if (flowSawAll) called.push(flowWitness(client, facts));
    else absent.push('flow-collector did not run all the time, or did not know the routers: it is not asked');
  }
  return { called, absent, close: () => client.close() };
}

async function problemOf(client: ClickHouseClient): Promise<string | null> {
  const answer = await client.ping();
  return answer.success ? null : messageOf(answer.error);
}
