import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SETTING_GROUPS } from '../../src/config/config.ts';
import { METRIC_ROWS } from '../../src/metric-rows.ts';
import { isExecutable } from '../support/chromium.ts';
import { readYaml } from '../support/yaml.ts';

/** Seen from server/dist/test/prometheus. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const RULES = join(ROOT, 'docs/prometheus-alerts.yml');
const CASES = join(ROOT, 'server/test/prometheus/alerts.test.yml');

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const [file] = readYaml(readFileSync(RULES, 'utf8')) as unknown as [{ groups: { rules: Alert[] }[] }];
const alerts = file.groups.flatMap(({ rules }) => rules);

const promtool = (process.env.PATH ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'promtool'))
  .find(isExecutable);
const skip = promtool === undefined && 'no promtool, which is in prometheus of Debian';

test('[promtool] takes the alerts', { skip }, () => {
  const said = execFileSync(promtool ?? '', ['check', 'rules', RULES], { encoding: 'utf8' });
  assert.match(said, new RegExp(`SUCCESS: ${alerts.length} rules found`));
});

test('[promtool] finds that each alert fires on what it is for, and not on what looks like it', { skip }, () => {
  execFileSync(promtool ?? '', ['test', 'rules', CASES], { stdio: 'pipe' });
});

test('each alert has a case in which it fires and one in which it does not', () => {
  const cases = readFileSync(CASES, 'utf8');
  for (const { alert } of alerts) {
    assert.match(cases, new RegExp(`- alertname: ${alert}\\n.*\\n +exp_alerts:\\n +- exp_labels`), alert);
    assert.match(cases, new RegExp(`- \\{ alertname: ${alert}, eval_time: \\w+, exp_alerts: \\[\\] \\}`), alert);
  }
});

test('the alerts know metrics, labels and settings by their names, and say what to do', () => {
  assert(alerts.length >= 12);
  const settings = SETTING_GROUPS.flatMap(({ settings }) => settings.map(({ env }) => env));
  const labels = new Set(['job', 'instance', 'le', ...METRIC_ROWS.flatMap((row): string[] => [...row.labels])]);
  for (const { alert, expr, annotations, labels: own } of alerts) {
    for (const [name] of expr.matchAll(/\b(?:respark|process|nodejs)_\w+/g)) {
      const row = METRIC_ROWS.find((each) => each.name === name || `${each.name}_bucket` === name);
      assert(row !== undefined, `${alert} asks for ${name}`);
    }
    for (const [, label = ''] of `${expr}`.matchAll(/[{,]\s*(\w+)[=!]~?"/g)) assert(labels.has(label), alert);
    for (const [, label = ''] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) assert(labels.has(label), alert);
    for (const [name] of annotations.summary.matchAll(/RESPARK_\w+/g)) assert(settings.includes(name), name);
    assert(['critical', 'warning'].includes(own.severity), alert);
    // A fact and a cure at least.
    assert(annotations.summary.split(/[.:,;] /).length >= 2, alert);
  }
});
