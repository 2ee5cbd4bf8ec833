// How many octets wait in the kernel in front of UDP sockets of a port (Linux): what a thread that is behind looks at.
import { readFileSync } from 'node:fs';
import { codeOf } from '#ops/runtime/errors.ts';

/** Of all sockets of this machine that are bound to the port; undefined where there is no /proc/net. */
export function queuedBytes(port: number): number | undefined {
  let sum: number | undefined;
  for (const table of ['/proc/net/udp', '/proc/net/udp6']) {
    try {
      sum = (sum ?? 0) + queuedIn(readFileSync(table, 'latin1'), port);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  return sum;
}

/** Lines of /proc/net/udp: `sl local_address rem_address st tx_queue:rx_queue …` in hex (proc(5)). */
export function queuedIn(table: string, port: number): number {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let sum = 0;
  for (const line of table.split('\n')) {
    const [, local = '', , , queues = ''] = line.trim().split(/\s+/);
    if (local.endsWith(wanted)) sum += Number.parseInt(queues.split(':')[1] ?? '0', 16) || 0;
  }
  return sum;
}
