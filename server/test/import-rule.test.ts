import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './support/server.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Room of server/src → the rooms of which it may import everything; all of them, before their first file exists too. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  api: ['domain'],
  app: ['api', 'config', 'console', 'data-directory', 'domain', 'examiner', 'gateway', 'http', 'outside', 'threads'],
  cli: ['api', 'config', 'data-directory', 'domain'],
  cluster: [],
  config: [],
  console: ['api', 'domain'],
  'data-directory': [],
  domain: [],
  examiner: [],
  gateway: ['domain'],
  http: [],
  outside: [],
  sandbox: [],
  store: [],
  threads: [],
};

interface Names {
  readonly allowed: readonly string[];
  readonly forbidden: readonly string[];
}

/** File → what it may import, and what it may not, beside what its room says. */
const RULE: Readonly<Record<string, Names>> = {
  'protocol/src/planted.ts': {
    allowed: ['./codec.ts'],
    forbidden: ['node:buffer', 'ws', '@respark/client', '../../server/src/errors.ts'],
  },
  'client/src/planted.ts': {
    allowed: ['./clock.ts', '@respark/protocol', 'ws'],
    forbidden: ['node:fs', 'node:fs/promises', '../../server/src/errors.ts', '../../protocol/src/codec.ts', 'pino'],
  },
  'server/src/planted.ts': {
    allowed: ['node:fs', 'pino', '@respark/protocol', './store/store.ts', './errors.ts'],
    forbidden: [
      ...Object.keys(ROOMS).map((room) => `./${room}/any.ts`),
      './store/audit/audit-log.ts',
      './main.ts',
      'kysely',
      'libsql',
      'ws',
    ],
  },
  'server/src/main.ts': {
    allowed: ['./app/backends.ts', './gateway/gateway.ts', './store/audit/audit-log.ts', './sandbox/sandbox.ts'],
    forbidden: [
      './store/sqlite.ts',
      './store/sql-store.ts',
      './store/audit/sqlite.ts',
      './cluster/local.ts',
      './sandbox/pool.ts',
      './cli/world.ts',
      'kysely',
      'libsql',
    ],
  },
  'server/src/app/planted.ts': {
    allowed: [
      ...['../store/store.ts', '../store/audit/audit-log.ts'],
      '../store/player-data/player-data.ts',
      '../store/events/event-log.ts',
      '../store/stage-logs/stage-logs.ts',
      '../cluster/cluster.ts',
      '../sandbox/sandbox.ts',
    ],
    forbidden: [
      '../store/sqlite.ts',
      '../store/sql-store.ts',
      '../store/audit/sqlite.ts',
      '../cluster/local.ts',
      '../sandbox/pool.ts',
      '../main.ts',
      'kysely',
      'libsql',
    ],
  },
  'server/src/app/backends.ts': {
    allowed: ['../store/sqlite.ts', '../store/audit/sqlite.ts', '../cluster/local.ts', '../sandbox/pool.ts'],
    forbidden: [],
  },
  'server/src/config/planted.ts': {
    allowed: ['./setting.ts', '../startup-error.ts', '../ip-address.ts', 'node:fs'],
    forbidden: ['../main.ts', 'kysely', 'libsql', 'ws'],
  },
  'server/src/data-directory/planted.ts': {
    allowed: ['./private-file.ts', '../keyring.ts', 'node:fs', 'libsql'],
    forbidden: ['../main.ts', 'kysely', 'ws'],
  },
  'server/src/examiner/planted.ts': {
    allowed: ['./examiner-process.ts', '../domain/examination.ts', '../clock.ts', 'node:child_process'],
    forbidden: ['../main.ts', '../domain/games.ts', '../domain/configuration/document.ts', 'kysely', 'libsql', 'ws'],
  },
  'server/src/outside/planted.ts': {
    allowed: [
      './lambda.ts',
      ...['../domain/access/sign-in-provider.ts', '../domain/players/provider-tokens.ts'],
      '../domain/events/post-webhook.ts',
      '../domain/runtime/outside.ts',
      '../domain/wildcard.ts',
      '../sandbox/sandbox.ts',
      '../clock.ts',
      '../text.ts',
      'node:http',
      ...['@aws-sdk/client-dynamodb', '@aws-sdk/client-lambda', '@aws-sdk/lib-dynamodb', '@respark/protocol', 'jose'],
    ],
    forbidden: [
      '../domain/runtime/host-api.ts',
      '../sandbox/pool.ts',
      '../main.ts',
      ...['@aws-sdk/client-s3', '@smithy/types', 'kysely', 'libsql', 'undici', 'ws'],
    ],
  },
  'server/src/http/planted.ts': {
    allowed: [
      ...['./listener.ts', 'node:http', 'node:fs', 'ipaddr.js'],
      ...[
        'clock',
        'errors',
        'ip-address',
        'keyring',
        'log',
        'metrics',
        'random',
        'startup-error',
        'text',
        'token-bucket',
      ].map((name) => `../${name}.ts`),
    ],
    forbidden: ['../api/operations/index.ts', '../main.ts', 'ws', 'kysely', 'libsql', 'undici'],
  },
  'server/src/http/folder/planted.ts': {
    allowed: ['../listener.ts', '../../clock.ts', '../../keyring.ts'],
    forbidden: ['../../store/store.ts'],
  },
  'server/src/domain/planted.ts': {
    allowed: [
      './games.ts',
      './configuration/document.ts',
      '../store/store.ts',
      '../store/audit/audit-log.ts',
      '../store/player-data/player-data.ts',
      '../store/events/event-log.ts',
      '../store/stage-logs/stage-logs.ts',
      '../cluster/cluster.ts',
      '../sandbox/sandbox.ts',
      '../errors.ts',
      '../keyring.ts',
      'node:crypto',
      'node:net',
      ...['@respark/protocol', 'acorn', 'ajv/dist/2020.js', 'fflate'],
    ],
    forbidden: [
      '../store/sqlite.ts',
      '../store/audit/sqlite.ts',
      '../cluster/local.ts',
      '../cluster/node-calls.ts',
      '../sandbox/pool.ts',
      '../main.ts',
      'node:fs',
      'node:fs/promises',
      'node:http',
      'node:worker_threads',
      ...['@aws-sdk/client-lambda', 'commander', 'ioredis', 'jose', 'kysely', 'libsql', 'pg', 'undici', 'ws'],
    ],
  },
  'server/src/domain/players/planted.ts': {
    allowed: ['../games.ts', '../access/policy.ts', '../../sandbox/sandbox.ts', '../../cluster/cluster.ts'],
    forbidden: ['../../sandbox/guest.ts', '../../cluster/redis/redis.ts', '../../http/exchange.ts'],
  },
  'server/src/api/planted.ts': {
    allowed: ['./reply.ts', '../http/exchange.ts', '../http/client-address.ts', '../text.ts', 'node:crypto'],
    forbidden: [
      '../http/http-server.ts',
      '../http/listener.ts',
      '../store/store.ts',
      '../cluster/cluster.ts',
      '../sandbox/sandbox.ts',
      '../main.ts',
      'node:fs',
      'node:fs/promises',
      'node:http',
      'kysely',
      'libsql',
      'ws',
    ],
  },
  'server/src/api/operations/planted.ts': {
    allowed: ['../shape.ts', '../signature/sigv4.ts', '../../domain/games.ts', '../../http/exchange.ts'],
    forbidden: ['../../store/store.ts', '../../http/http-server.ts', 'node:fs'],
  },
  'server/src/console/planted.ts': {
    allowed: [
      './session.ts',
      '../api/pipeline.ts',
      ...['exchange', 'client-address', 'group-counter'].map((each) => `../http/${each}.ts`),
      '../random.ts',
      'node:crypto',
    ],
    forbidden: [
      '../http/http-server.ts',
      '../store/store.ts',
      '../cluster/cluster.ts',
      '../sandbox/sandbox.ts',
      '../main.ts',
      'node:fs',
      'node:fs/promises',
      'node:http',
      'kysely',
      'libsql',
      'ws',
    ],
  },
  'server/src/gateway/planted.ts': {
    allowed: [
      './limits.ts',
      '../domain/players/players.ts',
      '../cluster/cluster.ts',
      '../http/client-address.ts',
      '../http/group-counter.ts',
      '../http/request-head.ts',
      'node:buffer',
      'node:crypto',
      'node:http',
      'node:net',
      'node:stream',
    ],
    forbidden: [
      '../http/exchange.ts',
      '../cluster/local.ts',
      '../sandbox/sandbox.ts',
      '../store/store.ts',
      '../main.ts',
      'node:fs',
      'node:fs/promises',
      'kysely',
      'libsql',
      'ws',
    ],
  },
  'server/src/store/planted.ts': {
    allowed: [
      './database.ts',
      './audit/journal.ts',
      '../data-directory/private-file.ts',
      'kysely',
      'libsql',
      'libsql/promise',
      'node:fs',
      'pg',
    ],
    forbidden: ['../data-directory/data-directory.ts', '../main.ts', 'ws'],
  },
  'server/src/cluster/planted.ts': {
    allowed: ['./cluster.ts', './redis/link.ts', '../clock.ts'],
    forbidden: ['../main.ts', 'kysely', 'libsql', 'pg', '@redis/client'],
  },
  'server/src/cluster/redis/planted.ts': {
    allowed: ['./link.ts', '../cluster.ts', '../node-calls.ts', '../../clock.ts', '@redis/client'],
    forbidden: ['../local.ts', '../../main.ts', '../../domain/games.ts', 'kysely', 'libsql', 'pg', 'ws'],
  },
  'server/src/sandbox/planted.ts': {
    allowed: ['./sandbox.ts', './pool.ts', '../clock.ts', '../errors.ts', 'node:worker_threads'],
    forbidden: ['../store/store.ts', '../domain/runtime/runtimes.ts', '../main.ts', 'kysely', 'libsql', 'pg', 'ws'],
  },
  'server/src/threads/planted.ts': {
    allowed: [
      './pool.ts',
      '../api/input.ts',
      '../domain/configuration/stored-sections.ts',
      '../domain/long-work.ts',
      '../clock.ts',
      'node:worker_threads',
    ],
    forbidden: ['../main.ts', '../api/pipeline.ts', '../domain/configurations.ts', 'kysely', 'libsql', 'ws'],
  },
  'server/src/cli/planted.ts': {
    allowed: ['../main.ts', '../app/demo.ts', '@respark/client', 'ws', 'node:fs/promises'],
    forbidden: ['../app/backends.ts', '../store/store.ts', '../cluster/cluster.ts', 'kysely', 'libsql', 'pino'],
  },
  'console/src/planted.ts': {
    allowed: ['./page.ts', '../page.ts', 'some-library'],
    forbidden: ['node:fs', 'node:fs/promises', '../../server/src/errors.ts', '../../client/src/client.ts', 'ws'],
  },
};

