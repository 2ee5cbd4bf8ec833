-- Logins and why they were refused. Rejects are written up to a bound a second, Accepts up to another; `count` of a row left_out is how
-- many rejects of its tenant were too many in that second.
CREATE TABLE IF NOT EXISTS {{local logins}}{{on_cluster}}
(
  at             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  tenant_id      UInt64 CODEC(ZSTD(1)),
  subscription_id UInt64 CODEC(ZSTD(1)),
  user_name      String CODEC(ZSTD(1)),
  nas_id         UInt64 CODEC(ZSTD(1)),
  method         LowCardinality(String),
  result         Enum8('accept' = 1, 'reject' = 2, 'unanswered' = 3, 'left_out' = 4),
  reason         LowCardinality(String),
  calling_station_id String CODEC(ZSTD(1)),
  nas_port_id    String CODEC(ZSTD(1)),
  framed_ip      String CODEC(ZSTD(1)),
  outcome        LowCardinality(String),
  duration_us    UInt32 CODEC(T64, ZSTD(1)),
  node           LowCardinality(String),
  worker         UInt8,
  sequence       UInt64 CODEC(Delta, ZSTD(1)),
  test           Bool,
  count          UInt32 CODEC(T64, ZSTD(1)),
  INDEX subscription_filter subscription_id TYPE bloom_filter(0.01) GRANULARITY 2,
  INDEX user_name_filter user_name TYPE bloom_filter(0.01) GRANULARITY 2
)
ENGINE = {{engine MergeTree}}
PARTITION BY toYYYYMMDD(at)
ORDER BY (tenant_id, at, node, worker, sequence)
{{settings}};
{{distributed logins by cityHash64(tenant_id, subscription_id)}};
