import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startFakeService } from '../../test/support/fake-service.ts';
import { createTestWorld } from '../../test/support/world.ts';
import { OWN_OPERATIONS } from '../api/own-operations/index.ts';
import { temporaryDirectory } from '../store/test-store.ts';

/** Clears the screen of some terminals, reverses the text after it, and is no line break to JSON. */
const HOSTILE = '\u009b2J\u202e\u2028';
const ESCAPED = '\\u009b2J\\u202e\\u2028';
const RAW = /[\u007f-\u009f\u202e\u2028]/;

test('logs prints lines, as JSON or in words, without characters that a terminal would act on', async (t) => {
  const line = { Time: '2030-01-02T03:04:05Z', Level: 'INFO', Text: HOSTILE, Position: 1, PlayerId: HOSTILE };
  const { world } = await startFakeService(t, () => ({ body: { LogLines: [line], Cursor: 1, IsEnd: true } }));
  const words = ['logs', '--game', 'Demo', '--stage', 'Dev'];
  assert.equal(await world.run(...words, '--json'), 0, world.err());
  assert.ok(world.out().includes(`"Text":"${ESCAPED}"`), world.out());
  assert.deepEqual(JSON.parse(world.out()), line);
  assert.equal(await world.run(...words), 0, world.err());
  assert.doesNotMatch(world.out(), RAW);
});

test('pack prints the document, and what is wrong, without characters that a terminal would act on', async (t) => {
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, 'sections'));
  const section = join(folder, 'sections/Other.json');
  writeFileSync(section, JSON.stringify({ text: HOSTILE }));
  const world = createTestWorld();
  assert.equal(await world.run('pack', folder), 0, world.err());
  assert.ok(world.out().includes(ESCAPED), world.out());
  assert.deepEqual(JSON.parse(world.out()).Document.Sections, { Other: { text: HOSTILE } });
  writeFileSync(section, HOSTILE);
  assert.equal(await world.run('pack', folder), 1);
  assert.match(world.err(), /Other\.json:1:1 cannot be used: it is not JSON: /);
  writeFileSync(join(folder, `sections/${HOSTILE}.json`), Buffer.of(0xff));
  assert.equal(await world.run('pack', folder), 1);
  assert.match(world.err(), /cannot read ".*\\u\{202e\}.*": it is not UTF-8/);
  assert.doesNotMatch(world.err(), RAW);
});

const CLI = fileURLToPath(new URL('../../../src/cli/', import.meta.url));
const sources = readdirSync(CLI, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => ({ name, text: readFileSync(join(CLI, name), 'utf8') }));

test('every operation of this server’s own is called by a command', () => {
  const called = new Set(sources.flatMap(({ text }) => text.match(/\b\w+\b/g) ?? []));
  const isCalled = ({ name }: { name: string }) => called.has(`${name.charAt(0).toLowerCase()}${name.slice(1)}`);
  const left = OWN_OPERATIONS.filter((operation) => !isCalled(operation)).map(({ name }) => name);
  // "respark api" calls them as it does all. "respark keys" works without a server, for whoever has no key yet, and the
  // other two are for programs that draw pictures and grey buttons out.
  const ofKeys = ['CreateAccessKey', 'ExplainAccess', 'GetAccessKey', 'ListAccessKeys', 'RevokeAccessKey'];
  // A person who has signed in at a provider has done so in the console, and signs out there.
  assert.deepEqual(left.sort(), [...ofKeys, 'ListActivity', 'ListPermissions', 'RevokeOwnAccessKey'].sort());
});

test('commands make JSON to print in one place only', () => {
  const making = sources.filter(({ text }) => /(?<!printable\()JSON\.stringify/.test(text)).map(({ name }) => name);
  // The others make examples of calls to copy.
  assert.deepEqual(making.sort(), ['commands/api.ts', 'snapshots.ts', 'table.ts']);
});
