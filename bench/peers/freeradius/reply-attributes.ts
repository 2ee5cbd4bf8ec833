// What an Access-Accept of FreeRADIUS says: as many attributes as Lastmile's.
import { catalog } from '#ops/seed/demo.ts';

/** The seed's tariffs in turn. Message-Authenticator comes on top: it is no value but an instruction to sign. */
export function replyAttributes(user: number): (readonly [name: string, value: string])[] {
  const { upBps, downBps } = catalog[user % catalog.length] ?? catalog[0];
  return [
    ['Mikrotik-Rate-Limit', `${upBps / 1e6}M/${downBps / 1e6}M`],
    ['Session-Timeout', '86400'],
    ['Acct-Interim-Interval', '300'],
    ['Class', '0x6c6173746d696c65'],
  ];
}
