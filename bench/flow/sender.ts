// The bench's side of the process that sends flows.
import path from 'node:path';
import { spawnPinned } from '../machine/pinned-child.ts';
import type { FlowLoad, FromSender, Sent, ToSender } from './protocol.ts';

export type Sender = {
  readonly pid: number;
  prepare(load: FlowLoad): Promise<void>;
  /** Datagrams per second, at even distances; Infinity: as fast as it can. */
  send(port: number, perSecond: number, seconds: number): Promise<Sent>;
  stop(): Promise<void>;
};

export function startSender(cores: string): Sender {
  const child = spawnPinned<ToSender, FromSender>(path.join(import.meta.dirname, 'sender-process.ts'), cores);
  return {
    pid: child.pid,
    async prepare(load) {
      child.tell({ type: 'prepare', load });
      await child.answer('prepared');
    },
    async send(port, perSecond, seconds) {
      child.tell({ type: 'send', port, perSecond: Number.isFinite(perSecond) ? perSecond : null, seconds });
      return (await child.answer('sent')).sent;
    },
    stop: child.stop,
  };
}
