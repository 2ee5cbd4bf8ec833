// Calls aaa-server on its admin port, with the token that both derive from the secret key.
import type { Keyring } from '#ops/runtime/keyring.ts';
import { Problem } from './problem.ts';

export type AaaAdmin = {
  /** @throws the problem aaa_unavailable when nothing answers. */
  call(method: 'GET' | 'POST', path: string, body?: unknown, patienceMs?: number): Promise<Response>;
};

const timeoutMs = 3000;

/** `url` is the admin port of aaa-server. */
export function createAaaAdmin(url: string, keyring: Keyring): AaaAdmin {
  const authorization = `Bearer ${keyring.derive('admin-token').toString('hex')}`;
  return {
    async call(method, path, body, patienceMs = timeoutMs) {
      try {
        return await fetch(`${url}${path}`, {
          method,
          headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
          signal: AbortSignal.timeout(patienceMs),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
      } catch (error) {
        throw new Problem('aaa_unavailable', 'aaa-server does not answer on its admin port', [], error);
      }
    },
  };
}

/** The problem to throw for an answer that is none. */
export function refused(response: Response): Problem {
  return new Problem('aaa_unavailable', `aaa-server answered ${response.status} on its admin port`);
}
