// Remembers peers by the words of their names, so that a datagram of a known one makes neither an object nor a text.
import type { Peer } from '../../udp.ts';
import { is } from './calls.ts';
import { type Messages, sourceAt, sourceWords } from './messages.ts';
import { addressText, type Family, nameWords, portOf } from './socket-address.ts';

/** A peer with what the kernel needs to answer it. */
export type KnownPeer = Peer & {
  readonly family: Family;
  readonly name: Int32Array;
  /** The address of ours that it sent to; null where the socket has only one. */
  readonly source: Int32Array | null;
};

export type PeerTable = {
  /** The sender of a received message; the same object as long as it is remembered. */
  of(messages: Messages, i: number): KnownPeer;
};

/** A newcomer takes the place of the one that lies where it would: bounded, and one that is displaced is only made anew. */
export function createPeerTable(family: Family, places = 8192): PeerTable {
  if ((places & (places - 1)) !== 0) throw new Error('the number of places must be a power of two');
  const peers = new Array<KnownPeer | undefined>(places).fill(undefined);
  const words = nameWords[family];
  const ownWords = sourceWords[family];

  function isSame(peer: KnownPeer, messages: Messages, nameAt: number, sourceFrom: number): boolean {
    for (let word = 0; word < words; word++) {
      if (peer.name[word] !== messages.names[nameAt + word]) return false;
    }
    if (peer.source === null) return sourceFrom < 0;
    if (sourceFrom < 0) return false;
    for (let word = 0; word < ownWords; word++) {
      if (peer.source[word] !== messages.controls[sourceFrom + word]) return false;
    }
    return true;
  }

  return {
    of(messages, i) {
      const { names, controls } = messages;
      const nameAt = messages.nameOffset(i);
      const sourceFrom = messages.hasSource(i) ? messages.controlOffset(i) + sourceAt[family] : -1;
      if (sourceFrom >= 0 && family === is.inet6) forgetInterface(controls, sourceFrom);
      let hash = 0;
      for (let word = 0; word < words; word++) hash = mix(hash, names[nameAt + word] as number);
      if (sourceFrom >= 0)
        for (let word = 0; word < ownWords; word++) hash = mix(hash, controls[sourceFrom + word] as number);
      const place = (hash ^ (hash >>> 15)) & (places - 1);
      const known = peers[place];
      if (known && isSame(known, messages, nameAt, sourceFrom)) return known;
      const name = names.slice(nameAt, nameAt + words);
      const peer: KnownPeer = {
        address: addressText(family, name),
        port: portOf(name[0] ?? 0),
        family,
        name,
        source: sourceFrom < 0 ? null : controls.slice(sourceFrom, sourceFrom + ownWords),
      };
      peers[place] = peer;
      return peer;
    },
  };
}

/** The interface it came by matters for link-local addresses (fe80::/10) alone; for others the route of the reply decides. */
function forgetInterface(controls: Int32Array, sourceFrom: number): void {
  const isLinkLocal = ((controls[sourceFrom] as number) & 0xc0ff) === 0x80fe;
  if (!isLinkLocal) controls[sourceFrom + 4] = 0;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e37_79b1);
  return mixed ^ (mixed >>> 13);
}