/** What a file of a room may import of the other rooms, if it lies `path` below server/src. */
function edgesOf(room: string, path: string): [file: string, names: Names] {
  const up = '../'.repeat(path.split('/').length - 1);
  const names = (isAllowed: boolean) =>
    Object.keys(ROOMS)
      .filter((other) => other !== room && ROOMS[room]?.includes(other) === isAllowed)
      .map((other) => `${up}${other}/any.ts`);
  return [`server/src/${path}`, { allowed: names(true), forbidden: names(false) }];
}

/** Lints a tree with one rule of our configuration; "FILE:LINE" of every import that is refused. */
function refusedImports(
  t: TestContext,
  files: Iterable<readonly [file: string, lines: readonly string[]]>,
  rule = 'style/noRestrictedImports',
): string[] {
  const directory = temporaryDirectory(t);
  copyFileSync(join(ROOT, 'biome.json'), join(directory, 'biome.json'));
  for (const [file, lines] of files) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), lines.join('\n'));
  }
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const options = [`--only=${rule}`, '--vcs-enabled=false', '--max-diagnostics=none'];
  const { stdout, stderr } = spawnSync(process.execPath, [biome, 'lint', '--reporter=github', ...options], {
    cwd: directory,
    encoding: 'utf8',
  });
  assert.ok((stderr + stdout).includes(rule), `the linter did not run: ${stderr}`);
  return [...stdout.matchAll(/title=lint\/([^,]+),file=([^,]+),line=(\d+)/g)].flatMap(([, broken, file, line]) =>
    broken === rule ? [`${file}:${line}`] : [],
  );
}

