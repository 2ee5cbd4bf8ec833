// Debian's radsecproxy: takes RADIUS over UDP from a client on this machine and passes it on over TLS, or over UDP.
import path from 'node:path';
import { type PeerProcess, startPeer } from './peer-process.ts';

type Listening = { udpPort: number };
type OverTls = { tlsPort: number; caFile: string; certFile: string; keyFile: string };
type OverUdp = { targetPort: number };

export type RadsecproxyOptions = Listening & (OverTls | OverUdp);

type Teardown = { teardown(handler: () => unknown): unknown };

export function startRadsecproxy(t: Teardown, options: RadsecproxyOptions): Promise<PeerProcess> {
  const file = 'radsecproxy.conf';
  return startPeer(t, {
    program: 'radsecproxy',
    args: (folder) => ['-f', '-d', '2', '-c', path.join(folder, file)],
    file,
    configuration: () => configuration(options),
    ready: 'listening for udp',
  });
}

function configuration(options: RadsecproxyOptions): string {
  return `
ListenUDP 127.0.0.1:${options.udpPort}
client nas {
  host 127.0.0.1
  type udp
  secret testing123
}
${'tlsPort' in options ? overTls(options) : overUdp(options)}
realm * {
  server lastmile
  accountingServer lastmile
}
`;
}

/** `statusServer on` makes it ask for a sign of life when the connection is idle. */
function overTls({ tlsPort, caFile, certFile, keyFile }: OverTls): string {
  return `
tls lastmile {
  CACertificateFile ${caFile}
  CertificateFile ${certFile}
  CertificateKeyFile ${keyFile}
}
server lastmile {
  host 127.0.0.1
  port ${tlsPort}
  type tls
  tls lastmile
  secret radsec
  statusServer on
}`;
}

function overUdp({ targetPort }: OverUdp): string {
  return `
server lastmile {
  host 127.0.0.1
  port ${targetPort}
  type udp
  secret testing123
}`;
}
