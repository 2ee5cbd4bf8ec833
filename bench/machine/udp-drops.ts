// Datagrams the kernel dropped because a socket's buffer was full: the last column of /proc/net/udp (proc(5)).
import { readFileSync } from 'node:fs';

/** Sum over the sockets bound to this local port. Dropped datagrams of sockets closed since are gone from it. */
export function droppedAt(port: number): number {
  return ['/proc/net/udp', '/proc/net/udp6']
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local]) => Number.parseInt(local?.split(':')[1] ?? '', 16) === port)
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}
