// Tells failures of Redis apart from bugs: a call of the ledger that cannot be made is answered 503.
import { Problem } from '../problem.ts';

const redisRefusal =
  /^(LOADING|READONLY|OOM|MISCONF|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS|ERR Function not found)/;
const connectionNames = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError', 'AbortError']);
const connectionMessages =
  /^(Connection is closed|Command timed out|Stream isn't writeable|Connection is in|connect E|read E|write E|None of startup nodes|Failed to refresh slots|Too many Cluster redirections)/i;

/** The answer of `call`; when Redis is away or refuses, the problem `ledger_unavailable`. */
export async function fromLedger<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isAway(error)) throw new Problem('ledger_unavailable', 'the ledger does not answer', [], error);
    throw error;
  }
}

function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return connectionNames.has(error.name) || connectionMessages.test(error.message) || redisRefusal.test(error.message);
}
