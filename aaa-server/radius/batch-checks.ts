// What of a batch of requests is checked together, before each of them is looked at by itself.
import type { NasClient } from '../auth/nas-table.ts';
import { type Check, checkTogether } from '../wire/check-together.ts';
import { digestLength } from '../wire/md5.ts';
import { code, type Packet } from '../wire/packet.ts';

export type BatchChecks = {
  /** A new batch: what was checked before counts for nothing. */
  begin(): void;
  /** The check that `run` will fill in, under the secret that was right last; undefined where there is none to make. */
  of(packet: Packet, client: NasClient): Check | undefined;
  run(): void;
};

export function createBatchChecks(): BatchChecks {
  // Their memory is used again batch after batch.
  const checks: { -readonly [K in keyof Check]: Check[K] }[] = [];
  let count = 0;
  return {
    begin() {
      count = 0;
    },
    of(packet, client) {
      const secret = client.secrets[client.lastVerified];
      const keepsAuthenticator = packet.code === code.accessRequest || packet.code === code.statusServer;
      if (packet.messageAuthenticatorAt < 0 || !secret || !keepsAuthenticator) return undefined;
      let check = checks[count];
      if (!check) {
        check = { packet, secret, isRight: false, key: new Uint8Array(digestLength) };
        checks.push(check);
      }
      count++;
      check.packet = packet;
      check.secret = secret;
      check.isRight = false;
      return check;
    },
    run: () => checkTogether(checks, count),
  };
}
