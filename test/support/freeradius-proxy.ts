// Debian's FreeRADIUS in front of us: takes RADIUS over UDP and proxies all of it to a home server over TLS.
import { type PeerProcess, startPeer } from './peer-process.ts';

export type FreeradiusProxyOptions = {
  authPort: number;
  acctPort: number;
  tlsPort: number;
  caFile: string;
  certFile: string;
  keyFile: string;
};

type Teardown = { teardown(handler: () => unknown): unknown };

export function startFreeradiusProxy(t: Teardown, options: FreeradiusProxyOptions): Promise<PeerProcess> {
  return startPeer(t, {
    program: 'freeradius',
    args: (folder) => ['-d', folder, '-f', '-xx', '-l', 'stdout'],
    file: 'radiusd.conf',
    configuration: (folder) => configuration(folder, options),
    ready: 'Ready to process requests',
  });
}

function configuration(folder: string, options: FreeradiusProxyOptions): string {
  const { authPort, acctPort, tlsPort, caFile, certFile, keyFile } = options;
  const toUs = 'update control {\n      Proxy-To-Realm := "lastmile"\n    }';
  return `
name = edge
prefix = /usr
logdir = ${folder}
run_dir = ${folder}
raddbdir = ${folder}
libdir = /usr/lib/freeradius
dictionary_dir = /usr/share/freeradius
proxy_requests = yes
log {
  destination = stdout
}
security {
  max_attributes = 200
}
thread pool {
  start_servers = 2
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 2
}
client nas {
  ipaddr = 127.0.0.0/8
  secret = testing123
}
proxy server {
  default_fallback = no
}
home_server lastmile {
  type = auth+acct
  ipaddr = 127.0.0.1
  port = ${tlsPort}
  proto = tcp
  secret = radsec
  response_window = 10
  status_check = status-server
  tls {
    private_key_file = ${keyFile}
    certificate_file = ${certFile}
    ca_file = ${caFile}
    tls_min_version = "1.2"
    tls_max_version = "1.2"
    fragment_size = 8192
  }
}
home_server_pool lastmile {
  type = fail-over
  home_server = lastmile
}
realm lastmile {
  auth_pool = lastmile
  acct_pool = lastmile
  nostrip
}
modules {
  always ok {
    rcode = ok
  }
}
server edge {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = ${authPort}
  }
  listen {
    type = acct
    ipaddr = 127.0.0.1
    port = ${acctPort}
  }
  authorize {
    ${toUs}
  }
  preacct {
    ${toUs}
  }
  accounting {
    ok
  }
}
`;
}
