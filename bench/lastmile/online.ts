// Brings subscribers online: a Start for each of user0 … user<count − 1>, acknowledged and counted before anything else is measured.
import { startGenerator } from '../load/generator.ts';
import { allowedCores } from '../machine/placement.ts';
import type { Target } from '../radius/target.ts';

const window = 256;

export async function bringOnline(target: Target, count: number, secret = 'testing123'): Promise<void> {
  const generator = startGenerator(allowedCores().join(','));
  try {
    const lines = Math.min(window, count);
    await generator.prepare({
      port: target.acctPort,
      secret,
      sockets: Math.min(16, lines),
      lines,
      verify: true,
      packets: {
        kind: 'accounting',
        sessions: 'starts',
        perLine: Math.ceil(count / lines),
        run: `online-${process.pid}`,
        firstSession: 0,
        startedAtS: Math.floor(Date.now() / 1000) - 3600,
        ...target.accounts,
      },
    });
    const { total } = await generator.run({ warmUpMs: 0, measureMs: 0, perSecond: null, toTheEnd: true });
    if (total.answered < count || total.refused + total.bad > 0) {
      throw new Error(`${total.answered} of ${count} Starts were answered\n${target.output()}`);
    }
    await target.whenCounted?.(total.answered);
  } finally {
    await generator.stop();
  }
}
