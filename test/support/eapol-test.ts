// Debian's eapol_test as a subscriber's device that logs in by EAP.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** Settings of a network block of wpa_supplicant; texts bring their own quotes. */
export type Device = Readonly<Record<string, string>>;

/** Runs it in `folder`; `ok` when it was let in, and its keys are those that the access server got. */
export function eapolTest(
  folder: string,
  port: number,
  device: Device,
  withKeys: boolean,
): Promise<{ ok: boolean; output: string }> {
  const file = path.join(folder, `${randomBytes(4).toString('hex')}.conf`);
  const lines = Object.entries(device).map(([name, value]) => `  ${name}=${value}`);
  writeFileSync(
    file,
    `network={\n  key_mgmt=${withKeys ? 'WPA-EAP' : 'IEEE8021X'}\n  eapol_flags=0\n${lines.join('\n')}\n}\n`,
  );
  return new Promise((resolve, reject) => {
    const child = spawn(
      'eapol_test',
      [
        '-c',
        file,
        '-a',
        '127.0.0.1',
        '-p',
        String(port),
        '-s',
        'testing123',
        '-r',
        '0',
        '-t',
        '20',
        ...(withKeys ? [] : ['-n']),
      ],
      { cwd: folder },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ ok: status === 0 && /^SUCCESS$/m.test(output), output }));
  });
}
