// The subscribers and access servers of a storm: a process of its own, beside the server on the same cores.
import { createSecret } from '#aaa-server/wire/md5.ts';
import { openSockets } from '../load/sockets.ts';
import { obeyParent } from '../machine/pinned-child.ts';
import { udpState } from '../machine/udp-drops.ts';
import { type Clients, createClients, socketsFor } from './clients.ts';
import type { FromClients, StormPreparation, StormProgress, StormResult, ToClients } from './protocol.ts';

type Storm = { begin(onProgress: (progress: StormProgress) => void): Promise<StormResult> };

const turnMs = 5;
const sampleMs = 50;
const progressMs = 3000;
let storm: Storm | undefined;

obeyParent<ToClients, FromClients>(async (message, tell) => {
  switch (message.type) {
    case 'prepare':
      storm = await prepare(message.preparation);
      tell({ type: 'prepared' });
      return;
    case 'storm':
      if (!storm) throw new Error('nothing is prepared');
      tell({ type: 'over', result: await storm.begin((progress) => tell({ type: 'progress', progress })) });
      return;
    default:
      message satisfies never;
  }
});

async function prepare(preparation: StormPreparation): Promise<Storm> {
  const { authPort, acctPort, subscribers, mostSeconds } = preparation;
  const count = socketsFor(subscribers);
  let beganAt = performance.now();
  const nowMs = () => performance.now() - beganAt;
  const auth = await openSockets(count, authPort, (socket, reply) => clients.onLoginReply(socket, reply, nowMs()));
  const acct = await openSockets(count, acctPort, (socket, reply) => clients.onStartReply(socket, reply, nowMs()));
  const clients: Clients = createClients({
    ...preparation,
    secret: createSecret(Buffer.from(preparation.secret)),
    random: Math.random,
    sendLogin: (socket, request) => auth.send(socket, request, 0, request.length),
    sendStart: (socket, request) => acct.send(socket, request, 0, request.length),
  });
  return {
    async begin(onProgress) {
      beganAt = performance.now();
      let sampledAt = Number.NEGATIVE_INFINITY;
      let toldAt = 0;
      await new Promise<void>((resolve) => {
        const turn = () => {
          const now = nowMs();
          if (now - sampledAt >= sampleMs) {
            sampledAt = now;
            clients.sample(now, udpState(authPort).waitingBytes);
          }
          if (now - toldAt >= progressMs) {
            toldAt = now;
            onProgress(clients.progress(now));
          }
          if (!clients.advance(now) || now > mostSeconds * 1000) resolve();
          else setTimeout(turn, turnMs);
        };
        turn();
      });
      const result = clients.result(nowMs());
      await Promise.all([auth.close(), acct.close()]);
      return result;
    },
  };
}
