// The methods of EAP by the names that the setting EAP_METHODS takes.
import { methodsWithout, type TlsIdentity } from '#ops/runtime/eap-identity.ts';
import type { EapMethodName } from '#policy/credentials/eap-methods.ts';
import { gtcMethod } from './gtc.ts';
import { md5Method } from './md5.ts';
import type { MethodMaker } from './method.ts';
import { mschapv2Method } from './mschapv2.ts';
import { peapTunnel } from './peap.ts';
import { tlsTunnel } from './tls.ts';
import { isTlsTenant, type Tenants } from './tls-tenant.ts';
import { ttlsTunnel } from './ttls.ts';
import { tunnelMethod } from './tunnel.ts';

const plain = { mschapv2: mschapv2Method, md5: md5Method, gtc: gtcMethod } as const;
const tunnels = { peap: peapTunnel, ttls: ttlsTunnel, tls: tlsTunnel } as const;

/**
 * In the order of the names; what the identity does not suffice for is left out, so that a peer who wants it is refused.
 * @param tenants without them EAP-TLS serves nobody
 */
export function methodMakers(
  names: readonly EapMethodName[],
  identity: TlsIdentity | null,
  tenants?: Tenants,
): MethodMaker[] {
  const missing = methodsWithout(identity, names);
  return names
    .filter((name) => !missing.includes(name))
    .flatMap((name) => {
      if (name in plain) return [plain[name as keyof typeof plain]];
      if (!identity) return [];
      const maker = tunnelMethod(identity, tunnels[name as keyof typeof tunnels]);
      if (name !== 'tls') return [maker];
      const serves = (tenantId: number) => tenants !== undefined && isTlsTenant(tenants, identity.tenant, tenantId);
      return [{ ...maker, serves }];
    });
}
