-- Every flow as the exporter told it, with the subscriptions it belonged to when it ended. Bytes and packets are as sampled.
CREATE TABLE IF NOT EXISTS {{local flows}}{{on_cluster}}
(
  batch          String CODEC(ZSTD(1)),
  tenant_id      UInt64 CODEC(ZSTD(1)),
  subscription_id UInt64 CODEC(ZSTD(1)),
  peer_subscription_id UInt64 CODEC(ZSTD(1)),
  exporter       IPv6 CODEC(ZSTD(1)),
  exporter_id    UInt64 CODEC(ZSTD(1)),
  version        UInt8,
  received_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  started_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  ended_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  direction      Enum8('unknown' = 0, 'up' = 1, 'down' = 2, 'local' = 3),
  src            IPv6 CODEC(ZSTD(1)),
  dst            IPv6 CODEC(ZSTD(1)),
  src_nat        IPv6 CODEC(ZSTD(1)),
  dst_nat        IPv6 CODEC(ZSTD(1)),
  src_port       UInt16 CODEC(ZSTD(1)),
  dst_port       UInt16 CODEC(ZSTD(1)),
  protocol       UInt8,
  tcp_flags      UInt16 CODEC(ZSTD(1)),
  tos            UInt8,
  bytes          UInt64 CODEC(T64, ZSTD(1)),
  packets        UInt64 CODEC(T64, ZSTD(1)),
  sampling_rate  UInt32 CODEC(T64, ZSTD(1)),
  in_if          UInt32 CODEC(ZSTD(1)),
  out_if         UInt32 CODEC(ZSTD(1)),
  src_as         UInt32 CODEC(ZSTD(1)),
  dst_as         UInt32 CODEC(ZSTD(1)),
  INDEX ended_at_range ended_at TYPE minmax GRANULARITY 1,
  INDEX src_filter src TYPE bloom_filter(0.01) GRANULARITY 2,
  INDEX dst_filter dst TYPE bloom_filter(0.01) GRANULARITY 2,
  INDEX src_nat_filter src_nat TYPE bloom_filter(0.01) GRANULARITY 2,
  INDEX dst_nat_filter dst_nat TYPE bloom_filter(0.01) GRANULARITY 2,
  INDEX peer_filter peer_subscription_id TYPE bloom_filter(0.01) GRANULARITY 2
)
ENGINE = {{engine MergeTree}}
PARTITION BY toYYYYMMDD(ended_at)
ORDER BY (tenant_id, subscription_id, ended_at)
{{settings}};
{{distributed flows by cityHash64(tenant_id, subscription_id)}};

