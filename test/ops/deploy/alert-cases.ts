// For each alert: series under which it fires, with what it then says, and series under which it stays quiet.

/** Series by name, with their values every minute in promtool's notation (`start+step x count`). */
export type Series = Readonly<Record<string, string>>;

export type AlertCase = {
  readonly fires: {
    readonly series: Series;
    /** Minutes after the first value; default 20. */
    readonly atMinute?: number;
    /** Beside `severity`. */
    readonly labels: Readonly<Record<string, string>>;
    readonly summary: string;
  };
  /** By what keeps it quiet. */
  readonly quiet: Readonly<Record<string, { readonly series: Series; readonly atMinute?: number }>>;
};

const aaa = 'job="aaa-server",instance="aaa:9101",process="aaa-server"';
const api = 'job="control-api",instance="api:8080",process="control-api"';
const onAaa = { job: 'aaa-server', instance: 'aaa:9101', process: 'aaa-server' };
const flow = 'job="flow-collector",instance="flow:9102",process="flow-collector"';
const onFlow = { job: 'flow-collector', instance: 'flow:9102', process: 'flow-collector' };
const router = 'exporter="192.0.2.1"';
const tower = 'tenant="1",nas="7",name="tower"';
const onTower = { tenant: '1', nas: '7', name: 'tower' };

const ready = (check: string, on = aaa) => `lastmile_ready{${on},check="${check}"}`;
const of = (name: string, labels = '', on = aaa) => `${name}{${on}${labels && `,${labels}`}}`;

const homePort = 'tenant="1",home_server="partner",port="auth"';
const billing = 'tenant="1",destination="copy billing"';
const pool = (name: string) => of(`lastmile_pool_${name}`, 'pool="homes",tenant="1"');

