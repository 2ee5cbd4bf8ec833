// The generator: a process of its own, so that it can be kept on a core of its own. Makes the packets, then runs what it is told.
import { createSecret } from '#aaa-server/wire/md5.ts';
import { obeyParent } from '../machine/pinned-child.ts';
import { accessPackets } from './access-packets.ts';
import { accountingPackets } from './accounting-packets.ts';
import { createGivenAddresses } from './given-addresses.ts';
import { createLoad, type Load } from './load.ts';
import { makePackets, type PacketStore } from './packet-store.ts';
import type { FromGenerator, Preparation, ToGenerator } from './protocol.ts';

let load: Load | undefined;

obeyParent<ToGenerator, FromGenerator>(async (message, tell) => {
  switch (message.type) {
    case 'prepare':
      await load?.close();
      load = await prepare(message.preparation, tell);
      return;
    case 'run':
      if (!load) throw new Error('nothing is prepared');
      tell({ type: 'result', result: await load.run(message.plan) });
      return;
    default:
      message satisfies never;
  }
});

async function prepare(preparation: Preparation, tell: (message: FromGenerator) => void): Promise<Load> {
  const store = packetsOf(preparation);
  const made = await createLoad({
    ...preparation,
    secret: createSecret(Buffer.from(preparation.secret)),
    store,
    addresses: isDistinct(preparation) ? createGivenAddresses() : undefined,
    onMeasuring: () => tell({ type: 'measuring' }),
    onMeasured: () => tell({ type: 'measured' }),
  });
  tell({ type: 'prepared', packets: store.starts.length - 1 });
  return made;
}

const isDistinct = ({ packets }: Preparation) => packets.kind === 'access' && packets.distinct !== undefined;

function packetsOf(preparation: Preparation): PacketStore {
  const { packets, sockets, lines, secret } = preparation;
  const once = packets.kind === 'accounting' || isDistinct(preparation);
  const shape = { sockets, lines, perLine: packets.perLine, once };
  return packets.kind === 'access'
    ? makePackets(shape, accessPackets({ ...packets, secret }))
    : makePackets(shape, accountingPackets({ ...packets, secret }));
}
