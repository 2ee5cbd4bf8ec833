// The alerts of ops/deploy/prometheus/rules as they are written there: every value of theirs stands on one line but the expression.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export type AlertRule = {
  readonly name: string;
  readonly severity: string;
  readonly summary: string;
  readonly description: string;
  readonly runbook_url: string;
  /** The rule as it stands in its file. */
  readonly written: string;
};

export const prometheusFolder = path.resolve(import.meta.dirname, '../../../ops/deploy/prometheus');
export const ruleFiles = globSync('rules/*.yml', { cwd: prometheusFolder })
  .sort()
  .map((file) => path.join(prometheusFolder, file));

const groups = ruleFiles.flatMap((file) =>
  readFileSync(file, 'utf8')
    .split(/^(?= +- name: )/m)
    .slice(1),
);

export const alertRules: readonly AlertRule[] = groups.flatMap((group) =>
  group
    .split(/^ +- alert: /m)
    .slice(1)
    .map((text) => {
      const value = (key: string) => {
        const written = new RegExp(`^ +${key}: (.*)$`, 'm').exec(text)?.[1] ?? '';
        return /^(['"]).*\1$/.test(written) ? written.slice(1, -1) : written;
      };
      return {
        name: text.slice(0, text.indexOf('\n')),
        severity: value('severity'),
        summary: value('summary'),
        description: value('description'),
        runbook_url: value('runbook_url'),
        written: `      - alert: ${text}`,
      };
    }),
);
