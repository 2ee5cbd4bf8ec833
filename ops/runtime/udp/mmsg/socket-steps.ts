// A socket step by step, by system calls: made with its options, bound, described. A supervisor makes and binds what another process reads.
import { isIPv6 } from 'node:net';
import { type Calls, is, systemError } from './calls.ts';
import { type Family, familyOf, portOf, toName } from './socket-address.ts';

export type SocketWish = {
  readonly kind: 'datagrams' | 'streams';
  readonly address: string;
  readonly port: number;
  /** An IPv6 wildcard takes IPv4 as well. */
  readonly dualStack: boolean;
  /** Several sockets may then share the port. */
  readonly reusePort: boolean;
  /** 0: what the system gives. */
  readonly receiveBufferBytes: number;
};

export type Bound = {
  readonly port: number;
  /** The kernel tells by which address each datagram came. */
  readonly withSource: boolean;
  readonly grantedBytes: number;
};

/** Of connections that wait until somebody takes them; the kernel may have a lower limit (net.core.somaxconn). */
const backlog = 4096;

/** A descriptor that is not bound yet. Throws with the reason. */
export function makeSocket(calls: Calls, wish: SocketWish): number {
  const family = familyOf(wish.address);
  const fd = calls.socket(family, is[wish.kind]);
  if (fd < 0) throw systemError(fd, 'socket', where(wish));
  const set = (level: number, option: number, value: number) => {
    const result = calls.setOption(fd, level, option, value);
    if (result >= 0) return;
    calls.close(fd);
    throw systemError(result, 'setsockopt', where(wish));
  };
  if (wish.kind === 'streams') set(is.level.socket, is.option.reuseAddress, 1);
  if (wish.reusePort) set(is.level.socket, is.option.reusePort, 1);
  if (family === is.inet6) set(is.level.ipv6, is.ipv6.v6Only, wish.dualStack ? 0 : 1);
  if (wish.kind === 'datagrams' && isWildcard(wish.address)) {
    if (family === is.inet) set(is.level.ip, is.ip.packetInfo, 1);
    else set(is.level.ipv6, is.ipv6.receivePacketInfo, 1);
  }
  return fd;
}

/** Binds it; one for connections listens from now on. The descriptor stays open when it throws. */
export function bindSocket(calls: Calls, fd: number, wish: SocketWish): void {
  must(calls.bind(fd, nameOf(wish)), 'bind', wish);
  if (wish.kind === 'streams') must(calls.listen(fd, backlog), 'listen', wish);
}

/** Sets the receive buffer of a bound socket for datagrams and says what it is. */
export function describeSocket(calls: Calls, fd: number, wish: SocketWish): Bound {
  const { receiveBufferBytes } = wish;
  if (receiveBufferBytes > 0) growReceiveBuffer(calls, fd, wish);
  const name = nameOf(wish);
  must(calls.boundName(fd, name), 'getsockname', wish);
  return {
    port: portOf(name.readInt32LE(0)),
    withSource: isWildcard(wish.address),
    grantedBytes: grantedBytes(calls, fd, wish),
  };
}

/** Beyond the limit of the system when we may, else up to it; never smaller than it is. */
export function growReceiveBuffer(calls: Calls, fd: number, wish: SocketWish): void {
  const { level, option } = is;
  if (grantedBytes(calls, fd, wish) >= wish.receiveBufferBytes) return;
  const forced = calls.setOption(fd, level.socket, option.receiveBufferForce, wish.receiveBufferBytes);
  if (forced >= 0) return;
  must(calls.setOption(fd, level.socket, option.receiveBuffer, wish.receiveBufferBytes), 'setsockopt', wish);
}

/** The kernel books twice of what it grants, for its own overhead. */
function grantedBytes(calls: Calls, fd: number, wish: SocketWish): number {
  return must(calls.getOption(fd, is.level.socket, is.option.receiveBuffer), 'getsockopt', wish) / 2;
}

function nameOf(wish: SocketWish): Buffer {
  const family: Family = familyOf(wish.address);
  const name = toName(family, wish.address, wish.port);
  if (!name) throw new Error(`${wish.address} is no address that a socket can be bound to`);
  return name;
}

/** Bound to one address there is nothing to tell: every reply leaves from it. */
function isWildcard(address: string): boolean {
  if (address === '0.0.0.0') return true;
  return isIPv6(address) && toName(is.inet6, address, 0)?.every((octet, at) => at < 2 || octet === 0) === true;
}

function must(result: number, call: string, wish: SocketWish): number {
  if (result < 0) throw systemError(result, call, where(wish));
  return result;
}

function where({ address, port }: SocketWish): string {
  return `${address}:${port}`;
}
