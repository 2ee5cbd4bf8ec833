// Calls of the running aaa-server over its admin port, with the token from the key ring.
import type { Keyring } from '#ops/runtime/keyring.ts';

export type AaaAdmin = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<Response>;

/** @param url see ops/runtime/admin-url.ts */
export function aaaAdmin(url: string, keyring: Keyring): AaaAdmin {
  const authorization = `Bearer ${keyring.derive('admin-token').toString('hex')}`;
  return (method, path, body) =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(3000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
}
