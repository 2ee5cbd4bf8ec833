// What enforcement counts: CoA exchanges, the lag from a crossing to its ACK, evaluations, ownership and the brake.
import { nasLabels } from '#aaa-server/nas-labels.ts';
import { Counter, Gauge, Histogram, type Registry } from '#ops/runtime/metrics.ts';

export type EnforcementMetrics = ReturnType<typeof createEnforcementMetrics>;

export function createEnforcementMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name: `lastmile_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name: `lastmile_${name}`, help, labelNames, registers });
  const seconds = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `lastmile_${name}`, help, buckets: seconds, registers });

  const coaRequests = counter('coa_requests_total', 'CoA and Disconnect requests by how they ended', [
    'kind',
    'result',
  ]);
  // A series that begins with its first event hides it from a rate.
  for (const kind of ['coa', 'disconnect'])
    for (const result of ['ack', 'timeout']) coaRequests.inc({ kind, result }, 0);

  return {
    coaRequests,
    coaTransmissions: counter('coa_transmissions_total', 'Datagrams sent to access servers, retransmissions included'),
    coaDropped: counter('coa_dropped_total', 'Datagrams of access servers that were not taken, by reason', ['reason']),
    coaOutstanding: gauge('coa_outstanding', 'Requests waiting for the answer of an access server'),
    coaWaiting: gauge('coa_waiting', 'Requests waiting for the rate limit of their access server'),
    coaRoundTrip: histogram('coa_round_trip_seconds', 'From the wish to send to the answer of the access server'),
    lag: histogram('enforcement_lag_seconds', 'From the packet that crossed a threshold to the ACK of the change'),
    evaluations: counter('enforcement_evaluations_total', 'Subscriptions evaluated, by what caused it', ['cause']),
    failures: counter('enforcement_failures_total', 'Work that failed and comes again, by step', ['step']),
    alarms: counter('enforcement_alarms_total', 'Things an operator must look at, by reason', ['reason']),
    partitions: gauge('enforcement_partitions_owned', 'Partitions this node enforces'),
    online: gauge('online_subscribers', 'Subscribers with an open session in the partitions of this node', ['tenant']),
    silent: gauge('silent_sessions', 'Open sessions that have not reported for three interim intervals or 15 minutes'),
    outcomes: gauge('session_outcomes', 'Open sessions in the partitions of this node, by what they should have', [
      'outcome',
    ]),
    nasSessions: gauge(
      'nas_open_sessions',
      'Open sessions of an access server in the partitions of this node',
      nasLabels,
    ),
    closed: counter(
      'sessions_closed_silent_total',
      'Silent sessions closed because their access server no longer had them',
    ),
    surplus: counter('sessions_surplus_total', 'Sessions beyond the limit of their subscription that were told to end'),
    moved: counter(
      'sessions_moved_total',
      'Sessions of drained access servers that were told to end, by order of an operator',
    ),
    held: counter('brake_held_changes_total', 'Changes the brake held back', ['tenant']),
    braking: gauge('brake_holding', '1 while the brake of the tenant holds', ['tenant']),
  };
}
