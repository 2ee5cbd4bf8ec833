// Structured logs: one pino logger per process, one child per component, nothing per packet.
import { type Logger, pino } from 'pino';

export type { Logger };

export function createLogger(processName: string, level: string): Logger {
  return pino({
    level,
    base: { process: processName, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['secret', '*.secret', 'password', '*.password', 'authorization', '*.authorization'],
      censor: '***',
    },
  });
}
