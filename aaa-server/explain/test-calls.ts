// Logins that are being tried by workers, as the main thread waits for them.
import { testPatienceMs } from '#policy/access/login-patience.ts';
import type { TestLogin, TestLoginResult } from './test-login.ts';

export type TestCalls = {
  ask(test: TestLogin): Promise<TestLoginResult>;
  answered(id: number, result: TestLoginResult | null): void;
};

export function createTestCalls(send: (id: number, test: TestLogin) => void): TestCalls {
  const waiting = new Map<number, (result: TestLoginResult | null) => void>();
  let last = 0;
  return {
    ask(test) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => settle(null), testPatienceMs.mainThread);
        const settle = (result: TestLoginResult | null) => {
          clearTimeout(timer);
          waiting.delete(id);
          if (result) resolve(result);
          else reject(new Error('the login that was tried has no result'));
        };
        waiting.set(id, settle);
        send(id, test);
      });
    },
    answered: (id, result) => waiting.get(id)?.(result),
  };
}
