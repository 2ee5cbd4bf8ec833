// Debian's radsecproxy: takes RADIUS over UDP from a client on this machine and passes it on over TLS.
import path from 'node:path';
import { type PeerProcess, startPeer } from './peer-process.ts';

export type RadsecproxyOptions = {
  udpPort: number;
  tlsPort: number;
  caFile: string;
  certFile: string;
  keyFile: string;
};

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

/** `statusServer on` makes it ask for a sign of life when the connection is idle. */
function configuration({ udpPort, tlsPort, caFile, certFile, keyFile }: RadsecproxyOptions): string {
  return `
ListenUDP 127.0.0.1:${udpPort}
tls lastmile {
  CACertificateFile ${caFile}
  CertificateFile ${certFile}
  CertificateKeyFile ${keyFile}
}
client nas {
  host 127.0.0.1
  type udp
  secret testing123
}
server lastmile {
  host 127.0.0.1
  port ${tlsPort}
  type tls
  tls lastmile
  secret radsec
  statusServer on
}
realm * {
  server lastmile
  accountingServer lastmile
}
`;
}
