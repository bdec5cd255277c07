import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createWorkplace, RESPARK } from './support/process.ts';

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../../docs/deploying.md', import.meta.url)), 'utf8');

/** The commands of a section, with directories of the test in place of those of a real machine. */
function commandsOf(section: string, directories: Readonly<Record<string, string>>): string[] {
  const [, text = ''] = DOCUMENT.split(`## ${section}\n`);
  const blocks = [...(text.split('\n## ')[0] ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks.map((block) =>
    Object.entries(directories).reduce((words, [from, to]) => words.replaceAll(from, to), block),
  );
}

test('the commands of the section on backups do what it says', async (t) => {
  const place = createWorkplace(t);
  const [data, backups] = ['respark-data', 'backups'].map((name) => join(place.directory, name)) as [string, string];
  mkdirSync(backups);
  const directories = {
    '/var/lib/respark': data,
    '/var/backups': backups,
    '/tmp/respark-drill': join(place.directory, 'drill'),
  };
  const [backUp, restore, drill, ...more] = commandsOf('Backup and restore', directories);
  assert.deepEqual(more, []);
  const run = async (commands: string | undefined) => {
    const respark = `set -e; respark() { ${RESPARK.map((word) => `'${word}'`).join(' ')} "$@"; }\n`;
    const { exitCode, stdout, stderr } = await place.start(['sh', '-c', `${respark}${commands}`]).ended();
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };
  const server = await place.serve(['--demo']);
  assert.match(await run(backUp), /^wrote \S+\/backups\/respark-\d{4}-\d\d-\d\d\.tar\.gz /);
  server.child.kill('SIGTERM');
  await server.ended();
  assert.match(await run(restore), /^restored the backup of /);
  assert.match(await run(drill), /^restored the backup of [^\n]*\nACCESS KEY/);
});
