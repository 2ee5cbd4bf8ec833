// What the routes need: the stores and neighbours, passed in by the composition root or by a test.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { OwnListeners } from '#ops/runtime/own-listeners.ts';
import type { ExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import type { NasEdge } from '#ops/stores/nas-edge.ts';
import type { AaaTools } from './aaa/edge.ts';
import type { Db } from './database/connect.ts';
import type { FeedGuard } from './feed-guard/client.ts';
import type { History } from './history.ts';
import type { BrakeDesk, LedgerReader, MoveDesk, NetworkDesk } from './ledger-reader.ts';
import type { UnknownSources } from './nas/unknown.ts';
import type { AttributeDictionary } from './reply-attributes/dictionary.ts';
import type { Neighbour } from './system/queries.ts';

export type Deps = {
  readonly db: Db;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly ledger: LedgerReader;
  readonly history: History;
  readonly brake: BrakeDesk;
  readonly network: NetworkDesk;
  readonly moveDesk: MoveDesk;
  readonly feedGuard: FeedGuard;
  readonly dictionary: AttributeDictionary;
  readonly aaa: AaaTools;
  /** What flow-collector has received, by sender. */
  readonly exporterTraffic: () => Promise<ReadonlyMap<string, ExporterTraffic>>;
  /** What the edge knows of these access servers. */
  readonly nasEdge: (nasIds: readonly number[]) => Promise<NasEdge>;
  /** Sources of RADIUS packets that are no NAS of ours. */
  readonly unknownSources: () => Promise<UnknownSources>;
  /** The RADIUS ports of this node: no home servers. */
  readonly radius: OwnListeners;
  /** The other processes of this node. */
  readonly neighbours: readonly Neighbour[];
};
