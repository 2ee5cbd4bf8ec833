// Debian's FreeRADIUS as somebody else's RADIUS server: the home server that requests are forwarded to.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { detailRecords } from './detail-file.ts';
import { type PeerProcess, startPeer } from './peer-process.ts';

export type FreeradiusHomeOptions = {
  authPort: number;
  acctPort: number;
  secret: string;
  /** What its Accepts bring beside the answers of the methods, in its own syntax. */
  reply?: string;
  /** Folder with `radius.example.net.pem`, its key and `ca.pem`: then it speaks PEAP, TTLS and TLS too. */
  certificates?: string;
  /** Folder of the detail file. */
  detail?: string;
};

export type FreeradiusHome = PeerProcess & {
  /** Accounting records it has written, as lines of attributes. */
  details(): readonly (readonly string[])[];
};

type Teardown = { teardown(handler: () => unknown): unknown };

/** It knows everybody, with the password wonderland. */
export async function startFreeradiusHome(t: Teardown, options: FreeradiusHomeOptions): Promise<FreeradiusHome> {
  let detailFile = '';
  const peer = await startPeer(t, {
    program: 'freeradius',
    args: (folder) => ['-d', folder, '-f', '-xx', '-l', 'stdout'],
    file: 'radiusd.conf',
    configuration(folder) {
      detailFile = path.join(options.detail ?? folder, 'detail');
      return configuration(folder, detailFile, options);
    },
    ready: 'Ready to process requests',
  });
  return {
    ...peer,
    details: () => (existsSync(detailFile) ? detailRecords(readFileSync(detailFile, 'utf8')) : []),
  };
}

function configuration(folder: string, detailFile: string, options: FreeradiusHomeOptions): string {
  const { authPort, acctPort, secret, reply = '', certificates } = options;
  const password = 'update control {\n      Cleartext-Password := "wonderland"\n    }';
  return `
name = home
prefix = /usr
logdir = ${folder}
run_dir = ${folder}
raddbdir = ${folder}
libdir = /usr/lib/freeradius
dictionary_dir = /usr/share/freeradius
proxy_requests = no
max_request_time = 10
cleanup_delay = 2
log {
  destination = stdout
}
security {
  max_attributes = 200
  reject_delay = 0
  status_server = yes
}
thread pool {
  start_servers = 2
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 2
}
client edge {
  ipaddr = 127.0.0.0/8
  secret = "${secret}"
  require_message_authenticator = no
}
modules {
${['ok', 'reject'].map((code) => `  always ${code} {\n    rcode = ${code}\n  }`).join('\n')}
  pap {
    normalise = no
  }
  chap {
  }
  mschap {
    use_mppe = yes
  }
  detail {
    filename = ${detailFile}
  }
  eap {
    default_eap_type = ${certificates ? 'peap' : 'md5'}
    timer_expire = 60
    md5 {
    }
    mschapv2 {
    }
${
  certificates
    ? `    tls-config own {
      private_key_file = ${certificates}/radius.example.net.key
      certificate_file = ${certificates}/radius.example.net.pem
      ca_file = ${certificates}/ca.pem
      tls_min_version = "1.2"
      tls_max_version = "1.2"
      ecdh_curve = ""
    }
    tls {
      tls = own
    }
    peap {
      tls = own
      default_eap_type = mschapv2
      virtual_server = inner
    }
    ttls {
      tls = own
      default_eap_type = md5
      virtual_server = inner
    }`
    : ''
}
  }
}
server home {
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
    ${password}
    chap
    mschap
    eap
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    Auth-Type CHAP {
      chap
    }
    Auth-Type MS-CHAP {
      mschap
    }
    eap
  }
  post-auth {
    update reply {
      Reply-Message := "hello %{User-Name}"
      ${reply}
    }
  }
  preacct {
    ok
  }
  accounting {
    detail
    ok
  }
}
server inner {
  authorize {
    ${password}
    chap
    mschap
    eap
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    Auth-Type CHAP {
      chap
    }
    Auth-Type MS-CHAP {
      mschap
    }
    eap
  }
}
`;
}
