// The States that home servers have lately given in Access-Challenges: a request with one of them goes on with a login that was begun.
import { createHmac, randomBytes } from 'node:crypto';

export type BegunLogins = {
  add(nasId: number, state: Buffer): void;
  has(nasId: number, state: Buffer): boolean;
};

/** @param capacity the oldest is forgotten for what is beyond */
export function createBegunLogins(capacity = 16_384): BegunLogins {
  // A home server chooses its States: of whatever length, and what they say is nobody's business here.
  const key = randomBytes(16);
  const known = new Set<string>();
  const nameOf = (nasId: number, state: Buffer) =>
    createHmac('sha256', key).update(`${nasId} `).update(state).digest('base64');
  return {
    add(nasId, state) {
      const [oldest] = known;
      if (known.size >= capacity && oldest !== undefined) known.delete(oldest);
      known.add(nameOf(nasId, state));
    },
    has: (nasId, state) => known.has(nameOf(nasId, state)),
  };
}
