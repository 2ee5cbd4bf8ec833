// What was added is of use when the edge knows it: waits until aaa-server would answer the last login.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import type { AaaAdmin } from './aaa-admin.ts';

const deadlineMs = 60_000;

/** A sentence for the terminal: that logins work, or why they may not yet. */
export async function waitForEdge(call: AaaAdmin, tenantId: number, userName: string): Promise<string> {
  const endAt = performance.now() + deadlineMs;
  try {
    for (;;) {
      const response = await askFor(call, tenantId, userName);
      if (response.ok) return 'aaa-server knows them: they can log in';
      if (response.status !== 404) return `aaa-server answered ${response.status}: look at its /readyz`;
      if (performance.now() > endAt) return 'aaa-server does not know them yet: look at its /readyz';
      await delay(100);
    }
  } catch (error) {
    return `aaa-server is away (${messageOf(error)}): it copies them when it starts`;
  }
}

/** 200 when aaa-server knows the user name, 404 when it does not. */
export function askFor(call: AaaAdmin, tenantId: number, userName: string): Promise<Response> {
  return call('GET', `/credential?${new URLSearchParams({ tenant_id: String(tenantId), user_name: userName })}`);
}
