// Debian's softflowd as an exporter: reads a capture file and sends its flows as NetFlow.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Sends the flows of a capture (pcap) to the port; resolves when softflowd has ended. */
export async function softflowd(
  capture: Buffer,
  target: { readonly port: number; readonly version: 5 | 9 },
  more: readonly string[] = [],
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-softflowd-'));
  try {
    const file = path.join(folder, 'made.pcap');
    writeFileSync(file, capture);
    const { port, version } = target;
    const options = ['-d', '-r', file, '-n', `127.0.0.1:${port}`, '-v', String(version), '-c', 'none'];
    const child = spawn('softflowd', [...options, '-p', path.join(folder, 'pid'), ...more], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      stdio: 'ignore',
    });
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`softflowd ended with ${code}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
