// Datagrams of one worker: to their sender, through the decoder, and on as flows once a batch has been read.
import type { UdpBatch } from '#ops/runtime/udp.ts';
import { type Counters, counterPlaces, type versions } from '../counters.ts';
import type { Senders } from '../exporters/senders.ts';
import type { FlowColumns } from '../wire/columns.ts';
import type { Decoder } from '../wire/decoder.ts';

export type ReceiverDeps = {
  readonly senders: Pick<Senders, 'find'>;
  readonly decoder: Pick<Decoder, 'decode'>;
  readonly columns: FlowColumns;
  readonly counters: Counters;
  takeRows(columns: FlowColumns): void;
  nowMs(): number;
};

export type Receiver = {
  handleBatch(batch: UdpBatch): void;
  /** Takes what was decoded and not yet taken. */
  flush(): void;
};

const packetPlaces: Readonly<Record<number, number>> = {
  5: placeOf('5'),
  9: placeOf('9'),
  10: placeOf('10'),
};
const otherPlace = placeOf('other');
const tooMany = counterPlaces.offset('dropped', 'too_many_exporters');
const badVersion = counterPlaces.offset('dropped', 'bad_version');

export function createReceiver(deps: ReceiverDeps): Receiver {
  const { senders, decoder, columns, counters, takeRows } = deps;
  let scheduled = false;

  function flush(): void {
    scheduled = false;
    if (columns.count > 0) takeRows(columns);
  }

  return {
    flush,
    handleBatch(batch) {
      const nowMs = deps.nowMs();
      for (let i = 0; i < batch.count; i++) {
        const data = batch.data[i];
        const peer = batch.peers[i];
        if (!data || !peer) continue;
        const start = batch.starts[i] as number;
        const length = batch.lengths[i] as number;
        const version = length < 2 ? 0 : ((data[start] as number) << 8) | (data[start + 1] as number);
        const place = packetPlaces[version];
        counters.add(place ?? otherPlace, 1);
        // What cannot be flows makes nobody a sender.
        if (place === undefined) {
          counters.add(badVersion, 1);
          continue;
        }
        const sender = senders.find(peer.address, nowMs);
        if (!sender) {
          counters.add(tooMany, 1);
          continue;
        }
        sender.lastSeenMs = nowMs;
        decoder.decode(data, start, length, sender.exporter, nowMs);
      }
      // Rows of several datagrams are taken together, before anything else comes in.
      if (!scheduled && columns.count > 0) {
        scheduled = true;
        setImmediate(flush);
      }
    },
  };
}

function placeOf(version: (typeof versions)[number]): number {
  return counterPlaces.offset('packets', version);
}
