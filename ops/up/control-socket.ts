// What operators ask of a running `npm start`: a socket in the data folder, one request a connection, progress as lines, then the outcome.
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import { messageOf } from '#ops/runtime/errors.ts';

const Request = Type.Object(
  {
    restart: Type.String(),
    settings: Type.Record(Type.String(), Type.String()),
    repository: Type.String(),
  },
  { additionalProperties: false },
);
export type ControlRequest = Static<typeof Request>;

/** `serves`: after a restart that failed. */
export type ControlOutcome =
  | { readonly ok: true; readonly unreadMs: number }
  | { readonly ok: false; readonly problem: string; readonly serves: string };

type Message = { readonly line: string } | { readonly outcome: ControlOutcome };

export type Control = { start(): Promise<void>; stop(): Promise<void> };

export function controlPath(dataFolder: string): string {
  return path.join(dataFolder, 'control.sock');
}

/** `handle` tells its progress and answers the outcome. */
export function createControl(
  dataFolder: string,
  handle: (request: ControlRequest, say: (line: string) => void) => Promise<ControlOutcome>,
): Control {
  let server: Server | undefined;
  /** Nothing was asked over these: nobody waits for an answer. */
  const idle = new Set<Socket>();

  function serve(socket: Socket): void {
    idle.add(socket);
    socket.once('close', () => idle.delete(socket));
    // Whoever asked may go away: what was begun goes on.
    socket.on('error', () => socket.destroy());
    const send = (message: Message) => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`));
    const lines = createInterface({ input: socket });
    // It passes on what the socket says.
    lines.on('error', () => undefined);
    lines.once('line', async (line) => {
      idle.delete(socket);
      try {
        const request: unknown = JSON.parse(line);
        if (!Value.Check(Request, request)) throw new Error('the request is not one of this version');
        send({ outcome: await handle(request, (text) => send({ line: text })) });
      } catch (error) {
        send({ outcome: { ok: false, problem: messageOf(error), serves: 'former untouched' } });
      }
      socket.end();
    });
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        const file = controlPath(dataFolder);
        // The data folder is ours: what lies there is left from a start that was killed.
        rmSync(file, { force: true });
        server = createServer(serve);
        server.once('error', reject);
        server.listen(file, () => {
          chmodSync(file, 0o600);
          resolve();
        });
      }),
    stop: () =>
      new Promise((resolve) => {
        if (!server) return resolve();
        server.close(() => resolve());
        for (const socket of idle) socket.destroy();
      }),
  };
}

/** Asks the `npm start` of a data folder; rejects when there is none. */
export function askControl(
  dataFolder: string,
  request: ControlRequest,
  say: (line: string) => void,
): Promise<ControlOutcome> {
  return new Promise((resolve, reject) => {
    const socket = connect(controlPath(dataFolder));
    socket.once('error', reject);
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    const lines = createInterface({ input: socket });
    // It passes on what the socket says.
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      const message = JSON.parse(line) as Message;
      if ('line' in message) say(message.line);
      else resolve(message.outcome);
    });
    socket.once('close', () => reject(new Error('`npm start` ended before the restart was over')));
  });
}
