// What the embedded engine is told: durable inserts, deduplication, a memory limit, few threads and caches.
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** An answer that cannot be streamed is held in memory, a few times: what the engine may give for one. */
export const wholeResultBytes = 64 * 1024 * 1024;

/** Settings that every new session has, as the engine's command line. */
const sessionSettings: Readonly<Record<string, string>> = {
  implicit_select: '0',
  async_insert: '0',
  output_format_json_quote_64bit_integers: '1',
  // A retry completes what a crash left out of the views, instead of skipping them with the source table.
  deduplicate_blocks_in_dependent_materialized_views: '1',
  // One insert, one order of blocks: a retry's blocks are those of the first try.
  max_insert_threads: '1',
  allow_introspection_functions: '0',
  max_result_bytes: String(wholeResultBytes),
  result_overflow_mode: 'throw',
};

/** @returns the arguments of a session. The file is read when the first one opens. */
export function engineArguments(directory: string, memoryBytes: number): string[] {
  const file = path.join(directory, 'engine.xml');
  writeFileSync(file, configurationOf(memoryBytes), { mode: 0o600 });
  const perQuery = { ...sessionSettings, max_memory_usage: String(Math.floor(memoryBytes * 0.7)) };
  return [`--config-file=${file}`, ...Object.entries(perQuery).map(([name, value]) => `--${name}=${value}`)];
}

function configurationOf(memoryBytes: number): string {
  const cacheBytes = Math.min(64 * 1024 * 1024, Math.floor(memoryBytes / 16));
  return `<clickhouse>
  <timezone>UTC</timezone>
  <max_server_memory_usage>${memoryBytes}</max_server_memory_usage>
  <mark_cache_size>${cacheBytes}</mark_cache_size>
  <index_mark_cache_size>${cacheBytes}</index_mark_cache_size>
  <primary_index_cache_size>${cacheBytes}</primary_index_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <non_replicated_deduplication_window>10000</non_replicated_deduplication_window>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
`;
}
