// How many datagrams the kernel threw away because the receive buffer of one of our sockets was full (Linux).
import { readdir, readFile, readlink } from 'node:fs/promises';
import { codeOf } from '#ops/runtime/errors.ts';

/** Local port → drops since its sockets were opened, of the sockets of this process. Empty where there is no /proc/net. */
export async function kernelDrops(): Promise<ReadonlyMap<number, number>> {
  const own = await socketInodes();
  const drops = new Map<number, number>();
  for (const table of own.size > 0 ? ['/proc/net/udp', '/proc/net/udp6'] : []) {
    for (const { inode, port, dropped } of parseTable(await readFile(table, 'utf8').catch(absent))) {
      if (own.has(inode)) drops.set(port, (drops.get(port) ?? 0) + dropped);
    }
  }
  return drops;
}

/** Lines of /proc/net/udp: `sl local_address rem_address st queues tr:when retrnsmt uid timeout inode ref pointer drops` (proc(5)). */
function parseTable(text: string): { inode: string; port: number; dropped: number }[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , , , , , , , inode = '', , , dropped = ''] = line.trim().split(/\s+/);
      const port = Number.parseInt(local.split(':')[1] ?? '', 16);
      return Number.isInteger(port) && /^\d+$/.test(dropped) ? [{ inode, port, dropped: Number(dropped) }] : [];
    });
}

/** Sockets of all threads: they share the descriptors. */
async function socketInodes(): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  try {
    const links = (await readdir('/proc/self/fd')).map((fd) =>
      // One that is closed meanwhile is none of ours any more.
      readlink(`/proc/self/fd/${fd}`).catch(absent),
    );
    for (const link of await Promise.all(links)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode) inodes.add(inode);
    }
  } catch (error) {
    absent(error);
  }
  return inodes;
}

function absent(error: unknown): string {
  if (codeOf(error) === 'ENOENT') return '';
  throw error;
}