function checkRule(t: TestContext, rule: readonly (readonly [file: string, names: Names])[]): void {
  const planted = rule.map(([file, { allowed, forbidden }]) => [file, [...allowed, ...forbidden]] as const);
  const sources = planted.map(([file, names]) => [file, names.map((name) => `import '${name}';`)] as const);
  const refused = new Set(refusedImports(t, sources));
  const actual = planted.map(([file, names]) => [
    file,
    names.filter((_, index) => refused.has(`${file}:${index + 1}`)),
  ]);
  assert.deepEqual(
    Object.fromEntries(actual),
    Object.fromEntries(rule.map(([file, { forbidden }]) => [file, forbidden])),
  );
}

test('the import rule refuses what is forbidden, and nothing else', (t) => {
  checkRule(t, Object.entries(RULE));
});

test('a room imports the rooms below it, from any of its folders, and no others', (t) => {
  const rooms = Object.keys(ROOMS);
  checkRule(t, [
    ...rooms.map((room) => edgesOf(room, `${room}/edges.ts`)),
    ...rooms.map((room) => edgesOf(room, `${room}/folder/edges.ts`)),
  ]);
});

test('the import rule knows every room there is', () => {
  const folders = readdirSync(join(ROOT, 'server/src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(
    folders.map(({ name }) => name).filter((name) => ROOMS[name] === undefined),
    [],
  );
});

test('the import rule holds for types, dynamic imports and what is exported again', (t) => {
  const file = 'server/src/domain/planted.ts';
  const lines = [
    "import type { Stats } from 'node:fs';",
    "export type { Settings } from '../config/config.ts';",
    "export * from '../store/sqlite.ts';",
    "export const load = () => import('../http/http-server.ts');",
  ];
  assert.deepEqual(
    refusedImports(t, [[file, lines]]).sort(),
    [1, 2, 3, 4].map((line) => `${file}:${line}`),
  );
});

test('the linter refuses cycles of imports, of types too', (t) => {
  const files = (['', 'type '] as const).flatMap((kind, index) =>
    (
      [
        ['a', 'b'],
        ['b', 'a'],
      ] as const
    ).map(
      ([from, to]) =>
        [
          `server/src/domain/${from}${index}.ts`,
          [`import ${kind}{ ${to} } from './${to}${index}.ts';`, `export const ${from} = 1;`, `console.log(${to});`],
        ] as const,
    ),
  );
  assert.deepEqual(
    refusedImports(t, files, 'suspicious/noImportCycles').sort(),
    files.map(([file]) => `${file}:1`).sort(),
  );
});