-- Sums of flows by the slot in which they ended, each made from the finer one. A sampled flow counts as many bytes as it stands for,
-- and never in the same row as one that was seen whole.
CREATE TABLE IF NOT EXISTS {{local flows_1m}}{{on_cluster}}
(
  tenant_id      UInt64 CODEC(ZSTD(1)),
  subscription_id UInt64 CODEC(ZSTD(1)),
  exporter       IPv6 CODEC(ZSTD(1)),
  direction      Enum8('unknown' = 0, 'up' = 1, 'down' = 2, 'local' = 3),
  protocol       UInt8,
  sampled        Bool,
  slot           DateTime('UTC') CODEC(Delta, ZSTD(1)),
  bytes          UInt64 CODEC(T64, ZSTD(1)),
  packets        UInt64 CODEC(T64, ZSTD(1)),
  flows          UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = {{engine SummingMergeTree((bytes, packets, flows))}}
PARTITION BY toYYYYMMDD(slot)
-- By time first: it answers who moves the most right now. The longer ones are read by subscription.
ORDER BY (tenant_id, slot, subscription_id, exporter, direction, protocol, sampled)
{{settings}};
{{distributed flows_1m by cityHash64(tenant_id, subscription_id)}};
CREATE MATERIALIZED VIEW IF NOT EXISTS flows_1m_view{{on_cluster}} TO {{local flows_1m}} AS
SELECT
  tenant_id,
  subscription_id,
  exporter,
  direction,
  protocol,
  r.sampling_rate > 1 AS sampled,
  toStartOfMinute(r.ended_at) AS slot,
  sum(r.bytes * r.sampling_rate) AS bytes,
  sum(r.packets * r.sampling_rate) AS packets,
  count() AS flows
FROM {{local flows}} AS r
GROUP BY tenant_id, subscription_id, exporter, direction, protocol, sampled, slot;

CREATE TABLE IF NOT EXISTS {{local flows_1h}}{{on_cluster}}
(
  tenant_id      UInt64 CODEC(ZSTD(1)),
  subscription_id UInt64 CODEC(ZSTD(1)),
  exporter       IPv6 CODEC(ZSTD(1)),
  direction      Enum8('unknown' = 0, 'up' = 1, 'down' = 2, 'local' = 3),
  protocol       UInt8,
  sampled        Bool,
  slot           DateTime('UTC') CODEC(Delta, ZSTD(1)),
  bytes          UInt64 CODEC(T64, ZSTD(1)),
  packets        UInt64 CODEC(T64, ZSTD(1)),
  flows          UInt64 CODEC(T64, ZSTD(1)),
  INDEX slot_range slot TYPE minmax GRANULARITY 1
)
ENGINE = {{engine SummingMergeTree((bytes, packets, flows))}}
PARTITION BY toYYYYMM(slot)
ORDER BY (tenant_id, subscription_id, slot, exporter, direction, protocol, sampled)
{{settings}};
{{distributed flows_1h by cityHash64(tenant_id, subscription_id)}};
CREATE MATERIALIZED VIEW IF NOT EXISTS flows_1h_view{{on_cluster}} TO {{local flows_1h}} AS
SELECT
  tenant_id,
  subscription_id,
  exporter,
  direction,
  protocol,
  sampled,
  toStartOfHour(r.slot) AS slot,
  sum(r.bytes) AS bytes,
  sum(r.packets) AS packets,
  sum(r.flows) AS flows
FROM {{local flows_1m}} AS r
GROUP BY tenant_id, subscription_id, exporter, direction, protocol, sampled, slot;

CREATE TABLE IF NOT EXISTS {{local flows_1d}}{{on_cluster}}
(
  tenant_id      UInt64 CODEC(ZSTD(1)),
  subscription_id UInt64 CODEC(ZSTD(1)),
  exporter       IPv6 CODEC(ZSTD(1)),
  direction      Enum8('unknown' = 0, 'up' = 1, 'down' = 2, 'local' = 3),
  protocol       UInt8,
  sampled        Bool,
  slot           DateTime('UTC') CODEC(Delta, ZSTD(1)),
  bytes          UInt64 CODEC(T64, ZSTD(1)),
  packets        UInt64 CODEC(T64, ZSTD(1)),
  flows          UInt64 CODEC(T64, ZSTD(1)),
  INDEX slot_range slot TYPE minmax GRANULARITY 1
)
ENGINE = {{engine SummingMergeTree((bytes, packets, flows))}}
PARTITION BY toYear(slot)
ORDER BY (tenant_id, subscription_id, slot, exporter, direction, protocol, sampled)
{{settings}};
{{distributed flows_1d by cityHash64(tenant_id, subscription_id)}};
CREATE MATERIALIZED VIEW IF NOT EXISTS flows_1d_view{{on_cluster}} TO {{local flows_1d}} AS
SELECT
  tenant_id,
  subscription_id,
  exporter,
  direction,
  protocol,
  sampled,
  toStartOfDay(r.slot) AS slot,
  sum(r.bytes) AS bytes,
  sum(r.packets) AS packets,
  sum(r.flows) AS flows
FROM {{local flows_1h}} AS r
GROUP BY tenant_id, subscription_id, exporter, direction, protocol, sampled, slot;
