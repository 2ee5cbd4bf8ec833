// The alert rules: valid, firing when they should and only then, each with a paragraph of the runbook.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { missing } from '#test/support/peers.ts';
import { alertCases, type Series } from './alert-cases.ts';
import { type AlertRule, alertRules, prometheusFolder, ruleFiles } from './alert-rules.ts';

const skip = missing('promtool');
const runbook = readFileSync(path.resolve(import.meta.dirname, '../../../ops/docs/runbook.md'), 'utf8');

function promtool(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { ok: status === 0, printed: stdout + stderr };
}

/** One test of a file of promtool's, which may be JSON: that is YAML. */
function ruleTest(alert: string, series: Series, atMinute = 20, expected: readonly object[] = []) {
  return {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: `${atMinute}m`, alertname: alert, exp_alerts: expected }],
  };
}

t.test('promtool finds no fault in the configuration and the rules', { skip }, async (t) => {
  const config = promtool('check', 'config', path.join(prometheusFolder, 'prometheus.yml'));
  t.ok(config.ok, config.printed);
  const rules = promtool('check', 'rules', '--lint-fatal', ...ruleFiles);
  t.ok(rules.ok, rules.printed);
  t.match(rules.printed, new RegExp(`${alertRules.length} rules found|SUCCESS`));
});

t.test('each alert has a severity and says what it means', async (t) => {
  t.ok(alertRules.length > 0);
  for (const { name, severity, summary, description } of alertRules) {
    t.match(name, /^Lastmile[A-Z]\w+$/);
    t.match(severity, /^(critical|warning)$/, `severity of ${name}`);
    for (const text of [summary, description]) t.ok(text.length >= 20, `${name}: ${text}`);
    t.notMatch(description, '{{', `the description of ${name} is the same for all`);
  }
  t.equal(new Set(alertRules.map(({ name }) => name)).size, alertRules.length, 'no name is used twice');
});

t.test('each alert has its paragraph in the runbook, and each paragraph its alert', async (t) => {
  const paragraphs = new Map(
    runbook
      .split(/^### /m)
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf('\n')).trim(), text] as const),
  );
  t.strictSame([...paragraphs.keys()].sort(), alertRules.map(({ name }) => name).sort());
  for (const { name, runbook_url } of alertRules) {
    t.equal(runbook_url, `ops/docs/runbook.md#${name.toLowerCase()}`);
    for (const part of ['Means', 'Customers', 'First', 'Over when']) {
      t.match(paragraphs.get(name), new RegExp(`^- \\*\\*${part}\\*\\* \\S.{20,}`, 'm'), `${name}: ${part}`);
    }
  }
});

t.test('each alert has cases in which it fires and in which it stays quiet', async (t) => {
  t.strictSame(Object.keys(alertCases).sort(), alertRules.map(({ name }) => name).sort());
  for (const [name, { quiet }] of Object.entries(alertCases)) t.ok(Object.keys(quiet).length > 0, name);
});

t.test('alerts fire when they should, say so, and stay quiet otherwise', { skip }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-alerts-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // promtool evaluates every rule of the files in every minute of every case: a rule is looked at with its own cases alone.
  const tested = alertRules.map((rule) => {
    const tests = casesOf(rule);
    const ruleFile = path.join(folder, `${rule.name}.yml`);
    const testFile = path.join(folder, `${rule.name}.json`);
    writeFileSync(ruleFile, `groups:\n  - name: ${rule.name}\n    rules:\n${rule.written}`);
    writeFileSync(testFile, JSON.stringify({ rule_files: [ruleFile], evaluation_interval: '1m', tests }));
    return { testFile, count: tests.length };
  });
  const count = tested.reduce((sum, one) => sum + one.count, 0);
  t.equal(
    promtool('test', 'rules', ...tested.map(({ testFile }) => testFile)).printed.trim(),
    tested.map(({ testFile }) => `Unit Testing:  ${testFile}\n  SUCCESS`).join('\n\n'),
    `${count} cases`,
  );
});

/** The one in which it fires, and those in which it stays quiet. */
function casesOf({ name, severity, description, runbook_url }: AlertRule) {
  const { fires, quiet } = alertCases[name]!;
  const firing = {
    exp_labels: { severity, ...fires.labels },
    exp_annotations: { summary: fires.summary, description, runbook_url },
  };
  return [
    ruleTest(name, fires.series, fires.atMinute, [firing]),
    ...Object.values(quiet).map(({ series, atMinute }) => ruleTest(name, series, atMinute)),
  ];
}
