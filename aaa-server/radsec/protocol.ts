// What RadSec needs of main thread and workers: its settings, its certificates, and what they say to each other about connections.

import type { Peer } from '#ops/runtime/udp.ts';

/** PEM texts: the chain of the server, its key, who signs access servers, and which certificates are taken back. */
export type TlsMaterial = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** One list each; empty: no certificate is taken back. */
  readonly crls: readonly string[];
};

export type RadsecLimits = {
  /** Open connections of all workers together. */
  readonly connections: number;
  /** Of one source address, in one worker. */
  readonly perAddress: number;
  readonly handshakeMs: number;
  /** Without any packet. */
  readonly idleMs: number;
  /** From the first octet of a packet to its last. */
  readonly packetMs: number;
  /** Answers that wait for a peer that does not read. */
  readonly unreadBytes: number;
};

export type RadsecSettings = {
  readonly port: number;
  readonly material: TlsMaterial;
  readonly limits: RadsecLimits;
  /** RADIUS/1.1 may be negotiated (RFC 9765). */
  readonly version11: boolean;
  /** One Int32: the open connections of all workers. */
  readonly open: SharedArrayBuffer;
};

/** An Access-Request of a connection, for the worker that leads its conversation. `turn` ties its answer to it. */
export type HandedOver = {
  readonly connection: number;
  readonly turn: number;
  readonly nasId: number;
  readonly peer: Peer;
  readonly data: Uint8Array<ArrayBuffer>;
};

/** Its answer, for the connection. */
export type HandedBack = { readonly connection: number; readonly turn: number; readonly data: Uint8Array };

/** What the main thread orders. */
export type RadsecOrder =
  | { readonly type: 'radsec_material'; readonly material: TlsMaterial; readonly recheck: boolean }
  /** A request of ours, for an access server. */
  | { readonly type: 'radsec_send'; readonly connection: number; readonly data: Uint8Array }
  /** Its answer was not one: the connection ends. */
  | { readonly type: 'radsec_distrust'; readonly connection: number }
  /** A packet of a connection of worker `from` that goes on with a conversation led here. */
  | (HandedOver & { readonly type: 'radsec_handed_over'; readonly from: number })
  | (HandedBack & { readonly type: 'radsec_handed_back' });

/** What a worker says to the main thread. */
export type RadsecReport =
  /** Who stands behind a connection, again when that changes; nobody: it has ended. */
  | { readonly type: 'radsec_connection'; readonly connection: number; readonly nasIds: readonly number[] }
  /** A packet that answers a request of ours. */
  | { readonly type: 'radsec_answer'; readonly connection: number; readonly data: Uint8Array };

export type RadsecWords =
  | RadsecReport
  /** For worker `to`. */
  | (HandedOver & { readonly type: 'radsec_hand_over'; readonly to: number })
  | (HandedBack & { readonly type: 'radsec_hand_back'; readonly to: number });
