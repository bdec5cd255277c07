import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../src/cli/program.ts';
import { SETTING_GROUPS } from '../src/config/config.ts';
import { METRIC_ROWS } from '../src/metric-rows.ts';
import { createTestWorld } from './support/world.ts';

/** Seen from server/dist/test. */
const docs = (file: string) => fileURLToPath(new URL(`../../../docs/${file}`, import.meta.url));
const DOCUMENT = readFileSync(docs('scaling.md'), 'utf8');

test('the settings, defaults, metrics, commands and files that the guide to scaling names are there', () => {
  const settings = SETTING_GROUPS.flatMap((group) => group.settings);
  const variables = settings.map(({ env }) => env);
  for (const [name] of DOCUMENT.matchAll(/RESPARK_\w+/g)) assert(variables.includes(name), name);
  const metrics: string[] = METRIC_ROWS.map(({ name }) => name);
  for (const [, name = ''] of DOCUMENT.matchAll(/`(respark_\w+)/g)) assert(metrics.includes(name), name);
  const commands = createProgram(createTestWorld()).commands.map((command) => command.name());
  for (const [, name = ''] of DOCUMENT.matchAll(/(?:^|`)respark ([a-z-]+)/gm)) assert(commands.includes(name), name);
  for (const [, file = ''] of DOCUMENT.matchAll(/\]\(([\w./-]+)\)/g)) assert(existsSync(docs(file)), file);
  const [, table = ''] = DOCUMENT.split('## Settings that matter\n');
  const rows = [...(table.split('\n## ')[0] ?? '').matchAll(/^\| (`RESPARK.*?) \| (.*?) \|/gm)];
  assert(rows.length > 0);
  for (const [, names = '', shown = ''] of rows) {
    const value = Number.parseInt(shown.replace(',', ''), 10) * (shown.endsWith(' s') ? 1_000 : 1);
    for (const [name] of names.matchAll(/RESPARK_\w+/g))
      assert.equal(settings.find(({ env }) => env === name)?.default, value, name);
  }
});

test('the list of contents of the guide to scaling names each section', () => {
  const [, contents = ''] = /^(- .*?)\n\n## /ms.exec(DOCUMENT) ?? [];
  const titles = [...DOCUMENT.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title);
  const linked = [...contents.matchAll(/\[([^\]]+)\]\(#([\w-]+)\)/g)];
  assert.deepEqual(
    linked.map(([, title]) => title),
    titles,
  );
});
