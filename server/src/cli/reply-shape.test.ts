import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createTestWorld } from '../../test/support/world.ts';
import { EVERY_OPERATION } from '../api/every-operation.ts';
import type { Operation } from '../api/operation.ts';
import { createRouter } from '../api/router.ts';
import {
  document as anyJson,
  boolean,
  integer,
  list,
  map,
  type Shape,
  string,
  structure,
  timestamp,
} from '../api/shape.ts';
import { assertFits, isTooDeep } from './reply-shape.ts';

const STAGE = ['--game', 'Demo', '--stage', 'Dev'];
const ID = '01a228ba-c330-7c7b-8537-16224c4faf6f';
const WEBHOOK = ['--game', 'Demo', '--id', ID];
const COMMANDS = [
  ...[['connections'], ['players'], ['blocks'], ['logs'], ['jobs', 'list'], ['maintenance', 'status']].map((words) => [
    ...words,
    ...STAGE,
  ]),
  ...['connections', 'players'].map((name) => [name, ...STAGE, '--count']),
  ...['disconnect', 'kick', 'connections', 'blocks', 'token', 'unblock', 'revoke-tokens'].map((name) => [
    ...[name, ...STAGE, '--player', 'p'],
  ]),
  ...['get', 'delete'].map((name) => ['player-data', name, ...STAGE, '--player', 'p']),
  ...['confirm', 'pause'].map((name) => ['jobs', name, ...STAGE, '--id', ID]),
  ['jobs', 'show', ...STAGE, '--id', ID, '--no-wait'],
  ['jobs', 'start', ...STAGE, '--everybody', '--dry-run'],
  ['identity', 'get', ...STAGE],
  ['export', '--game', 'Demo', '--working-copy'],
  ['events', '--game', 'Demo'],
  ['events', '--game', 'Demo', '--json'],
  ['webhooks', 'list', '--game', 'Demo'],
  ...['get', 'test', 'deliveries'].map((name) => ['webhooks', name, ...WEBHOOK]),
  ['nodes'],
  ['nodes', '--json'],
  ['audit'],
  ['audit', '--json'],
  ['audit', 'verify'],
  ['receipt', 'key'],
  ['api', 'list-games', '--all'],
];

/** A value of the shape; of those that are lists, with this item. */
function sampleOf(shape: Shape, leaf: unknown): unknown {
  switch (shape.type) {
    case 'structure':
      return Object.fromEntries(Object.entries(shape.members).map(([name, member]) => [name, sampleOf(member, leaf)]));
    case 'list':
      return [sampleOf(shape.member, leaf)];
    case 'map':
      return { k: sampleOf(shape.value, leaf) };
    case 'integer':
      return leaf ?? 7;
    case 'boolean':
      return leaf ?? false;
    case 'document':
      return leaf ?? {};
    case 'timestamp':
      return leaf ?? '2026-01-02T03:04:05.678Z';
    default:
      return leaf ?? 'a';
  }
}

/** What somebody may answer that is no Respark server, by the operation that is called. */
const ANSWERS: Readonly<Record<string, (operation: Operation | undefined) => string>> = {
  'nothing of it': () => '{}',
  'a list': () => '[]',
  null: () => 'null',
  'a page': () => '<html>',
  'a kind of its own everywhere': (operation) => JSON.stringify(operation && sampleOf(operation.output, [null])),
  'objects without members': (operation) =>
    JSON.stringify(operation && sampleOf(operation.output, undefined)).replace(/\{"[^{}[\]]*\}/g, '{}'),
  'the same page for ever': (operation) => JSON.stringify(operation && sampleOf(operation.output, undefined)),
  'many levels': () => `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
};

async function serve(t: TestContext) {
  const match = createRouter(EVERY_OPERATION);
  let answer = (_: Operation | undefined) => '';
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const found = match(request.method ?? '', path);
    request.resume();
    response.end(answer(found.kind === 'operation' ? found.operation : undefined));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set answer(next: (operation: Operation | undefined) => string) {
      answer = next;
    },
  };
}

test('whatever a server answers, no command fails as only a bug would have it fail', async (t) => {
  const server = await serve(t);
  const env = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'x'.repeat(40), AWS_ENDPOINT_URL: server.url };
  const surprises: string[] = [];
  for (const [what, answer] of Object.entries(ANSWERS)) {
    server.answer = answer;
    for (const words of COMMANDS) {
      const world = createTestWorld({ env });
      const code = await world.run(...words);
      if (world.err().includes('unexpected failure')) surprises.push(`${words.join(' ')}: ${what}: ${world.err()}`);
      if (code === 2) surprises.push(`${words.join(' ')} was not understood: ${world.err()}`);
    }
  }
  assert.deepEqual(surprises, []);
});

test('a reply fits its shape without members, and with others, and not with those of another kind', () => {
  const shape = structure(
    {
      ...{ At: timestamp(), Count: integer(), Is: boolean(), Any: anyJson(), Name: string({ enum: ['a'] }) },
      ...{ Names: list(string()), Of: map(string(), structure({ Deep: integer() })) },
    },
    ['Name'],
  );
  const fits = (reply: unknown) => assertFits(shape, reply);
  fits({});
  fits({ Name: 'one that a later version knows', More: 1 });
  fits({ Name: 'a', At: 'x', Count: 1.5, Is: false, Any: null, Names: [], Of: { k: { Deep: 1 } } });
  for (const [reply, where] of [
    [[], 'it'],
    [null, 'it'],
    [{ Name: 'a', Count: '1' }, 'its member Count'],
    [{ Name: 'a', At: 1 }, 'its member At'],
    [{ Name: 'a', Is: null }, 'its member Is'],
    [{ Name: 'a', Names: ['a', null] }, 'its member Names.member'],
    [{ Name: 'a', Of: { k: { Deep: [] } } }, 'its member Of.member.Deep'],
  ] as const) {
    assert.throws(() => fits(reply), {
      message: `the reply is not as it must be: ${where}; is the endpoint a Respark server?`,
    });
  }
});

test('text is as deep as it nests, whatever is in its strings', () => {
  const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}0${'}]'.repeat(levels / 2)}`;
  assert.equal(isTooDeep(nested(500)), false);
  assert.equal(isTooDeep(nested(502)), true);
  assert.equal(isTooDeep(JSON.stringify(`${'['.repeat(1_000)}"\\"${'{'.repeat(1_000)}`)), false);
  assert.equal(isTooDeep('[]'.repeat(1_000)), false);
});
