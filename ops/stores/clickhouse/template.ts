// Fills the placeholders of the ClickHouse migrations, for a single server or for a cluster of shards and replicas.

export type Deployment = {
  /** Its name in the servers' remote_servers; '' = a single server. */
  cluster: string;
};

/** Retries that come within so many inserts count once. A replicated table forgets by time as well: a week. */
const singleSettings = [
  'non_replicated_deduplication_window = 10000',
  'fsync_after_insert = 1',
  'fsync_part_directory = 1',
  // Expired rows leave with their whole part, without rewriting the others.
  'ttl_only_drop_parts = 1',
];
const replicatedSettings = [
  ...singleSettings,
  'replicated_deduplication_window = 10000',
  'replicated_deduplication_window_seconds = 604800',
];

/**
 * - `{{on_cluster}}` where ClickHouse takes ON CLUSTER;
 * - `{{local flows}}` the table that holds the rows: `flows`, on a cluster `flows_local` of each shard;
 * - `{{engine SummingMergeTree(bytes)}}` that engine, on a cluster its Replicated kind;
 * - `{{shared_engine MergeTree}}` the same for a small table that every shard has whole;
 * - `{{settings}}` the SETTINGS clause that every table of ours has;
 * - `{{distributed flows by cityHash64(tenant_id)}}` a statement of its own: on a cluster the table `flows` over all shards.
 * @throws on a placeholder that is not one of these.
 */
export function fillTemplate(text: string, { cluster }: Deployment): string {
  const name = cluster.replaceAll(/['\\]/g, '\\$&');
  const onCluster = cluster === '' ? '' : ` ON CLUSTER '${name}'`;
  const fill: Readonly<Record<string, (argument: string) => string>> = {
    on_cluster: () => onCluster,
    local: (table) => (cluster === '' ? table : `${table}_local`),
    engine: (engine) => (cluster === '' ? engine : replicated(engine, '{shard}', '{replica}')),
    // Every server of every shard is a replica of the one table.
    shared_engine: (engine) => (cluster === '' ? engine : replicated(engine, 'all', '{shard}-{replica}')),
    settings: () => `SETTINGS ${(cluster === '' ? singleSettings : replicatedSettings).join(', ')}`,
    distributed(argument) {
      const [table = '', key = ''] = argument.split(/ by (.*)/);
      if (cluster === '') return '';
      return `CREATE TABLE IF NOT EXISTS ${table}${onCluster} AS ${table}_local
ENGINE = Distributed('${name}', currentDatabase(), '${table}_local', ${key})`;
    },
  };
  return text.replaceAll(/\{\{(\w+)(?: ([^}]*))?\}\}/g, (placeholder, kind: string, argument: string | undefined) => {
    const filled = fill[kind]?.(argument ?? '');
    if (filled === undefined) throw new Error(`${placeholder} is no placeholder of a migration`);
    return filled;
  });
}

/** Each ends with a semicolon at the end of a line; comments alone are none. */
export function statementsOf(sql: string): string[] {
  return sql
    .split(/;[ \t]*$/m)
    .map((statement) => statement.replaceAll(/^\s*--.*$/gm, '').trim())
    .filter((statement) => statement !== '');
}

/** `{uuid}` makes a table that is dropped and made again a new one for Keeper; ON CLUSTER gives all replicas the same. */
function replicated(engine: string, shard: string, replica: string): string {
  const [, family = engine, given = ''] = /^(\w+)(?:\((.*)\))?$/.exec(engine) ?? [];
  const place = `'/clickhouse/tables/{uuid}/${shard}', '${replica}'`;
  return `Replicated${family}(${given === '' ? place : `${place}, ${given}`})`;
}
