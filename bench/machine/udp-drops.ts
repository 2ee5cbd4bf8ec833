// What the kernel says of the sockets bound to a UDP port: datagrams it dropped because a buffer was full, and bytes still waiting (proc(5)).
import { readFileSync } from 'node:fs';

export type UdpState = {
  readonly sockets: number;
  /** Since the sockets were opened. */
  readonly dropped: number;
  readonly waitingBytes: number;
};

export function udpState(port: number): UdpState {
  const lines = ['/proc/net/udp', '/proc/net/udp6']
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local]) => Number.parseInt(local?.split(':')[1] ?? '', 16) === port);
  return {
    sockets: lines.length,
    dropped: sum(lines.map((fields) => Number(fields.at(-1)))),
    waitingBytes: sum(lines.map(([, , , , queues]) => Number.parseInt(queues?.split(':')[1] ?? '', 16))),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
