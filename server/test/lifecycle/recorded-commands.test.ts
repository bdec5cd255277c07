import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { LOCAL_OPERATIONS } from '../../src/domain/local-changes.ts';
import * as main from '../../src/main.ts';
import { temporaryDirectory } from '../../src/store/test-store.ts';
import { readAudit } from '../support/administration.ts';
import { serveHere } from '../support/serve-here.ts';
import { startTestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

/** Commands that change nothing, or only what is the caller's own. */
const READING = [
  'connect',
  'connections',
  'identity get',
  'identity check',
  'env',
  'logs',
  'events',
  'blocks',
  'players',
  'player-data get',
  'maintenance status',
  'jobs list',
  'jobs show',
  'webhooks list',
  'webhooks get',
  'webhooks deliveries',
  'unpack',
  'pack',
  'aws-model',
  'keys list',
  'audit verify',
  'receipt get',
  'receipt key',
  'receipt verify',
  'nodes',
  'config print',
  'config check',
  'doctor',
  'health',
  'backup',
  // It brings the form of what is kept up to date, as each start does.
  'migrate',
];

/** Its record is looked for beside the database that it copies to (store-copy.test.ts). */
const COPYING = ['store copy'];

/** Commands that change something only by calls of the API, each of which leaves a record. */
const CALLING = [
  ...['disconnect', 'import', 'deploy', 'dev', 'send', 'export', 'generate', 'api', 'drain', 'token'],
  ...[
    'identity set',
    'kick',
    'block',
    'unblock',
    'revoke-tokens',
    'player-data delete',
    'maintenance on',
    'maintenance off',
    'notify',
    'rehearse',
  ],
  ...['jobs start', 'jobs confirm', 'jobs pause', 'jobs resume', 'jobs cancel'],
  ...['webhooks create', 'webhooks update', 'webhooks delete', 'webhooks replay', 'webhooks test'],
];

const POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"gamesparks:GetGame","Resource":"*"}]}';

interface Place {
  readonly dataDir: string;
  /** Runs a command that must succeed, and returns what it printed. */
  run(args: readonly string[], options?: { stdin?: string; env?: Record<string, string> }): Promise<string>;
}

const createKey = async ({ run }: Place) =>
  JSON.parse(await run(['keys', 'create', '--policy', '-', '--json'], { stdin: POLICY })).accessKeyId as string;

/** Commands that change something by themselves: how to run each, and the operations that must be on record then. */
const CHANGING: Record<string, { readonly leaves: readonly string[]; run(place: Place): Promise<unknown> }> = {
  serve: {
    leaves: ['CreateRootAccessKey', 'ChangeRootAccessKey'],
    async run({ dataDir }) {
      const serve = ['--port', '0', '--data-dir', dataDir];
      assert.equal((await serveHere('.', serve)).exitCode, 0);
      const RESPARK_ROOT_SECRET_ACCESS_KEY = 'a-secret-of-more-than-32-characters';
      const env = { RESPARK_ROOT_ACCESS_KEY_ID: 'OTHER', RESPARK_ROOT_SECRET_ACCESS_KEY };
      assert.equal((await serveHere('.', serve, env)).exitCode, 0);
    },
  },
  restore: {
    leaves: ['RestoreBackup'],
    async run({ dataDir, run }) {
      const file = join(dataDir, '..', 'backup');
      await run(['backup', file, '--data-dir', dataDir]);
      await run(['restore', file, '--force', '--data-dir', dataDir]);
    },
  },
  console: {
    leaves: ['CreateConsoleLink'],
    async run({ dataDir }) {
      // The command only asks whether a server with a console answers.
      const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const world = createTestWorld({ main, local: { url } });
      const exitCode = await world.run('console', '--data-dir', dataDir);
      server.close();
      assert.equal(exitCode, 0, world.err());
    },
  },
  'keys create': { leaves: ['CreateAccessKey'], run: createKey },
  'keys revoke': {
    leaves: ['CreateAccessKey', 'RevokeAccessKey'],
    run: async (place) => await place.run(['keys', 'revoke', await createKey(place)]),
  },
  'keys rotate-secret': { leaves: ['RotateSecretKey'], run: ({ run }) => run(['keys', 'rotate-secret']) },
  'keys rotate-root': { leaves: ['RotateRootAccessKey'], run: ({ run }) => run(['keys', 'rotate-root']) },
};

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}

async function localRecords(dataDir: string) {
  const all = [
    ...(await readAudit({ dataDir }, { isLocal: true })),
    ...(await readAudit({ dataDir }, { cause: 'server' })),
  ];
  return all.filter(({ sourceAddress, actor }) => sourceAddress === '' && actor !== 'demo');
}

function placeAt(dataDir: string): Place {
  return {
    dataDir,
    async run(args, { stdin, env = {} } = {}) {
      const world = createTestWorld({ main, env: { RESPARK_DATA_DIR: dataDir, ...env } });
      if (stdin !== undefined) world.stdin.end(stdin);
      assert.equal(await world.run(...args), 0, world.err());
      return world.out();
    },
  };
}

test('every command is known either to change nothing, or to leave a record of what it changes', () => {
  const names = leavesOf(createProgram(createTestWorld())).map(nameOf);
  const known = [...READING, ...CALLING, ...COPYING, ...Object.keys(CHANGING)];
  assert.deepEqual(names.sort(), known.sort());
});

for (const [name, { leaves, run }] of Object.entries(CHANGING)) {
  test(`"respark ${name}" leaves a record with the user of the operating system`, async (t) => {
    const dataDir = join(temporaryDirectory(t), 'data');
    // A command needs the data directory of a server.
    if (name !== 'serve') await serveHere('.', ['--port', '0', '--data-dir', dataDir]);
    const before = new Set((await localRecords(dataDir).catch(() => [])).map(({ requestId }) => requestId));
    await run(placeAt(dataDir));
    const records = (await localRecords(dataDir)).filter(({ requestId }) => !before.has(requestId));
    assert.deepEqual(records.map(({ operation }) => operation).sort(), [...leaves].sort());
    for (const { operation, actor, outcome } of records) {
      assert.ok(LOCAL_OPERATIONS.some((known) => known === operation));
      assert.match(actor, new RegExp(`^uid=${process.geteuid?.()}(\\(.+\\))?$`));
      assert.deepEqual([operation, outcome?.error], [operation, undefined]);
      assert.ok(outcome, operation);
    }
  });
}

test('a key made beside a running server is on record there, with the digest of its policy', async (t) => {
  const server = await startTestServer(t);
  const accessKeyId = await createKey(placeAt(server.dataDir));
  const shown = await placeAt(server.dataDir).run(['audit', '--operation', 'CreateAccessKey', '--json'], {
    env: { AWS_ACCESS_KEY_ID: 'x' },
  });
  const [record, ...others] = JSON.parse(shown);
  assert.deepEqual(others, []);
  assert.equal(record.resource, `arn:aws:iam::000000000000:access-key/${accessKeyId}`);
  assert.equal(record.details.policySha256, createHash('sha256').update(POLICY).digest('hex'));
  assert.equal(record.outcome.status, 200);
});
