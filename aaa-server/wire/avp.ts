// The attribute-value pairs inside a TTLS tunnel (RFC 5281 §10.1, the format of Diameter).
import { Buffer } from 'node:buffer';

/** `vendor` 0: the standard space, whose codes are those of RADIUS. */
export type Avp = { readonly vendor: number; readonly code: number; readonly data: Buffer };

const hasVendor = 0x80;
const mandatory = 0x40;

/** Undefined when they do not fill the octets. */
export function decodeAvps(octets: Buffer): Avp[] | undefined {
  const found: Avp[] = [];
  for (let at = 0; at < octets.length; ) {
    if (at + 8 > octets.length) return undefined;
    const code = octets.readUInt32BE(at);
    const flags = octets[at + 4] ?? 0;
    const length = octets.readUIntBE(at + 5, 3);
    const head = flags & hasVendor ? 12 : 8;
    if (length < head || at + length > octets.length) return undefined;
    const vendor = flags & hasVendor ? octets.readUInt32BE(at + 8) : 0;
    found.push({ vendor, code, data: octets.subarray(at + head, at + length) });
    at += padded(length);
  }
  return found;
}

export function encodeAvp({ vendor, code, data }: Avp): Buffer {
  const head = vendor === 0 ? 8 : 12;
  const out = Buffer.alloc(padded(head + data.length));
  out.writeUInt32BE(code, 0);
  out[4] = mandatory | (vendor === 0 ? 0 : hasVendor);
  out.writeUIntBE(head + data.length, 5, 3);
  if (vendor !== 0) out.writeUInt32BE(vendor, 8);
  data.copy(out, head);
  return out;
}

/** Each begins at a multiple of four octets. */
function padded(length: number): number {
  return (length + 3) & ~3;
}