export const alertCases: Readonly<Record<string, AlertCase>> = {
  LastmileProcessDown: {
    fires: {
      series: { 'up{job="aaa-server",instance="aaa:9101"}': '1x5 0x20' },
      labels: { job: 'aaa-server', instance: 'aaa:9101' },
      summary: 'aaa-server at aaa:9101 does not answer',
    },
    quiet: {
      'one scrape that failed': { series: { 'up{job="aaa-server",instance="aaa:9101"}': '1x9 0 1x15' }, atMinute: 10 },
      'another job': { series: { 'up{job="node",instance="aaa:9100"}': '0x30' } },
    },
  },
  LastmileProcessRestarts: {
    fires: {
      series: { [of('process_start_time_seconds')]: '0x5 100x3 200x3 300x3 400x30' },
      labels: onAaa,
      summary: 'aaa-server at aaa:9101 was started 4 times in 15 minutes',
    },
    quiet: { 'an upgrade': { series: { [of('process_start_time_seconds')]: '0x10 100x30' } } },
  },
  LastmileNotReady: {
    fires: {
      series: { [ready('profile mirror')]: '1x5 0x30' },
      atMinute: 25,
      labels: { job: 'aaa-server', instance: 'aaa:9101', check: 'profile mirror' },
      summary: 'aaa-server at aaa:9101 has not been ready for 15 minutes: profile mirror',
    },
    quiet: {
      'what has an alert of its own': {
        series: { [ready('redis')]: '0x40', [ready('usage history')]: '0x40' },
        atMinute: 25,
      },
    },
  },
  LastmileClockSet: {
    fires: {
      series: { [of('lastmile_wall_clock_steps_total')]: '0x10 1x30' },
      labels: onAaa,
      summary: 'The clock of aaa:9101 was set',
    },
    quiet: {
      'a step long ago': { series: { [of('lastmile_wall_clock_steps_total')]: '0x2 1x60' }, atMinute: 40 },
      'a restart of the process': { series: { [of('lastmile_wall_clock_steps_total')]: '3x10 0x30' } },
    },
  },
  LastmileClockOff: {
    fires: {
      series: { [of('lastmile_wall_clock_seconds')]: '-30+60x30' },
      labels: onAaa,
      summary: 'The clocks of aaa:9101 and of Prometheus differ by 30s',
    },
    quiet: { 'the time a scrape takes': { series: { [of('lastmile_wall_clock_seconds')]: '1+60x30' } } },
  },
  LastmileRedisAway: {
    fires: {
      series: { [ready('redis')]: '1x5 0x30' },
      labels: { ...onAaa, check: 'redis' },
      summary: 'Redis does not serve aaa-server at aaa:9101',
    },
    quiet: { 'another store that is away': { series: { [ready('redis')]: '1x30', [ready('disk')]: '0x30' } } },
  },
  LastmilePostgresAway: {
    fires: {
      series: { [ready('postgresql', api)]: '1x5 0x30' },
      labels: { job: 'control-api', instance: 'api:8080', process: 'control-api', check: 'postgresql' },
      summary: 'PostgreSQL does not serve control-api at api:8080',
    },
    quiet: { 'a restart of PostgreSQL': { series: { [ready('postgresql', api)]: '1x19 0 1x10' } } },
  },
  LastmileDiskFilling: {
    fires: {
      series: { [of('lastmile_accounting_disk_used_ratio')]: '0.7x5 0.8x30' },
      labels: { job: 'aaa-server', instance: 'aaa:9101' },
      summary: 'The data disk of aaa:9101 is 80% full',
    },
    quiet: { 'room enough': { series: { [of('lastmile_accounting_disk_used_ratio')]: '0.79x30' } } },
  },
  LastmileDiskFull: {
    fires: {
      series: {
        [of('lastmile_accounting_disk_used_ratio')]: '0.5x30',
        [of('lastmile_flow_usage_disk_used_ratio', '', flow)]: '0.96x30',
      },
      labels: { job: 'flow-collector', instance: 'flow:9102' },
      summary: 'The data disk of flow:9102 is 96% full',
    },
    quiet: { 'a disk that is only filling': { series: { [of('lastmile_accounting_disk_used_ratio')]: '0.9x30' } } },
  },
  LastmileSnapshotIncomplete: {
    fires: {
      series: { [ready('subscribers')]: '0x30' },
      labels: { ...onAaa, check: 'subscribers' },
      summary: 'aaa:9101 answers no logins: it has no complete copy of the subscribers',
    },
    quiet: { 'a first copy that ends soon': { series: { [ready('subscribers')]: '0 1x30' } } },
  },
  LastmileFeedBehind: {
    fires: {
      series: { [of('lastmile_feed_age_seconds')]: '2x5 60+60x30' },
      labels: onAaa,
      summary: 'Changes reach aaa:9101 late: it last kept up 15m 0s ago',
    },
    quiet: { 'an idle feed': { series: { [of('lastmile_feed_age_seconds')]: '0 3 5 1 4 2 5x30' } } },
  },
  LastmileFeedSilent: {
    fires: {
      series: { [of('lastmile_feed_age_seconds')]: '0+60x60' },
      labels: onAaa,
      summary: 'aaa:9101 has known nothing new of its subscribers for 20m 0s',
    },
    quiet: { 'a feed that is only behind': { series: { [of('lastmile_feed_age_seconds')]: '800x30' } } },
  },
  LastmileFeedRowUnreadable: {
    fires: {
      series: { [of('lastmile_feed_unreadable_total')]: '0x10 2x30' },
      labels: onAaa,
      summary: 'aaa:9101 could not read rows of the subscriber source',
    },
    quiet: { 'nothing new': { series: { [of('lastmile_feed_unreadable_total')]: '2x30' } } },
  },
  LastmileMirrorBehind: {
    fires: {
      series: { [of('lastmile_profile_mirror_age_seconds')]: '4x5 90x30' },
      labels: onAaa,
      summary: 'The mirror of decided profiles at aaa:9101 is 1m 30s old',
    },
    quiet: { 'a mirror in step': { series: { [of('lastmile_profile_mirror_age_seconds')]: '5x30' } } },
  },
  LastmileFeedGuardHolds: {
    fires: {
      series: {
        [of('lastmile_snapshot_held', 'kind="removals"')]: '0x5 120x30',
        [of('lastmile_snapshot_held', 'kind="reload"')]: '0x35',
      },
      labels: { instance: 'aaa:9101', kind: 'removals' },
      summary: 'The feed guard of aaa:9101 keeps 120 records that the source has lost (removals)',
    },
    quiet: {
      'what was confirmed': { series: { [of('lastmile_snapshot_held', 'kind="removals"')]: '120x10 0x20' } },
    },
  },
  LastmileRejectStorm: {
    fires: {
      series: {
        [of('lastmile_radius_rejects_total', 'reason="expired"')]: '0+12x400 5000+300x30',
        [of('lastmile_radius_rejects_total', 'reason="wrong_password"')]: '0+12x430',
      },
      atMinute: 415,
      labels: { reason: 'expired' },
      summary: '5.0 logins a second are rejected as expired',
    },
    quiet: {
      'expired customers whose routers try for ever': {
        series: { [of('lastmile_radius_rejects_total', 'reason="expired"')]: '0+300x430' },
        atMinute: 415,
      },
      'a few more than usual': {
        series: { [of('lastmile_radius_rejects_total', 'reason="expired"')]: '0x400 0+30x30' },
        atMinute: 415,
      },
      'an access server that is drained by an operator': {
        series: { [of('lastmile_radius_rejects_total', 'reason="nas_draining"')]: '0x400 0+300x30' },
        atMinute: 415,
      },
    },
  },
  LastmileNasSilent: {
    fires: {
      series: {
        [of('lastmile_nas_last_packet_seconds', tower)]: '60x40',
        [of('lastmile_nas_open_sessions', tower)]: '12x40',
      },
      labels: onTower,
      summary: 'Access server tower (tenant 1) has been silent for 19m 0s',
    },
    quiet: {
      'it has no sessions': {
        series: {
          [of('lastmile_nas_last_packet_seconds', tower)]: '60x40',
          [of('lastmile_nas_open_sessions', tower)]: '0x40',
        },
      },
      'it is in maintenance': {
        series: {
          [of('lastmile_nas_last_packet_seconds', tower)]: '60x40',
          [of('lastmile_nas_open_sessions', tower)]: '12x40',
          [of('lastmile_nas_maintenance', tower)]: '1x40',
        },
      },
      'it speaks to another node': {
        series: {
          [of('lastmile_nas_last_packet_seconds', tower)]: '60x40',
          [`lastmile_nas_last_packet_seconds{job="aaa-server",instance="other:9101",${tower}}`]: '0+60x40',
          [of('lastmile_nas_open_sessions', tower)]: '12x40',
        },
      },
    },
  },
  LastmileNasUnanswered: {
    fires: {
      series: {
        [of('lastmile_nas_dropped_total', tower)]: '0+30x30',
        [of('lastmile_nas_requests_total', `${tower},kind="access"`)]: '0+60x30',
        [of('lastmile_nas_requests_total', `${tower},kind="accounting"`)]: '0+60x30',
      },
      labels: onTower,
      summary: '25% of the packets of access server tower (tenant 1) get no answer',
    },
    quiet: {
      'it is drained': {
        series: {
          [of('lastmile_nas_dropped_total', tower)]: '0+30x30',
          [of('lastmile_nas_requests_total', `${tower},kind="access"`)]: '0+60x30',
          [of('lastmile_nas_draining', tower)]: '1x30',
        },
      },
      'a few of many': {
        series: {
          [of('lastmile_nas_dropped_total', tower)]: '0+30x30',
          [of('lastmile_nas_requests_total', `${tower},kind="access"`)]: '0+600x30',
        },
      },
      'an idle access server': {
        series: {
          [of('lastmile_nas_dropped_total', tower)]: '0x30',
          [of('lastmile_nas_requests_total', `${tower},kind="access"`)]: '0x30',
        },
      },
    },
  },
  LastmileSpeedPolicyMissing: {
    fires: {
      series: {
        [of('lastmile_radius_signs_total', 'sign="speed_policy_nearest"')]: '0+1x40',
        [of('lastmile_radius_rejects_total', 'reason="speed_policy_missing"')]: '0x40',
        [of('lastmile_enforcement_alarms_total', 'reason="speed_policy_missing"')]: '0+1x40',
      },
      labels: {},
      summary: '30 logins or changes in 15 minutes met an access server that has no name for their speed',
    },
    quiet: {
      'other signs': {
        series: {
          [of('lastmile_radius_signs_total', 'sign="likely_wrong_secret"')]: '0+60x40',
          [of('lastmile_radius_signs_total', 'sign="speed_policy_nearest"')]: '3x40',
          [of('lastmile_enforcement_alarms_total', 'reason="nak_401"')]: '0+1x40',
        },
      },
    },
  },
  LastmileWrongSecret: {
    fires: {
      series: {
        [of('lastmile_radius_signs_total', 'sign="likely_wrong_secret"')]: '0+60x40',
        [of('lastmile_radius_dropped_total', 'reason="bad_request_authenticator"')]: '0+60x40',
        [of('lastmile_radius_dropped_total', 'reason="bad_message_authenticator"')]: '0x40',
      },
      labels: {},
      summary: '2.0 packets a second look as if the shared secret were wrong',
    },
    quiet: {
      'other drops': {
        series: {
          [of('lastmile_radius_signs_total', 'sign="likely_wrong_secret"')]: '0x40',
          [of('lastmile_radius_dropped_total', 'reason="bad_request_authenticator"')]: '0x40',
          [of('lastmile_radius_dropped_total', 'reason="unknown_client"')]: '0+600x40',
        },
      },
    },
  },
  LastmileRadsecExpires: {
    fires: {
      series: {
        [of('lastmile_radsec_certificate_expires_seconds', 'file="certificate"')]: '5000000x30',
        [of('lastmile_radsec_certificate_expires_seconds', 'file="crl"')]: '1001200x30',
      },
      labels: { instance: 'aaa:9101', file: 'crl' },
      summary: 'RadSec at aaa:9101: the crl file expires in 11d 13h 46m 40s',
    },
    quiet: {
      'a certificate that lasts': {
        series: { [of('lastmile_radsec_certificate_expires_seconds', 'file="certificate"')]: '5000000x30' },
      },
    },
  },
  LastmileRadsecRefused: {
    fires: {
      series: { [of('lastmile_radsec_refused_total', 'reason="unknown_nas"')]: '0+2x30' },
      labels: { instance: 'aaa:9101', reason: 'unknown_nas' },
      summary: 'RadSec at aaa:9101 refused 20 connections in 10 minutes: unknown_nas',
    },
    quiet: {
      'strangers that speak no TLS': {
        series: { [of('lastmile_radsec_refused_total', 'reason="handshake_failed"')]: '0+100x30' },
      },
    },
  },
  LastmileRadsecReload: {
    fires: {
      series: { [of('lastmile_radsec_reload_failures_total')]: '0x10 1x30' },
      labels: { instance: 'aaa:9101' },
      summary: 'RadSec at aaa:9101 could not use its changed certificate files',
    },
    quiet: {
      'a failure long ago': { series: { [of('lastmile_radsec_reload_failures_total')]: '0x2 1x120' }, atMinute: 90 },
    },
  },
  LastmileRadsecDisconnected: {
    fires: {
      series: {
        [of('lastmile_nas_radsec_connections', tower)]: '1x2 0x30',
        [of('lastmile_nas_open_sessions', tower)]: '5x30',
      },
      labels: onTower,
      summary: 'Access server tower (tenant 1) has no RadSec connection',
    },
    quiet: {
      'one without sessions': {
        series: {
          [of('lastmile_nas_radsec_connections', tower)]: '0x30',
          [of('lastmile_nas_open_sessions', tower)]: '0x30',
        },
      },
      'a reconnect': {
        series: {
          [of('lastmile_nas_radsec_connections', tower)]: '1x10 0x2 1x20',
          [of('lastmile_nas_open_sessions', tower)]: '5x30',
        },
      },
    },
  },
  LastmileUnknownClients: {
    fires: {
      series: { [of('lastmile_radius_dropped_total', 'reason="unknown_client"')]: '0+1200x30' },
      labels: { instance: 'aaa:9101' },
      summary: '20 packets a second at aaa:9101 come from devices that are no access server of ours',
    },
    quiet: {
      'one device that was not entered': {
        series: { [of('lastmile_radius_dropped_total', 'reason="unknown_client"')]: '0+60x30' },
      },
    },
  },
  LastmileKernelDrops: {
    fires: {
      series: {
        [of('lastmile_radius_kernel_drops_total', 'port="acct"')]: '0x14 0+100x15',
        [of('lastmile_radius_kernel_drops_total', 'port="auth"')]: '0x30',
      },
      labels: { instance: 'aaa:9101', port: 'acct' },
      summary: 'The kernel of aaa:9101 dropped 500 RADIUS packets in 5 minutes (acct port)',
    },
    quiet: {
      'a restart of the process': {
        series: { [of('lastmile_radius_kernel_drops_total', 'port="acct"')]: '900x15 0x15' },
      },
    },
  },
  LastmileRadiusSlow: {
    fires: {
      series: {
        [of('lastmile_radius_handling_seconds_bucket', 'kind="accounting",le="0.5"')]: '0+50x30',
        [of('lastmile_radius_handling_seconds_bucket', 'kind="accounting",le="1"')]: '0+100x30',
        [of('lastmile_radius_handling_seconds_bucket', 'kind="accounting",le="+Inf"')]: '0+100x30',
      },
      labels: { instance: 'aaa:9101', kind: 'accounting' },
      summary: 'One in a hundred accounting requests at aaa:9101 takes longer than 990ms',
    },
    quiet: {
      'one in a thousand': {
        series: {
          [of('lastmile_radius_handling_seconds_bucket', 'kind="access",le="0.001"')]: '0+999x30',
          [of('lastmile_radius_handling_seconds_bucket', 'kind="access",le="1"')]: '0+1000x30',
          [of('lastmile_radius_handling_seconds_bucket', 'kind="access",le="+Inf"')]: '0+1000x30',
        },
      },
    },
  },
  LastmileRadiusOverload: {
    fires: {
      series: { [of('lastmile_radius_dropped_total', 'reason="overload"')]: '0+600x30' },
      labels: { instance: 'aaa:9101' },
      summary: 'aaa:9101 turns away 10 logins a second: more come than it can answer',
    },
    quiet: {
      'a minute after a power cut': {
        series: { [of('lastmile_radius_dropped_total', 'reason="overload"')]: '0x14 6000x15' },
      },
    },
  },
  LastmileUnprovenRequests: {
    fires: {
      series: {
        [of('lastmile_radius_dropped_total', 'reason="message_authenticator_required"')]: '0+30x30',
        [of('lastmile_radius_dropped_total', 'reason="message_authenticator_required_by_proxy_state"')]: '0x30',
      },
      labels: { instance: 'aaa:9101' },
      summary: 'Logins without Message-Authenticator are dropped at aaa:9101',
    },
    quiet: {
      'EAP without one': {
        series: { [of('lastmile_radius_dropped_total', 'reason="message_authenticator_required_by_eap"')]: '0+30x40' },
      },
    },
  },
  LastmilePasswordsUnchecked: {
    fires: {
      series: { [of('lastmile_radius_dropped_total', 'reason="password_hash_busy"')]: '0x10 5x30' },
      labels: { instance: 'aaa:9101', reason: 'password_hash_busy' },
      summary: '5 logins at aaa:9101 were not answered for the sake of their stored password: password_hash_busy',
    },
    quiet: {
      'wrong passwords': {
        series: {
          [of('lastmile_radius_dropped_total', 'reason="password_hash_busy"')]: '0x30',
          [of('lastmile_radius_rejects_total', 'reason="wrong_password"')]: '0+60x30',
        },
      },
    },
  },
  LastmileHandlerErrors: {
    fires: {
      series: { [of('lastmile_radius_dropped_total', 'reason="handler_error"')]: '0x10 3x30' },
      labels: { instance: 'aaa:9101' },
      summary: 'aaa:9101 failed to handle 3 packets',
    },
    quiet: {
      'malformed packets': {
        series: {
          [of('lastmile_radius_dropped_total', 'reason="handler_error"')]: '0x30',
          [of('lastmile_radius_dropped_total', 'reason="bad_length"')]: '0+60x30',
        },
      },
    },
  },
  LastmileAccountingRefused: {
    fires: {
      series: { [of('lastmile_radius_dropped_total', 'reason="accounting_not_durable"')]: '0x18 5x30' },
      labels: { instance: 'aaa:9101' },
      summary: 'aaa:9101 could not put accounting records on disk and did not acknowledge them',
    },
    quiet: {
      'a disk that has room again': {
        series: { [of('lastmile_radius_dropped_total', 'reason="accounting_not_durable"')]: '0x5 5x30' },
      },
    },
  },
  LastmileAccountingPaused: {
    fires: {
      series: {
        [of('lastmile_accounting_paused', 'wal="n-0"')]: '0x5 1x30',
        [of('lastmile_accounting_paused', 'wal="n-1"')]: '0x35',
      },
      labels: { instance: 'aaa:9101' },
      summary: 'aaa:9101 keeps accounting on disk but does not count it',
    },
    quiet: { 'a failover': { series: { [of('lastmile_accounting_paused', 'wal="n-0"')]: '0x18 1x1 0x20' } } },
  },
  LastmileAccountingBacklog: {
    fires: {
      series: { [of('lastmile_accounting_backlog_bytes', 'wal="n-0"')]: '0+4194304x40' },
      atMinute: 30,
      labels: { instance: 'aaa:9101' },
      summary: '120MiB of accounting at aaa:9101 are not counted yet, and it grows',
    },
    quiet: {
      'a backlog that is worked off': {
        series: { [of('lastmile_accounting_backlog_bytes', 'wal="n-0"')]: '900000000-10000000x40' },
        atMinute: 30,
      },
      'what is always under way': {
        series: { [of('lastmile_accounting_backlog_bytes', 'wal="n-0"')]: '0+1000x40' },
        atMinute: 30,
      },
    },
  },
  LastmileLaneStopped: {
    fires: {
      series: { [of('lastmile_accounting_stopped_lanes', 'wal="n-0"')]: '0x5 2x30' },
      labels: { instance: 'aaa:9101', wal: 'n-0' },
      summary: '2 of 64 lanes at aaa:9101 wait at a record that the ledger does not take',
    },
    quiet: {
      'a lane that waits a moment': {
        series: { [of('lastmile_accounting_stopped_lanes', 'wal="n-0"')]: '0x15 1x3 0x30' },
      },
    },
  },
  LastmileLogDamaged: {
    fires: {
      series: {
        [of('lastmile_accounting_alarms_total', 'reason="wal_damaged"')]: '_x100 1x100',
        [of('process_start_time_seconds')]: '_x100 6000x100',
      },
      atMinute: 110,
      labels: { instance: 'aaa:9101', reason: 'wal_damaged' },
      summary: 'The log of aaa:9101 and the ledger do not fit together: wal_damaged',
    },
    quiet: {
      'found at a start long ago': {
        series: {
          [of('lastmile_accounting_alarms_total', 'reason="wal_damaged"')]: '1x100',
          [of('process_start_time_seconds')]: '0x100',
        },
        atMinute: 70,
      },
      'another alarm': {
        series: {
          [of('lastmile_accounting_alarms_total', 'reason="disk_filling"')]: '0x10 1x100',
          [of('process_start_time_seconds')]: '0x100',
        },
      },
    },
  },
  LastmileQuarantineGrowing: {
    fires: {
      series: { [of('lastmile_accounting_results_total', 'result="quarantined"')]: '0x29 0+1x60' },
      atMinute: 60,
      labels: { instance: 'aaa:9101' },
      summary: '30 accounting records of the last hour at aaa:9101 were put aside uncounted',
    },
    quiet: {
      'a few': {
        series: { [of('lastmile_accounting_results_total', 'result="quarantined"')]: '0x30 5x60' },
        atMinute: 60,
      },
    },
  },
  LastmileHistoryBehind: {
    fires: {
      series: { [of('lastmile_outbox_oldest_seconds')]: '0x5 1200x30' },
      labels: onAaa,
      summary: 'Usage history at aaa:9101 has waited for ClickHouse for 20m 0s',
    },
    quiet: { 'a batch that is being gathered': { series: { [of('lastmile_outbox_oldest_seconds')]: '60x30' } } },
  },
  LastmileHistoryGrowing: {
    fires: {
      series: { [of('lastmile_outbox_spool_bytes')]: '0+33554432x40' },
      atMinute: 32,
      labels: onAaa,
      summary: '1GiB of usage history at aaa:9101 wait on disk, and it grows',
    },
    quiet: {
      'a backlog that is worked off': {
        series: { [of('lastmile_outbox_spool_bytes')]: '9000000000-100000000x40' },
        atMinute: 32,
      },
    },
  },
  LastmileHistoryFillsRedis: {
    fires: {
      series: { [of('lastmile_outbox_stream_entries')]: '0x5 2000000x30' },
      labels: onAaa,
      summary: '2M entries of usage history of aaa:9101 stay in Redis',
    },
    quiet: {
      'what waits for the next look while ClickHouse is away': {
        series: { [of('lastmile_outbox_stream_entries')]: '50000x30' },
      },
    },
  },
  LastmileHistoryRejected: {
    fires: {
      series: { [of('lastmile_outbox_rejected_batches')]: '0x5 2x30' },
      labels: onAaa,
      summary: 'ClickHouse refused 2 batches of usage history of aaa:9101',
    },
    quiet: { 'batches that were cleared away': { series: { [of('lastmile_outbox_rejected_batches')]: '2x5 0x30' } } },
  },
  LastmileAuthLogDropped: {
    fires: {
      series: { [of('lastmile_login_log_dropped_total', 'reason="memory_full"')]: '0x15 0+60x20' },
      atMinute: 26,
      labels: { instance: 'aaa:9101', reason: 'memory_full' },
      summary: 'The auth log of aaa:9101 lacks 600 logins of the last 10 minutes: memory_full',
    },
    quiet: {
      'rows that a stop has cost': {
        series: { [of('lastmile_login_log_dropped_total', 'reason="stopped"')]: '0x15 0+60x20' },
      },
    },
  },
  LastmileCoaFailing: {
    fires: {
      series: {
        [of('lastmile_coa_requests_total', 'kind="coa",result="ack"')]: '0+6x40',
        [of('lastmile_coa_requests_total', 'kind="coa",result="timeout"')]: '0+2x40',
        [of('lastmile_coa_requests_total', 'kind="coa",result="nak_401"')]: '0+2x40',
        [of('lastmile_coa_requests_total', 'kind="coa",result="withdrawn"')]: '0+50x40',
      },
      labels: {},
      summary: '40% of the changes sent to access servers are refused or not answered',
    },
    quiet: {
      'sessions that had just ended': {
        series: {
          [of('lastmile_coa_requests_total', 'kind="coa",result="ack"')]: '0+6x40',
          [of('lastmile_coa_requests_total', 'kind="coa",result="nak_503"')]: '0+6x40',
        },
      },
      'one of two': {
        series: {
          [of('lastmile_coa_requests_total', 'kind="coa",result="ack"')]: '0x15 1x30',
          [of('lastmile_coa_requests_total', 'kind="coa",result="timeout"')]: '0x15 1x30',
        },
      },
    },
  },
  LastmileEnforcementLag: {
    fires: {
      series: {
        [of('lastmile_enforcement_lag_seconds_bucket', 'le="5"')]: '0+5x40',
        [of('lastmile_enforcement_lag_seconds_bucket', 'le="10"')]: '0+10x40',
        [of('lastmile_enforcement_lag_seconds_bucket', 'le="+Inf"')]: '0+10x40',
      },
      labels: {},
      summary: 'From a crossed threshold to its confirmed change it takes up to 9.5s',
    },
    quiet: {
      'changes within a second': {
        series: {
          [of('lastmile_enforcement_lag_seconds_bucket', 'le="1"')]: '0+10x40',
          [of('lastmile_enforcement_lag_seconds_bucket', 'le="+Inf"')]: '0+10x40',
        },
      },
      'nothing crossed': {
        series: {
          [of('lastmile_enforcement_lag_seconds_bucket', 'le="1"')]: '0x40',
          [of('lastmile_enforcement_lag_seconds_bucket', 'le="+Inf"')]: '0x40',
        },
      },
    },
  },
  LastmileEnforcementUnowned: {
    fires: {
      series: { [of('lastmile_enforcement_partitions_owned')]: '64x5 60x30' },
      labels: {},
      summary: 'Only 60 of 64 partitions are enforced by some node',
    },
    quiet: {
      'two nodes that share them': {
        series: {
          [of('lastmile_enforcement_partitions_owned')]: '40x30',
          'lastmile_enforcement_partitions_owned{job="aaa-server",instance="other:9101"}': '24x30',
        },
      },
      'a handover': { series: { [of('lastmile_enforcement_partitions_owned')]: '64x18 0x1 64x20' } },
    },
  },
  LastmileEnforcementFailing: {
    fires: {
      series: { [of('lastmile_enforcement_failures_total', 'step="assess"')]: '0+60x40' },
      labels: { instance: 'aaa:9101', step: 'assess' },
      summary: 'Enforcement at aaa:9101 fails again and again at the step assess',
    },
    quiet: {
      'a failure now and then': { series: { [of('lastmile_enforcement_failures_total', 'step="assess"')]: '0+1x40' } },
    },
  },
  LastmileBrakeHolds: {
    fires: {
      series: {
        [of('lastmile_brake_holding', 'tenant="3"')]: '0x5 1x30',
        [of('lastmile_brake_holding', 'tenant="4"')]: '0x35',
      },
      labels: { tenant: '3' },
      summary: 'The brake holds restrictions of tenant 3: an operator must confirm or cancel them',
    },
    quiet: { 'a brake that was confirmed': { series: { [of('lastmile_brake_holding', 'tenant="3"')]: '1x10 0x30' } } },
  },
  LastmileApiErrors: {
    fires: {
      series: {
        [of('lastmile_http_request_duration_seconds_count', 'method="GET",route="/a",status="200"', api)]: '0+90x30',
        [of('lastmile_http_request_duration_seconds_count', 'method="GET",route="/a",status="503"', api)]: '0+10x30',
      },
      labels: {},
      summary: '10% of the API requests end in a server error',
    },
    quiet: {
      'readiness checks that say no': {
        series: {
          [of('lastmile_http_request_duration_seconds_count', 'method="GET",route="/readyz",status="503"', api)]:
            '0+90x30',
          [of('lastmile_http_request_duration_seconds_count', 'method="GET",route="/a",status="200"', api)]: '0+10x30',
        },
      },
      'mistakes of the clients': {
        series: {
          [of('lastmile_http_request_duration_seconds_count', 'method="GET",route="/a",status="404"', api)]: '0+90x30',
        },
      },
    },
  },
  LastmileApiSlow: {
    fires: {
      series: {
        [of('lastmile_http_request_duration_seconds_bucket', 'route="/a",le="1"', api)]: '0+90x30',
        [of('lastmile_http_request_duration_seconds_bucket', 'route="/a",le="5"', api)]: '0+100x30',
        [of('lastmile_http_request_duration_seconds_bucket', 'route="/a",le="+Inf"', api)]: '0+100x30',
      },
      labels: {},
      summary: 'One in a hundred API requests takes longer than 4.6s',
    },
    quiet: {
      'quick replies': {
        series: {
          [of('lastmile_http_request_duration_seconds_bucket', 'route="/a",le="0.1"', api)]: '0+100x30',
          [of('lastmile_http_request_duration_seconds_bucket', 'route="/a",le="+Inf"', api)]: '0+100x30',
        },
      },
    },
  },
  LastmileExporterSilent: {
    fires: {
      series: { [of('lastmile_flow_exporter_last_seen_seconds', router, flow)]: '60x40' },
      labels: { exporter: '192.0.2.1' },
      summary: 'Router 192.0.2.1 has sent no flows for 19m 0s',
    },
    quiet: {
      'it sends to another node': {
        series: {
          [of('lastmile_flow_exporter_last_seen_seconds', router, flow)]: '60x40',
          [`lastmile_flow_exporter_last_seen_seconds{job="flow-collector",instance="other:9102",${router}}`]: '0+60x40',
        },
      },
    },
  },
  LastmileFlowsLost: {
    fires: {
      series: {
        [of('lastmile_flow_exporter_lost_total', router, flow)]: '0+12x40',
        [of('lastmile_flow_exporter_packets_total', router, flow)]: '0+120x40',
      },
      atMinute: 25,
      labels: { exporter: '192.0.2.1' },
      summary: 'Of the flows of router 192.0.2.1 many are lost: 0.10 for each datagram received',
    },
    quiet: {
      'a datagram now and then': {
        series: {
          [of('lastmile_flow_exporter_lost_total', router, flow)]: '0+1x40',
          [of('lastmile_flow_exporter_packets_total', router, flow)]: '0+120x40',
        },
        atMinute: 25,
      },
    },
  },
  LastmileFlowKernelDrops: {
    fires: {
      series: { [of('lastmile_flow_kernel_drops_total', '', flow)]: '0x14 0+100x15' },
      labels: { instance: 'flow:9102' },
      summary: 'The kernel of flow:9102 dropped 500 datagrams of flows in 5 minutes',
    },
    quiet: {
      'a restart of the process': { series: { [of('lastmile_flow_kernel_drops_total', '', flow)]: '900x15 0x15' } },
    },
  },
  LastmileFlowTemplatesMissing: {
    fires: {
      series: {
        [of('lastmile_flow_unknown_template_total', '', flow)]: '0+180x60',
        [of('lastmile_flow_late_decoded_total', '', flow)]: '0+60x60',
      },
      atMinute: 40,
      labels: { instance: 'flow:9102' },
      summary: '2.0 sets of flows a second at flow:9102 cannot be decoded: their template does not come',
    },
    quiet: {
      'templates that come a little later': {
        series: {
          [of('lastmile_flow_unknown_template_total', '', flow)]: '0+180x60',
          [of('lastmile_flow_late_decoded_total', '', flow)]: '0+180x60',
        },
        atMinute: 40,
      },
    },
  },
  LastmileFlowTimesImpossible: {
    fires: {
      series: {
        [of('lastmile_flow_time_clamped_total', '', flow)]: '0+30x40',
        [of('lastmile_flow_records_total', '', flow)]: '0+60x40',
      },
      atMinute: 30,
      labels: { instance: 'flow:9102' },
      summary: '50% of the flows at flow:9102 have an impossible time',
    },
    quiet: {
      'a few of many': {
        series: {
          [of('lastmile_flow_time_clamped_total', '', flow)]: '0+3x40',
          [of('lastmile_flow_records_total', '', flow)]: '0+60x40',
        },
        atMinute: 30,
      },
    },
  },
  LastmileFlowUsageBacklog: {
    fires: {
      series: { [of('lastmile_flow_usage_backlog_bytes', 'wal="n-0"', flow)]: '0+4194304x40' },
      atMinute: 30,
      labels: { instance: 'flow:9102' },
      summary: '120MiB of usage by flows at flow:9102 are not counted yet, and it grows',
    },
    quiet: {
      'a backlog that is worked off': {
        series: { [of('lastmile_flow_usage_backlog_bytes', 'wal="n-0"', flow)]: '900000000-10000000x40' },
        atMinute: 30,
      },
    },
  },
  LastmileFlowSpoolGrowing: {
    fires: {
      series: { [of('lastmile_flow_spool_bytes', '', flow)]: '0+33554432x40' },
      atMinute: 32,
      labels: onFlow,
      summary: '1GiB of flows at flow:9102 wait on disk for ClickHouse, and it grows',
    },
    quiet: {
      'a spool that is worked off': {
        series: { [of('lastmile_flow_spool_bytes', '', flow)]: '9000000000-100000000x40' },
        atMinute: 32,
      },
    },
  },
  LastmileFlowsBehind: {
    fires: {
      series: { [of('lastmile_flow_spool_oldest_seconds', '', flow)]: '0x5 1200x30' },
      labels: onFlow,
      summary: 'Flows at flow:9102 have waited for ClickHouse for 20m 0s',
    },
    quiet: { 'a batch on its way': { series: { [of('lastmile_flow_spool_oldest_seconds', '', flow)]: '2x40' } } },
  },
  LastmileFlowRowsDropped: {
    fires: {
      series: { [of('lastmile_flow_rows_dropped_total', 'reason="spool_full"', flow)]: '0x15 0+60x20' },
      atMinute: 26,
      labels: { instance: 'flow:9102', reason: 'spool_full' },
      summary: 'flow:9102 gave up 600 flows in 10 minutes: spool_full',
    },
    quiet: {
      'no ClickHouse by choice': {
        series: { [of('lastmile_flow_rows_dropped_total', 'reason="no_clickhouse"', flow)]: '0+60x40' },
        atMinute: 26,
      },
      'what was dropped long ago': {
        series: { [of('lastmile_flow_rows_dropped_total', 'reason="spool_full"', flow)]: '0x2 50x40' },
        atMinute: 30,
      },
    },
  },
  LastmileFlowUsageLost: {
    fires: {
      series: { [of('lastmile_flow_usage_dropped_bytes_total', '', flow)]: '0x14 0+1000000x20' },
      atMinute: 25,
      labels: { instance: 'flow:9102' },
      summary: '10MB of flows at flow:9102 will never be counted',
    },
    quiet: {
      'a loss long ago': {
        series: { [of('lastmile_flow_usage_dropped_bytes_total', '', flow)]: '0x2 1000x40' },
        atMinute: 25,
      },
    },
  },
  LastmilePoolFilling: {
    fires: {
      series: { [pool('units')]: '1000x30', [pool('used_units')]: '0x5 800x30' },
      atMinute: 18,
      labels: { tenant: '1', pool: 'homes' },
      summary: '80% of the addresses of pool homes (tenant 1) are in use',
    },
    quiet: {
      'a pool that has room': { series: { [pool('units')]: '1000x30', [pool('used_units')]: '799x30' } },
      'a pool that is drained': { series: { [pool('units')]: '0x30', [pool('used_units')]: '0x30' } },
    },
  },
  LastmilePoolExhausted: {
    fires: {
      series: { [of('lastmile_pool_exhausted_total', 'pool="homes"')]: '0x10 0+2x30' },
      labels: { pool: 'homes' },
      summary: 'Pool homes had no address for 10 logins in 5 minutes',
    },
    quiet: { 'an hour ago': { series: { [of('lastmile_pool_exhausted_total', 'pool="homes"')]: '0 9x60' } } },
  },
  LastmileAddressesUnavailable: {
    fires: {
      series: { [of('lastmile_radius_dropped_total', 'reason="addresses_unavailable"')]: '0x10 0+2x30' },
      labels: { instance: 'aaa:9101' },
      summary: '10 logins at aaa:9101 went unanswered in 5 minutes: nobody could say which address is free',
    },
    quiet: {
      'an hour ago': { series: { [of('lastmile_radius_dropped_total', 'reason="addresses_unavailable"')]: '0 9x60' } },
      'for want of records': {
        series: { [of('lastmile_radius_dropped_total', 'reason="snapshot_incomplete"')]: '0+2x30' },
      },
    },
  },
  LastmilePoolConflict: {
    fires: {
      series: { [pool('conflicts')]: '0x15 2x30' },
      labels: { tenant: '1', pool: 'homes' },
      summary: 'A session came up with an address of pool homes (tenant 1) that another one had',
    },
    quiet: { 'conflicts of long ago': { series: { [pool('conflicts')]: '7x60' } } },
  },
  LastmileHomeServerDead: {
    fires: {
      series: { [of('lastmile_proxy_home_server_state', `${homePort},state="dead"`)]: '0x5 2x30' },
      labels: { tenant: '1', home_server: 'partner', port: 'auth' },
      summary: 'Home server partner (tenant 1) does not answer on its auth port',
    },
    quiet: {
      'one that is alive': { series: { [of('lastmile_proxy_home_server_state', `${homePort},state="dead"`)]: '0x30' } },
      'a zombie': { series: { [of('lastmile_proxy_home_server_state', `${homePort},state="zombie"`)]: '2x30' } },
    },
  },
  LastmileProxyUnserved: {
    fires: {
      series: {
        [of('lastmile_proxy_unserved_total', 'tenant="1",realm="partner.example",answer="silence"')]: '0x10 0+2x30',
      },
      labels: { tenant: '1', realm: 'partner.example' },
      summary: 'No home server decided 10 logins of realm partner.example (tenant 1) in 5 minutes',
    },
    quiet: {
      'an hour ago': {
        series: {
          [of('lastmile_proxy_unserved_total', 'tenant="1",realm="partner.example",answer="silence"')]: '0 9x60',
        },
      },
    },
  },
  LastmileHomeServerMistrusted: {
    fires: {
      series: { [of('lastmile_proxy_refused_total', `${homePort},reason="bad_authenticator"`)]: '0+2x30' },
      labels: { tenant: '1', home_server: 'partner' },
      summary: 'Replies in the name of home server partner (tenant 1) are not signed as they must be',
    },
    quiet: {
      'replies that come too late': {
        series: { [of('lastmile_proxy_refused_total', `${homePort},reason="unexpected"`)]: '0+60x30' },
      },
    },
  },
  LastmileProxyLoop: {
    fires: {
      series: {
        [of('lastmile_radius_dropped_total', 'reason="proxy_loop"')]: '0+4x30',
        [of('lastmile_proxy_accounting_loops_total')]: '0x30',
      },
      labels: { instance: 'aaa:9101' },
      summary: '20 requests came back to aaa:9101 in 5 minutes instead of being answered',
    },
    quiet: {
      'none came back': {
        series: {
          [of('lastmile_radius_dropped_total', 'reason="proxy_loop"')]: '7x30',
          [of('lastmile_proxy_accounting_loops_total')]: '3x30',
        },
      },
    },
  },
  LastmileForwardedAccountingBehind: {
    fires: {
      series: { [of('lastmile_proxy_accounting_lag_seconds', `${billing},worker="0"`)]: '0+60x60' },
      atMinute: 20,
      labels: { tenant: '1', destination: 'copy billing' },
      summary: 'Accounting for copy billing (tenant 1) has been waiting for 20m 0s',
    },
    quiet: {
      'a server that was restarted': {
        series: { [of('lastmile_proxy_accounting_lag_seconds', `${billing},worker="0"`)]: '0 60 120 0x30' },
      },
    },
  },
  LastmileForwardedAccountingLost: {
    fires: {
      series: { [of('lastmile_proxy_accounting_lost_total', `${billing},reason="expired"`)]: '0+3x30' },
      labels: { tenant: '1', destination: 'copy billing', reason: 'expired' },
      summary: '45 accounting records for copy billing (tenant 1) will not be forwarded: expired',
    },
    quiet: {
      'what was lost yesterday': {
        series: { [of('lastmile_proxy_accounting_lost_total', `${billing},reason="expired"`)]: '30x60' },
      },
    },
  },
  LastmileUnknownExporters: {
    fires: {
      series: { [of('lastmile_flow_dropped_total', 'reason="unknown_exporter"', flow)]: '0+1200x30' },
      labels: { instance: 'flow:9102' },
      summary: '20 datagrams of flows a second at flow:9102 come from routers of no tenant',
    },
    quiet: {
      'a small router that was not entered': {
        series: { [of('lastmile_flow_dropped_total', 'reason="unknown_exporter"', flow)]: '0+60x30' },
      },
    },
  },
  LastmileFlowAddressesFull: {
    fires: {
      series: { [of('lastmile_flow_addresses_full_total', '', flow)]: '0x10 60x60' },
      atMinute: 60,
      labels: onFlow,
      summary: 'The index of addresses of flow:9102 is full: 60 addresses found no room',
    },
    quiet: {
      'room enough': { series: { [of('lastmile_flow_addresses_full_total', '', flow)]: '0x60' }, atMinute: 60 },
    },
  },
};
