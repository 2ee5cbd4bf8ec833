// An access server that never repeats a request: a steady stream of distinct ones from many ports, and what became of each.
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import radius from 'radius';

export type LoadOptions = {
  readonly authPort: number;
  readonly acctPort: number;
  readonly secret: string;
  /** Requests a second: every second one is an Access-Request. */
  readonly perSecond: number;
  readonly users: number;
  /** Source ports in use at the same time. */
  readonly ports?: number;
};

export type Sent = {
  readonly kind: 'access' | 'accounting';
  readonly user: string;
  /** What an accounting record reports, upwards. */
  readonly bytes: number;
  readonly sentAt: number;
  answers: number;
  /** From the request to its first answer. */
  tookMs: number;
  code: string;
};

export type SteadyLoad = {
  readonly sent: readonly Sent[];
  /** Answers that belong to no request, or are not signed as they should be. */
  strays(): number;
  /** Sends nothing more, and settles when everything is answered or nothing has come for `quietMs`. */
  stop(quietMs?: number): Promise<void>;
  unanswered(): Sent[];
};

type Port = { readonly socket: Socket; next: number; readonly waiting: Map<number, { request: Buffer; sent: Sent }> };

export function startLoad(options: LoadOptions): SteadyLoad {
  const { secret, perSecond, users, ports: count = 48 } = options;
  /** Each record is a session of its own. */
  const run = randomBytes(4).toString('hex');
  const sent: Sent[] = [];
  const open: Socket[] = [];
  let strays = 0;
  let heardAt = performance.now();
  const started = performance.now();

  function openPort(): Port {
    const socket = createSocket('udp4');
    const port: Port = { socket, next: 0, waiting: new Map() };
    open.push(socket);
    socket.on('message', (response) => {
      heardAt = performance.now();
      const found = port.waiting.get(response[1] ?? -1);
      if (!found || !radius.verify_response({ request: found.request, response, secret })) {
        strays++;
        return;
      }
      found.sent.answers++;
      if (found.sent.answers > 1) return;
      found.sent.tookMs = heardAt - found.sent.sentAt;
      found.sent.code = radius.decode_without_secret({ packet: response }).code;
    });
    return port;
  }

  const ports = Array.from({ length: count }, openPort);

  function send(): void {
    const number = sent.length;
    const at = Math.floor(number / 2) % count;
    let port = ports[at]!;
    // An identifier is used once: its port goes out of use with the last of them, and listens on.
    if (port.next === 256) {
      port = openPort();
      ports[at] = port;
    }
    const kind = number % 2 === 0 ? 'access' : 'accounting';
    const user = `user${Math.floor(number / 2) % users}`;
    const bytes = kind === 'accounting' ? 1000 + number : 0;
    const identifier = port.next++;
    const request = { secret, identifier } as const;
    const packet =
      kind === 'access'
        ? radius.encode({
            ...{ ...request, code: 'Access-Request' },
            attributes: [
              ['User-Name', user],
              ['User-Password', 'pass123'],
              ['NAS-IP-Address', '127.0.0.1'],
              ['NAS-Port', number],
            ],
          })
        : radius.encode({
            ...{ ...request, code: 'Accounting-Request' },
            attributes: [
              ['User-Name', user],
              ['Acct-Session-Id', `${run}-${number}`],
              ['Acct-Status-Type', 'Stop'],
              ['NAS-IP-Address', '127.0.0.1'],
              ['Acct-Session-Time', 60],
              ['Acct-Input-Octets', bytes],
              ['Acct-Output-Octets', 0],
            ],
          });
    const one: Sent = { kind, user, bytes, sentAt: performance.now(), answers: 0, tookMs: 0, code: '' };
    sent.push(one);
    port.waiting.set(identifier, { request: packet, sent: one });
    port.socket.send(packet, kind === 'access' ? options.authPort : options.acctPort, '127.0.0.1');
  }

  const timer = setInterval(() => {
    const due = ((performance.now() - started) / 1000) * perSecond;
    while (sent.length < due) send();
  }, 5);

  const unanswered = () => sent.filter(({ answers }) => answers === 0);
  return {
    sent,
    strays: () => strays,
    unanswered,
    async stop(quietMs = 4000) {
      clearInterval(timer);
      heardAt = performance.now();
      await new Promise<void>((resolve) => {
        const look = setInterval(() => {
          if (unanswered().length > 0 && performance.now() - heardAt < quietMs) return;
          clearInterval(look);
          resolve();
        }, 20);
      });
      for (const socket of open) socket.close();
    },
  };
}
