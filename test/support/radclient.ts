// Debian's radclient as the access server's voice: one request, its reply as attribute lines in the order received.
import { spawn } from 'node:child_process';

export type RadiusReply = {
  /** e.g. 'Access-Accept'; 'none' when nothing came back. */
  readonly code: string;
  /** `Name = value` lines of the reply, in wire order. */
  readonly attributes: readonly string[];
  /** Value of the first attribute of that name, without quotes. */
  value(name: string): string | undefined;
};

export type RadclientOptions = { secret?: string; timeoutS?: number; retries?: number };

/** Sends `attributes` (radclient syntax) to `target` (`host:port`). */
export function radclient(
  target: string,
  command: 'auth' | 'acct' | 'status' | 'coa' | 'disconnect',
  attributes: readonly string[],
  { secret = 'testing123', timeoutS = 3, retries = 1 }: RadclientOptions = {},
): Promise<RadiusReply> {
  return new Promise((resolve, reject) => {
    const child = spawn('radclient', ['-x', '-r', String(retries), '-t', String(timeoutS), target, command, secret], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', () => resolve(parseReply(output)));
    child.stdin.end(`${attributes.join('\n')}\n`);
  });
}

function parseReply(output: string): RadiusReply {
  const lines = output.split('\n');
  const start = lines.findIndex((line) => line.startsWith('Received '));
  const code = /^Received (\S+)/.exec(lines[start] ?? '')?.[1] ?? 'none';
  const attributes: string[] = [];
  for (const line of start < 0 ? [] : lines.slice(start + 1)) {
    if (!line.startsWith('\t')) break;
    attributes.push(line.trim());
  }
  return {
    code,
    attributes,
    value(name) {
      const line = attributes.find((attribute) => attribute.startsWith(`${name} = `));
      return line?.slice(name.length + 3).replace(/^"(.*)"$/, '$1');
    },
  };
}
