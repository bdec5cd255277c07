import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './support/server.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** File → what it may import, and what it may not. */
const RULE: Readonly<Record<string, { allowed: readonly string[]; forbidden: readonly string[] }>> = {
  'protocol/src/planted.ts': {
    allowed: ['./codec.ts'],
    forbidden: ['node:buffer', 'ws', '@respark/client', '../../server/src/errors.ts'],
  },
  'client/src/planted.ts': {
    allowed: ['./clock.ts', '@respark/protocol', 'ws'],
    forbidden: ['node:fs', 'node:fs/promises', '../../server/src/errors.ts', '../../protocol/src/codec.ts', 'pino'],
  },
  'server/src/planted.ts': {
    allowed: ['node:fs', 'libsql', './store/store.ts', './cluster/cluster.ts', './domain/games.ts', './errors.ts'],
    forbidden: [
      './store/sql-store.ts',
      './store/sqlite.ts',
      './store/sqlite-audit-log.ts',
      './cluster/local.ts',
      './gateway/connection.ts',
      './api/pipeline.ts',
      './cli/world.ts',
      './main.ts',
      'kysely',
    ],
  },
  'server/src/main.ts': { allowed: ['./store/sqlite.ts', './cluster/local.ts', './gateway/gateway.ts'], forbidden: [] },
  'server/src/domain/planted.ts': {
    allowed: ['./games.ts', '../store/store.ts', '../cluster/cluster.ts', '../errors.ts', 'node:crypto', 'node:net'],
    forbidden: [
      '../store/sqlite.ts',
      '../cluster/local.ts',
      '../api/reply.ts',
      '../gateway/gateway.ts',
      '../http-server.ts',
      '../data-directory.ts',
      '../private-file.ts',
      '../local-files.ts',
      '../main.ts',
      '../config.ts',
      'node:fs',
      'node:fs/promises',
      'node:http',
      'libsql',
    ],
  },
  'server/src/api/planted.ts': {
    allowed: ['./reply.ts', '../domain/games.ts', '../client-address.ts', 'node:crypto', 'node:http'],
    forbidden: [
      '../store/store.ts',
      '../cluster/cluster.ts',
      '../gateway/gateway.ts',
      '../http-server.ts',
      '../data-directory.ts',
      '../private-file.ts',
      '../local-files.ts',
      '../main.ts',
      '../config.ts',
      'node:fs',
      'node:fs/promises',
      'ws',
    ],
  },
  'server/src/api/operations/planted.ts': {
    allowed: ['../shape.ts', '../../domain/games.ts'],
    forbidden: ['../../store/store.ts', '../../http-server.ts', 'node:fs'],
  },
  'server/src/gateway/planted.ts': {
    allowed: ['./limits.ts', '../domain/players.ts', '../cluster/cluster.ts', 'node:http', 'node:stream', 'ws'],
    forbidden: [
      '../cluster/local.ts',
      '../store/store.ts',
      '../api/reply.ts',
      '../data-directory.ts',
      'node:fs/promises',
    ],
  },
  'server/src/store/planted.ts': {
    allowed: ['./database.ts', '../private-file.ts', 'kysely', 'libsql'],
    forbidden: ['../domain/games.ts', '../api/reply.ts', '../main.ts'],
  },
  'server/src/cluster/planted.ts': {
    allowed: ['./cluster.ts', '../clock.ts'],
    forbidden: ['../domain/players.ts', '../gateway/gateway.ts', '../config.ts'],
  },
  'server/src/cli/planted.ts': {
    allowed: ['../main.ts', '../domain/games.ts', '@respark/client', 'node:fs/promises'],
    forbidden: ['../store/store.ts', '../cluster/local.ts', '../gateway/gateway.ts', 'libsql'],
  },
};

/** Lints a tree with our configuration; "FILE:LINE" of every import that is refused. */
function refusedImports(t: TestContext, files: Iterable<readonly [file: string, lines: readonly string[]]>): string[] {
  const directory = temporaryDirectory(t);
  copyFileSync(join(ROOT, 'biome.json'), join(directory, 'biome.json'));
  for (const [file, lines] of files) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), lines.join('\n'));
  }
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const options = ['--only=style/noRestrictedImports', '--vcs-enabled=false', '--max-diagnostics=none'];
  const { stdout, stderr } = spawnSync(process.execPath, [biome, 'lint', '--reporter=github', ...options], {
    cwd: directory,
    encoding: 'utf8',
  });
  assert.match(stderr + stdout, /noRestrictedImports/, `the linter did not run: ${stderr}`);
  return [...stdout.matchAll(/noRestrictedImports,file=([^,]+),line=(\d+)/g)].map(
    ([, file, line]) => `${file}:${line}`,
  );
}

test('the import rule refuses what is forbidden, and nothing else', (t) => {
  const planted = Object.entries(RULE).map(
    ([file, { allowed, forbidden }]) => [file, [...allowed, ...forbidden]] as const,
  );
  const sources = planted.map(([file, names]) => [file, names.map((name) => `import '${name}';`)] as const);
  const refused = new Set(refusedImports(t, sources));
  const actual = planted.map(([file, names]) => [
    file,
    names.filter((_, index) => refused.has(`${file}:${index + 1}`)),
  ]);
  assert.deepEqual(
    Object.fromEntries(actual),
    Object.fromEntries(Object.entries(RULE).map(([file, { forbidden }]) => [file, forbidden])),
  );
});

test('the import rule holds for types, dynamic imports and what is exported again', (t) => {
  const file = 'server/src/domain/planted.ts';
  const lines = [
    "import type { Stats } from 'node:fs';",
    "export type { Settings } from '../config.ts';",
    "export * from '../store/sqlite.ts';",
    "export const load = () => import('../http-server.ts');",
  ];
  assert.deepEqual(
    refusedImports(t, [[file, lines]]).sort(),
    [1, 2, 3, 4].map((line) => `${file}:${line}`),
  );
});
