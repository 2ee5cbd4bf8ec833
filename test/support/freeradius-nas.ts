// Debian's FreeRADIUS in the role of an access server: it receives CoA and Disconnect requests and answers as told.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { detailRecords } from './detail-file.ts';
import { until } from './wait.ts';

export type NasOptions = {
  port: number;
  secret?: string;
  /** User names whose requests are refused with Error-Cause 503, and those that get no answer. */
  nak503?: readonly string[];
  silent?: readonly string[];
};

export type ReceivedRequest = {
  readonly type: string;
  readonly receivedAtS: number;
  readonly attributes: readonly string[];
};

export type FreeradiusNas = {
  /** Every request received so far, retransmissions that FreeRADIUS takes for new ones included. */
  requests(): ReceivedRequest[];
  stop(): Promise<void>;
};

type Teardown = { teardown(handler: () => unknown): unknown };

export async function startFreeradiusNas(t: Teardown, options: NasOptions): Promise<FreeradiusNas> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-nas-'));
  writeFileSync(path.join(folder, 'radiusd.conf'), configuration(folder, options));
  const child = spawn('freeradius', ['-d', folder, '-f', '-x', '-l', 'stdout'], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
  };
  t.teardown(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(`freeradius ended:\n${printed}`);
      return printed.includes('Ready to process requests');
    },
    () => `freeradius is ready; it printed:\n${printed}`,
    10_000,
  );
  const detail = path.join(folder, 'requests');
  return { requests: () => (existsSync(detail) ? parseDetail(readFileSync(detail, 'utf8')) : []), stop };
}

function configuration(folder: string, { port, secret = 'testing123', nak503 = [], silent = [] }: NasOptions): string {
  const anyOf = (users: readonly string[]) =>
    users.map((user) => `User-Name == "${user}"`).join(' || ') || 'User-Name == ""';
  return `
name = nas
prefix = /usr
logdir = ${folder}
run_dir = ${folder}
raddbdir = ${folder}
libdir = /usr/lib/freeradius
dictionary_dir = /usr/share/freeradius
cleanup_delay = 2
log {
  destination = stdout
}
security {
  max_attributes = 200
}
client lastmile {
  ipaddr = 127.0.0.0/8
  secret = ${secret}
}
modules {
${['ok', 'reject', 'handled'].map((code) => `  always ${code} {\n    rcode = ${code}\n  }`).join('\n')}
  detail {
    filename = ${folder}/requests
  }
}
server nas {
  listen {
    type = coa
    ipaddr = 127.0.0.1
    port = ${port}
  }
  recv-coa {
    detail
    if (${anyOf(nak503)}) {
      update reply {
        Error-Cause := 503
      }
      reject
    }
    elsif (${anyOf(silent)}) {
      update control {
        Response-Packet-Type := Do-Not-Respond
      }
      handled
    }
    else {
      ok
    }
  }
  send-coa {
    ok
  }
}
`;
}

function parseDetail(text: string): ReceivedRequest[] {
  return detailRecords(text).map((lines) => ({
    type: attributeText(lines, 'Packet-Type'),
    receivedAtS: Number(attributeText(lines, 'Timestamp')),
    attributes: lines.filter((line) => !/^(Packet-Type|Timestamp) = /.test(line)),
  }));
}

function attributeText(lines: readonly string[], name: string): string {
  return lines.find((line) => line.startsWith(`${name} = `))?.slice(name.length + 3) ?? '';
}
