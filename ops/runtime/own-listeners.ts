// Whether an address and port is one of our own RADIUS listeners: what is forwarded there would come back for ever.
import { networkInterfaces } from 'node:os';
import { parseAddress } from './ip.ts';

export type OwnListeners = { readonly addresses: readonly string[]; readonly ports: readonly number[] };

type Interfaces = ReturnType<typeof networkInterfaces>;

export function isOwnListener(
  { addresses, ports }: OwnListeners,
  address: string,
  port: number,
  interfaces: Interfaces = networkInterfaces(),
): boolean {
  if (!ports.includes(port)) return false;
  const wanted = parseAddress(address);
  if (!wanted) return false;
  const is = (text: string) => {
    const other = parseAddress(text);
    return other?.bits === wanted.bits && other.value === wanted.value;
  };
  if (addresses.some(is)) return true;
  const bindsAll = addresses.some((text) => text === '::' || (text === '0.0.0.0' && wanted.bits === 32));
  if (!bindsAll) return false;
  const isLoopback = wanted.bits === 32 ? wanted.value >> 24n === 127n : wanted.value === 1n;
  return isLoopback || Object.values(interfaces).some((entries) => entries?.some((entry) => is(entry.address)));
}
