// Stops a socket of node:dgram from reading while it can still send. Node has no public way: it reads, and throws away what nobody wants.
import type { Socket } from 'node:dgram';

type Reading = { recvStop(): number };

/** @throws when this Node keeps its handle elsewhere: datagrams of a socket that others read as well would get lost. */
export function pauseOf(socket: Socket): () => void {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const state: unknown = symbol && Reflect.get(socket, symbol);
  const handle: unknown = isObject(state) ? state.handle : undefined;
  if (!isReading(handle)) {
    throw new Error(`Node ${process.version} offers no way to stop a socket from reading: use UDP_DRIVER mmsg`);
  }
  return () => void handle.recvStop();
}

function isReading(handle: unknown): handle is Reading {
  return isObject(handle) && typeof handle.recvStop === 'function';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
