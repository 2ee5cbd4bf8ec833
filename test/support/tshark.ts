// Wireshark's view of RADIUS packets: what another implementation, with dictionaries of its own, reads in what we send.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export type Sent = { readonly data: Buffer; readonly fromPort: number; readonly toPort: number };
/** One packet as tshark tells it: its text, and each attribute as `Name=value`, vendor attributes out of their envelope. */
export type Seen = { readonly text: string; readonly attributes: readonly string[] };

/** @throws when tshark does not read as many packets as there are. */
export function seenByTshark(packets: readonly Sent[], secret: string): Seen[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-tshark-'));
  try {
    const file = path.join(folder, 'radius.pcap');
    writeFileSync(file, capture(packets));
    const preferences = ['-o', `radius.shared_secret:${secret}`, '-o', 'radius.validate_authenticator:TRUE'];
    const result = spawnSync(
      'tshark',
      ['-r', file, ...preferences, '-d', 'udp.port==1700,radius', '-O', 'radius', '-V'],
      {
        encoding: 'utf8',
        env: { ...process.env, HOME: folder, LC_ALL: 'C.UTF-8' },
      },
    );
    const seen = (result.stdout ?? '').split(/^(?=Frame \d+:)/m).filter((text) => text.startsWith('Frame '));
    if (seen.length !== packets.length) throw new Error(`tshark: ${result.stderr}\n${result.stdout}`);
    return seen.map((text) => ({ text, attributes: attributesIn(text) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function attributesIn(text: string): string[] {
  return [...text.matchAll(/(?:AVP|VSA): t=([^\s(]+)\(\d+\) l=\d+ (?:Tag=\S+ )?(?:Tag \S+ )?val=(.*)$/gm)].map(
    ([, name, value]) => `${name}=${value}`,
  );
}

/** A capture file (pcap, raw IPv4) of UDP datagrams between two addresses of the documentation. */
function capture(packets: readonly Sent[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(101, 20); // LINKTYPE_RAW
  return Buffer.concat([head, ...packets.flatMap(captured)]);
}

function captured({ data, fromPort, toPort }: Sent, index: number): Buffer[] {
  const ip = Buffer.alloc(28);
  ip[0] = 0x45;
  ip.writeUInt16BE(28 + data.length, 2);
  ip[8] = 64;
  ip[9] = 17;
  // An answer goes back to where the question came from.
  const [from, to] = fromPort < toPort ? [1, 2] : [2, 1];
  ip.set([192, 0, 2, from], 12);
  ip.set([192, 0, 2, to], 16);
  ip.writeUInt16BE(fromPort, 20);
  ip.writeUInt16BE(toPort, 22);
  ip.writeUInt16BE(8 + data.length, 24);
  const record = Buffer.alloc(16);
  record.writeUInt32LE(1_700_000_000 + index, 0);
  record.writeUInt32LE(ip.length + data.length, 8);
  record.writeUInt32LE(ip.length + data.length, 12);
  return [record, ip, data];
}
