-- Every applied accounting record once: the proof behind each byte counted, and what a lost ledger is rebuilt from.
-- A record that is written again, by a later generation of the ledger, replaces itself: its place is its WAL position.
CREATE TABLE IF NOT EXISTS {{local accounting}}{{on_cluster}}
(
  wal            LowCardinality(String),
  position       UInt64 CODEC(Delta, ZSTD(1)),
  part           UInt32 CODEC(T64, ZSTD(1)),
  generation     UInt64 CODEC(ZSTD(1)),
  tenant_id      UInt64 CODEC(ZSTD(1)),
  subscription_id UInt64 CODEC(ZSTD(1)),
  partition      UInt8,
  meter          Enum8('radius' = 1, 'flow' = 2),
  kind           LowCardinality(String),
  nas_id         UInt64 CODEC(ZSTD(1)),
  nas_instance   String CODEC(ZSTD(1)),
  session_id     String CODEC(ZSTD(1)),
  incarnation    UInt32 CODEC(T64, ZSTD(1)),
  user_name      String CODEC(ZSTD(1)),
  framed_ip      String CODEC(ZSTD(1)),
  from_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  event_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  received_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  up_total       UInt64 CODEC(T64, ZSTD(1)),
  down_total     UInt64 CODEC(T64, ZSTD(1)),
  up_delta       UInt64 CODEC(T64, ZSTD(1)),
  down_delta     UInt64 CODEC(T64, ZSTD(1)),
  flags          String CODEC(ZSTD(1)),
  state          String CODEC(ZSTD(3)),
  INDEX event_at_range event_at TYPE minmax GRANULARITY 1,
  INDEX framed_ip_filter framed_ip TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX user_name_filter user_name TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = {{engine ReplacingMergeTree(generation)}}
PARTITION BY toYYYYMM(event_at)
ORDER BY (tenant_id, subscription_id, wal, position, part)
{{settings}};
{{distributed accounting by cityHash64(tenant_id, subscription_id)}};
