// The system calls that Node does not bind, through koffi: everything foreign to JavaScript is in this one file. Linux x64 and arm64.
import { getSystemErrorName } from 'node:util';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';

/** Numbers of <sys/socket.h> and its like, the same on both architectures. */
export const is = {
  inet: 2,
  inet6: 10,
  /** SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC */
  datagrams: 2 | 0o4000 | 0o2000000,
  /** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC */
  streams: 1 | 0o4000 | 0o2000000,
  dontWait: 0x40,
  truncated: 0x20,
  level: { ip: 0, socket: 1, ipv6: 41 },
  option: { reuseAddress: 2, receiveBuffer: 8, reusePort: 15, receiveBufferForce: 33 },
  ip: { packetInfo: 8 },
  ipv6: { v6Only: 26, receivePacketInfo: 49, packetInfo: 50 },
} as const;

/** Every function answers what the call does, or the negative number of the error. Memory must stay referenced by its owner. */
export type Calls = {
  socket(domain: number, type: number): number;
  setOption(fd: number, level: number, name: number, value: number): number;
  getOption(fd: number, level: number, name: number): number;
  bind(fd: number, name: Buffer): number;
  listen(fd: number, backlog: number): number;
  /** Writes the bound address into `name`. */
  boundName(fd: number, name: Buffer): number;
  close(fd: number): number;
  receiveMany(fd: number, headers: Buffer, count: number): number;
  sendMany(fd: number, headers: Buffer, count: number): number;
  addressOf(memory: Buffer): bigint;
  /** Of the calling thread, as an ordinary one: its nice value, and how long it runs at most while others want to (Linux 6.12, none before). */
  schedule(nice: number, sliceNs: number): number;
  /** The calling thread does nothing for that long at least. */
  pause(microseconds: number): void;
  /** Calls back in every turn of the event loop in which the socket is ready; the callback must not throw. */
  watch(fd: number, wish: Wish, ready: () => void): Watch;
};

export type Wish = { readonly readable: boolean; readonly writable: boolean };
export type Watch = {
  change(wish: Wish): void;
  close(): void;
};

export type LoadedCalls =
  | { readonly ok: true; readonly calls: Calls }
  | { readonly ok: false; readonly reason: string };

let loading: Promise<LoadedCalls> | undefined;

/** `reason`: why this machine cannot. */
export function loadCalls(): Promise<LoadedCalls> {
  loading ??= load();
  return loading;
}

async function load(): Promise<LoadedCalls> {
  const { platform, arch } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    return { ok: false, reason: `it needs Linux on x64 or arm64, this is ${platform} on ${arch}` };
  }
  try {
    return { ok: true, calls: bindings((await import('koffi')).default) };
  } catch (error) {
    // An optional dependency that has no build for this C library, or was left out.
    return { ok: false, reason: `koffi cannot be loaded: ${codeOf(error) ?? messageOf(error)}` };
  }
}

type Koffi = typeof import('koffi')['default'];

const schedulingLength = 48;

function bindings(koffi: Koffi): Calls {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int, int, int)');
  const setsockopt = libc.func('int setsockopt(int, int, int, const void *, uint32_t)');
  const getsockopt = libc.func('int getsockopt(int, int, int, void *, void *)');
  const bind = libc.func('int bind(int, const void *, uint32_t)');
  const listen = libc.func('int listen(int, int)');
  const getsockname = libc.func('int getsockname(int, void *, void *)');
  const close = libc.func('int close(int)');
  const recvmmsg = libc.func('int recvmmsg(int, void *, unsigned int, int, void *)');
  const sendmmsg = libc.func('int sendmmsg(int, void *, unsigned int, int)');

  const syscall = libc.func('long syscall(long, int, void *, unsigned int)');
  const usleep = libc.func('int usleep(unsigned int)');

  const value = Buffer.alloc(4);
  const scheduling = Buffer.alloc(schedulingLength);
  const length = Buffer.alloc(4);
  const checked = (result: number): number => (result < 0 ? -koffi.errno() : result);

  return {
    socket: (domain, type) => checked(socket(domain, type, 0)),
    setOption(fd, level, name, number) {
      value.writeInt32LE(number);
      return checked(setsockopt(fd, level, name, value, value.length));
    },
    getOption(fd, level, name) {
      length.writeUInt32LE(value.length);
      const result = checked(getsockopt(fd, level, name, value, length));
      return result < 0 ? result : value.readInt32LE();
    },
    bind: (fd, name) => checked(bind(fd, name, name.length)),
    listen: (fd, backlog) => checked(listen(fd, backlog)),
    boundName(fd, name) {
      length.writeUInt32LE(name.length);
      return checked(getsockname(fd, name, length));
    },
    close: (fd) => checked(close(fd)),
    receiveMany: (fd, headers, count) => checked(recvmmsg(fd, headers, count, is.dontWait, null)),
    sendMany: (fd, headers, count) => checked(sendmmsg(fd, headers, count, is.dontWait)),
    addressOf: (memory) => koffi.address(memory),
    schedule(nice, sliceNs) {
      // struct sched_attr (sched_setattr(2)): its size, the policy and flags 0, nice, a priority 0, the slice.
      scheduling.writeUInt32LE(schedulingLength, 0);
      scheduling.writeInt32LE(nice, 16);
      scheduling.writeBigUInt64LE(BigInt(sliceNs), 24);
      return checked(syscall(process.arch === 'x64' ? 314 : 274, 0, scheduling, 0));
    },
    pause: (microseconds) => void usleep(microseconds),
    watch(fd, wish, ready) {
      const handle = koffi.node.poll(fd, wish, ready);
      return {
        change(next) {
          if (next.readable || next.writable) handle.start(next, ready);
          else handle.stop();
        },
        close: () => handle.close(),
      };
    },
  };
}

/** `EAGAIN` for −11. */
export function errorName(result: number): string {
  return getSystemErrorName(result);
}

/** An error as Node makes them: with the code, the call and where. */
export function systemError(result: number, call: string, where: string): Error {
  const code = errorName(result);
  return Object.assign(new Error(`${call} ${code} ${where}`), { code, errno: result, syscall: call });
}
