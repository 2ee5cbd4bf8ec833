// An access server that sends accounting by a foreign codec (the `radius` package) and remembers what was acknowledged.
import { createSocket, type Socket } from 'node:dgram';
import radius from 'radius';

export type AccountingClient = {
  /** Sends one request, again every 200 ms until it is answered, `signal` ends or 60 attempts are over; true when answered. */
  send(attributes: readonly (readonly [string, string | number | Buffer])[], signal?: AbortSignal): Promise<boolean>;
  close(): void;
};

const attemptMs = 200;
const attempts = 60;

/** Each request has a socket's identifier of its own: at most 256 at a time. */
export function createAccountingClient(port: number, secret: string): AccountingClient {
  const socket: Socket = createSocket('udp4');
  const free = Array.from({ length: 256 }, (_, identifier) => identifier);
  const waiting = new Map<number, { request: Buffer; answered(): void }>();

  socket.on('message', (response) => {
    const request = waiting.get(response[1] ?? -1);
    if (request && radius.verify_response({ request: request.request, response, secret })) request.answered();
  });

  return {
    async send(attributes, signal) {
      // The oldest first, so that an identifier rests before it is used again.
      const identifier = free.shift();
      if (identifier === undefined) throw new Error('more than 256 requests at a time');
      const request = radius.encode({ code: 'Accounting-Request', secret, identifier, attributes });
      try {
        return await new Promise<boolean>((resolve) => {
          let sent = 0;
          const attempt = () => {
            if (sent++ >= attempts || signal?.aborted) return finish(false);
            socket.send(request, port, '127.0.0.1');
          };
          const timer = setInterval(attempt, attemptMs);
          const finish = (answered: boolean) => {
            clearInterval(timer);
            waiting.delete(identifier);
            resolve(answered);
          };
          waiting.set(identifier, { request, answered: () => finish(true) });
          attempt();
        });
      } finally {
        free.push(identifier);
      }
    },
    close: () => socket.close(),
  };
}
