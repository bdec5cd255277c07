import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startFakeService } from '../../test/support/fake-service.ts';
import { createTestWorld, ROOT } from '../../test/support/world.ts';
import { temporaryDirectory } from '../store/test-store.ts';

const POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"gamesparks:GetGame","Resource":"*"}]}';

/** Every command that reads a file, with a text that it takes. */
const READING = [
  { what: '--policy', text: POLICY, args: (file: string) => ['keys', 'create', '--policy', file] },
  {
    what: '<file>',
    text: '{"Document":{"Type":"Game","Sections":{}}}',
    args: (file: string) => ['import', file, '--game', 'Demo'],
  },
  { what: '--json', text: '{}', args: (file: string) => ['api', 'ListGames', '--json', `@${file}`] },
];

for (const { what, text, args } of READING) {
  test(`"respark ${args('FILE').join(' ')}" takes a byte order mark, and refuses UTF-16 with what to do`, async (t) => {
    const { world } = await startFakeService(t, () => ({ body: { GameConfiguration: { Sections: {} } } }));
    const given: string[] = [];
    const keys = createTestWorld({
      main: {
        openAdministration: async () =>
          ({
            access: {
              createKey: async ({ policy }: { policy: string }) => {
                given.push(policy);
                return { ...ROOT, warnings: [] };
              },
            },
            close: async () => {},
          }) as never,
      },
    });
    const { run, err } = what === '--policy' ? keys : world;
    const file = join(temporaryDirectory(t), 'file.json');
    writeFileSync(file, `\ufeff${text}`);
    assert.equal(await run(...args(file)), 0, err());
    assert.deepEqual(given, what === '--policy' ? [text] : []);
    const before = err().length;
    writeFileSync(file, `\ufeff${text}`, 'utf16le');
    assert.equal(await run(...args(file)), 2);
    assert.equal(
      err().slice(before),
      `${what} must name a text file, got "${file}": it is not UTF-8 but UTF-16, as Windows PowerShell writes by itself: save it as UTF-8\n`,
    );
  });
}

test('commands read files in one place only', () => {
  const sources = fileURLToPath(new URL('../../../src/cli/', import.meta.url));
  const reading = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .filter((name) => /\breadFile(Sync)?\b/.test(readFileSync(join(sources, name), 'utf8')));
  assert.deepEqual(reading, ['files.ts']);
});
